//! The memory that frames number, and what can go wrong with showing it.

use core::fmt;
use core::ptr::NonNull;

use strata_core::FrameId;
use strata_os::{OsError, SharedMemory, memory};

/// Why pages were not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// A page beyond the range, a frame beyond the memory, or a frame that is no whole pages of the
    /// system's.
    OutOfRange,
    /// The process would come to have this many mappings of scattered frames, more than a quarter of
    /// `vm.max_map_count`: the rest is for everybody else in the process. Frames that follow each other
    /// need one mapping together.
    TooManyMappings {
        /// What it would come to.
        wanted: usize,
        /// The quarter.
        limit: usize,
    },
    /// The system refused.
    System(OsError),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("no such page or frame"),
            Self::TooManyMappings { wanted, limit } => {
                write!(
                    f,
                    "{wanted} mappings of frames, beyond {limit}, a quarter of vm.max_map_count"
                )
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for MapError {}

impl From<OsError> for MapError {
    fn from(error: OsError) -> Self {
        Self::System(error)
    }
}

/// The memory that frames number: `frames` frames of so many bytes, zero at first.
///
/// See [`MappedPages`](super::MappedPages) for an example.
#[derive(Debug)]
pub struct FrameMemory {
    pub(super) memory: SharedMemory,
    pub(super) frame_bytes: usize,
    frames: u64,
}

impl FrameMemory {
    /// Memory of `frames` frames of `frame_bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfRange`] unless frames are whole pages of the system's and there is at least one,
    /// and [`MapError::System`].
    pub fn new(frames: u64, frame_bytes: usize) -> Result<Self, MapError> {
        if frames == 0 || frame_bytes == 0 || !frame_bytes.is_multiple_of(memory::page_size()) {
            return Err(MapError::OutOfRange);
        }
        let count = usize::try_from(frames).map_err(|_| MapError::OutOfRange)?;
        let bytes = count.checked_mul(frame_bytes).ok_or(MapError::OutOfRange)?;
        Ok(Self { memory: SharedMemory::new(bytes)?, frame_bytes, frames })
    }

    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Where a frame is seen by its number; `None` beyond the memory. Valid as long as this memory.
    pub fn address(&self, frame: FrameId) -> Option<NonNull<u8>> {
        let offset = self.offset(frame, 1)?;
        // SAFETY: inside the mapping, which is one object.
        Some(unsafe { self.memory.base().add(offset) })
    }

    /// Copies a frame's contents, as [`Write::CopyNeeded`](crate::paging::Write::CopyNeeded) asks for.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfRange`].
    ///
    /// # Safety
    ///
    /// 1. Nobody writes either frame, or reads `to`, during the call, through whatever address.
    pub unsafe fn copy(&self, from: FrameId, to: FrameId) -> Result<(), MapError> {
        let (Some(from), Some(to)) = (self.address(from), self.address(to)) else {
            return Err(MapError::OutOfRange);
        };
        // SAFETY: both are whole frames of the mapping, the same or apart; 1. of this method.
        unsafe { from.copy_to(to, self.frame_bytes) };
        Ok(())
    }

    /// Gives a frame's contents back to the system: it reads as zero.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfRange`] and [`MapError::System`].
    ///
    /// # Safety
    ///
    /// 1. Nobody reads or writes the frame during the call, through whatever address.
    pub unsafe fn purge(&self, frame: FrameId) -> Result<(), MapError> {
        let offset = self.offset(frame, 1).ok_or(MapError::OutOfRange)?;
        // SAFETY: 1. of this method.
        Ok(unsafe { self.memory.purge(offset, self.frame_bytes) }?)
    }

    /// The first byte of `count` frames, if the memory has them.
    pub(super) fn offset(&self, frame: FrameId, count: usize) -> Option<usize> {
        let end = frame.checked_add(count as u64)?;
        // In range, the product is less than the memory's length.
        (end.get() <= self.frames).then(|| frame.get() as usize * self.frame_bytes)
    }
}
