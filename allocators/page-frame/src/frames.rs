//! The allocator: what a caller sees of it, without stocks.

use core::fmt;

use strata_core::sync::AtomicU64;
use strata_core::{Exhausted, FrameId, Order};

use crate::class::{CLASSES, Class, Policy};
use crate::error::{ClaimError, FreeError};
use crate::geometry::{Geometry, bit_of, row_of};
use crate::journal::Journal;
use crate::local::Local;
use crate::row;
use crate::run::Queue;
use crate::search::Place;
use crate::tables::Tables;

/// Page frames of one zone, handed out in power-of-two orders and runs of any length.
///
/// Manages numbers: the frames themselves are never read or written. All state is in metadata that
/// the caller gives, of which all zero means that all frames are free. All methods take `&self` and
/// any number of threads may call them.
///
/// Threads that allocate often take a [`Local`] each, which keeps a stock of frames.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::{FrameId, Order};
/// use strata_page_frame::{Geometry, PageFrames};
///
/// // 64 MiB in frames of 4 KiB, no stocks.
/// let layout = PageFrames::metadata_layout(16384, 0, Geometry::DEFAULT)?;
/// let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
/// let frames = PageFrames::new(16384, 0, Geometry::DEFAULT, &mut metadata)?;
///
/// let block = frames.alloc(Order::new(3).unwrap())?;
/// assert!(block.is_aligned(Order::new(3).unwrap()));
/// let run = frames.alloc_run(1000, Order::new(0).unwrap())?;
/// frames.free(block, Order::new(3).unwrap())?;
/// frames.free_run(run, 1000)?;
/// assert_eq!(frames.free_frames(), 16384);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PageFrames<'m> {
    pub(crate) tables: Tables<'m>,
    pub(crate) policy: Policy,
    pub(crate) shared: Shared,
}

/// Hints of one class: see [`Place`].
#[derive(Debug, Default)]
struct Hints {
    row: AtomicU64,
    tree: AtomicU64,
}

/// What requests without a local share, apart from what is only read.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Shared {
    /// Where each class was served last.
    hints: [Hints; CLASSES],
    pub(crate) queue: Queue,
    /// Frames that are neither free nor in use.
    pub(crate) offline: AtomicU64,
    /// Frees that turned out to be the second of their frame when they were carried out.
    pub(crate) late: AtomicU64,
}

impl<'m> PageFrames<'m> {
    /// With another policy for classes than [`separate`](crate::separate).
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Frames of the zone, taken or not.
    pub fn frames(&self) -> u64 {
        self.tables.frames
    }

    /// How frames are grouped.
    pub fn geometry(&self) -> Geometry {
        self.tables.geometry
    }

    /// Takes a block of `order`, aligned to its length, where requests without a local go.
    ///
    /// Lock-free up to order 6, at the order of a huge frame and up to four of them; obstruction-
    /// free otherwise. Usually a look at where the last block came from; otherwise a search over
    /// the entries of up to 1024 trees, and at the worst over all metadata.
    ///
    /// # Errors
    ///
    /// When no such block is free, also after the stocks of all locals were drained.
    #[inline]
    pub fn alloc(&self, order: Order) -> Result<FrameId, Exhausted> {
        self.alloc_as(order, Class::MOVABLE)
    }

