//! A stock of frames for one thread or core.
//!
//! Frames come a row at a time and go back a row at a time: two or three atomic exchanges for up to
//! 64 frames. Between that, taking and freeing a frame are plain loads and stores of words that only
//! the owner writes.

mod free;
mod refill;

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
#[cfg(all(feature = "std", not(strata_loom)))]
use core::mem::ManuallyDrop;

use strata_core::{Exhausted, FrameId, Order};

use crate::class::Class;
use crate::error::FreeError;
use crate::frames::PageFrames;
use crate::journal::Journal;
use crate::search::Place;
#[cfg(all(feature = "std", not(strata_loom)))]
use crate::search::WINDOW;
use crate::slot::{Part, Slot};

/// The stock of one local, owned by whoever has this: [`PageFrames::local`] gives it. Dropping it
/// gives all frames in it back.
///
/// It holds at most 16 frames in hand and one row of freed frames, which nobody else can reach, and
/// at most one more row, which others take when memory runs out. A thread that stops for ever
/// leaves no more behind than that.
///
/// It may move to another thread, but is used by one at a time.
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use strata_core::Order;
/// # use strata_page_frame::{Geometry, PageFrames};
/// # let layout = PageFrames::metadata_layout(4096, 2, Geometry::DEFAULT)?;
/// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
/// # let frames = PageFrames::new(4096, 2, Geometry::DEFAULT, &mut metadata)?;
/// let local = frames.local(0).unwrap();
/// assert!(frames.local(0).is_none()); // it has an owner
/// let one = Order::new(0).unwrap();
/// let frame = local.alloc(one)?;
/// local.free(frame, one)?;
/// drop(local);
/// assert_eq!(frames.free_frames(), 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Local<'a> {
    frames: &'a PageFrames<'a>,
    slot: Slot<'a>,
    home: usize,
    class: Class,
    /// One thread at a time: words of the owner are changed by a load and a store.
    one: PhantomData<Cell<()>>,
}

impl<'a> Local<'a> {
    pub(crate) fn acquire(frames: &'a PageFrames<'a>, index: usize) -> Option<Self> {
        // Those who ask spread over the zone.
        let home = (frames.tables.trees * index).checked_div(frames.locals())?;
        Self::acquire_at(frames, index, home)
    }

    #[inline]
    fn acquire_at(frames: &'a PageFrames<'a>, index: usize, home: usize) -> Option<Self> {
        let slot = Slot::of(frames.tables.slots, index)?;
        let class = Class::MOVABLE;
        // Made by its owner only: dropping it gives the slot back.
        slot.acquire().then(|| Self { frames, slot, home, class, one: PhantomData })
    }

    /// The same stock for requests of another class. What is in stock is given back before.
    #[must_use]
    pub fn with_class(mut self, class: Class) -> Self {
        self.drain();
        self.class = class;
        self
    }

    /// The allocator it belongs to.
    pub fn frames(&self) -> &'a PageFrames<'a> {
        self.frames
    }

    /// Takes a block of `order`. A frame (order 0) comes out of the hand: a load and two stores;
    /// one of 16 exchanges a word for more, one of 64 takes a row. Other orders are as
    /// [`PageFrames::alloc`], near the stock.
    ///
    /// The longest path is that of a request for a frame that fails, and finds all hints out of date: it
    /// reads or changes each word of four entries, with the hints of its tree, seven times, twelve words of
    /// the index for each 64 huge frames, each entry five times and its rows once, the six words of each local's
    /// stock, and less than fifty words besides. While others have claims in flight it looks at
    /// entries, rows and stocks again, up to 64 times.
    ///
    /// Asking for a block confirms the one before: see [`PageFrames::recover`].
    ///
    /// # Errors
    ///
    /// As [`PageFrames::alloc`].
    #[inline]
    pub fn alloc(&self, order: Order) -> Result<FrameId, Exhausted> {
        let _at_work = self.frames.tables.at_work();
        if order.get() == 0 {
            let hand = self.slot.hand();
            if !hand.is_empty() {
                return Ok(self.pop(hand));
            }
            return self.refill_slow();
        }
        self.alloc_block(order)
    }

    /// Out of line, so that a frame out of the hand does not pay for its registers.
    #[inline(never)]
    fn alloc_block(&self, order: Order) -> Result<FrameId, Exhausted> {
        let frame = self.frames.take(order.get(), &self.place(), Some(self), &self.slot)?;
        self.slot.record_block(frame, order.get());
        self.frames.tables.mark(frame, order.frames());
        Ok(frame)
    }

