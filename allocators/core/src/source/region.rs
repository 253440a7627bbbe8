//! A caller's buffer as a source: first fit over free pieces that describe themselves.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::ptr::NonNull;

use super::{Source, rounded_len};
use crate::align::{align_down, is_aligned, padding};
use crate::{ByteCount, Chunk, Exhausted};

/// The unit of a region: room for the description of a free piece.
const GRANULE: usize = 2 * size_of::<usize>();

/// What a free piece holds at its start. Free pieces are listed by rising address, and no two of
/// them touch.
///
/// ```text
///   first ─► ┌───────────┐        ┌───────────┐
///            │ len, next─┼──────► │ len, next─┼─► none
///   chunk    │   free    │ chunk  │   free    │ chunk
///            └───────────┘        └───────────┘
/// ```
struct Free {
    /// Bytes of the piece, this header included; a multiple of [`GRANULE`].
    len: usize,
    next: Option<NonNull<Free>>,
}

static_assertions::const_assert!(size_of::<Free>() <= GRANULE);
static_assertions::const_assert!(align_of::<Free>() <= GRANULE);

/// A source over a buffer: chunks are cut from it, and merge again when they come back.
///
/// First fit by address, so that chunks gather at the low end. Acquire, grow and release take time
/// proportional to the number of free pieces: a region is for a few long-lived chunks, not for
/// blocks. The free list lives in the free memory; nothing else is written, so untouched pages of
/// a fresh mapping stay untouched but for one header a piece.
///
/// `const`-constructible from raw parts, for a buffer in a `static`. Not [`Sync`]: put it into a
/// [`Locked`](super::Locked) to share it.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::source::{Region, Source};
/// use strata_core::ByteCount;
///
/// let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
/// let region = Region::new(&mut buffer);
/// let free = region.free_bytes();
/// let (a, b) = (region.acquire(100, 1)?, region.acquire(100, 256)?);
/// // SAFETY: 1. from this region. 2. unused.
/// unsafe {
///     region.release(a);
///     region.release(b);
/// }
/// assert_eq!(region.free_bytes(), free); // every byte came back, in one piece
/// assert_eq!(region.largest_free(), free);
/// # Ok::<(), strata_core::Exhausted>(())
/// ```
///
/// # Invariants
///
/// 1. Once `ready`, `first` heads a list of `Free` pieces as drawn there; each lies in the buffer
///    and is owned by the region alone.
/// 2. Every byte of the buffer between its first and last whole granule is in a free piece or in
///    a chunk that is out.
pub struct Region<'m> {
    start: NonNull<u8>,
    len: usize,
    first: Cell<Option<NonNull<Free>>>,
    ready: Cell<bool>,
    buffer: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

// SAFETY: the region owns its buffer for `'m`; nothing in it belongs to a thread.
unsafe impl Send for Region<'_> {}

impl<'m> Region<'m> {
    /// A region over `buffer`. A buffer too short for one granule makes a region without memory.
    /// O(1).
    pub const fn new(buffer: &'m mut [MaybeUninit<u8>]) -> Self {
        let len = buffer.len();
        // SAFETY: a slice is not null. 1. and 2. the exclusive borrow lasts as long as the region.
        unsafe { Self::from_raw_parts(NonNull::new_unchecked(buffer.as_mut_ptr().cast()), len) }
    }

    /// A region over `len` bytes from `start`; does not touch them before the first acquire.
    ///
    /// # Safety
    ///
    /// 1. The range may be read and written through `start` for `'m`.
    /// 2. For `'m`, nobody else uses it, and chunks of the region are not used past `'m`.
    pub const unsafe fn from_raw_parts(start: NonNull<u8>, len: usize) -> Self {
        Self { start, len, first: Cell::new(None), ready: Cell::new(false), buffer: PhantomData }
    }

    /// Bytes in free pieces. O(free pieces).
    pub fn free_bytes(&self) -> ByteCount {
        self.prepare();
        self.pieces().map(|(_, len)| ByteCount(len)).sum()
    }

    /// Bytes of the largest free piece; zero where there is none. O(free pieces).
    pub fn largest_free(&self) -> ByteCount {
        self.prepare();
        ByteCount(self.pieces().map(|(_, len)| len).max().unwrap_or(0))
    }

    /// The free pieces by rising address.
    fn pieces(&self) -> impl Iterator<Item = (NonNull<Free>, usize)> {
        let mut next = self.first.get();
        core::iter::from_fn(move || {
            let piece = next?;
            // SAFETY: invariant 1.
            let Free { len, next: after } = unsafe { piece.read() };
            next = after;
            Some((piece, len))
        })
    }

    /// Makes the whole buffer one free piece, the first time.
    fn prepare(&self) {
        if self.ready.replace(true) {
            return;
        }
        let skip = padding(self.start.addr().get(), GRANULE);
        let len = align_down(self.len.saturating_sub(skip), GRANULE);
        if len > 0 {
            // SAFETY: `skip` is below `self.len`, as `len` is not zero.
            let piece = unsafe { self.start.add(skip) }.cast();
            self.write(piece, len, None);
            self.first.set(Some(piece));
        }
    }

    /// Describes a free piece in its own first bytes.
    fn write(&self, piece: NonNull<Free>, len: usize, next: Option<NonNull<Free>>) {
        debug_assert!(len >= GRANULE && is_aligned(len, GRANULE));
        debug_assert!(next.is_none_or(|next| piece.addr().get() + len < next.addr().get()));
        // SAFETY: called for pieces of the buffer that the region owns: aligned to the granule and
        // at least one long.
        unsafe { piece.write(Free { len, next }) };
    }

