//! The statistics that every layer speaks of, and the laws between them.
//!
//! | figure | means |
//! |---|---|
//! | requested | bytes that the program asked for and has not freed |
//! | allocated | bytes of the blocks that it got for them: requested plus rounding |
//! | active | bytes of the pages, frames or segments that hold at least one live block |
//! | purged within active | bytes of those whose contents were given back |
//! | cached | bytes kept ready with contents, holding no live block |
//! | metadata | bytes of the allocator's own tables, headers outside of blocks included |
//! | committed | bytes that the system backs or has promised |
//! | reserved | bytes of address space |
//!
//! The laws: requested ≤ allocated ≤ active; committed = active − purged within active + cached +
//! metadata; committed ≤ reserved. A figure that a build does not keep is `None`, never zero, and
//! a law about it is not checked.

use core::fmt;

use crate::ByteCount;

/// A reading of one allocator's figures; `None` is a figure that it does not keep.
///
/// ```
/// use strata_core::{ByteCount, Stats};
/// use strata_core::stats::Law;
///
/// let mut stats = Stats {
///     allocated: Some(ByteCount(48)),
///     active: Some(ByteCount(4096)),
///     purged: Some(ByteCount(0)),
///     cached: Some(ByteCount(8192)),
///     metadata: Some(ByteCount(4096)),
///     committed: Some(ByteCount(16384)),
///     ..Stats::default()
/// };
/// assert_eq!(stats.check_laws(), Ok(()));
/// stats.cached = Some(ByteCount(0));
/// let broken = stats.check_laws().unwrap_err();
/// assert_eq!(broken.law, Law::CommittedIsItsParts);
/// assert_eq!(
///     broken.to_string(),
///     "committed (16384) = active - purged within active + cached + metadata (8192) does not hold"
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Asked for and not freed.
    pub requested: Option<ByteCount>,
    /// In live blocks.
    pub allocated: Option<ByteCount>,
    /// In pages, frames or segments with live blocks.
    pub active: Option<ByteCount>,
    /// Given back within active.
    pub purged: Option<ByteCount>,
    /// Kept ready without a live block.
    pub cached: Option<ByteCount>,
    /// The allocator's own.
    pub metadata: Option<ByteCount>,
    /// Backed or promised by the system.
    pub committed: Option<ByteCount>,
    /// Of address space.
    pub reserved: Option<ByteCount>,
}

/// A law between figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// requested ≤ allocated.
    RequestedWithinAllocated,
    /// allocated ≤ active.
    AllocatedWithinActive,
    /// purged within active ≤ active.
    PurgedWithinActive,
    /// committed = active − purged within active + cached + metadata.
    CommittedIsItsParts,
    /// committed ≤ reserved.
    CommittedWithinReserved,
}

/// A law that a reading breaks, with its two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenLaw {
    /// Which one.
    pub law: Law,
    /// The left side.
    pub left: ByteCount,
    /// The right side.
    pub right: ByteCount,
}

impl Stats {
    /// Checks every law whose figures are all there.
    ///
    /// # Errors
    ///
    /// The first law that does not hold.
    pub fn check_laws(&self) -> Result<(), BrokenLaw> {
        within(Law::RequestedWithinAllocated, self.requested, self.allocated)?;
        within(Law::AllocatedWithinActive, self.allocated, self.active)?;
        within(Law::PurgedWithinActive, self.purged, self.active)?;
        if let (Some(left), Some(right)) = (self.committed, self.parts())
            && left != right
        {
            return Err(BrokenLaw { law: Law::CommittedIsItsParts, left, right });
        }
        within(Law::CommittedWithinReserved, self.committed, self.reserved)
    }

    /// The sum of the parts of committed memory, where all of them are kept.
    fn parts(&self) -> Option<ByteCount> {
        Some(self.active?.saturating_sub(self.purged?) + self.cached? + self.metadata?)
    }
}

/// `left ≤ right`, where both are kept.
fn within(law: Law, left: Option<ByteCount>, right: Option<ByteCount>) -> Result<(), BrokenLaw> {
    match (left, right) {
        (Some(left), Some(right)) if left > right => Err(BrokenLaw { law, left, right }),
        _ => Ok(()),
    }
}

impl fmt::Display for BrokenLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, relation, right) = match self.law {
            Law::RequestedWithinAllocated => ("requested", "<=", "allocated"),
            Law::AllocatedWithinActive => ("allocated", "<=", "active"),
            Law::PurgedWithinActive => ("purged within active", "<=", "active"),
            Law::CommittedIsItsParts => {
                ("committed", "=", "active - purged within active + cached + metadata")
            }
            Law::CommittedWithinReserved => ("committed", "<=", "reserved"),
        };
        let (l, r) = (self.left.0, self.right.0);
        write!(f, "{left} ({l}) {relation} {right} ({r}) does not hold")
    }
}

impl core::error::Error for BrokenLaw {}

#[cfg(test)]
mod tests {
    use super::*;

    fn lawful() -> Stats {
        let of = |bytes| Some(ByteCount(bytes));
        Stats {
            requested: of(90),
            allocated: of(100),
            active: of(200),
            purged: of(50),
            cached: of(30),
            metadata: of(20),
            committed: of(200),
            reserved: of(1000),
        }
    }

    #[test]
    fn each_law_is_named_when_it_breaks() {
        assert_eq!(lawful().check_laws(), Ok(()));
        let broken = |change: fn(&mut Stats)| {
            let mut stats = lawful();
            change(&mut stats);
            stats.check_laws().unwrap_err().law
        };
        assert_eq!(broken(|s| s.requested = Some(ByteCount(101))), Law::RequestedWithinAllocated);
        assert_eq!(broken(|s| s.allocated = Some(ByteCount(201))), Law::AllocatedWithinActive);
        assert_eq!(broken(|s| s.purged = Some(ByteCount(201))), Law::PurgedWithinActive);
        assert_eq!(broken(|s| s.committed = Some(ByteCount(199))), Law::CommittedIsItsParts);
        assert_eq!(broken(|s| s.reserved = Some(ByteCount(199))), Law::CommittedWithinReserved);
    }

    #[test]
    fn an_absent_figure_silences_its_laws_only() {
        let mut stats = lawful();
        stats.allocated = None;
        stats.requested = Some(ByteCount(5000));
        assert_eq!(stats.check_laws(), Ok(()));
        stats.purged = None;
        stats.committed = Some(ByteCount(7));
        assert_eq!(stats.check_laws(), Ok(()));
        stats.reserved = Some(ByteCount(6));
        assert_eq!(stats.check_laws().unwrap_err().law, Law::CommittedWithinReserved);
    }
}
