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
use crate::stocks::Stocks;

/// Blocks that wait, at most.
const PLACES: usize = 48;
/// Their bytes that have contents, at most.
const BYTES: usize = 3 << 19;

/// What a place's word says where it is not the address of the block that waits there.
const EMPTY: usize = 0;
const TAKEN: usize = 1;

/// A place for a block.
///
/// # Invariants
///
/// `kept` is reached by whoever changed `block` to [`TAKEN`] alone; it is a block that waits where `block`
/// is an address.
struct Place {
    /// [`EMPTY`], [`TAKEN`], or the address of the block.
    block: AtomicUsize,
    kept: UnsafeCell<Kept>,
}

// SAFETY: by the invariant, one thread at a time reaches what is not atomic, and a freed block is no thread's.
unsafe impl Sync for Place {}

static WAITING: [Place; PLACES] =
    [const { Place { block: AtomicUsize::new(EMPTY), kept: UnsafeCell::new(Kept::NONE) } }; PLACES];
/// The place whose block leaves next: each gets its turn.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The block that was freed last.
static NEWEST: AtomicUsize = AtomicUsize::new(0);
/// Bytes with contents of blocks that wait.
static HELD: AtomicUsize = AtomicUsize::new(0);

impl Place {
    /// Takes the block out that waits here, if it is as `fits` wants it.
    fn take(&self, fits: impl Fn(&Kept) -> bool) -> Option<Kept> {
        // Relaxed: what it says is asked again below.
        let block = self.block.load(Ordering::Relaxed);
        if block == EMPTY || block == TAKEN {
            return None;
        }
        // Acquire: its partner is the Release in `put` and below: what the block is was written before.
        self.block.compare_exchange(block, TAKEN, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: the invariant: taken, and a block waits.
        let kept = unsafe { *self.kept.get() };
        let found = fits(&kept);
        // Release: see above; whoever takes the place next reads or writes `kept` after this.
        self.block.store(if found { EMPTY } else { block }, Ordering::Release);
        if !found {
            return None;
        }
        // Relaxed: a sum that orders nothing.
        HELD.fetch_sub(kept.contents(), Ordering::Relaxed);
        Some(kept)
    }

    /// Puts a block here, if the place is empty.
    fn put(&self, kept: Kept) -> bool {
        // Relaxed: what it says is asked again below.
        if self.block.load(Ordering::Relaxed) != EMPTY {
            return false;
        }
        // Acquire: its partner is the Release in `take` and below. Relaxed: nothing is read where it fails.
        let taken = self.block.compare_exchange(EMPTY, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            return false;
        }
        // SAFETY: the invariant: taken.
        unsafe { *self.kept.get() = kept };
        // Relaxed: a sum that orders nothing.
        HELD.fetch_add(kept.contents(), Ordering::Relaxed);
        // Release: its partner is the Acquire in `take`.
        self.block.store(kept.block.addr(), Ordering::Release);
        true
    }
}

/// Takes out a block that is as `fits` wants it, and not the one that was freed last.
pub(super) fn take(fits: impl Fn(&Kept) -> bool) -> Option<Kept> {
    // Relaxed: whichever it is, one block is left.
    let newest = NEWEST.load(Ordering::Relaxed);
    WAITING.iter().find_map(|place| place.take(|kept| kept.block.addr() != newest && fits(kept)))
}

/// Has a block wait, and others leave where there is no room for it.
pub(super) fn keep(stocks: &Stocks, kept: Kept) {
    for _ in 0..=PLACES {
        // Relaxed: a sum that orders nothing; two that come at once may be some bytes too many.
        let fits = HELD.load(Ordering::Relaxed) + kept.contents() <= BYTES;
        if fits && WAITING.iter().any(|place| place.put(kept)) {
            // Relaxed: see `take`.
            NEWEST.store(kept.block.addr(), Ordering::Relaxed);
            return;
        }
        // Relaxed: any order does.
        let place = &WAITING[NEXT.fetch_add(1, Ordering::Relaxed) % PLACES];
        if let Some(other) = place.take(|_| true) {
            large::leave(stocks, other);
        }
    }
    large::leave(stocks, kept);
}

/// Whether a block waits.
pub(super) fn has(block: *mut u8) -> bool {
    // Relaxed: who frees a block twice did so before, or races with itself.
    WAITING.iter().any(|place| place.block.load(Ordering::Relaxed) == block.addr())
}

/// All that waits leaves.
pub(super) fn drain(stocks: &Stocks) {
    for place in &WAITING {
        if let Some(kept) = place.take(|_| true) {
            large::leave(stocks, kept);
        }
    }
}
