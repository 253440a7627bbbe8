//! The large block that a thread freed last, kept for its next request.
//!
//! A block with a chunk to itself serves requests of its length. A run serves all that it is long enough
//! for: the thread lends its front (`lend.rs`), so that a program whose blocks change their sizes, one
//! after the other, changes nothing but the slot's own words and the word on the run's first frame.
//!
//! While the block is out the slot remembers it, and counts on it to come back. What the slot counts as
//! kept is too much by the block that is out, until the thread comes by a slow path.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use strata_core::misuse;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

use super::zero::Habit;
use crate::central::Platform;
use crate::class::FRAME;
use crate::huge::{self, Uses};
use crate::large::frames_of;
use crate::lend::lend;
use crate::process::{HEAP, Process};
use crate::region::{Front, Lender};

/// Times that the block comes back before somebody looks whether it may still be kept, at most: they
/// double while it does so within [`OFTEN`].
const TURNS: u32 = 64;
/// Milliseconds.
const OFTEN: u32 = 100;

/// The last byte of the last frame of a block of `size` bytes; of no bytes, one that no block has.
#[inline(always)]
fn last_byte(size: usize) -> usize {
    size.wrapping_sub(1) | (FRAME - 1)
}

/// Written by its thread alone; others read atomics of it to count. Relaxed, all: nothing is read through it.
///
/// # Invariants
///
/// 1. Where there is a block, `state` is not zero.
/// 2. Where it is the front of a run that this thread lends, the run's first frame says the length that `state`
///    says: so what comes back and goes out again with the same length is told to nobody.
#[derive(Debug)]
pub(super) struct Slot {
    /// Where the block, or the run, begins; null where there was none yet.
    at: Cell<*mut u8>,
    /// Bytes of the frames of the block that went out last; less one, its [`last_byte`], while it is here. One
    /// word for both: to see that the block is here and of that length, or out, is one comparison.
    state: AtomicUsize,
    /// Bytes of the block or the run.
    len: AtomicUsize,
    /// Frames of the shortest block that it serves, and how many more one may have: of a run all of its own.
    least: Cell<usize>,
    more: AtomicUsize,
    /// What stands on the run's first frames, if it is one, and whose it is there.
    front: Cell<Option<&'static Front>>,
    lender: Cell<Lender>,
    /// Turns until somebody looks, how many there were after the last look, and when that was.
    turns: Cell<u32>,
    all_turns: Cell<u32>,
    looked: Cell<u32>,
    /// How often the block served.
    uses: Cell<Uses>,
    /// Whether all its pages have contents.
    pub(super) dense: Cell<bool>,
    /// What the thread does with large blocks that it wants zeroed.
    pub(super) habit: Habit,
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            at: Cell::new(ptr::null_mut()),
            state: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            least: Cell::new(0),
            more: AtomicUsize::new(0),
            front: Cell::new(None),
            lender: Cell::new(Lender::NOBODY),
            turns: Cell::new(0),
            all_turns: Cell::new(0),
            looked: Cell::new(0),
            uses: Cell::new(Uses::NONE),
            dense: Cell::new(false),
            habit: Habit::new(),
        }
    }

    #[inline(always)]
    fn state(&self) -> usize {
        self.state.load(Ordering::Relaxed)
    }

    /// Whether the block is here, and not out.
    #[inline(always)]
    fn is_here(&self) -> bool {
        self.state() & 1 != 0
    }

    /// Bytes of the block's frames.
    #[inline(always)]
    fn block_len(&self) -> usize {
        self.state().next_multiple_of(FRAME)
    }

    /// Whether blocks of that many frames are served.
    #[inline(always)]
    fn serves(&self, frames: usize) -> bool {
        frames.wrapping_sub(self.least.get()) <= self.more.load(Ordering::Relaxed)
    }

    /// Whether what was lent still is this thread's: another one that freed and kept the block has the
    /// run now, and may have lent it to this one.
    #[inline(always)]
    fn is_own(&self) -> bool {
        self.front.get().is_none_or(|front| self.lender.get().has(front))
    }

    /// A block of so many frames goes out: of a run, the front says so.
    #[inline(always)]
    fn lend(&self, frames: usize) {
        if let Some(front) = self.front.get() {
            lend(front, frames, self.len());
        }
        self.state.store(frames * FRAME, Ordering::Relaxed);
    }

    /// The block, if it is here with the length that is asked for: most often what is freed is asked for again.
    #[inline(always)]
    pub(super) fn take_same(&self, layout: Layout) -> Option<*mut u8> {
        let last = last_byte(layout.size());
        // Blocks begin at frames.
        let is_it = self.state() == last && layout.align() <= FRAME;
        is_it.then(|| {
            self.state.store(last + 1, Ordering::Relaxed);
            self.at.get()
        })
    }

    /// The block, if it is here and serves.
    #[inline(always)]
    pub(super) fn take(&self, layout: Layout) -> Option<*mut u8> {
        let frames = frames_of(layout.size());
        // Blocks begin at frames; a higher alignment may be there by chance.
        let fits = self.is_here()
            && self.serves(frames)
            && (layout.align() <= FRAME || self.at.get().addr().is_multiple_of(layout.align()));
        fits.then(|| {
            self.lend(frames);
            self.at.get()
        })
    }

    /// Whether `block` is the one that went out last, of the layout that it is said to have.
    #[inline(always)]
    pub(super) fn expects(&self, block: *mut u8, layout: Layout) -> bool {
        self.at.get() == block && self.state() == frames_of(layout.size()) * FRAME && self.is_own()
    }

    /// Takes the block back that went out last, if it is this one. Answers false where somebody has
    /// to look first.
    #[inline(always)]
    pub(super) fn put(&self, block: *mut u8, layout: Layout) -> bool {
        // As `expects`, but for a layout of no bytes.
        let last = last_byte(layout.size());
        self.at.get() == block
            && self.state() == last.wrapping_add(1)
            && self.is_own()
            && self.hold(last)
    }

    /// [`Slot::put`] of a block whose length nobody said, if it is the front of a run: another thread that
    /// gave it another length ended the loan.
    #[inline(always)]
    pub(super) fn put_lent(&self, block: *mut u8) -> bool {
        self.at.get() == block
            && !self.is_here()
            && self.front.get().is_some()
            && self.is_own()
            && self.hold(self.state() - 1)
    }

    /// The block is here, and ends with the byte `last`; answers false where somebody has to look first.
    #[inline(always)]
    fn hold(&self, last: usize) -> bool {
        let turns = self.turns.get();
        if turns == 0 {
            return false;
        }
        self.turns.set(turns - 1);
        self.state.store(last, Ordering::Relaxed);
        true
    }

    /// Gives the block that is out another length where it lies, if it is `block` and serves that, too.
    #[inline(always)]
    pub(super) fn resize(&self, block: *mut u8, layout: Layout, new: Layout) -> bool {
        let frames = frames_of(new.size());
        let may = self.expects(block, layout) && self.serves(frames);
        if may {
            self.lend(frames);
        }
        may
    }

    /// Stops the process where `block` is here already.
    pub(super) fn check(&self, block: *mut u8) {
        if self.at.get() == block && self.is_here() {
            misuse::stop("a large block was freed twice");
        }
    }

    /// Bytes that count as kept.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Keeps a block of `len` bytes, which is live to the heap; the slot has none, but for this one.
    pub(super) fn keep(&self, block: NonNull<u8>, layout: Layout, len: usize) {
        let frames = frames_of(layout.size());
        if !self.expects(block.as_ptr(), layout) {
            self.settle();
            let lender = Lender::of(self);
            let run = HEAP.keep_run(block, layout, lender);
            let (len, least) = run.map_or((len, frames), |(len, _)| (len, 0));
            self.at.set(block.as_ptr());
            self.len.store(len, Ordering::Relaxed);
            self.least.set(least);
            self.more.store(run.map_or(0, |(len, _)| len / FRAME), Ordering::Relaxed);
            self.front.set(run.map(|(_, front)| front));
            self.lender.set(lender);
            self.dense.set(false);
            self.uses.set(Uses::NONE);
            HEAP.slots.fetch_add(len, Ordering::Relaxed);
        }
        self.look(block);
        self.wind();
        self.state.store(frames * FRAME - 1, Ordering::Relaxed);
    }

    /// Counts what the block served since the last look, and tells of one that served often.
    fn look(&self, block: NonNull<u8>) {
        // SAFETY: 1. the slot's block, which is not out.
        unsafe { self.count(self.all_turns.get() as u16, block, self.len(), false) };
    }

    /// Counts that the first `len` bytes of the block that just went out were cleared, all of them, or that
    /// some went back to the system instead: then huge pages did, too.
    ///
    /// # Safety
    ///
    /// 1. Nobody else has it yet.
    pub(super) unsafe fn note_zeroed(&self, len: usize, cleared: bool) {
        match NonNull::new(self.at.get()) {
            // SAFETY: 1. the caller's.
            Some(block) if cleared => unsafe { self.count(huge::CLEARED, block, len, true) },
            _ => self.uses.set(Uses::NONE),
        }
    }

    /// Counts uses of the block, and tells of one that served often.
    ///
    /// # Safety
    ///
    /// 1. As for [`Platform::often_used`].
    unsafe fn count(&self, more: u16, block: NonNull<u8>, len: usize, dense: bool) {
        let mut uses = self.uses.get();
        if uses.count(more) {
            // SAFETY: 1. the caller's.
            let enough = unsafe { Process::often_used(block, len, dense) };
            uses = if enough { Uses::ENOUGH } else { uses };
        }
        self.uses.set(uses);
    }

    /// Lets the block come back some times before the next look. A program that uses it now and then
    /// comes by here often: with it the budget sees that time passes.
    fn wind(&self) {
        let now = Process::now() as u32;
        let elapsed = now.wrapping_sub(self.looked.replace(now));
        let turns = self.all_turns.get();
        let turns = if elapsed < OFTEN { (2 * turns + 1).min(TURNS) } else { turns / 4 };
        self.all_turns.set(turns);
        self.turns.set(turns);
    }

    /// A layout that the block has to the heap.
    fn layout(&self) -> Layout {
        // SAFETY: a power of two, and the length of a block that there is.
        unsafe { Layout::from_size_align_unchecked(self.block_len(), 1) }
    }

    /// Gives the block back to the heap if it is here, and forgets it if it is out: then what of a run is
    /// behind it goes back.
    pub(super) fn give(&self) {
        if let Some(block) = NonNull::new(self.at.get())
            && self.is_here()
        {
            let layout = self.layout();
            self.forget();
            // SAFETY: its own length, and it is live to the heap; blocks of the slot were asked for
            // with alignments that are there whatever is said here.
            unsafe { HEAP.put_large(block, layout) };
        }
        self.settle();
    }

    /// Forgets the block if it is out, and gives it back where so much may not be kept any more.
    pub(super) fn sweep(&self) {
        self.settle();
        let (in_spans, outside) = HEAP.idle_outside();
        if self.kept() != 0 && in_spans + outside > HEAP.limit() {
            self.give();
        }
    }

    /// Forgets the block if it is out: it does not count as kept any more.
    pub(super) fn settle(&self) {
        if self.is_here() {
            return;
        }
        if let Some(block) = NonNull::new(self.at.get()) {
            let (layout, front) = (self.layout(), self.front.get());
            self.forget();
            if let Some(front) = front {
                HEAP.end_loan(block, layout, front, self.lender.get());
            }
        }
    }

    /// As [`Slot::settle`], if `block` is the one.
    pub(super) fn settle_at(&self, block: *mut u8) {
        if self.at.get() == block {
            self.settle();
        }
    }

    fn forget(&self) {
        HEAP.slots.fetch_sub(self.len(), Ordering::Relaxed);
        self.len.store(0, Ordering::Relaxed);
        self.more.store(0, Ordering::Relaxed);
        self.state.store(0, Ordering::Relaxed);
        self.at.set(ptr::null_mut());
        self.front.set(None);
    }

    /// Bytes that are here, for others to count: all of them, or what of a run is behind the block.
    pub(super) fn kept(&self) -> usize {
        if self.is_here() {
            return self.len();
        }
        (self.more.load(Ordering::Relaxed) * FRAME).saturating_sub(self.block_len())
    }
}
