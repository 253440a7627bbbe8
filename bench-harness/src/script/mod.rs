//! Replay scripts: a trace turned into what a child can follow without thinking.
//!
//! A script is a file of *segments*. A segment holds the operations between two *cuts*: places of
//! the global order where every thread stops, so that the next segment can be read into the child's
//! fixed window, and a checkpoint can be taken. Operations are 16 bytes and name *slots*: places of a
//! table of live blocks that are used again when their block is gone, so that a child needs memory
//! for the greatest live set and one segment, however long the trace is.
//!
//! ```text
//! segment:  SegmentHead │ Stream × streams │ Op × operations │ Place × operations
//! ```

mod build;
mod outlet;
mod slots;
pub mod synthetic;

pub use build::{Builder, CheckpointPlan, Options, Script};

use static_assertions::{assert_eq_align, const_assert_eq};

/// What an [`Op`] does.
pub(crate) mod kind {
    /// `alloc`.
    pub(crate) const ALLOCATE: u8 = 0;
    /// `dealloc`.
    pub(crate) const FREE: u8 = 1;
    /// `alloc_zeroed`.
    pub(crate) const ZEROED: u8 = 2;
    /// `realloc`; the new size is in the [`Op`](super::Op) after it.
    pub(crate) const REALLOCATE: u8 = 3;
    /// Start the thread whose index is in `slot`.
    pub(crate) const SPAWN: u8 = 4;
    /// Wait for the end of the thread whose index is in `slot`.
    pub(crate) const JOIN: u8 = 5;
    /// The thread ends.
    pub(crate) const EXIT: u8 = 6;
    /// Second half of a `REALLOCATE`.
    pub(crate) const MORE: u8 = 7;
}

/// Set in [`Op::version`]'s neighbour `kind`: wait until the slot's version is one less than this
/// operation's, because another thread makes it so.
pub(crate) const WAIT: u8 = 0x80;

/// One operation of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Op {
    /// Index into the table of live blocks, or of a thread.
    pub(crate) slot: u32,
    /// One of [`kind`], with [`WAIT`] where it applies (only in threaded scripts).
    pub(crate) kind: u8,
    /// log2 of the alignment.
    pub(crate) align_log2: u8,
    /// Number of operations on this slot so far, this one included, modulo 2^16.
    pub(crate) version: u16,
    /// Bytes of the block (the old ones for a realloc); at least 1.
    pub(crate) bytes: u64,
}

/// Where an operation stands in the trace; read by checked replay only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Place {
    /// The record's place in the order of the trace, from 0.
    pub(crate) record: u64,
    /// The recorded thread.
    pub(crate) thread: u64,
}

/// The head of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct SegmentHead {
    /// Bytes of the segment after this head.
    pub(crate) bytes: u64,
    /// Records of the trace before this segment.
    pub(crate) first_record: u64,
    /// Number of [`Stream`]s.
    pub(crate) streams: u32,
    /// Number of [`Op`]s, halves of reallocs included.
    pub(crate) ops: u32,
    /// Number of operations that count (allocations, frees and reallocs).
    pub(crate) operations: u32,
    /// Which checkpoint follows, or [`NO_CHECKPOINT`]. The last segment says [`LAST`] too.
    pub(crate) checkpoint: u32,
    /// 1 in the last segment.
    pub(crate) last: u32,
    /// Keeps the struct free of padding.
    pub(crate) reserved: u32,
}

/// No checkpoint follows the segment.
pub(crate) const NO_CHECKPOINT: u32 = u32::MAX;

/// The operations of one thread in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Stream {
    /// Index of the thread: its number in the trace less 1; 0 in serial scripts.
    pub(crate) thread: u32,
    /// How many [`Op`]s.
    pub(crate) ops: u32,
    /// Index of the first among the segment's.
    pub(crate) first: u32,
    /// Keeps the struct a multiple of 16 bytes.
    pub(crate) reserved: u32,
}

const_assert_eq!(size_of::<Op>(), 16);
const_assert_eq!(size_of::<Place>(), 16);
const_assert_eq!(size_of::<Stream>(), 16);
const_assert_eq!(size_of::<SegmentHead>(), 40);
assert_eq_align!(Op, u64);

/// Bytes of a plain value, for writing it to a script.
pub(crate) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: `Plain` promises that there is no padding; the length is that of the slice.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// A type whose every byte is initialised.
///
/// # Safety
///
/// 1. The type is `repr(C)`, without padding and without pointers.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: 1: see the definitions and the sizes asserted above.
unsafe impl Plain for Op {}
// SAFETY: 1: as above.
unsafe impl Plain for Place {}
// SAFETY: 1: as above.
unsafe impl Plain for SegmentHead {}
// SAFETY: 1: as above.
unsafe impl Plain for Stream {}

#[cfg(test)]
mod tests;
