//! Memory changing hands between two layers.

use core::fmt;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

/// Where a chunk starts: a pointer to memory, or a number that only its owner can interpret.
///
/// # Safety
///
/// Implementors promise that
/// 1. `number` is injective, and `offset(n).number() == number() + n`;
/// 2. a copy of an address means the same place, on every thread.
pub unsafe trait Address: Copy + Eq + fmt::Debug {
    /// The address as a number, for comparing and aligning. For memory it is the address without
    /// its provenance.
    fn number(self) -> u64;

    /// The address `bytes` further.
    ///
    /// # Safety
    ///
    /// 1. `self` and the result lie inside (or at the end of) one chunk.
    unsafe fn offset(self, bytes: usize) -> Self;
}

// SAFETY: 1. addresses of one address space, and `add` moves by bytes. 2. pointers are plain.
unsafe impl Address for NonNull<u8> {
    #[inline]
    fn number(self) -> u64 {
        self.addr().get() as u64
    }

    #[inline]
    unsafe fn offset(self, bytes: usize) -> Self {
        // SAFETY: 1. of this method: both ends lie in one object.
        unsafe { self.add(bytes) }
    }
}

/// A place in something that the processor does not address: device memory, a file, another
/// process.
///
/// ```
/// use strata_core::{Chunk, Offset};
/// // SAFETY: this example is the one owner of the device's first 64 KiB.
/// let window = unsafe { Chunk::from_raw_parts(Offset(0), 65536) };
/// let (low, high) = window.split_at(4096).unwrap();
/// assert_eq!(high.base(), Offset(4096));
/// # drop((low, high));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Offset(pub u64);

// SAFETY: 1. the number itself. 2. a plain number.
unsafe impl Address for Offset {
    #[inline]
    fn number(self) -> u64 {
        self.0
    }

