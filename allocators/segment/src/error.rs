//! What can be wrong with what a caller asks for. Nothing has changed where one of these is returned.

use core::fmt;

use strata_core::Exhausted;

/// Implements `Display` and `Error` for an enum, a text each.
macro_rules! texts {
    ($error:ident: $($case:ident => $text:literal,)*) => {
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$case => $text,)* })
            }
        }
        impl core::error::Error for $error {}
    };
}

/// Why there is no segment; nothing changed.
///
/// ```
/// use strata_segment::AllocError;
/// assert_eq!(AllocError::ZeroLen.to_string(), "a segment of no length was asked for");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocError {
    /// No free segment fits.
    Exhausted,
    /// A length of zero.
    ZeroLen,
    /// The alignment is no power of two, below the unit where only units can be told apart, or above
    /// what any place has.
    Align,
    /// Longer than any region can be.
    TooLong,
    /// The bookkeeping out of band has too few entries left to cut a segment.
    NoEntry,
}

texts! { AllocError:
    Exhausted => "no free segment fits",
    ZeroLen => "a segment of no length was asked for",
    Align => "no place has this alignment",
    TooLong => "no region can be as long",
    NoEntry => "no entry is left to describe another segment",
}

impl From<AllocError> for Exhausted {
    fn from(_: AllocError) -> Self {
        Self
    }
}

/// Why a certain place was not handed out; nothing changed.
///
/// ```
/// use strata_segment::ClaimError;
/// assert_eq!(ClaimError::Busy.to_string(), "not all of this range is free");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// A length of zero.
    ZeroLen,
    /// Not where a segment can begin, or not as long as one can be: units, and powers of two for
    /// [`Buddy`](crate::Buddy).
    Misaligned,
    /// Not all of it is in one region.
    OutOfRange,
    /// Not all of it is free.
    Busy,
    /// The bookkeeping out of band has too few entries left.
    NoEntry,
}

texts! { ClaimError:
    ZeroLen => "a range of no length was asked for",
    Misaligned => "no segment of this length begins here",
    OutOfRange => "not all of this range is in one region",
    Busy => "not all of this range is free",
    NoEntry => "no entry is left to describe another segment",
}

/// Why a segment was not taken back; nothing changed.
///
/// ```
/// use strata_segment::FreeError;
/// assert_eq!(FreeError::DoubleFree.to_string(), "a segment was freed twice");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// It is free already.
    DoubleFree,
    /// Not of these regions.
    Foreign,
    /// No segment begins there: an address inside one, or one that was freed and joined with others.
    NotASegment,
    /// A segment with another length than was said.
    WrongLen,
}

texts! { FreeError:
    DoubleFree => "a segment was freed twice",
    Foreign => "a freed segment is not of these regions",
    NotASegment => "a freed segment is none: freed before, or not where one begins",
    WrongLen => "a segment was freed with another length than it has",
}

/// Why a segment does not have another length; nothing changed.
///
/// ```
/// use strata_segment::ResizeError;
/// assert_eq!(ResizeError::NoRoom.to_string(), "what lies beside the segment is not free, or too short");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeError {
    /// What lies beside it is not free, or too short.
    NoRoom,
    /// No segment is named so.
    NotASegment,
    /// A length of zero: free it instead.
    ZeroLen,
    /// Longer than any region can be.
    TooLong,
    /// The policy has shapes that the new length does not come to, or the unit does not divide it.
    Misaligned,
    /// The bookkeeping out of band has too few entries left.
    NoEntry,
}

texts! { ResizeError:
    NoRoom => "what lies beside the segment is not free, or too short",
    NotASegment => "no segment is named so",
    ZeroLen => "a segment cannot have no length",
    TooLong => "no region can be as long",
    Misaligned => "no segment can begin or end there",
    NoEntry => "no entry is left to describe another segment",
}

/// Why a region was not added, lengthened, shortened or removed; nothing changed.
///
/// ```
/// use strata_segment::RegionError;
/// assert_eq!(RegionError::TooShort.to_string(), "too short for a segment and its bookkeeping");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError {
    /// Too short for one segment.
    TooShort,
    /// It has addresses of another region.
    Overlaps,
    /// Too far from the first region, or too long: places are told in 30 bits of units.
    OutOfReach,
    /// Not a multiple of the unit, out of band.
    Misaligned,
    /// Segments of it are used.
    InUse,
    /// No region is named so.
    NotARegion,
    /// The bookkeeping out of band has too few entries left.
    NoEntry,
}

texts! { RegionError:
    TooShort => "too short for a segment and its bookkeeping",
    Overlaps => "it overlaps another region",
    OutOfReach => "too long, or too far from the first region",
    Misaligned => "no region can begin or end there",
    InUse => "segments of it are used",
    NotARegion => "no region is named so",
    NoEntry => "no entry is left to describe another region",
}