    /// Hands out the lowest frame of the hand.
    #[inline]
    fn pop(&self, hand: Part) -> FrameId {
        let (frame, rest) = hand.pop();
        // In doubt before it leaves the hand: a crash between leaves it in both.
        self.slot.record_block(frame, 0);
        self.slot.set_hand(rest);
        self.frames.tables.mark(frame, 1);
        frame
    }

    /// Takes frames until `out` is full or none is left, and answers how many.
    pub fn alloc_bulk(&self, order: Order, out: &mut [FrameId]) -> usize {
        for (taken, place) in out.iter_mut().enumerate() {
            match self.alloc(order) {
                Ok(frame) => *place = frame,
                Err(Exhausted) => return taken,
            }
        }
        out.len()
    }

    /// Gives back blocks of one order.
    ///
    /// # Errors
    ///
    /// With how many of the first were given back, where the next cannot be.
    pub fn free_bulk(&self, blocks: &[FrameId], order: Order) -> Result<(), (usize, FreeError)> {
        let mut all = blocks.iter().enumerate();
        all.try_for_each(|(done, block)| self.free(*block, order).map_err(|error| (done, error)))
    }

    /// Says that the caller has written down what it was handed out last.
    #[inline]
    pub fn confirm(&self) {
        self.slot.record_none();
    }

    /// Gives back all frames of the stock; how many these were.
    pub fn drain(&self) -> u64 {
        let _at_work = self.frames.tables.at_work();
        self.flush()
    }

    /// As [`drain`](Self::drain).
    pub(crate) fn flush(&self) -> u64 {
        let hand = self.slot.hand();
        let mut given = self.flush_frees();
        if !hand.is_empty() {
            // In doubt before they leave the hand: a crash between leaves them in both.
            self.slot.bits(hand.row(), hand.bits());
        }
        self.slot.set_hand(Part(0));
        if !hand.is_empty() {
            given += self.frames.give_bits(hand.row(), hand.bits(), &self.slot);
        }
        given += self.frames.steal_parts(self.slot, &self.slot);
        self.let_go();
        given
    }

    /// Gives back what is in stock here, and what others have in theirs.
    pub(crate) fn drain_all(&self) -> u64 {
        let slots = self.frames.tables.slots;
        let others = (0..self.frames.locals()).filter_map(|index| Slot::of(slots, index));
        self.flush() + others.map(|slot| self.frames.steal_parts(slot, &self.slot)).sum::<u64>()
    }

    /// Gives back the freed frames that wait; how many these were.
    fn flush_frees(&self) -> u64 {
        let (row, bits) = self.slot.frees();
        if bits == 0 {
            return 0;
        }
        self.slot.bits(row, bits);
        self.slot.set_frees(0);
        self.frames.give_bits(row, bits, &self.slot)
    }

    /// The huge frame at which the stock works.
    pub(crate) fn held(&self) -> Option<usize> {
        self.slot.held()
    }

    /// Works at `huge` from now on, whose entry says so.
    pub(crate) fn hold(&self, huge: usize) {
        if self.slot.held() != Some(huge) {
            self.let_go();
            self.slot.set_held(Some(huge));
        }
    }

    fn let_go(&self) {
        if let Some(huge) = self.slot.held() {
            self.slot.set_held(None);
            self.frames.tables.let_go(huge);
        }
    }

    pub(crate) fn place(&self) -> Place<'a> {
        Place {
            row: self.slot.row_hint(),
            tree: self.slot.tree_hint(),
            home: self.home,
            class: self.class,
            policy: self.frames.policy,
        }
    }
}

impl PageFrames<'_> {
    /// Does `work` with the stock of local `index`, unless somebody has it at this moment. What is in it
    /// stays there, for whoever comes next: nobody owns it between two calls.
    #[cfg(all(feature = "std", not(strata_loom)))]
    #[inline]
    pub(crate) fn borrow_local<R>(
        &self,
        index: usize,
        work: impl FnOnce(&Local<'_>) -> R,
    ) -> Option<R> {
        // All in one window, so that fullest first is exact, and the zone is used from its start on. A
        // shift, for this is done in each call.
        let home = (self.tables.trees.min(WINDOW) * index) >> self.locals().checked_ilog2()?;
        let local = ManuallyDrop::new(Local::acquire_at(self, index, home)?);
        let answer = work(&local);
        local.slot.release();
        Some(answer)
    }
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        self.drain();
        self.slot.record_none();
        self.slot.release();
    }
}

impl fmt::Debug for Local<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("hand", &self.slot.hand())
            .field("held", &self.slot.held())
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

static_assertions::assert_impl_all!(Local<'static>: Send);
static_assertions::assert_not_impl_any!(Local<'static>: Sync);
