//! The layers below, as a territory's placement uses them: the one file here that names them.

use core::cell::Cell;
use core::ptr::NonNull;

use strata_core::source::rounded_len;
use strata_core::{Chunk, Exhausted, FrameId, Source};
use strata_page_frame::{FrameSource, Geometry, PageFrames};
use strata_segment::{GoodFit, OutOfBand, Segments};

use crate::class::FRAME;

pub(super) use strata_segment::{Entry, RangeId, SegmentId, SegmentState};

/// Segments in constant time, none of them kept quick: threads keep the large block that they freed last
/// themselves.
pub(super) type Runs = Segments<GoodFit<0, 0>, OutOfBand<Entries>>;

pub(super) fn runs(entries: Entries) -> Runs {
    Segments::out_of_band(entries, 1)
}

/// Entries of segments: the used beginning of a table that is committed as far as it is needed.
///
/// # Invariants
///
/// 1. `len` entries from `base` on are there, were initialised, and are reached through this value alone.
#[derive(Debug)]
pub(super) struct Entries {
    base: NonNull<Entry>,
    len: Cell<usize>,
}

impl Entries {
    /// None yet, in a table at `base`.
    pub(super) const fn new(base: NonNull<Entry>) -> Self {
        Self { base, len: Cell::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    /// Makes them `len`, no fewer than they are.
    ///
    /// # Safety
    ///
    /// 1. The table has so many entries, and they are committed.
    /// 2. Nobody uses those that are added.
    pub(super) unsafe fn lengthen(&self, len: usize) {
        for index in self.len.get()..len {
            // SAFETY: in the table (1.), and nobody's (2.).
            unsafe { self.base.add(index).write(Entry::EMPTY) };
        }
        self.len.set(len);
    }
}

impl AsRef<[Entry]> for Entries {
    #[inline]
    fn as_ref(&self) -> &[Entry] {
        // SAFETY: there and initialised, and changed through `&mut self` only (invariant 1).
        unsafe { core::slice::from_raw_parts(self.base.as_ptr(), self.len.get()) }
    }
}

impl AsMut<[Entry]> for Entries {
    #[inline]
    fn as_mut(&mut self) -> &mut [Entry] {
        // SAFETY: there, initialised, and ours alone (invariant 1).
        unsafe { core::slice::from_raw_parts_mut(self.base.as_ptr(), self.len.get()) }
    }
}

/// A piece of a territory: where, and how many bytes.
type Piece = (NonNull<u8>, usize);

/// What a zone is made of: the metadata and the frames that a territory has for it, each handed out once.
///
/// The metadata is committed; frames are committed by the ground, before anybody uses them.
#[derive(Debug)]
pub(super) struct Given<const ZEROED: bool> {
    metadata: Cell<Option<Piece>>,
    memory: Cell<Option<Piece>>,
}

// SAFETY: 1. pieces of a territory, frames both, each handed out once at the length that was asked for; they
// are there as long as the heap. 2. a refusal changes nothing. 3. `ZEROED` is what the maker of this value
// promised; nothing is given back to anybody.
unsafe impl<const ZEROED: bool> Source for Given<ZEROED> {
    type Address = NonNull<u8>;
    const RELEASES: bool = false;
    const ZEROED: bool = ZEROED;
    const COMMITS: bool = true;

    fn granule(&self) -> usize {
        FRAME
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, FRAME)?;
        for piece in [&self.metadata, &self.memory] {
            if let Some((at, bytes)) = piece.get()
                && bytes == len
                && at.addr().get().is_multiple_of(align)
            {
                piece.set(None);
                // SAFETY: 1. handed out once. 2. in a territory's chunk. 3. that chunk's.
                return Ok(unsafe { Chunk::from_raw_parts(at, bytes) });
            }
        }
        Err(Exhausted)
    }

    unsafe fn release(&self, chunk: Chunk) {
        let _ = chunk.into_raw_parts();
    }
}

/// Bytes of a zone's metadata for so many frames, in whole frames.
pub(super) fn metadata_len(frames: usize) -> usize {
    let layout = PageFrames::metadata_layout(frames as u64, 0, Geometry::DEFAULT);
    // No frames need none; more than there can be are more than a territory has.
    layout.map_or(0, |layout| layout.size().next_multiple_of(FRAME))
}

/// The frames of a territory, as strata-page-frame hands them out.
#[derive(Debug)]
pub(super) enum Zone {
    /// Over memory that is zero while it is fresh.
    Fresh(FrameSource<Given<true>>),
    /// Over any.
    Any(FrameSource<Given<false>>),
}

impl Zone {
    /// A zone of all of `memory`.
    ///
    /// # Safety
    ///
    /// 1. Both pieces are whole frames, used by nobody else from here on, and there as long as the zone.
    /// 2. The metadata is committed, and [`metadata_len`] bytes long.
    /// 3. Where `zeroed` says so, the metadata is zero, and so is memory once it is committed.
    pub(super) unsafe fn new(
        metadata: Piece,
        memory: Piece,
        zeroed: bool,
    ) -> Result<Self, Exhausted> {
        let (frames, metadata) = ((memory.1 / FRAME) as u64, Cell::new(Some(metadata)));
        let memory = Cell::new(Some(memory));
        if zeroed {
            let zone = FrameSource::new(Given { metadata, memory }, frames, FRAME);
            zone.map(Self::Fresh).map_err(|_| Exhausted)
        } else {
            let zone = FrameSource::new(Given { metadata, memory }, frames, FRAME);
            zone.map(Self::Any).map_err(|_| Exhausted)
        }
    }

    pub(super) fn frames(&self) -> &PageFrames<'static> {
        match self {
            Self::Fresh(zone) => zone.frames(),
            Self::Any(zone) => zone.frames(),
        }
    }

    /// So many frames at a multiple of `align` frames.
    pub(super) fn acquire(&self, frames: usize, align: usize) -> Result<Chunk, Exhausted> {
        match self {
            Self::Fresh(zone) => zone.acquire(frames * FRAME, align * FRAME),
            Self::Any(zone) => zone.acquire(frames * FRAME, align * FRAME),
        }
    }

    /// Takes exactly these frames; false where one of them is taken.
    pub(super) fn claim(&self, frame: usize, frames: usize) -> bool {
        self.frames().alloc_at(FrameId(frame as u64), frames as u64).is_ok()
    }

    /// Takes frames back.
    ///
    /// # Safety
    ///
    /// 1. They were acquired or claimed here, in whatever pieces, and nobody uses them any more.
    pub(super) unsafe fn release(&self, at: NonNull<u8>, frames: usize) {
        // SAFETY: 1. no longer anybody's (1.). 2. and 3. pieces of chunks of this zone.
        let chunk = unsafe { Chunk::from_raw_parts(at, frames * FRAME) };
        // SAFETY: 1. chunks of this zone may be cut and joined. 2. the caller's (1.).
        unsafe {
            match self {
                Self::Fresh(zone) => zone.release(chunk),
                Self::Any(zone) => zone.release(chunk),
            }
        }
    }
}
