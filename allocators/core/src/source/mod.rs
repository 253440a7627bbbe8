//! What chunks come from: the one interface between two layers.
//!
//! A layer asks the layer below for a chunk ([`Source::acquire`]) and gives it back
//! ([`Source::release`]). What else a source can do it says in associated constants, fixed for its
//! type, so that a caller's `if S::GROWS { … }` is decided when it is compiled.
//!
//! Sources nest. [`Locked`] lets threads share one, [`Counted`] counts, [`Limited`] holds a byte
//! budget, [`Failing`] fails when a test says so, and [`Region`] cuts chunks from a buffer. The
//! operating system as a source is in strata-os.

mod counted;
mod failing;
mod limited;
mod locked;
#[cfg(all(test, strata_loom))]
mod models;
mod region;
#[cfg(all(test, not(strata_loom)))]
mod tests;

pub use counted::{Counted, Counts};
pub use failing::{FailWhen, Failing};
pub use limited::Limited;
pub use locked::Locked;
pub use region::Region;

use crate::{Address, Chunk, Exhausted};

/// What a range reads as after its source was asked to purge or move it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Every byte is zero.
    Zero,
    /// Gone or not, byte by byte: it must be written before it is read.
    Undefined,
    /// As before: nothing was given back.
    Kept,
}

impl Contents {
    /// Whether what was there can no longer be relied on.
    #[inline]
    pub fn is_gone(self) -> bool {
        self != Self::Kept
    }
}

/// Where chunks come from.
///
/// The idea is snmalloc's ranges and rlsf's flexible source: one tiny interface, any number of
/// layers.
///
/// A source that is [`Sync`] may be called by several threads at once. No method panics, and a
/// source does not allocate through the program's global allocator.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::source::{Region, Source};
///
/// let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
/// let region = Region::new(&mut buffer);
/// let chunk = region.acquire(1000, 64)?;
/// assert_eq!(chunk.len(), 1000_usize.next_multiple_of(region.granule()));
/// assert_eq!(chunk.base().addr().get() % 64, 0);
/// // SAFETY: 1. it came from this region. 2. nobody uses it.
/// unsafe { region.release(chunk) };
/// # Ok::<(), strata_core::Exhausted>(())
/// ```
///
/// # Safety
///
/// Implementors promise that
/// 1. every chunk from [`acquire`](Self::acquire), [`grow`](Self::grow) and
///    [`remap`](Self::remap) fulfils the invariants of [`Chunk`], is as long as asked, rounded up
///    to the [`granule`](Self::granule) and no further, is aligned as asked, and stays valid until
///    it is released (or the memory under the source ends, as a buffer's borrow does), also when the
///    source is moved;
/// 2. an error leaves everything as it was (but for the target of [`relocate`](Self::relocate));
/// 3. what the associated constants, [`granule`](Self::granule) and [`Contents`] say is true.
pub unsafe trait Source {
    /// How this source's chunks are addressed.
    type Address: Address;

    /// A released chunk can be acquired again (or went back to the system). Where false, release
    /// forgets it.
    const RELEASES: bool = true;
    /// A chunk may be released in pieces, cut at multiples of [`granule`](Self::granule), in any
    /// order.
    const SPLITS: bool = false;
    /// Neighbouring chunks may be joined and released as one, whichever call they came from.
    const JOINS: bool = false;
    /// A freshly acquired chunk (and what `grow` and `remap` add) reads as zeroes.
    const ZEROED: bool = false;
    /// A chunk must be committed before it is touched. Where false, `commit` has nothing to do.
    const COMMITS: bool = false;
    /// `purge` can give contents back.
    const PURGES: bool = false;
    /// `grow` can succeed.
    const GROWS: bool = false;
    /// `remap` can succeed.
    const REMAPS: bool = false;
    /// `relocate` can succeed.
    const RELOCATES: bool = false;

    /// The unit of this source in bytes: a power of two, the same for its whole life. Chunk
    /// lengths are rounded up to it, chunk addresses are multiples of it, and ranges given to
    /// `commit`, `purge` and `relocate` must be made of whole ones. O(1).
    fn granule(&self) -> usize;

    /// A chunk of `len` bytes, rounded up to the granule, at a multiple of `align`.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where there is none, and for a `len` of zero, a `len` that does not fit in an
    /// `isize` once rounded up, and an `align` that is not a power of two.
    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<Self::Address>, Exhausted>;

    /// Takes a chunk back.
    ///
    /// # Safety
    ///
    /// 1. `chunk` came from this source: as it is, or cut or joined as [`SPLITS`](Self::SPLITS)
    ///    and [`JOINS`](Self::JOINS) allow.
    /// 2. Nobody uses its bytes any more.
    unsafe fn release(&self, chunk: Chunk<Self::Address>);

    /// Makes a range usable that was reserved only. Committing twice does no harm.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the system refuses; part of the range may then be usable, and the
    /// caller must treat none of it so.
    ///
    /// # Safety
    ///
    /// 1. `[at, at + len)` lies in one chunk of this source that the caller may use.
    /// 2. It is made of whole granules.
    unsafe fn commit(&self, at: Self::Address, len: usize) -> Result<(), Exhausted> {
        let _ = (at, len);
        Ok(())
    }

    /// A chunk that is usable as a whole: [`acquire`](Self::acquire) and, where it is needed,
    /// [`commit`](Self::commit), for sources that can do both at once.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] as there; nothing changed.
    fn acquire_committed(
        &self,
        len: usize,
        align: usize,
    ) -> Result<Chunk<Self::Address>, Exhausted> {
        let chunk = self.acquire(len, align)?;
        if Self::COMMITS {
            // SAFETY: 1. just acquired. 2. whole, so whole granules.
            if unsafe { self.commit(chunk.base(), chunk.len()) }.is_err() {
                // SAFETY: 1. just acquired, as it was. 2. nobody knows it.
                unsafe { self.release(chunk) };
                return Err(Exhausted);
            }
        }
        Ok(chunk)
    }

