//! Where the next frames come from: the fullest huge frame that has room, by exact counts.
//!
//! Of partly used huge frames at which no stock works the fullest wins: the [index](crate::index)
//! tells those with the least room, and their entries are compared. Where there is none, the summary
//! and the entries of trees tell where free huge frames are: first in the asker's last tree, then in the
//! tree that is used most and has no stock at work, in a free tree, both of the nearest 64 trees that have
//! one, so that threads stay apart, and only then where others work. Zones of
//! up to [`WINDOW`] trees are searched whole; larger ones window by window, and the first window
//! that has room serves.

use core::ops::Range;

use strata_core::sync::{AtomicU64, Ordering};

use crate::class::{Class, Fit, Policy};
use crate::entry::{Entry, between, free_lanes, groups};
use crate::geometry::{QUAD, ROW};
use crate::journal::Journal;
use crate::summary::{TREES, ones};
use crate::tables::Tables;
use crate::tree::Tree;

/// Trees that are compared before one is chosen.
pub(crate) const WINDOW: usize = 1024;

/// Orders from here on look into the tree of their last block before they search: a huge frame has
/// fewer of them, so that they would search more often.
const NEAR_ORDER: u8 = 1;

/// Huge frames into which a search looks in vain before it goes on to those with more room.
const SCOUTS: usize = 32;

/// Trees of a group of 64 that are not as the summary says before it is told: until then each search
/// looks at their entries, and what many read is written seldom.
const STALE: u32 = 4;

/// Trees near the last one that are compared for a free huge frame.
const NEAR: usize = 16;

/// Who asks, and where he was served last.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The row after which small blocks were found last, plus one.
    pub(crate) row: &'a AtomicU64,
    /// The tree in which huge frames were found last, plus one.
    pub(crate) tree: &'a AtomicU64,
    /// The tree at which searches begin.
    pub(crate) home: usize,
    pub(crate) class: Class,
    pub(crate) policy: Policy,
}

impl Place<'_> {
    /// The tree where small blocks were found last.
    fn last_tree(&self, tables: &Tables<'_>) -> Option<usize> {
        // Relaxed: a hint.
        let row = self.row.load(Ordering::Relaxed).checked_sub(1)?;
        Some(tables.geometry.tree_of(tables.geometry.huge_of(row * ROW)))
    }

    /// How a tree of `class` fits.
    #[inline]
    pub(crate) fn fit(&self, class: Class) -> Fit {
        if class == self.class { Fit::Match } else { (self.policy)(self.class, class) }
    }
}

/// The best that a search has seen.
#[derive(Default)]
struct Best {
    /// The tree with free huge frames that is used most, and how that is rated.
    tree: Option<usize>,
    rating: usize,
}

/// The rating of a free tree: above those where others work, below those where nobody does.
const FREE_TREE: usize = 1 << 16;
/// Added to the used huge frames of a tree where nobody works.
const NOBODY: usize = FREE_TREE + 1;

