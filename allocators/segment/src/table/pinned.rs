//! The guards of pins.

use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::slice;

use super::{PinWord, Place};

/// A segment that stays where it is, for reading. Made by [`pin`](super::SegmentTable::pin).
///
/// It borrows the memory and the pin words, not the table: the table goes on to create, free and
/// compact around it. Over memory it is a slice of the segment's bytes. It may be sent to another
/// thread and dropped there; forgotten, it pins for ever, which is safe.
///
/// # Invariants
///
/// 1. It counts in `word` as a pin for reading, and `base` and `limit` are its segment's.
#[must_use = "a segment is pinned for as long as its guard lives"]
pub struct Pinned<'m, P: Place = NonNull<u8>> {
    base: P,
    limit: usize,
    word: &'m PinWord,
}

/// A segment that stays where it is, for reading and writing by this guard alone. Made by
/// [`pin_mut`](super::SegmentTable::pin_mut); otherwise as [`Pinned`].
///
/// # Invariants
///
/// 1. It is the pin for writing in `word`, and `base` and `limit` are its segment's.
#[must_use = "a segment is pinned for as long as its guard lives"]
pub struct PinnedMut<'m, P: Place = NonNull<u8>> {
    base: P,
    limit: usize,
    word: &'m PinWord,
}

// SAFETY: a guard is access to bytes, which belong to no thread, as `&[u8]` is; its word is atomic.
unsafe impl<P: Place> Send for Pinned<'_, P> {}
// SAFETY: as above.
unsafe impl<P: Place> Sync for Pinned<'_, P> {}
// SAFETY: as above, as `&mut [u8]` is.
unsafe impl<P: Place> Send for PinnedMut<'_, P> {}
// SAFETY: as above; shared, it reads only.
unsafe impl<P: Place> Sync for PinnedMut<'_, P> {}

impl<'m, P: Place> Pinned<'m, P> {
    /// The guard of a pin for reading that `word` counts.
    pub(super) fn new(base: P, limit: usize, word: &'m PinWord) -> Self {
        Self { base, limit, word }
    }

    /// Where the segment starts.
    pub fn base(&self) -> P {
        self.base
    }

    /// The segment's length in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl<'m, P: Place> PinnedMut<'m, P> {
    /// The guard of the pin for writing in `word`.
    pub(super) fn new(base: P, limit: usize, word: &'m PinWord) -> Self {
        Self { base, limit, word }
    }

    /// Where the segment starts.
    pub fn base(&self) -> P {
        self.base
    }

    /// The segment's length in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl Deref for Pinned<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: a segment's bytes, initialised and its own until its pin goes. Nobody writes
        // there: the table does not while a pin is counted, and there is no pin for writing.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.limit) }
    }
}

impl Deref for PinnedMut<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: as for `Pinned`; nobody but this guard has access.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.limit) }
    }
}

impl DerefMut for PinnedMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and this guard is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.limit) }
    }
}

impl<P: Place> Drop for Pinned<'_, P> {
    fn drop(&mut self) {
        self.word.unshare();
    }
}

impl<P: Place> Drop for PinnedMut<'_, P> {
    fn drop(&mut self) {
        self.word.unexclude();
    }
}

impl<P: Place> fmt::Debug for Pinned<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({:?}, {})", self.base, self.limit)
    }
}

impl<P: Place> fmt::Debug for PinnedMut<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedMut({:?}, {})", self.base, self.limit)
    }
}
