//! What can be wrong with what a caller asks for.

use core::fmt;

use strata_core::{ConfigError, Exhausted, FrameId};

/// Why frames were not taken back; nothing changed.
///
/// ```
/// use strata_page_frame::FreeError;
/// assert_eq!(FreeError::DoubleFree.to_string(), "these frames are free already");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// Not all of these frames are in the zone.
    OutOfRange,
    /// A block of this order does not begin at this frame.
    Misaligned,
    /// These frames are free already.
    DoubleFree,
    /// They were taken, but in blocks of another order, or only some of them are taken. Seen where
    /// bits, alignment or the mark of huge frames show it; with feature `checked` always.
    WrongOrder,
}

impl fmt::Display for FreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "not all of these frames are in the zone",
            Self::Misaligned => "no block of this order begins at this frame",
            Self::DoubleFree => "these frames are free already",
            Self::WrongOrder => "these frames were not taken with this order",
        })
    }
}

impl core::error::Error for FreeError {}

/// Why certain frames were not taken; nothing changed.
///
/// ```
/// use strata_core::FrameId;
/// use strata_page_frame::ClaimError;
/// assert_eq!(ClaimError::Busy(FrameId(7)).to_string(), "frame 7 is taken");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Not all of these frames are in the zone, or there are none.
    OutOfRange,
    /// This frame, the first such of the range, is taken or was while it was asked for.
    Busy(FrameId),
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("not all of these frames are in the zone"),
            Self::Busy(frame) => write!(f, "frame {} is taken", frame.0),
        }
    }
}

impl core::error::Error for ClaimError {}

impl From<ClaimError> for Exhausted {
    fn from(_: ClaimError) -> Self {
        Self
    }
}

/// Why there is no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneError {
    /// An argument makes no sense.
    Config(ConfigError),
    /// The source below has not enough memory.
    Exhausted,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Exhausted => Exhausted.fmt(f),
        }
    }
}

impl core::error::Error for ZoneError {}

impl From<ConfigError> for ZoneError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Exhausted> for ZoneError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}
