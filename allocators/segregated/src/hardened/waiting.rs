//! Large blocks that were freed wait, with their guards up, for the process: the next request of the same
//! length gets one, and the guards cost no call of the system then.
//!
//! What waits is filled with poison, and looked at when it leaves; of a long block the pages go back, and what
//! is left cannot be touched. They are bounded in blocks and in bytes that have contents, and leave in turns.
//!
//! A place is taken for as long as somebody reads or writes what is in it, and nobody waits for it: who finds
//! it taken goes on. So a `fork` in between costs its child a place, and nothing else.

use core::cell::UnsafeCell;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

use super::large::{self, Kept};
use super::shape::Shape;
use crate::class::FRAME;
use crate::stocks::Stocks;

/// Blocks that wait, at most.
const PLACES: usize = 48;
/// Their bytes that have contents, at most.
const BYTES: usize = 3 << 19;

/// What a place's word says where no block waits there.
const EMPTY: usize = 0;
const TAKEN: usize = 1;

/// A block in one word: its address, and in the bits that are zero there how long it is, as far as they hold that.
///
/// The words of all places stand side by side: who looks for a block reads a few lines, and nothing else of the others.
fn word_of(block: *mut u8, shape: Shape) -> usize {
    block.addr() | length_of(shape)
}

fn length_of(shape: Shape) -> usize {
    shape.body / FRAME % FRAME
}

/// What waits at a place.
///
/// # Invariants
///
/// Reached by whoever changed the place's word to [`TAKEN`] alone; it is a block that waits where the word is another
/// one than [`EMPTY`].
struct Place(UnsafeCell<Kept>);

// SAFETY: by the invariant, one thread at a time reaches it, and a freed block is no thread's.
unsafe impl Sync for Place {}

static WORDS: [AtomicUsize; PLACES] = [const { AtomicUsize::new(EMPTY) }; PLACES];
static KEPT: [Place; PLACES] = [const { Place(UnsafeCell::new(Kept::NONE)) }; PLACES];
/// The place whose block leaves next: each gets its turn.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The word of the block that was freed last.
static NEWEST: AtomicUsize = AtomicUsize::new(0);
/// Bytes with contents of blocks that wait.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Takes the block out that waits at a place, if its word and itself are as they are wanted.
fn take_at(at: usize, may: impl Fn(usize) -> bool, fits: impl Fn(&Kept) -> bool) -> Option<Kept> {
    // Relaxed: what it says is asked again below.
    let word = WORDS[at].load(Ordering::Relaxed);
    if word == EMPTY || word == TAKEN || !may(word) {
        return None;
    }
    // Acquire: its partner is the Release in `put_at` and below: what the block is was written before.
    WORDS[at].compare_exchange(word, TAKEN, Ordering::Acquire, Ordering::Relaxed).ok()?;
    // SAFETY: the invariant: taken, and a block waits.
    let kept = unsafe { *KEPT[at].0.get() };
    let found = fits(&kept);
    // Release: see above; whoever takes the place next reads or writes what is there after this.
    WORDS[at].store(if found { EMPTY } else { word }, Ordering::Release);
    if !found {
        return None;
    }
    // Relaxed: a sum that orders nothing.
    HELD.fetch_sub(kept.contents(), Ordering::Relaxed);
    Some(kept)
}

/// Puts a block at a place, if that is empty.
fn put_at(at: usize, kept: Kept) -> bool {
    debug_assert!(kept.block.addr().is_multiple_of(FRAME) && !kept.block.is_null());
    // Relaxed: what it says is asked again below.
    if WORDS[at].load(Ordering::Relaxed) != EMPTY {
        return false;
    }
    // Acquire: its partner is the Release in `take_at` and below. Relaxed: nothing is read where it fails.
    let taken = WORDS[at].compare_exchange(EMPTY, TAKEN, Ordering::Acquire, Ordering::Relaxed);
    if taken.is_err() {
        return false;
    }
    // SAFETY: the invariant: taken.
    unsafe { *KEPT[at].0.get() = kept };
    // Relaxed: a sum that orders nothing.
    HELD.fetch_add(kept.contents(), Ordering::Relaxed);
    // Release: its partner is the Acquire in `take_at`.
    WORDS[at].store(word_of(kept.block, kept.shape), Ordering::Release);
    true
}

/// Takes out a block that serves a request for that shape, and not the one that was freed last.
pub(super) fn take(shape: Shape) -> Option<Kept> {
    let length = length_of(shape);
    // Relaxed: whichever it is, one block is left.
    let newest = NEWEST.load(Ordering::Relaxed);
    let may = |word| word % FRAME == length && word != newest;
    (0..PLACES).find_map(|at| take_at(at, may, |kept| kept.serves(shape)))
}

/// Has a block wait, and others leave where there is no room for it.
pub(super) fn keep(stocks: &Stocks, kept: Kept) {
    for _ in 0..=PLACES {
        // Relaxed: a sum that orders nothing; two that come at once may be some bytes too many.
        let fits = HELD.load(Ordering::Relaxed) + kept.contents() <= BYTES;
        if fits && (0..PLACES).any(|at| put_at(at, kept)) {
            // Relaxed: see `take`.
            NEWEST.store(word_of(kept.block, kept.shape), Ordering::Relaxed);
            return;
        }
        // Relaxed: any order does.
        let at = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
        if let Some(other) = take_at(at, |_| true, |_| true) {
            large::leave(stocks, other);
        }
    }
    large::leave(stocks, kept);
}

/// Whether a block waits. Any address may be asked for.
pub(super) fn has(block: *mut u8) -> bool {
    // Relaxed: who frees a block twice did so before, or races with itself.
    let waits = |word: &AtomicUsize| word.load(Ordering::Relaxed) & !(FRAME - 1) == block.addr();
    !block.is_null() && WORDS.iter().any(waits)
}

/// All that waits leaves.
pub(super) fn drain(stocks: &Stocks) {
    for at in 0..PLACES {
        if let Some(kept) = take_at(at, |_| true, |_| true) {
            large::leave(stocks, kept);
        }
    }
}
