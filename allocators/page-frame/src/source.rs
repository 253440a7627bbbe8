//! Page frames as a source of memory for the layers above.

use core::fmt;
use core::ptr::NonNull;

use strata_core::align::align_up;
use strata_core::misuse;
use strata_core::source::rounded_len;
use strata_core::{
    ByteCount, Chunk, ConfigError, Contents, Exhausted, FrameId, Order, Source, Stats,
};

use crate::class::Class;
use crate::error::ZoneError;
use crate::frames::PageFrames;
use crate::geometry::{Geometry, ROW};
use crate::local::Local;

/// Alignment of a zone's memory, where its source has one of that: no request for a greater one can be
/// served.
const ZONE_ALIGN: usize = 1 << 30;

/// A zone of memory out of another source, handed out in runs of frames: chunks of any number of frames,
/// cut, joined, grown in place, from any number of threads without a lock.
///
/// The frame is the [granule](Source::granule), of any power of two bytes. Memory and metadata are two
/// chunks of the source below, taken at once and released at the end; where that source has to be
/// committed, so has this one.
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))] {
/// use strata_core::Source;
/// use strata_os::OsSource;
/// use strata_page_frame::FrameSource;
///
/// // 64 MiB in frames of 4 KiB.
/// let source = FrameSource::new(OsSource::new(), 16384, 4096)?;
/// let mut chunk = source.acquire(100_000, 1 << 16)?;
/// assert_eq!((chunk.len(), chunk.base().addr().get() % (1 << 16)), (25 * 4096, 0));
/// // SAFETY: 1. from this source.
/// unsafe { source.grow(&mut chunk, 200_000)? };
/// let (low, high) = chunk.split_at(4096).unwrap();
/// // SAFETY: 1. pieces of a chunk of this source. 2. unused.
/// unsafe {
///     source.release(high);
///     source.release(low);
/// }
/// assert_eq!(source.frames().free_frames(), 16384);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Invariants
///
/// 1. `memory` and `metadata` are chunks of `source`, the latter usable; `frames` reaches the latter
///    alone, and does not live longer.
/// 2. `memory` holds `frames.frames() << shift` bytes, aligned to a frame.
pub struct FrameSource<S: Source<Address = NonNull<u8>>> {
    frames: PageFrames<'static>,
    source: S,
    /// Base and length of the two chunks, whole.
    memory: (NonNull<u8>, usize),
    metadata: (NonNull<u8>, usize),
    shift: u32,
}

// SAFETY: frames of one zone are handed out once, by whichever thread; the addresses are only told.
unsafe impl<S: Source<Address = NonNull<u8>> + Send> Send for FrameSource<S> {}
// SAFETY: as above; `PageFrames` is `Sync`, and the source below is asked through `&S`.
unsafe impl<S: Source<Address = NonNull<u8>> + Sync> Sync for FrameSource<S> {}

impl<S: Source<Address = NonNull<u8>>> FrameSource<S> {
    /// A zone of `frames` frames of `frame_bytes` bytes, all free.
    ///
    /// # Errors
    ///
    /// [`ZoneError::Config`] unless `frame_bytes` is a power of two, the zone fits in an `isize`, and the
    /// frames are no more than [`PageFrames`] can number; [`ZoneError::Exhausted`].
    #[cfg(not(strata_loom))]
    pub fn new(source: S, frames: u64, frame_bytes: usize) -> Result<Self, ZoneError> {
        Self::with_locals(source, frames, frame_bytes, 0)
    }

    /// As [`new`](Self::new), with stocks for so many threads or cores at [`frames`](Self::frames).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and for more than 2^16 locals.
    #[cfg(not(strata_loom))]
    pub fn with_locals(
        source: S,
        frames: u64,
        frame_bytes: usize,
        locals: usize,
    ) -> Result<Self, ZoneError> {
        if !frame_bytes.is_power_of_two() {
            return Err(
                ConfigError::new("frame_bytes", frame_bytes, "must be a power of two").into()
            );
        }
        let geometry = Geometry::DEFAULT;
        let layout = PageFrames::metadata_layout(frames, locals, geometry)?;
        let bytes = usize::try_from(frames).ok().and_then(|n| n.checked_mul(frame_bytes));
        let Some(bytes) = bytes.filter(|&bytes| bytes <= isize::MAX as usize) else {
            let rule = "must be so few that the zone fits in an isize";
            return Err(ConfigError::new("frames", frames as usize, rule).into());
        };
        let metadata = usable(&source, layout.size(), layout.align())?;
        if !S::ZEROED {
            // SAFETY: the chunk is ours, usable, and holds that many bytes.
            unsafe { metadata.base().write_bytes(0, layout.size()) };
        }
        // As aligned as can be, down to what frames need.
        let mut align = ZONE_ALIGN.min(bytes.next_power_of_two()).max(frame_bytes);
        let memory = loop {
            match source.acquire(bytes, align) {
                Ok(chunk) => break chunk,
                Err(Exhausted) if align > frame_bytes => align = (align >> 3).max(frame_bytes),
                Err(Exhausted) => {
                    // SAFETY: 1. acquired above. 2. nobody uses it.
                    unsafe { source.release(metadata) };
                    return Err(ZoneError::Exhausted);
                }
            }
        };
        let table = NonNull::slice_from_raw_parts(metadata.base(), layout.size());
        // SAFETY: 1. and 2. a chunk of our own, which ends after the frames (invariant 1). 3. zeroed
        // above, or by the source.
        let made = unsafe { PageFrames::from_zeroed(frames, locals, geometry, table) };
        let shift = frame_bytes.trailing_zeros();
        let (memory, metadata) = (memory.into_raw_parts(), metadata.into_raw_parts());
        match made {
            Ok(frames) => Ok(Self { frames, source, memory, metadata, shift }),
            Err(error) => {
                for chunk in [memory, metadata] {
                    // SAFETY: 1. acquired above, whole. 2. nobody uses them.
                    unsafe { source.release(Chunk::from_raw_parts(chunk.0, chunk.1)) };
                }
                Err(error.into())
            }
        }
    }

    /// The frames of the zone: their numbers count from [`base`](Self::base).
    ///
    /// What is taken there is not handed out here, and the other way round; only what
    /// [`acquire`](Source::acquire) gave may be released here.
    pub fn frames(&self) -> &PageFrames<'static> {
        &self.frames
    }

    /// The source below.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The first address of the zone.
    pub fn base(&self) -> NonNull<u8> {
        self.memory.0
    }

    /// Bytes of the zone.
    pub fn bytes(&self) -> ByteCount {
        ByteCount((self.frames.frames() as usize) << self.shift)
    }

    /// This zone's figures. A pass over the entries of all huge frames.
    pub fn stats(&self) -> Stats {
        let stocked = self.frames.stocked_frames();
        let taken = (self.frames.frames() - self.frames.free_frames()).saturating_sub(stocked);
        let bytes = |frames: u64| Some(ByteCount((frames as usize) << self.shift));
        Stats {
            active: bytes(taken),
            cached: bytes(stocked),
            metadata: Some(ByteCount(self.metadata.1)),
            reserved: Some(ByteCount(self.memory.1 + self.metadata.1)),
            ..Stats::default()
        }
    }

    /// The frame at an address of the zone.
    #[inline]
    pub(crate) fn frame_of(&self, at: NonNull<u8>) -> FrameId {
        FrameId(((at.addr().get() - self.memory.0.addr().get()) >> self.shift) as u64)
    }

    /// The address of a frame of the zone.
    #[inline]
    pub(crate) fn address_of(&self, frame: FrameId) -> NonNull<u8> {
        // SAFETY: a frame of the zone lies in its memory (invariant 2).
        unsafe { self.memory.0.add((frame.get() as usize) << self.shift) }
    }

    /// The order that an alignment comes to; `None` beyond that of the zone itself.
    #[inline]
    pub(crate) fn align_order(&self, align: usize) -> Option<Order> {
        if align > 1 << self.memory.0.addr().get().trailing_zeros() {
            return None;
        }
        Order::new((align.trailing_zeros().saturating_sub(self.shift)) as u8)
    }

    /// Takes a run of `count` frames: inside a row where it fits there, otherwise the beginning of a block
    /// of the next order, whose end goes back at once, for that is found without a search from the start
    /// of the zone. Where there is no such block, a run may still be found.
    #[inline]
    pub(crate) fn take(
        &self,
        count: u64,
        align: Order,
        own: Option<&Local<'_>>,
    ) -> Result<FrameId, Exhausted> {
        let order = Order::covering(count.max(align.frames())).ok_or(Exhausted)?;
        let surplus = order.frames() - count;
        if surplus != 0 && order.frames() <= ROW {
            let _at_work = self.frames.tables.at_work();
            let place = own.map_or_else(|| self.frames.place(Class::MOVABLE), Local::place);
            if let Some(frame) = self.frames.take_short(count, align.get(), &place, own) {
                self.frames.tables.mark(frame, count);
                return Ok(frame);
            }
        }
        match own.map_or_else(|| self.frames.alloc(order), |own| own.alloc(order)) {
            Ok(frame) if surplus == 0 => Ok(frame),
            Ok(frame) => {
                let end = FrameId(frame.get() + count);
                let freed = self.frames.free_pieces(end, surplus);
                debug_assert!(freed, "the end of a block that was just taken");
                Ok(frame)
            }
            Err(Exhausted) if surplus == 0 => Err(Exhausted),
            Err(Exhausted) => self.frames.alloc_run(count, align),
        }
    }

    /// The range `[at, at + len)` in whole units of the source below: what contains it, or what it
    /// contains; `None` where that is nothing.
    fn units(&self, at: NonNull<u8>, len: usize, outward: bool) -> Option<(NonNull<u8>, usize)> {
        let unit = self.source.granule();
        let from = at.addr().get() - self.memory.0.addr().get();
        let (start, end) = if outward {
            (from & !(unit - 1), align_up(from + len, unit)?.min(self.memory.1))
        } else {
            (align_up(from, unit)?, (from + len) & !(unit - 1))
        };
        // SAFETY: within the zone's memory, to which `start` is clipped.
        (start < end).then(|| (unsafe { self.memory.0.add(start) }, end - start))
    }
}

