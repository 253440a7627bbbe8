//! What may be done with a segment.

use core::fmt;
use core::ops::BitOr;

/// A set of rights: those that a segment has, or those that an access needs.
///
/// Rights are kept as segment descriptors of hardware keep them (Multics' segment descriptor word,
/// the x86 descriptor). What a table does itself needs [`READ`](Self::READ) or
/// [`WRITE`](Self::WRITE); [`EXECUTE`](Self::EXECUTE) is for callers who check it with
/// [`translate`](super::SegmentTable::translate).
///
/// ```
/// use strata_segment::table::Permissions;
/// let held = Permissions::READ | Permissions::EXECUTE;
/// assert!(held.contains(Permissions::READ));
/// assert!(!held.contains(Permissions::READ_WRITE));
/// assert!(held.contains(Permissions::NONE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// No right. Every segment grants it, within its limit.
    pub const NONE: Self = Self(0);
    /// To load from the segment.
    pub const READ: Self = Self(1);
    /// To store into it.
    pub const WRITE: Self = Self(2);
    /// Both.
    pub const READ_WRITE: Self = Self(3);
    /// To run what is in it. No table does that.
    pub const EXECUTE: Self = Self(4);

    /// Every right.
    pub(super) const ALL: Self = Self(7);

    /// A bit each.
    pub(super) const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// All but those of these bits.
    pub(super) const fn but(bits: u32) -> Self {
        Self(!bits as u8 & Self::ALL.0)
    }

    /// Whether all of `wanted` are among these.
    #[inline]
    pub const fn contains(self, wanted: Self) -> bool {
        wanted.0 & !self.0 == 0
    }
}

impl BitOr for Permissions {
    type Output = Self;

    /// The rights of either.
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Permissions {
    /// As `ls` does: `r-x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (right, letter) in [(Self::READ, "r"), (Self::WRITE, "w"), (Self::EXECUTE, "x")] {
            f.write_str(if self.contains(right) { letter } else { "-" })?;
        }
        Ok(())
    }
}