impl Tables<'_> {
    /// The huge frame in which a block of `order`, below that of a huge frame, should be taken.
    #[cold]
    #[inline(never)]
    pub(crate) fn pick(&self, order: u8, place: &Place<'_>) -> Option<usize> {
        if order >= NEAR_ORDER
            && let Some(huge) = self.pick_near(order, place)
        {
            return Some(huge);
        }
        let trees = self.trees;
        let home = place.home % trees;
        let windows = trees.div_ceil(WINDOW);
        for step in 0..windows {
            let window = (home / WINDOW + step) % windows;
            let start = window * WINDOW;
            let end = trees.min(start + WINDOW);
            // Beginning at home spreads those who ask over free trees.
            let middle = if step == 0 { home } else { start };
            let huge = |tree: usize| self.first_huge(tree).min(self.huge);
            let range = (huge(start), huge(middle), huge(end));
            let planes = self.planes_in_use(order, range.0, range.2);
            for fit in [Fit::Match, Fit::Convert, Fit::Borrow] {
                // Of those that have frames enough, but not side by side, some are looked into at first,
                // all of them only where there is no free one.
                let partial =
                    |scouts| self.pick_partial((order, scouts), planes, fit, place, range);
                if let Some(huge) = partial(SCOUTS) {
                    return Some(huge);
                }
                let tree = self.own_tree(fit, place).or_else(|| {
                    self.best_tree([middle..end, start..middle].into_iter(), fit, place)
                });
                let free = tree.and_then(|tree| self.open(tree, fit, place));
                let found = free.or_else(|| if order == 0 { None } else { partial(usize::MAX) });
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// The fullest of all partly used huge frames that has room for a block of `order`, whatever its
    /// class, and at which no stock works.
    pub(crate) fn fullest(&self, order: u8) -> Option<usize> {
        let limit = (self.capacity() - (1 << order)) as u16;
        let (mut best, mut most) = (None, 0);
        for (i, quad) in self.quads.iter().enumerate() {
            // Relaxed: what is chosen is decided by a charge.
            let quad = quad.load(Ordering::Relaxed);
            self.fuller(i * QUAD, quad, order, limit, (&mut best, &mut most));
        }
        best
    }

    /// A huge frame of the tree where the last block was found.
    fn pick_near(&self, order: u8, place: &Place<'_>) -> Option<usize> {
        let tree = place.last_tree(self)?;
        if place.fit(self.class(tree)) != Fit::Match {
            return None;
        }
        let limit = (self.capacity() - (1 << order)) as u16;
        let (mut free, mut best, mut most) = (None, None, 0);
        for (huge, quad) in (self.first_huge(tree)..).step_by(QUAD).zip(self.quads_of(tree)) {
            // Relaxed: what is chosen is decided by a charge.
            let quad = quad.load(Ordering::Relaxed);
            let zero = free_lanes(quad);
            if zero != 0 && free.is_none() {
                let lane = zero.trailing_zeros() as usize / 16;
                free = (huge + lane < self.huge).then_some(huge + lane);
            }
            self.fuller(huge, quad, order, limit, (&mut best, &mut most));
        }
        best.or(free)
    }

    /// Keeps the fullest with room of what was found before and a word of entries.
    #[inline]
    fn fuller(
        &self,
        first: usize,
        quad: u64,
        order: u8,
        limit: u16,
        (best, most): (&mut Option<usize>, &mut u16),
    ) {
        let mut found = between(quad, *most, limit);
        while found != 0 {
            let lane = found.trailing_zeros() as usize / 16;
            found &= found - 1;
            let used = Entry::of(quad, lane).used() as u16;
            let huge = first + lane;
            if used > *most && (order == 0 || self.scout(huge, order, 0).is_some()) {
                (*best, *most) = (Some(huge), used);
            }
        }
    }

    /// The tree where the asker was served last, if it fits so and has a free huge frame.
    #[inline]
    fn own_tree(&self, fit: Fit, place: &Place<'_>) -> Option<usize> {
        let tree = place.last_tree(self)?;
        if place.fit(self.class(tree)) != fit {
            return None;
        }
        let used = self.tree(tree).used;
        (used > 0 && used < self.huge_in(tree)).then_some(tree)
    }

    /// The tree in use that has free huge frames and is used most, with no stock at work, or a free one, of
    /// the first 64 trees that have either; where there are none one where others work.
    fn best_tree(
        &self,
        trees: impl Iterator<Item = Range<usize>>,
        fit: Fit,
        place: &Place<'_>,
    ) -> Option<usize> {
        let mut best = Best::default();
        for range in trees.filter(|range| !range.is_empty()) {
            for group in range.start / TREES..=(range.end - 1) / TREES {
                self.rate_group(group, &range, fit, place, &mut best);
                if best.rating >= FREE_TREE {
                    return best.tree;
                }
            }
        }
        best.tree
    }

    /// Looks at those of 64 trees that lie in a range.
    #[inline]
    fn rate_group(
        &self,
        group: usize,
        range: &Range<usize>,
        fit: Fit,
        place: &Place<'_>,
        best: &mut Best,
    ) {
        let (used, mut free) = self.summary(group, range.start, range.end);
        let mut stale = 0u64;
        for bit in ones(used) {
            let tree = group * TREES + bit;
            let Tree { used, held } = self.tree(tree);
            if used == 0 || used == self.huge_in(tree) {
                stale |= 1 << bit;
                free |= u64::from(used == 0) << bit;
                continue;
            }
            let rating = if held { used } else { NOBODY + used };
            if rating > best.rating && place.fit(self.class(tree)) == fit {
                *best = Best { tree: Some(tree), rating };
            }
        }
        if stale.count_ones() >= STALE {
            self.sum_up(group, stale);
        }
        // Free trees take any class.
        if free != 0 && fit == Fit::Match && best.rating < FREE_TREE {
            let tree = group * TREES + free.trailing_zeros() as usize;
            *best = Best { tree: Some(tree), rating: FREE_TREE };
        }
    }

    /// A free huge frame of a tree.
    fn open(&self, tree: usize, fit: Fit, place: &Place<'_>) -> Option<usize> {
        let quads = (self.first_huge(tree)..).step_by(QUAD).zip(self.quads_of(tree));
        let found = quads.into_iter().find_map(|(huge, quad)| {
            // Relaxed: what is chosen is decided by a charge.
            let free = free_lanes(quad.load(Ordering::Relaxed));
            (free != 0).then(|| huge + free.trailing_zeros() as usize / 16)
        })?;
        // Beyond the end of the zone entries stay zero.
        let huge = (found < self.huge).then_some(found)?;
        self.adopt(tree, fit, place);
        Some(huge)
    }

    /// Gives a tree the class of the request, where it may have it.
    fn adopt(&self, tree: usize, fit: Fit, place: &Place<'_>) {
        if self.class(tree) != place.class && (fit == Fit::Convert || self.tree(tree).used == 0) {
            self.set_class(tree, place.class);
        }
    }

    /// Takes `count` free huge frames of one word, aligned to their number, to be handed out.
    pub(crate) fn take_near(
        &self,
        count: usize,
        place: &Place<'_>,
        journal: &impl Journal,
    ) -> Option<usize> {
        let trees = self.trees;
        // Relaxed: a hint.
        let hint = place.tree.load(Ordering::Relaxed) as usize;
        let hint = hint.checked_sub(1).unwrap_or(place.home) % trees;
        if let Some(huge) = self.take_fitting(hint, count, Fit::Match, place, journal) {
            return Some(huge);
        }
        let huge = self.take_near_slow(hint, count, place, journal)?;
        place.tree.store(self.geometry.tree_of(huge) as u64 + 1, Ordering::Relaxed);
        Some(huge)
    }

    #[cold]
    fn take_near_slow(
        &self,
        hint: usize,
        count: usize,
        place: &Place<'_>,
        journal: &impl Journal,
    ) -> Option<usize> {
        let near = self.trees.min(hint + NEAR);
        for fit in [Fit::Match, Fit::Convert, Fit::Borrow] {
            // Nearby first where something is used already: free trees stay whole.
            let trees = self.may_have(hint..near, true);
            let trees = trees.chain(self.may_have(hint..self.trees, false));
            let found = trees.chain(self.may_have(0..hint, false)).find_map(|tree| {
                let found = self.take_fitting(tree, count, fit, place, journal);
                // Where the asker comes from he does not look again soon.
                if found.is_none() && tree != hint && self.tree(tree).used == self.huge_in(tree) {
                    self.sum_up(tree / TREES, 1 << (tree % TREES));
                }
                found
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Takes huge frames of a tree that fits so, or is free.
    #[inline]
    fn take_fitting(
        &self,
        tree: usize,
        count: usize,
        fit: Fit,
        place: &Place<'_>,
        journal: &impl Journal,
    ) -> Option<usize> {
        let class = self.class(tree);
        let free = class != place.class && self.tree(tree).used == 0;
        if !free && place.fit(class) != fit {
            return None;
        }
        let huge = self.take_in_tree(tree, count, journal)?;
        if free || fit == Fit::Convert {
            self.set_class(tree, place.class);
        }
        Some(huge)
    }

    #[inline]
    fn take_in_tree(&self, tree: usize, count: usize, journal: &impl Journal) -> Option<usize> {
        for (first, quad) in (self.first_huge(tree)..).step_by(QUAD).zip(self.quads_of(tree)) {
            // Relaxed: the exchange decides.
            let mut found = groups(free_lanes(quad.load(Ordering::Relaxed)), count);
            while found != 0 {
                let huge = first + found.trailing_zeros() as usize / 16;
                found &= found - 1;
                // Beyond the end of the zone entries stay zero.
                if huge + count > self.huge {
                    return None;
                }
                if self.take_out_whole(huge, count, false, journal) {
                    return Some(huge);
                }
            }
        }
        None
    }
}
