//! A table, and what its space answers about it.

use core::fmt;

use strata_core::{Exhausted, FrameId};

use super::nodes::NodeId;
#[cfg(doc)]
use super::space::PageSpace;

/// The mapping of pages `0..len` onto frames. It belongs to the [`PageSpace`] that made it.
///
/// Move-only, as a [`Chunk`](strata_core::Chunk) is: **dropping one leaks its frames** until the space
/// ends; [`PageSpace::release`] gives them back. A space answers nonsense about another's tables
/// (pages that are not theirs, or [`TableError::OutOfRange`]), and never more than that.
#[derive(Debug)]
#[must_use = "dropping a table leaks its frames; release it to its space"]
pub struct PageTable {
    pub(super) root: Option<NodeId>,
    /// Levels of nodes: 0 of none, 1 of up to 64 pages, 2 of up to 64², …
    pub(super) height: u32,
    pub(super) len: u64,
}

impl PageTable {
    pub(super) const EMPTY: Self = Self { root: None, height: 0, len: 0 };

    /// Pages.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no page.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What a write may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The frame is this table's alone.
    Ready(FrameId),
    /// The page was shared. It is at `to` now, whose contents are undefined: copy `from` to it before
    /// anything else is done in this space, for `from` may go with its last other user.
    CopyNeeded {
        /// What the page was, and still is in other tables.
        from: FrameId,
        /// What the page is now.
        to: FrameId,
    },
}

impl Write {
    /// The frame that the page is at now.
    pub const fn frame(self) -> FrameId {
        match self {
            Self::Ready(frame) | Self::CopyNeeded { to: frame, .. } => frame,
        }
    }
}

/// Why a table was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The table has no such page.
    OutOfRange,
    /// There is no frame, or no memory for nodes.
    Exhausted,
    /// The frame is in no table of this space, so that there is nothing to share.
    NotHeld,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "the table has no such page",
            Self::Exhausted => "no frame, or no memory for nodes; nothing changed",
            Self::NotHeld => "the frame is in no table of this space",
        })
    }
}

impl core::error::Error for TableError {}

impl From<Exhausted> for TableError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}