    #[inline]
    unsafe fn offset(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// A range of memory with exactly one owner, on its way between two layers.
///
/// Move-only: who gives a chunk back has none left to give back again.
///
/// ```compile_fail,E0382
/// # use core::ptr::NonNull;
/// use strata_core::{Chunk, Source};
/// unsafe fn twice<S: Source>(source: S, chunk: Chunk<S::Address>) {
///     unsafe { source.release(chunk) };
///     unsafe { source.release(chunk) }; // does not compile: `chunk` was moved
/// }
/// ```
///
/// A chunk does not know its source and so cannot go back by itself. **Dropping one leaks it**:
/// the memory stays valid and is never used again. That is safe (as `core::mem::forget` is) and
/// almost never meant; the type is `must_use`, and [`Counted`](crate::source::Counted) shows in
/// tests what did not come back.
///
/// # Invariants
///
/// 1. No other chunk and no other owner has any byte of the range.
/// 2. `base.number() + len` does not overflow, and `len` fits in an `isize`.
/// 3. For memory, `base` has provenance over the whole range.
///
/// Whether the memory may be touched at once is its source's to say
/// ([`Source::COMMITS`](crate::Source::COMMITS)).
#[must_use = "dropping a chunk leaks its memory; release it to its source"]
pub struct Chunk<A: Address = NonNull<u8>> {
    base: A,
    len: NonZeroUsize,
}

// SAFETY: invariant 1, and promise 2 of `Address`: a chunk is the one owner of its bytes, on
// whichever thread it is, and a shared reference to it gives addresses only.
unsafe impl<A: Address> Send for Chunk<A> {}
// SAFETY: as above.
unsafe impl<A: Address> Sync for Chunk<A> {}

impl<A: Address> Chunk<A> {
    /// The chunk of `len` bytes from `base`.
    ///
    /// # Safety
    ///
    /// 1. The caller owns the range alone, and hands it over to the chunk.
    /// 2. `len` is above zero and fits in an `isize`, and `base.number() + len` does not overflow.
    /// 3. For memory, `base` has provenance over the whole range.
    #[inline]
    pub unsafe fn from_raw_parts(base: A, len: usize) -> Self {
        debug_assert!(len > 0 && len <= isize::MAX as usize, "a chunk's length fits in isize");
        debug_assert!(base.number().checked_add(len as u64).is_some(), "a chunk does not wrap");
        // SAFETY: 2. of this function.
        Self { base, len: unsafe { NonZeroUsize::new_unchecked(len) } }
    }

    /// Where it starts.
    #[inline]
    pub fn base(&self) -> A {
        self.base
    }

    /// Its length in bytes; never zero.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// The number of the first byte past its end.
    #[inline]
    pub fn end(&self) -> u64 {
        self.base.number() + self.len.get() as u64
    }

    /// Takes the chunk apart. The caller becomes the owner of the range.
    #[inline]
    pub fn into_raw_parts(self) -> (A, usize) {
        (self.base, self.len.get())
    }

    /// Cuts the chunk `at` bytes after its start.
    ///
    /// # Errors
    ///
    /// Gives the chunk back when `at` is zero or not below its length.
    #[inline]
    pub fn split_at(self, at: usize) -> Result<(Self, Self), Self> {
        match (NonZeroUsize::new(at), NonZeroUsize::new(self.len.get().saturating_sub(at))) {
            (Some(low), Some(high)) => {
                // SAFETY: 1. `at` is below the length: inside this chunk.
                let middle = unsafe { self.base.offset(at) };
                Ok((Self { base: self.base, len: low }, Self { base: middle, len: high }))
            }
            _ => Err(self),
        }
    }

    /// One chunk of this one and its upper neighbour `next`.
    ///
    /// # Errors
    ///
    /// Gives both back, in order, when `next` does not start where this one ends.
    ///
    /// # Safety
    ///
    /// 1. Both are pieces of one acquired chunk, or come from one source whose
    ///    [`JOINS`](crate::Source::JOINS) is true. (Two mappings can be neighbours by chance; a
    ///    pointer to one of them must not reach into the other.)
    #[inline]
    pub unsafe fn join(self, next: Self) -> Result<Self, (Self, Self)> {
        if self.end() != next.base.number() {
            return Err((self, next));
        }
        match self.len.get().checked_add(next.len.get()) {
            Some(len) if len <= isize::MAX as usize => {
                // SAFETY: 1. both chunks are moved in here. 2. checked now, and the end is that
                // of `next`. 3. obligation 1 of this method.
                Ok(unsafe { Self::from_raw_parts(self.base, len) })
            }
            _ => Err((self, next)),
        }
    }
}

impl Chunk<NonNull<u8>> {
    /// The memory as a pointer to a slice, with its provenance.
    #[inline]
    pub fn as_slice_ptr(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.len.get())
    }
}

impl<A: Address> fmt::Debug for Chunk<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({:#x}..{:#x})", self.base.number(), self.end())
    }
}

static_assertions::assert_not_impl_any!(Chunk: Clone, Copy);
static_assertions::assert_impl_all!(Chunk: Send, Sync);
static_assertions::assert_eq_size!(Option<Chunk>, [usize; 2]);

#[cfg(test)]
mod tests {
    use super::*;

    fn device(base: u64, len: usize) -> Chunk<Offset> {
        // SAFETY: 1. nobody interprets these numbers. 2. small. 3. no memory.
        unsafe { Chunk::from_raw_parts(Offset(base), len) }
    }

    #[test]
    fn a_cut_and_a_join_give_the_chunk_back() {
        let (low, high) = device(100, 50).split_at(20).unwrap();
        assert_eq!((low.base(), low.len(), low.end()), (Offset(100), 20, 120));
        assert_eq!((high.base(), high.len(), high.end()), (Offset(120), 30, 150));
        // SAFETY: 1. pieces of one chunk.
        let whole = unsafe { low.join(high) }.unwrap();
        assert_eq!(whole.into_raw_parts(), (Offset(100), 50));
    }

    #[test]
    fn a_cut_at_an_end_gives_the_chunk_back() {
        for at in [0, 50, 51, usize::MAX] {
            assert_eq!(device(100, 50).split_at(at).unwrap_err().len(), 50);
        }
    }

    #[test]
    fn strangers_do_not_join() {
        // SAFETY: 1. both stand for pieces of one device.
        let (a, b) = unsafe { device(0, 10).join(device(11, 5)) }.unwrap_err();
        assert_eq!((a.len(), b.len()), (10, 5));
        // SAFETY: as above; the upper one must come second.
        assert!(unsafe { device(10, 5).join(device(0, 10)) }.is_err());
        let (long, more) = (device(0, isize::MAX as usize), device(isize::MAX as u64, 1));
        // SAFETY: as above; the sum of the lengths does not fit.
        assert!(unsafe { long.join(more) }.is_err());
    }
}
