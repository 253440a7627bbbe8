//! Trees: some neighbouring huge frames, which a search looks at together.
//!
//! How many of them are used is counted from their entries, four in a word: nothing has to be kept up to
//! date, and what a search reads is what there is.

use strata_core::sync::{AtomicU64, Ordering};

use crate::entry::{HELD, LANES, used_lanes};
use crate::geometry::QUAD;
use crate::tables::Tables;

/// What the entries of a tree say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Huge frames with a taken frame.
    pub(crate) used: usize,
    /// A stock works at one of them.
    pub(crate) held: bool,
}

impl Tables<'_> {
    /// The first huge frame of a tree.
    #[inline]
    pub(crate) fn first_huge(&self, tree: usize) -> usize {
        tree * self.geometry.tree_huge()
    }

    /// Huge frames of a tree, the last of which may end beyond the zone.
    #[inline]
    pub(crate) fn huge_in(&self, tree: usize) -> usize {
        self.geometry.tree_huge().min(self.huge - self.first_huge(tree))
    }

    /// The words of a tree's entries. Beyond the end of the zone entries stay zero.
    #[inline]
    pub(crate) fn quads_of(&self, tree: usize) -> &[AtomicU64] {
        let first = self.first_huge(tree) / QUAD;
        &self.quads[first..first + self.huge_in(tree).div_ceil(QUAD)]
    }

    /// Looks at all entries of a tree.
    #[inline]
    pub(crate) fn tree(&self, tree: usize) -> Tree {
        let (mut used, mut marks) = (0, 0);
        for quad in self.quads_of(tree) {
            // Relaxed: a hint.
            let quad = quad.load(Ordering::Relaxed);
            used += used_lanes(quad).count_ones() as usize;
            marks |= quad;
        }
        Tree { used, held: marks & (LANES * u64::from(HELD)) != 0 }
    }
}