// SAFETY: 1. frames are handed out once, whole and aligned; the memory is a chunk of the source below,
// not in this struct. 2. claims fail whole, and a commit is the source's. 3. every frame may go back
// alone, which `release` prepares; all of the zone is one chunk of the source, so that neighbours may
// be joined; COMMITS and PURGES are those of the source, asked in whole units of its own.
unsafe impl<S: Source<Address = NonNull<u8>>> Source for FrameSource<S> {
    type Address = NonNull<u8>;
    const SPLITS: bool = true;
    const JOINS: bool = true;
    const COMMITS: bool = S::COMMITS;
    const PURGES: bool = S::PURGES;
    const GROWS: bool = true;

    #[inline]
    fn granule(&self) -> usize {
        1 << self.shift
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, self.granule())?;
        let align = self.align_order(align).ok_or(Exhausted)?;
        let frame = self.take((len >> self.shift) as u64, align, None)?;
        // SAFETY: 1. taken now. 2. `rounded_len` bounds it, inside the zone. 3. the zone's chunk.
        Ok(unsafe { Chunk::from_raw_parts(self.address_of(frame), len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        let frame = self.frame_of(chunk.base());
        if !self.frames.free_pieces(frame, (chunk.len() >> self.shift) as u64) {
            misuse::stop("a chunk was released that this zone did not hand out");
        }
    }

    unsafe fn commit(&self, at: NonNull<u8>, len: usize) -> Result<(), Exhausted> {
        match self.units(at, len, true) {
            // SAFETY: 1. in the zone's chunk; what it shares with neighbours does no harm. 2. whole.
            Some((at, len)) if S::COMMITS => unsafe { self.source.commit(at, len) },
            _ => Ok(()),
        }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        match self.units(at, len, false) {
            Some((inner, inner_len)) if S::PURGES => {
                // SAFETY: 1. in the zone's chunk, inside the caller's. 2. whole. 3. the caller's.
                let contents = unsafe { self.source.purge(inner, inner_len) };
                let all = inner_len == len;
                if all || !contents.is_gone() { contents } else { Contents::Undefined }
            }
            _ => Contents::Kept,
        }
    }

    unsafe fn grow(&self, chunk: &mut Chunk, len: usize) -> Result<(), Exhausted> {
        if len <= chunk.len() {
            return Ok(());
        }
        let len = rounded_len(len, 1, self.granule())?;
        let base = chunk.base();
        let end = self.frame_of(base).checked_add((chunk.len() >> self.shift) as u64);
        let more = ((len - chunk.len()) >> self.shift) as u64;
        self.frames.alloc_at(end.ok_or(Exhausted)?, more)?;
        // SAFETY: 1. the chunk and what was taken behind it. 2. rounded. 3. the zone's chunk.
        *chunk = unsafe { Chunk::from_raw_parts(base, len) };
        Ok(())
    }
}

impl PageFrames<'_> {
    /// Gives back frames that the caller has, whatever blocks they were taken in; false where one of
    /// them is free.
    fn free_pieces(&self, start: FrameId, frames: u64) -> bool {
        let Some(end) = self.end_of(start, frames) else { return false };
        let geometry = self.geometry();
        for frame in [start.0, end - 1] {
            // A huge frame that was taken whole and goes back in parts. Where it is none, or another
            // thread has split it for its own part, there is nothing to do.
            let huge = geometry.huge_of(frame);
            let first = geometry.first_frame(huge);
            if first < start.0 || first + geometry.huge_frames() > end {
                let _ = self.tables.split_whole(huge);
            }
        }
        // Before they are free: afterwards the marks are the next owner's.
        self.tables.unmark_quietly(start, frames);
        self.tables.free_range(start.0, end, true).is_ok()
    }
}

/// A chunk that may be touched at once.
pub(crate) fn usable<S: Source<Address = NonNull<u8>>>(
    source: &S,
    bytes: usize,
    align: usize,
) -> Result<Chunk, Exhausted> {
    let chunk = source.acquire(bytes, align)?;
    if S::COMMITS {
        // SAFETY: 1. and 2. a whole chunk, just acquired.
        if let Err(exhausted) = unsafe { source.commit(chunk.base(), chunk.len()) } {
            // SAFETY: 1. from this source. 2. nobody uses it.
            unsafe { source.release(chunk) };
            return Err(exhausted);
        }
    }
    Ok(chunk)
}

impl<S: Source<Address = NonNull<u8>>> Drop for FrameSource<S> {
    /// Releases memory and metadata, whatever was handed out: who holds a chunk has lost it.
    fn drop(&mut self) {
        for (base, len) in [self.memory, self.metadata] {
            // SAFETY: 1. whole chunks of this source (invariant 1). 2. the frames end with this struct.
            unsafe { self.source.release(Chunk::from_raw_parts(base, len)) };
        }
    }
}

impl<S: Source<Address = NonNull<u8>>> fmt::Debug for FrameSource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSource")
            .field("frames", &self.frames)
            .field("frame_bytes", &(1_usize << self.shift))
            .finish_non_exhaustive()
    }
}