    /// Makes `next` follow `previous`, or head the list.
    fn link(&self, previous: Option<NonNull<Free>>, next: Option<NonNull<Free>>) {
        match previous {
            // SAFETY: invariant 1: `previous` is a listed piece.
            Some(previous) => unsafe { (*previous.as_ptr()).next = next },
            None => self.first.set(next),
        }
    }

    /// Cuts `[skip, skip + len)` out of the free `piece` that follows `previous`.
    ///
    /// # Safety
    ///
    /// 1. `piece` is listed, follows `previous`, and is at least `skip + len` bytes long.
    /// 2. `skip` and `len` are multiples of the granule, and `len` is not zero.
    unsafe fn cut(
        &self,
        previous: Option<NonNull<Free>>,
        piece: NonNull<Free>,
        skip: usize,
        len: usize,
    ) -> NonNull<u8> {
        // SAFETY: invariant 1.
        let whole = unsafe { piece.read() };
        // SAFETY: 1. and 2. of this function: inside the piece.
        let chunk = unsafe { piece.cast::<u8>().add(skip) };
        let above = whole.len - skip - len;
        let rest = if above > 0 {
            // SAFETY: as above.
            let rest = unsafe { chunk.add(len) }.cast();
            self.write(rest, above, whole.next);
            Some(rest)
        } else {
            whole.next
        };
        if skip > 0 {
            self.write(piece, skip, rest);
        } else {
            self.link(previous, rest);
        }
        chunk
    }
}

// SAFETY: 1. chunks are cut from free pieces, which nobody else owns, keep the buffer's provenance
// and stay in the buffer wherever the region is moved. 2. an error is found before anything is
// cut. 3. pieces may come back in any cut and merge (SPLITS, JOINS: one buffer, one provenance);
// nothing is zeroed, committed or purged.
unsafe impl Source for Region<'_> {
    type Address = NonNull<u8>;
    const SPLITS: bool = true;
    const JOINS: bool = true;
    const GROWS: bool = true;

    #[inline]
    fn granule(&self) -> usize {
        GRANULE
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, GRANULE)?;
        self.prepare();
        let mut previous = None;
        for (piece, free) in self.pieces() {
            let skip = padding(piece.addr().get(), align.max(GRANULE));
            if free.checked_sub(skip).is_some_and(|room| room >= len) {
                // SAFETY: 1. just listed in this order and just compared. 2. rounded, and the
                // padding of one multiple of the granule to another is one too.
                let base = unsafe { self.cut(previous, piece, skip, len) };
                // SAFETY: 1. cut out of a free piece. 2. inside the buffer. 3. derived from it.
                return Ok(unsafe { Chunk::from_raw_parts(base, len) });
            }
            previous = Some(piece);
        }
        Err(Exhausted)
    }

    unsafe fn release(&self, chunk: Chunk) {
        let (base, mut len) = chunk.into_raw_parts();
        debug_assert!(is_aligned(base.addr().get(), GRANULE) && is_aligned(len, GRANULE));
        debug_assert!(base >= self.start && base.addr().get() + len <= self.end());
        let mut freed = base.cast::<Free>();
        let mut previous = None;
        let mut next = self.first.get();
        while let Some(piece) = next.filter(|piece| *piece < freed) {
            previous = Some(piece);
            // SAFETY: invariant 1.
            next = unsafe { piece.read() }.next;
        }
        if let Some(above) = next {
            debug_assert!(base.addr().get() + len <= above.addr().get(), "released twice");
            if base.addr().get() + len == above.addr().get() {
                // SAFETY: invariant 1.
                let above = unsafe { above.read() };
                len += above.len;
                next = above.next;
            }
        }
        if let Some(below) = previous {
            // SAFETY: invariant 1.
            let below_len = unsafe { below.read() }.len;
            debug_assert!(below.addr().get() + below_len <= base.addr().get(), "released twice");
            if below.addr().get() + below_len == base.addr().get() {
                // The neighbour below takes all of it, and its own link is right already.
                freed = below;
                len += below_len;
                self.write(freed, len, next);
                return;
            }
        }
        self.write(freed, len, next);
        self.link(previous, Some(freed));
    }

    unsafe fn grow(&self, chunk: &mut Chunk, len: usize) -> Result<(), Exhausted> {
        if len <= chunk.len() {
            return Ok(());
        }
        let len = rounded_len(len, 1, GRANULE)?;
        let more = len - chunk.len();
        let mut previous = None;
        for (piece, free) in self.pieces() {
            if piece.addr().get() as u64 == chunk.end() && free >= more {
                // SAFETY: 1. just listed in this order and just compared. 2. both lengths are
                // multiples of the granule.
                unsafe { self.cut(previous, piece, 0, more) };
                // SAFETY: 1. the chunk's own bytes and those just cut. 2. inside the buffer. 3.
                // both derive from the buffer.
                *chunk = unsafe { Chunk::from_raw_parts(chunk.base(), len) };
                return Ok(());
            }
            previous = Some(piece);
        }
        Err(Exhausted)
    }
}

impl Region<'_> {
    fn end(&self) -> usize {
        self.start.addr().get() + self.len
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("start", &self.start).field("len", &self.len).finish()
    }
}

static_assertions::assert_impl_all!(Region<'static>: Send);
static_assertions::assert_not_impl_any!(Region<'static>: Sync);
