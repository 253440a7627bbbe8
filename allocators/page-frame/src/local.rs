//! A stock of frames for one thread or core.
//!
//! Frames come a row at a time and go back a row at a time: two or three atomic exchanges for up to
//! 64 frames. Between that, taking and freeing a frame are plain loads and stores of words that only
//! the owner writes.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use strata_core::sync::Ordering;
use strata_core::{Exhausted, FrameId, Order};

use crate::class::Class;
use crate::error::FreeError;
use crate::frames::PageFrames;
use crate::geometry::{ROW, bit_of, row_of};
use crate::journal::Journal;
use crate::search::Place;
use crate::slot::{PARTS, Part, Slot};

/// Huge frames that a refill may lose to other threads before everything is looked at.
const PICKS: usize = 8;

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
        let slot = Slot::of(frames.tables.slots, index)?;
        // Those who ask spread over the zone.
        let home = frames.tables.trees.len() * index / frames.locals();
        let class = Class::MOVABLE;
        // Made by its owner only: dropping it gives the slot back.
        slot.acquire().then(|| Self { frames, slot, home, class, one: PhantomData })
    }

    /// The same stock for requests of another class. What is in stock is given back before.
    #[must_use]
    pub fn with_class(mut self, class: Class) -> Self {
        self.flush();
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

    /// Gives back a block that was taken with this order, from here or elsewhere.
    ///
    /// A frame (order 0) goes to the hand, if the hand is of its quarter row; otherwise it waits for
    /// others of its row, and they are given back at once.
    ///
    /// # Errors
    ///
    /// Where that cannot be: nothing changed. A frame that another local's stock holds is not told
    /// from a taken one (with feature `checked` it is).
    #[inline]
    pub fn free(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        let _at_work = self.frames.tables.at_work();
        if order.get() != 0 {
            return self.free_block(frame, order);
        }
        let tables = &self.frames.tables;
        if frame.0 >= tables.frames {
            return Err(FreeError::OutOfRange);
        }
        let (row, bit) = (row_of(frame.0), 1 << bit_of(frame.0));
        // Relaxed: a look; only whoever has the frame changes its bit.
        if tables.rows[row].load(Ordering::Relaxed) & bit == 0 {
            return Err(FreeError::DoubleFree);
        }
        let hand = self.slot.hand();
        let (waiting, bits) = self.slot.frees();
        if hand.row() != row {
            // Others of its row wait, so that the row is none of a whole huge frame.
            if waiting == row && bits != 0 && bits & bit == 0 {
                self.begin_free(frame, order)?;
                self.slot.set_frees(bits | bit);
                return Ok(());
            }
        } else if hand.covers(frame) && !hand.is_empty() && waiting != row {
            if hand.0 & Part::bit(frame) != 0 {
                return Err(FreeError::DoubleFree);
            }
            self.begin_free(frame, order)?;
            self.slot.set_hand(Part(hand.0 | Part::bit(frame)));
            return Ok(());
        }
        self.free_slow(frame)
    }

    /// Writes down that a block is being freed, and that none begins there any more.
    #[inline]
    fn begin_free(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        self.slot.record_block(frame, order.get());
        let unmarked = self.frames.tables.unmark(frame, order.frames());
        if unmarked.is_err() {
            self.slot.record_none();
        }
        unmarked
    }

    /// Frees a taken frame of a row of which none waits, or of the row in stock.
    #[inline(never)]
    fn free_slow(&self, frame: FrameId) -> Result<(), FreeError> {
        let tables = &self.frames.tables;
        let (row, bit) = (row_of(frame.0), 1 << bit_of(frame.0));
        // The rows of a whole huge frame are full; others are not worth the look at its entry.
        // Relaxed: as in `free`.
        if tables.rows[row].load(Ordering::Relaxed) == u64::MAX {
            tables.check_small(tables.geometry.huge_of(frame.0))?;
        }
        let hand = self.slot.hand();
        let (waiting, bits) = self.slot.frees();
        if self.in_stock(hand, frame) || waiting == row && bits & bit != 0 {
            return Err(FreeError::DoubleFree);
        }
        let mate = hand.covers(frame) || waiting == row;
        if !mate {
            // Before the free begins: giving others back is a record of its own.
            self.flush_frees();
        }
        self.begin_free(frame, Order::default())?;
        if hand.covers(frame) {
            self.slot.set_hand(Part(hand.0 | Part::bit(frame)));
        } else if waiting == row {
            self.slot.set_frees(bits | bit);
        } else {
            self.slot.set_frees_row(row);
            self.slot.set_frees(bit);
        }
        Ok(())
    }

    /// Whether the hand or a part of this stock has `frame`.
    #[inline]
    fn in_stock(&self, hand: Part, frame: FrameId) -> bool {
        // Hand and parts are of one row.
        let has = |part: Part| part.covers(frame) && part.0 & Part::bit(frame) != 0;
        hand.row() == row_of(frame.0)
            && (has(hand) || (0..PARTS).any(|index| has(self.slot.peek(index))))
    }

    #[inline(never)]
    fn free_block(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        self.frames.check_block(frame, order)?;
        let tables = &self.frames.tables;
        // Frames in the stock are taken, but not by the caller.
        if order.get() < tables.geometry.huge_order().get() && self.stocks_any(frame, order) {
            return Err(FreeError::WrongOrder);
        }
        self.begin_free(frame, order)?;
        self.frames.give(frame, order.get())
    }

    /// Whether this stock has a frame of a block.
    fn stocks_any(&self, frame: FrameId, order: Order) -> bool {
        let end = frame.0 + order.frames();
        let meets = |row: usize, bits: u64| {
            let start = row as u64 * ROW;
            if bits == 0 || start + ROW <= frame.0 || start >= end {
                return false;
            }
            order.get() >= 6 || bits & crate::row::mask(bit_of(frame.0), order.frames()) != 0
        };
        let hand = self.slot.hand();
        let (row, bits) = self.slot.frees();
        let part = |index| self.slot.peek(index);
        meets(row, bits)
            || meets(hand.row(), hand.bits())
            || (0..PARTS).map(part).any(|part| meets(part.row(), part.bits()))
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
        self.slot.set_hand(Part(0));
        if !hand.is_empty() {
            self.slot.bits(hand.row(), hand.bits());
            given += self.frames.give_bits(hand.row(), hand.bits());
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
        self.frames.give_bits(row, bits)
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

    fn place(&self) -> Place<'a> {
        Place {
            row: self.slot.row_hint(),
            tree: self.slot.tree_hint(),
            home: self.home,
            class: self.class,
            policy: self.frames.policy,
        }
    }

    /// Fills the hand and takes a frame out of it.
    #[inline(never)]
    fn refill_slow(&self) -> Result<FrameId, Exhausted> {
        for index in 0..PARTS {
            let part = self.slot.take_part(index, &self.slot);
            if !part.is_empty() {
                self.slot.set_hand(part);
                return Ok(self.pop(part));
            }
        }
        let tables = &self.frames.tables;
        if let Some(huge) = self.slot.held() {
            let (row, bits) = self.slot.frees();
            if bits != 0 && tables.geometry.huge_of(row as u64 * ROW) == huge {
                self.slot.bits(row, bits);
                self.slot.set_frees(0);
                return Ok(self.stock(row, bits));
            }
            if let Some((row, bits)) = tables.grab(huge, ROW, true, &self.slot) {
                return Ok(self.stock(row, bits));
            }
        }
        self.refill_elsewhere()
    }

    /// Finds another huge frame to work at.
    #[cold]
    fn refill_elsewhere(&self) -> Result<FrameId, Exhausted> {
        let tables = &self.frames.tables;
        // What waits may make a huge frame free, or be the last there is. Where it makes a full one
        // nearly full, none is fuller.
        let (waiting, bits) = self.slot.frees();
        self.flush_frees();
        let last = tables.geometry.huge_of_row(waiting).0;
        let last = (bits != 0 && tables.is_nearly_full(last) && self.fits(last)).then_some(last);
        let place = self.place();
        for huge in last.into_iter().chain((0..PICKS).map_while(|_| tables.pick(0, &place))) {
            if let Some((row, bits)) = tables.grab(huge, ROW, true, &self.slot) {
                self.hold(huge);
                return Ok(self.stock(row, bits));
            }
        }
        let frame =
            self.frames.patiently(Some(self), || self.frames.sweep(0, &place, &self.slot))?;
        self.slot.record_block(frame, 0);
        tables.mark(frame, 1);
        Ok(frame)
    }

    /// Whether the tree of a huge frame is of the stock's class.
    fn fits(&self, huge: usize) -> bool {
        let tables = &self.frames.tables;
        tables.tree(tables.geometry.tree_of(huge)).class() == self.class
    }

    /// Puts frames of a row that were taken for the stock into it, and takes one out.
    fn stock(&self, row: usize, bits: u64) -> FrameId {
        // Relaxed: a hint, for the next search and for longer blocks.
        self.slot.row_hint().store(row as u64 + 1, Ordering::Relaxed);
        let mut hand = Part(0);
        let mut next = 0;
        for quarter in 0..PARTS {
            let part = Part::cut(row, quarter, bits);
            if part.is_empty() {
                continue;
            }
            if hand.is_empty() {
                hand = part;
                self.slot.set_hand(part);
            } else {
                self.slot.put_part(next, part);
                next += 1;
            }
        }
        self.pop(hand)
    }
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        self.flush();
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
