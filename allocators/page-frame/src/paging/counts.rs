//! How many leaf entries name each frame.

use core::mem::size_of;
use core::ptr::NonNull;

use strata_core::{Chunk, Exhausted, FrameId, Source};

use crate::source::usable;

/// A count for each frame of a zone, in one chunk.
///
/// # Invariants
///
/// 1. `chunk` holds `len` initialised counts, aligned, and nothing else reaches it.
#[derive(Debug)]
pub(super) struct Counts {
    chunk: Chunk,
    len: usize,
}

impl Counts {
    /// `frames` counts of zero. Where the source's memory is zero already, none of it is touched.
    pub(super) fn new<S: Source<Address = NonNull<u8>>>(
        source: &S,
        frames: u64,
    ) -> Result<Self, Exhausted> {
        let len = usize::try_from(frames).map_err(|_| Exhausted)?;
        let bytes = len.checked_mul(size_of::<u32>()).ok_or(Exhausted)?;
        let chunk = usable(source, bytes, align_of::<u32>())?;
        if !S::ZEROED {
            // SAFETY: the chunk is ours, usable, and holds that many bytes.
            unsafe { chunk.base().write_bytes(0, bytes) };
        }
        Ok(Self { chunk, len })
    }

    /// The count of a frame; `None` outside the zone.
    pub(super) fn get(&self, frame: FrameId) -> Option<u32> {
        let index = self.index(frame)?;
        // SAFETY: inside the chunk and initialised (invariant 1); `&self` excludes writers.
        Some(unsafe { self.chunk.base().cast::<u32>().add(index).read() })
    }

    /// Counts one more; false, and nothing changed, outside the zone and where it would overflow.
    #[must_use]
    pub(super) fn add(&mut self, frame: FrameId) -> bool {
        self.change(frame, |count| count.checked_add(1)).is_some()
    }

    /// Counts one less; the new count.
    pub(super) fn sub(&mut self, frame: FrameId) -> Option<u32> {
        self.change(frame, |count| count.checked_sub(1))
    }

    fn change(&mut self, frame: FrameId, new: impl FnOnce(u32) -> Option<u32>) -> Option<u32> {
        let index = self.index(frame)?;
        // SAFETY: inside the chunk and initialised (invariant 1); `&mut self` excludes others.
        unsafe {
            let place = self.chunk.base().cast::<u32>().add(index);
            let count = new(place.read())?;
            place.write(count);
            Some(count)
        }
    }

    fn index(&self, frame: FrameId) -> Option<usize> {
        usize::try_from(frame.get()).ok().filter(|&index| index < self.len)
    }

    /// Gives the chunk up.
    pub(super) fn into_chunk(self) -> Chunk {
        self.chunk
    }
}
