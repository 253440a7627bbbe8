//! Which chunk an address lies in: the chunks by rising address.

use core::ptr::NonNull;

use strata_core::span::SpanId;
use strata_core::{Chunk, Exhausted, Source};

use super::acquire_ready;

/// A chunk, in the order of addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) base: usize,
    /// Bytes of the chunk as it was acquired.
    pub(crate) len: u32,
    pub(crate) id: SpanId,
}

/// The chunks of a pool by rising address.
///
/// # Invariants
///
/// 1. The first `count` entries of the array of `room` at `entries` are written, in order, and do
///    not overlap.
#[derive(Debug)]
pub(crate) struct Index {
    entries: NonNull<Entry>,
    count: usize,
    room: usize,
}

/// Entries of the first array.
const FIRST: usize = 16;

// SAFETY: the array is the index's own.
unsafe impl Send for Index {}

impl Index {
    pub(crate) const fn new() -> Self {
        Self { entries: NonNull::dangling(), count: 0, room: 0 }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        // SAFETY: invariant 1.
        unsafe { core::slice::from_raw_parts(self.entries.as_ptr(), self.count) }
    }

    /// The chunk that an address lies in. O(log chunks).
    #[inline]
    pub(crate) fn find(&self, address: usize) -> Option<Entry> {
        let entries = self.entries();
        let above = entries.partition_point(|entry| entry.base <= address);
        let entry = *entries.get(above.checked_sub(1)?)?;
        (address - entry.base < entry.len as usize).then_some(entry)
    }

    /// Makes sure that one more fits.
    pub(crate) fn reserve<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
    ) -> Result<(), Exhausted> {
        if self.count < self.room {
            return Ok(());
        }
        self.resize(source, (2 * self.room).max(FIRST))
    }

    /// Gives memory back that the entries do not need any more.
    pub(crate) fn shrink<S: Source<Address = NonNull<u8>>>(&mut self, source: &S) {
        let room = (2 * self.count).max(FIRST);
        let pages = |entries: usize| (entries * size_of::<Entry>()).div_ceil(source.granule());
        if pages(room) < pages(self.room) {
            // Where there is no memory for less, it stays.
            let _ = self.resize(source, room);
        }
    }

    /// An array of `room` entries, in which those that there are fit.
    fn resize<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        room: usize,
    ) -> Result<(), Exhausted> {
        let bytes = room.checked_mul(size_of::<Entry>()).ok_or(Exhausted)?;
        let chunk = acquire_ready(source, bytes, align_of::<Entry>())?;
        let (base, len) = chunk.into_raw_parts();
        let entries = base.cast::<Entry>();
        // SAFETY: `count` entries are there (1.), and fit in the new array.
        unsafe { self.entries.copy_to_nonoverlapping(entries, self.count) };
        // SAFETY: the old array is copied.
        unsafe { self.release(source) };
        self.entries = entries;
        self.room = len / size_of::<Entry>();
        Ok(())
    }

    /// Enters a chunk; there is room. O(chunks).
    pub(crate) fn insert(&mut self, entry: Entry) {
        debug_assert!(self.count < self.room);
        let at = self.entries().partition_point(|other| other.base < entry.base);
        // SAFETY: `at <= count < room`: one entry more fits behind the moved ones.
        unsafe {
            let place = self.entries.add(at);
            place.copy_to(place.add(1), self.count - at);
            place.write(entry);
        }
        self.count += 1;
    }

    /// Strikes a chunk out. O(chunks).
    pub(crate) fn remove(&mut self, base: usize) -> Option<Entry> {
        let at = self.entries().partition_point(|other| other.base < base);
        let entry = *self.entries().get(at)?;
        // SAFETY: entry `at` is there, and those behind it move down by one.
        unsafe {
            let place = self.entries.add(at);
            place.copy_from(place.add(1), self.count - at - 1);
        }
        self.count -= 1;
        Some(entry)
    }

    pub(crate) fn bytes(&self, granule: usize) -> usize {
        (self.room * size_of::<Entry>()).next_multiple_of(granule)
    }

    /// Gives the array back.
    ///
    /// # Safety
    ///
    /// 1. It came from `source`; entries are not read any more before new memory is put under them.
    pub(crate) unsafe fn release<S: Source<Address = NonNull<u8>>>(&mut self, source: &S) {
        if self.room > 0 {
            let len = self.bytes(source.granule());
            // SAFETY: acquired with this length: `room` is what fits in it, less than a granule's
            // rest (1.).
            unsafe { source.release(Chunk::from_raw_parts(self.entries.cast(), len)) };
            self.room = 0;
        }
    }
}
