//! The kinds of violation, and where one was seen.

use serde::{Deserialize, Serialize};

/// What a subject did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A new block shares bytes with a live one.
    Overlap,
    /// A new block has the very address of a live block of another thread.
    SameBlockTwice,
    /// The address is not a multiple of the alignment asked for.
    Misaligned,
    /// Zeroed memory was asked for and is not zero.
    DirtyZeroed,
    /// A realloc that kept its address now reaches into a live block.
    ReallocOverlap,
    /// A realloc lost bytes of the kept prefix.
    ReallocLost,
    /// Usable bytes are fewer than were asked for.
    UsableTooSmall,
    /// Usable bytes reach into a live block.
    UsableOverlap,
    /// A call changed bytes of a live block that was not its own.
    NeighbourWritten,
    /// A block lies outside the subject's declared regions.
    OutsideRegion,
    /// An allocation failed that the trace's program saw succeed.
    Refused,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// What kind.
    pub kind: Kind,
    /// Which record of the trace: its place in the order of `Event::seq`, from 0.
    pub record: u64,
    /// The recorded thread that made the call.
    pub thread: u32,
    /// Addresses, sizes and alignments in words.
    pub detail: String,
}
