//! What a program holds in place of an address.

use core::fmt;
use core::num::NonZeroU64;

use super::descriptor::{DENIED, LIVE};

/// A segment's name: the number of its descriptor, and which of that descriptor's segments it is.
///
/// Plain data of eight bytes, `Copy`, with a niche for `Option`. It owns nothing and borrows
/// nothing: it may be stored anywhere, inside segments too, and stays right when the segment
/// moves. After the segment is freed it names nothing, for ever: every use answers
/// [`Fault::NoSegment`](super::Fault::NoSegment).
///
/// A handle says nothing about which table it is from. Another table may take it for one of its
/// own; that is as wrong as an index into the wrong `Vec`, and as harmless to memory.
///
/// ```
/// use strata_segment::table::Handle;
/// assert_eq!(size_of::<Option<Handle>>(), 8);
/// ```
///
/// # Invariants
///
/// 1. The upper half is a generation that a descriptor with a segment may have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Handle(
    /// The index, and above it the generation: one load.
    NonZeroU64,
);

impl Handle {
    /// The handle of a live segment.
    pub(super) fn new(index: u32, generation: u32) -> Self {
        debug_assert!(is_live(generation), "1.");
        let bits = u64::from(generation) << 32 | u64::from(index);
        // A live generation is not zero.
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    /// The number of its descriptor.
    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0.get() as u32 as usize
    }

    /// Which of that descriptor's segments.
    #[inline]
    pub(super) const fn generation(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    /// The handle as a number, for storing it where only bytes go.
    ///
    /// ```
    /// # use strata_segment::table::Handle;
    /// # fn round_trip(handle: Handle) {
    /// assert_eq!(Handle::from_bits(handle.to_bits()), Some(handle));
    /// # }
    /// assert_eq!(Handle::from_bits(0), None);
    /// ```
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// The handle that [`to_bits`](Self::to_bits) made this number of. `None` for numbers that it
    /// never makes of any; zero is one of them. A made-up number is safe: the table checks it as
    /// it checks every handle.
    #[inline]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(number) if is_live((bits >> 32) as u32) => Some(Self(number)),
            _ => None,
        }
    }
}

/// Whether a descriptor with a segment may have this generation: the rights are not part of it.
const fn is_live(generation: u32) -> bool {
    generation & LIVE != 0 && generation & DENIED == 0
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}.{})", self.index(), self.generation() / LIVE)
    }
}
