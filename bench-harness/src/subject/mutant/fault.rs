//! The faults, their names and the kinds they are reported as.

use crate::check::Kind;

/// What a mutant does wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The last byte of a new block is the first one of a live block.
    Overlap,
    /// A live block of one thread is given to another: needs a replay on two threads.
    SameBlockTwice,
    /// An address 8 bytes off for an alignment of 16 to 2048.
    Misaligned16,
    /// An address 2048 bytes off for an alignment of 4096 or more; needs no sound calls before.
    Misaligned4096,
    /// Zeroed memory that was in use before is not cleared.
    DirtyZeroed,
    /// A realloc grows in place into the live block behind.
    ReallocOverlap,
    /// A realloc that moves does not copy the last 8 bytes.
    ReallocTail,
    /// A realloc that shrinks drops the first 8 bytes in place of the last.
    ReallocPrefix,
    /// The usable size is one byte less than was asked for.
    UsableSmall,
    /// The usable size includes the first bytes of the live block behind.
    UsableOverlap,
    /// A dealloc changes the first byte of the live block behind.
    NeighbourWritten,
    /// A block lies in another mapping.
    OutsideRegion,
}

impl Fault {
    /// The second half of the subject's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::SameBlockTwice => "same-block-twice",
            Self::Misaligned16 => "misaligned-16",
            Self::Misaligned4096 => "misaligned-4096",
            Self::DirtyZeroed => "dirty-zeroed",
            Self::ReallocOverlap => "realloc-overlap",
            Self::ReallocTail => "realloc-tail",
            Self::ReallocPrefix => "realloc-prefix",
            Self::UsableSmall => "usable-small",
            Self::UsableOverlap => "usable-overlap",
            Self::NeighbourWritten => "neighbour-written",
            Self::OutsideRegion => "outside-region",
        }
    }

    /// The kind of violation that it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Overlap => Kind::Overlap,
            Self::SameBlockTwice => Kind::SameBlockTwice,
            Self::Misaligned16 | Self::Misaligned4096 => Kind::Misaligned,
            Self::DirtyZeroed => Kind::DirtyZeroed,
            Self::ReallocOverlap => Kind::ReallocOverlap,
            Self::ReallocTail | Self::ReallocPrefix => Kind::ReallocLost,
            Self::UsableSmall => Kind::UsableTooSmall,
            Self::UsableOverlap => Kind::UsableOverlap,
            Self::NeighbourWritten => Kind::NeighbourWritten,
            Self::OutsideRegion => Kind::OutsideRegion,
        }
    }
}