    /// As [`alloc`](Self::alloc), for a class.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn alloc_as(&self, order: Order, class: Class) -> Result<FrameId, Exhausted> {
        let _at_work = self.tables.at_work();
        let frame = self.take(order.get(), &self.place(class), None, &())?;
        self.tables.mark(frame, order.frames());
        Ok(frame)
    }

    /// Takes exactly the frames from `start` on.
    ///
    /// # Errors
    ///
    /// Where one of them is taken, or they are not all in the zone. Frames in a stock count as
    /// taken; [`drain`](Self::drain) brings back those of others.
    pub fn alloc_at(&self, start: FrameId, frames: u64) -> Result<(), ClaimError> {
        let end = self.end_of(start, frames).ok_or(ClaimError::OutOfRange)?;
        let _at_work = self.tables.at_work();
        self.tables.claim_range((start.0, end), true, &())?;
        self.tables.mark(start, frames);
        Ok(())
    }

    /// Takes `frames` neighbouring frames, whose first is a multiple of `align`'s frames. Any
    /// length. First fit: a pass over the trees, and over the rows of partly used huge frames.
    ///
    /// # Errors
    ///
    /// When there is no such run (of no frames there is none), also after all stocks were drained.
    pub fn alloc_run(&self, frames: u64, align: Order) -> Result<FrameId, Exhausted> {
        if frames == 0 || frames > self.frames() {
            return Err(Exhausted);
        }
        let _at_work = self.tables.at_work();
        let frame = self.take_run(frames, align.frames(), None, &())?;
        self.tables.mark(frame, frames);
        Ok(frame)
    }

    /// Gives back a block that was taken with this order.
    ///
    /// # Errors
    ///
    /// Where that cannot be: nothing changed.
    #[inline]
    pub fn free(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        self.check_block(frame, order)?;
        let _at_work = self.tables.at_work();
        self.tables.unmark(frame, order.frames())?;
        self.give(frame, order.get(), &())
    }

    /// Gives back a run that was taken with this length.
    ///
    /// # Errors
    ///
    /// Where that cannot be: nothing changed, unless the same frames are freed at the same time.
    pub fn free_run(&self, start: FrameId, frames: u64) -> Result<(), FreeError> {
        let end = self.end_of(start, frames).ok_or(FreeError::OutOfRange)?;
        let _at_work = self.tables.at_work();
        self.tables.unmark(start, frames)?;
        // A row may be a huge frame, which is taken whole.
        if row_of(start.0) == row_of(end - 1) && frames < self.tables.capacity() {
            let bits = row::mask(bit_of(start.0), frames);
            return self.tables.free_bits(row_of(start.0), bits, &());
        }
        self.tables.free_range(start.0, end, false)
    }

    /// The stock of local `index`, for one owner at a time; `None` while it has one, or where there
    /// is no such local.
    pub fn local(&self, index: usize) -> Option<Local<'_>> {
        Local::acquire(self, index)
    }

    /// How many locals there are.
    pub fn locals(&self) -> usize {
        self.tables.slots.len() / crate::geometry::SLOT_WORDS
    }

    /// Gives back what lies in the stocks of all locals, except for what their owners have in hand:
    /// at most 16 frames and the freed frames of one row each. Answers how many frames came back.
    pub fn drain(&self) -> u64 {
        let _at_work = self.tables.at_work();
        (0..self.locals()).map(|index| self.steal(index)).sum()
    }

    pub(crate) fn place(&self, class: Class) -> Place<'_> {
        let Hints { row, tree } = &self.shared.hints[usize::from(class.get())];
        Place { row, tree, home: 0, class, policy: self.policy }
    }

    /// The end of a range of frames of the zone; `None` where it is none.
    pub(crate) fn end_of(&self, start: FrameId, frames: u64) -> Option<u64> {
        let end = start.0.checked_add(frames)?;
        (frames > 0 && end <= self.frames()).then_some(end)
    }

    /// Whether a block of `order` may lie at `frame`.
    #[inline]
    pub(crate) fn check_block(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        if self.end_of(frame, order.frames()).is_none() {
            return Err(FreeError::OutOfRange);
        }
        if frame.is_aligned(order) { Ok(()) } else { Err(FreeError::Misaligned) }
    }

    /// Takes back a block that may lie there, and of which `journal` was told.
    #[inline]
    pub(crate) fn give(
        &self,
        frame: FrameId,
        order: u8,
        journal: &impl Journal,
    ) -> Result<(), FreeError> {
        let huge_order = self.geometry().huge_order().get();
        if order < huge_order {
            return self.tables.free_block(frame, order, journal);
        }
        let count = 1u64 << (order - huge_order);
        if count <= 4 {
            let (huge, count) = (self.geometry().huge_of(frame.0), count as usize);
            return self.tables.give_whole(huge, count);
        }
        self.tables.free_range(frame.0, frame.0 + (1 << order), false)
    }
}

static_assertions::assert_impl_all!(PageFrames<'static>: Send, Sync);

impl fmt::Debug for PageFrames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageFrames")
            .field("frames", &self.frames())
            .field("locals", &self.locals())
            .field("geometry", &self.geometry())
            .finish_non_exhaustive()
    }
}

impl PageFrames<'_> {
    /// Frames that are free at this moment, those in stocks not counted. A pass over all entries.
    pub fn free_frames(&self) -> u64 {
        let used = |huge: usize| self.tables.entry(huge).used();
        self.tables.huge as u64 * self.tables.capacity()
            - (0..self.tables.huge).map(used).sum::<u64>()
    }

    /// Tells a journal and takes a run.
    pub(crate) fn take_run(
        &self,
        frames: u64,
        align: u64,
        own: Option<&Local<'_>>,
        journal: &impl Journal,
    ) -> Result<FrameId, Exhausted> {
        self.patiently(own, || self.tables.take_run(frames, align, &self.shared.queue, journal))
    }
}
