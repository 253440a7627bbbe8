//! Why a table said no. Nothing changed where it did.

use core::fmt;

use super::Permissions;

/// An access that a table does not allow.
///
/// ```
/// use strata_segment::table::Fault;
/// let fault = Fault::Limit { end: 104, limit: 100 };
/// assert_eq!(fault.to_string(), "the access ends at 104, the segment at 100");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The handle names no segment: it was freed, or there never was one.
    NoSegment,
    /// The access reaches past the segment's end.
    Limit {
        /// Where the access ends, in bytes from the segment's start; `usize::MAX` where that does
        /// not fit.
        end: usize,
        /// The segment's length in bytes.
        limit: usize,
    },
    /// The segment does not grant what the access needs.
    Permission {
        /// What the access needs.
        wanted: Permissions,
        /// What the segment grants.
        held: Permissions,
    },
    /// A pin on the segment is in the way. Also when more pins were asked for than are counted.
    Pinned,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSegment => f.write_str("the handle names no segment"),
            Self::Limit { end, limit } => {
                write!(f, "the access ends at {end}, the segment at {limit}")
            }
            Self::Permission { wanted, held } => {
                write!(f, "the access needs {wanted:?}, the segment grants {held:?}")
            }
            Self::Pinned => f.write_str("the segment is pinned"),
        }
    }
}

impl core::error::Error for Fault {}

/// A change that a table does not make.
///
/// ```
/// use strata_segment::table::{Fault, Refused};
/// assert_eq!(Refused::from(Fault::Pinned).to_string(), "the segment is pinned");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The handle, or a pin, does not allow it.
    Fault(Fault),
    /// No hole is long enough, and where the table compacts on failure, no number of moves that it
    /// may make gives one.
    Exhausted,
    /// All descriptors, or all nodes of the holes and segments, are in use.
    TableFull,
    /// A segment of no bytes was asked for.
    ZeroLength,
    /// An alignment that is no power of two, or longer than the table serves.
    Alignment(usize),
    /// The [`Mover`](super::Mover) could not copy.
    NotMoved,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Exhausted => f.write_str("no hole is long enough"),
            Self::TableFull => f.write_str("the table is full"),
            Self::ZeroLength => f.write_str("a segment of no bytes was asked for"),
            Self::Alignment(align) => write!(f, "no segment can be aligned to {align}"),
            Self::NotMoved => f.write_str("the mover could not copy"),
        }
    }
}

impl core::error::Error for Refused {}
