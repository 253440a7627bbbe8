//! Where a page space gets its frames.

use strata_core::misuse;
use strata_core::{Exhausted, FrameId, Order};

use crate::frames::PageFrames;
use crate::local::Local;

/// Takes frames and gives them back: all that a [`PageSpace`](super::PageSpace) asks of what lies
/// below it.
///
/// A page may be more than a frame: [`Blocks`] takes blocks of one order, and its frame numbers are
/// those of the blocks.
///
/// ```
/// use core::cell::Cell;
/// use strata_core::{Exhausted, FrameId};
/// use strata_page_frame::paging::TakeFrames;
///
/// /// Hands numbers out and never takes one twice: for tests.
/// struct Counter(Cell<u64>);
/// impl TakeFrames for Counter {
///     fn take(&self) -> Result<FrameId, Exhausted> {
///         Ok(FrameId(self.0.replace(self.0.get() + 1)))
///     }
///     fn give(&self, _frame: FrameId) {}
/// }
/// let frames = Counter(Cell::new(0));
/// assert_eq!((frames.take(), frames.take()), (Ok(FrameId(0)), Ok(FrameId(1))));
/// ```
pub trait TakeFrames {
    /// A frame that nobody has.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where there is none; nothing changed.
    fn take(&self) -> Result<FrameId, Exhausted>;

    /// Takes back a frame that [`take`](Self::take) gave.
    fn give(&self, frame: FrameId);
}

impl<T: TakeFrames + ?Sized> TakeFrames for &T {
    fn take(&self) -> Result<FrameId, Exhausted> {
        (**self).take()
    }

    fn give(&self, frame: FrameId) {
        (**self).give(frame);
    }
}

/// Single frames.
impl TakeFrames for PageFrames<'_> {
    fn take(&self) -> Result<FrameId, Exhausted> {
        self.alloc(ONE)
    }

    /// Stops the process where the frame is not taken: it was given back by somebody else.
    fn give(&self, frame: FrameId) {
        if self.free(frame, ONE).is_err() {
            misuse::stop("a page's frame was given back behind its table");
        }
    }
}

/// Single frames out of a stock.
impl TakeFrames for Local<'_> {
    fn take(&self) -> Result<FrameId, Exhausted> {
        self.alloc(ONE)
    }

    /// Stops the process where the frame is seen not to be taken: it was given back by somebody else.
    fn give(&self, frame: FrameId) {
        if self.free(frame, ONE).is_err() {
            misuse::stop("a page's frame was given back behind its table");
        }
    }
}

const ONE: Order = match Order::new(0) {
    Some(order) => order,
    None => unreachable!(),
};

/// Blocks of one order as frames: number `n` is the block that begins at frame `n << order`.
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use strata_core::Order;
/// # use strata_page_frame::{Geometry, PageFrames};
/// use strata_page_frame::paging::{Blocks, TakeFrames};
/// # let layout = PageFrames::metadata_layout(4096, 0, Geometry::DEFAULT)?;
/// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
/// # let frames = PageFrames::new(4096, 0, Geometry::DEFAULT, &mut metadata)?;
/// let blocks = Blocks::new(&frames, Order::new(4).unwrap());
/// let block = blocks.take()?;
/// assert_eq!(frames.free_frames(), 4096 - 16);
/// blocks.give(block);
/// assert_eq!(blocks.len(), 256);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Blocks<'a, 'm> {
    frames: &'a PageFrames<'m>,
    order: Order,
}

impl<'a, 'm> Blocks<'a, 'm> {
    /// Blocks of `order` out of `frames`.
    pub const fn new(frames: &'a PageFrames<'m>, order: Order) -> Self {
        Self { frames, order }
    }

    /// How many blocks the zone has.
    #[expect(clippy::len_without_is_empty, reason = "the blocks of a zone, taken or not")]
    pub fn len(&self) -> u64 {
        self.frames.frames() >> self.order.get()
    }
}

impl TakeFrames for Blocks<'_, '_> {
    fn take(&self) -> Result<FrameId, Exhausted> {
        Ok(FrameId(self.frames.alloc(self.order)?.get() >> self.order.get()))
    }

    /// Stops the process where the block is not taken: it was given back by somebody else.
    fn give(&self, frame: FrameId) {
        let first = FrameId(frame.get() << self.order.get());
        if self.frames.free(first, self.order).is_err() {
            misuse::stop("a page's block was given back behind its table");
        }
    }
}