    /// Gives the contents of a range back and keeps its addresses; it may be touched again at once
    /// (after `commit`, where [`COMMITS`](Self::COMMITS)). Answers what the range reads as now.
    ///
    /// # Safety
    ///
    /// 1. `[at, at + len)` lies in one chunk of this source that the caller may use.
    /// 2. It is made of whole granules.
    /// 3. Nobody reads or writes it during the call.
    unsafe fn purge(&self, at: Self::Address, len: usize) -> Contents {
        let _ = (at, len);
        Contents::Kept
    }

    /// Makes `chunk` `len` bytes long (rounded up to the granule) where it lies; its contents stay. A chunk that is
    /// long enough already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where what follows it is not free.
    ///
    /// # Safety
    ///
    /// 1. `chunk` came from this source, as for [`release`](Self::release).
    unsafe fn grow(&self, chunk: &mut Chunk<Self::Address>, len: usize) -> Result<(), Exhausted> {
        if len <= chunk.len() { Ok(()) } else { Err(Exhausted) }
    }

    /// Makes `chunk` `len` bytes long (rounded up to the granule) at a multiple of `align`, moving
    /// it where necessary without copying. Its contents stay; its old addresses are gone where it
    /// moved.
    ///
    /// # Errors
    ///
    /// Gives the chunk back, unchanged, where that cannot be done, and where `len` is below its
    /// length.
    ///
    /// # Safety
    ///
    /// 1. `chunk` came from this source, as for [`release`](Self::release).
    /// 2. Nobody uses its bytes during the call, nor its old addresses afterwards.
    unsafe fn remap(
        &self,
        chunk: Chunk<Self::Address>,
        len: usize,
        align: usize,
    ) -> Result<Chunk<Self::Address>, Chunk<Self::Address>> {
        let _ = (len, align);
        Err(chunk)
    }

    /// Moves the contents of `[from, from + len)` to `[to, to + len)` without copying, in place of
    /// what was there. Both ranges stay with their owners; answers what `from` reads as now.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where that cannot be done: copy instead. `from` is as it was; what `to` held
    /// may be gone.
    ///
    /// # Safety
    ///
    /// 1. Each range lies in a chunk of this source that the caller may use, and they do not
    ///    overlap.
    /// 2. Both are made of whole granules.
    /// 3. Nobody reads or writes either during the call.
    unsafe fn relocate(
        &self,
        from: Self::Address,
        to: Self::Address,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        let _ = (from, to, len);
        Err(Exhausted)
    }
}

/// The length that a request comes to: rounded up to the granule, or `Exhausted` where the request
/// makes no sense. For implementors of [`Source`].
///
/// ```
/// use strata_core::{Exhausted, source::rounded_len};
/// assert_eq!(rounded_len(5000, 1, 4096), Ok(8192));
/// assert_eq!(rounded_len(0, 1, 4096), Err(Exhausted));
/// assert_eq!(rounded_len(1, 3, 4096), Err(Exhausted));
/// ```
#[inline]
pub fn rounded_len(len: usize, align: usize, granule: usize) -> Result<usize, Exhausted> {
    if len == 0 || !align.is_power_of_two() {
        return Err(Exhausted);
    }
    match crate::align::align_up(len, granule) {
        Some(rounded) if rounded <= isize::MAX as usize => Ok(rounded),
        _ => Err(Exhausted),
    }
}

/// The address type and the constants of a decorator: those of what it decorates.
macro_rules! forward_constants {
    ($inner:ident) => {
        type Address = $inner::Address;
        const RELEASES: bool = $inner::RELEASES;
        const SPLITS: bool = $inner::SPLITS;
        const JOINS: bool = $inner::JOINS;
        const ZEROED: bool = $inner::ZEROED;
        const COMMITS: bool = $inner::COMMITS;
        const PURGES: bool = $inner::PURGES;
        const GROWS: bool = $inner::GROWS;
        const REMAPS: bool = $inner::REMAPS;
        const RELOCATES: bool = $inner::RELOCATES;
    };
}
pub(crate) use forward_constants;

// SAFETY: 1.-3. it is the source itself, by another name.
unsafe impl<S: Source + ?Sized> Source for &S {
    forward_constants!(S);

    #[inline]
    fn granule(&self) -> usize {
        (**self).granule()
    }

    #[inline]
    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<S::Address>, Exhausted> {
        (**self).acquire(len, align)
    }

    #[inline]
    unsafe fn release(&self, chunk: Chunk<S::Address>) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { (**self).release(chunk) }
    }

    #[inline]
    unsafe fn commit(&self, at: S::Address, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { (**self).commit(at, len) }
    }

    #[inline]
    unsafe fn purge(&self, at: S::Address, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { (**self).purge(at, len) }
    }

    #[inline]
    unsafe fn grow(&self, chunk: &mut Chunk<S::Address>, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { (**self).grow(chunk, len) }
    }

    #[inline]
    unsafe fn remap(
        &self,
        chunk: Chunk<S::Address>,
        len: usize,
        align: usize,
    ) -> Result<Chunk<S::Address>, Chunk<S::Address>> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { (**self).remap(chunk, len, align) }
    }

    #[inline]
    unsafe fn relocate(
        &self,
        from: S::Address,
        to: S::Address,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { (**self).relocate(from, to, len) }
    }
}
