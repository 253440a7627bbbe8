//! Arrays that grow in mappings of their own: the profiler's memory is not the heap's.

use core::ptr::{self, NonNull};

use strata_core::Exhausted;
use strata_os::memory;

/// What may be all zero bytes, and has no pointer to anything that would be lost.
///
/// # Safety
///
/// 1. Implementors are valid where all their bytes are zero.
pub(super) unsafe trait Zeroed: Copy {}

// SAFETY: 1. a number.
unsafe impl Zeroed for u32 {}
// SAFETY: 1. a number.
unsafe impl Zeroed for usize {}

/// An array of entries that are zero at first.
#[derive(Debug)]
pub(super) struct Mapped<T> {
    at: NonNull<T>,
    /// Bytes of the mapping; none where that is zero.
    bytes: usize,
}

// SAFETY: it owns its mapping, which is bound to no thread.
unsafe impl<T: Send> Send for Mapped<T> {}

impl<T: Zeroed> Mapped<T> {
    pub(super) const NONE: Self = Self { at: NonNull::dangling(), bytes: 0 };

    /// An array of at least `len` zero entries.
    pub(super) fn new(len: usize) -> Result<Self, Exhausted> {
        let page = memory::page_size();
        let bytes =
            len.checked_mul(size_of::<T>()).and_then(|len| len.checked_next_multiple_of(page));
        let bytes = bytes.ok_or(Exhausted)?.max(page);
        let at = memory::map(bytes, page).map_err(|_| Exhausted)?;
        Ok(Self { at: at.cast(), bytes })
    }

    /// Entries that there is room for.
    pub(super) fn len(&self) -> usize {
        self.bytes / size_of::<T>()
    }

    /// Has room for `len` entries, with those that are there where they are.
    pub(super) fn grow(&mut self, len: usize) -> Result<(), Exhausted> {
        if len <= self.len() {
            return Ok(());
        }
        let longer = Self::new(len.max(2 * self.len()))?;
        // SAFETY: two mappings, the new one longer.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr(), longer.at.as_ptr(), self.len()) };
        *self = longer;
        Ok(())
    }

    pub(super) fn entries(&self) -> &[T] {
        // SAFETY: the mapping, zeroed when it was new, which is valid; a dangling pointer where it has no
        // entry.
        unsafe { core::slice::from_raw_parts(self.at.as_ptr(), self.len()) }
    }

    pub(super) fn entries_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the only reference.
        unsafe { core::slice::from_raw_parts_mut(self.at.as_ptr(), self.len()) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        if self.bytes != 0 {
            // SAFETY: 1. mapped in `new`, whole, and nobody has it after this. 2. whole pages. Where the
            // system refuses, it stays.
            let _ = unsafe { memory::release(self.at.cast(), self.bytes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_and_new_ones_are_zero() {
        let mut numbers = Mapped::<usize>::NONE;
        assert!(numbers.entries().is_empty());
        for len in [1, 100, 5000, 5000, 70_000] {
            numbers.grow(len).unwrap();
            assert!(numbers.len() >= len);
            numbers.entries_mut()[len - 1] = len;
        }
        let kept: std::vec::Vec<_> = numbers.entries().iter().filter(|n| **n != 0).collect();
        assert_eq!(kept, [&1, &100, &5000, &70_000]);
        assert_eq!(Mapped::<usize>::new(usize::MAX).unwrap_err(), Exhausted);
    }
}
