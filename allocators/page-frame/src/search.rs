//! Where the next frames come from: the fullest huge frame that has room, by exact counts.
//!
//! A search reads the words of the trees, skips those that are empty or full, and compares the
//! entries of the others four at a time. Of partly used huge frames the fullest wins, then free
//! huge frames in the tree that is used most, then free trees. Zones of up to [`WINDOW`] trees are
//! searched whole; larger ones window by window, and the first window that has room serves.

use strata_core::sync::{AtomicU64, Ordering};

use crate::class::{Class, Fit, Policy};
use crate::entry::{Entry, between};
use crate::geometry::QUAD;
use crate::tables::Tables;

/// Trees that are compared before one is chosen.
pub(crate) const WINDOW: usize = 1024;

/// Trees near the last one that are compared for a free huge frame.
const NEAR: usize = 16;

/// Who asks, and where he was served last.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The row after which small blocks were found last, plus one.
    pub(crate) row: &'a AtomicU64,
    /// The tree in which huge frames were found last.
    pub(crate) tree: &'a AtomicU64,
    /// The tree at which searches begin.
    pub(crate) home: usize,
    pub(crate) class: Class,
    pub(crate) policy: Policy,
}

/// The best that a search has seen.
#[derive(Default)]
struct Best {
    /// The fullest partly used huge frame, and its used frames.
    partial: Option<usize>,
    used: u16,
    /// The tree with free huge frames that is used most.
    tree: Option<usize>,
    tree_used: u32,
}

impl Tables<'_> {
    /// The huge frame in which a block of `order`, below that of a huge frame, should be taken.
    /// With `room` it was looked at: then it has a place for the block.
    #[cold]
    #[inline(never)]
    pub(crate) fn pick(&self, order: u8, place: &Place<'_>) -> Option<usize> {
        let trees = self.trees.len();
        let home = place.home % trees;
        let windows = trees.div_ceil(WINDOW);
        for step in 0..windows {
            let window = (home / WINDOW + step) % windows;
            let start = window * WINDOW;
            let end = trees.min(start + WINDOW);
            // Beginning at home spreads those who ask over free trees.
            let middle = if step == 0 { home } else { start };
            for fit in [Fit::Match, Fit::Convert, Fit::Borrow] {
                let mut best = Best::default();
                for tree in (middle..end).chain(start..middle) {
                    self.rate(tree, order, fit, place, &mut best);
                }
                if let Some(huge) = best.partial.or_else(|| self.open(best.tree?, fit, place)) {
                    return Some(huge);
                }
            }
        }
        None
    }

    /// Looks at one tree.
    #[inline]
    fn rate(&self, tree: usize, order: u8, fit: Fit, place: &Place<'_>, best: &mut Best) {
        let word = self.tree(tree);
        let count = self.huge_in(tree) as u32;
        if word.used() == 0 {
            // Free trees take any class.
            if best.tree.is_none() && fit == Fit::Match {
                best.tree = Some(tree);
            }
            return;
        }
        if word.full() == count || (place.policy)(place.class, word.class()) != fit {
            return;
        }
        if word.has_partial() {
            let limit = (self.capacity() - (1 << order)) as u16;
            let first = self.first_huge(tree);
            for huge in (first..first + count as usize).step_by(QUAD) {
                // Relaxed: what is chosen is decided by a charge.
                let quad = self.quad(huge).load(Ordering::Relaxed);
                let mut found = between(quad, best.used, limit);
                while found != 0 {
                    let lane = found.trailing_zeros() as usize / 16;
                    found &= found - 1;
                    let used = Entry::of(quad, lane).used() as u16;
                    let candidate = huge + lane;
                    if used > best.used && (order == 0 || self.scout(candidate, order, 0).is_some())
                    {
                        best.partial = Some(candidate);
                        best.used = used;
                    }
                }
            }
        }
        if word.used() < count && (best.tree.is_none() || word.used() > best.tree_used) {
            best.tree = Some(tree);
            best.tree_used = word.used();
        }
    }

    /// A free huge frame of a tree.
    fn open(&self, tree: usize, fit: Fit, place: &Place<'_>) -> Option<usize> {
        let first = self.first_huge(tree);
        let last = first + self.huge_in(tree);
        let huge = (first..last).find(|huge| self.entry(*huge) == Entry::FREE)?;
        self.adopt(tree, fit, place);
        Some(huge)
    }

    /// Gives a tree the class of the request, where it may have it.
    pub(crate) fn adopt(&self, tree: usize, fit: Fit, place: &Place<'_>) {
        let word = self.tree(tree);
        let may = word.used() == 0 || fit == Fit::Convert;
        if may && word.class() != place.class {
            let next = word.with_class(place.class);
            // Relaxed: a hint; whoever changed it meanwhile knows better.
            let _ = self.trees[tree].compare_exchange(
                word.0,
                next.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

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

    /// Takes `count` free huge frames of one word, aligned to their number, for the caller alone.
    pub(crate) fn take_near(&self, count: usize, place: &Place<'_>) -> Option<usize> {
        let trees = self.trees.len();
        // Relaxed: a hint.
        let hint = place.tree.load(Ordering::Relaxed) as usize % trees;
        if self.fits(hint, Fit::Match, place)
            && let Some(huge) = self.take_in_tree(hint, count)
        {
            return Some(huge);
        }
        let huge = self.take_near_slow(hint, count, place)?;
        place.tree.store(self.geometry.tree_of(huge) as u64, Ordering::Relaxed);
        Some(huge)
    }

    #[cold]
    fn take_near_slow(&self, hint: usize, count: usize, place: &Place<'_>) -> Option<usize> {
        let trees = self.trees.len();
        let round = || (hint..trees).chain(0..hint);
        for fit in [Fit::Match, Fit::Convert, Fit::Borrow] {
            // Nearby first where something is used already: free trees stay whole.
            let used = |tree: &usize| self.tree(*tree).used() > 0;
            let near = round().take(NEAR).filter(used);
            for tree in near.chain(round()) {
                if self.fits(tree, fit, place)
                    && let Some(huge) = self.take_in_tree(tree, count)
                {
                    self.adopt(tree, fit, place);
                    return Some(huge);
                }
            }
        }
        None
    }

    #[inline]
    fn fits(&self, tree: usize, fit: Fit, place: &Place<'_>) -> bool {
        let word = self.tree(tree);
        word.used() == 0 || (place.policy)(place.class, word.class()) == fit
    }

    #[inline]
    fn take_in_tree(&self, tree: usize, count: usize) -> Option<usize> {
        let word = self.tree(tree);
        let huge = self.huge_in(tree);
        if word.used() as usize + count > huge {
            return None;
        }
        let first = self.first_huge(tree);
        (first..(first + huge + 1).saturating_sub(count))
            .step_by(count)
            .find(|huge| self.take_whole(*huge, count, false).is_ok())
    }
}
