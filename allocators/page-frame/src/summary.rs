//! What is kept of trees: which have free huge frames, in two bits a tree, so that a search skips 64 trees
//! in one step, and the class of each in four.
//!
//! | USED | FULL | the tree |
//! |---|---|---|
//! | 0 | 0 | is all free |
//! | 1 | 0 | has a free huge frame, or is as it was when a search went by last |
//! | 1 | 1 | has none |
//!
//! ```text
//!  word 0   1      2 to 5        6, 7
//! ┌──────┬──────┬─────────────┬────────┐
//! │ USED │ FULL │ classes     │ unused │   64 trees
//! └──────┴──────┴─────────────┴────────┘
//! ```
//!
//! The words of 64 trees are a line of their own: threads that work far from one another do not write to
//! each other's. Whoever begins a tree sets USED, and whoever frees one
//! of its huge frames clears FULL; only a search that comes by clears USED and sets FULL, of several trees at once, so that one
//! who takes and frees the same huge frame over and over changes no bit. Like the index these
//! are hints: two changes at once, or a thread that stopped for ever, may leave a bit wrong until the
//! next change, and all entries are looked at before a request fails.

use core::ops::Range;

use strata_core::sync::{AtomicU64, Ordering};

use crate::class::Class;
use crate::tables::Tables;

/// Trees of one word.
pub(crate) const TREES: usize = 64;
/// Words of so many trees.
pub(crate) const WORDS: usize = 8;

const USED: usize = 0;
const FULL: usize = 1;
const CLASSES: usize = 2;

/// Trees of one word of classes.
const CLASSED: usize = 16;
const CLASS_BITS: usize = 64 / CLASSED;
const CLASS: u64 = (1 << CLASS_BITS) - 1;

impl Tables<'_> {
    #[inline]
    fn summary_word(&self, tree: usize, which: usize) -> &AtomicU64 {
        &self.summary[tree / TREES * WORDS + which]
    }

    /// Says that a free huge frame of a tree is used now.
    #[inline]
    pub(crate) fn note_begun(&self, tree: usize) {
        let bit = 1 << (tree % TREES);
        let used = self.summary_word(tree, USED);
        // Relaxed, both: hints, mostly as they are wanted.
        if used.load(Ordering::Relaxed) & bit == 0 {
            used.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Says that a huge frame of a tree has become free.
    #[inline]
    pub(crate) fn note_freed(&self, tree: usize) {
        let bit = 1 << (tree % TREES);
        let full = self.summary_word(tree, FULL);
        // Relaxed, both: as in `note_begun`.
        if full.load(Ordering::Relaxed) & bit != 0 {
            full.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// The trees of a group of 64 from `from` to `end` that may have free huge frames: those that are
    /// in use, and those that are all free.
    #[inline]
    pub(crate) fn summary(&self, group: usize, from: usize, end: usize) -> (u64, u64) {
        // Relaxed: a hint.
        let word = |which: usize| self.summary[group * WORDS + which].load(Ordering::Relaxed);
        let first = group * TREES;
        let mask = below(end, first) & !below(from, first);
        let (used, full) = (word(USED), word(FULL));
        (used & !full & mask, !used & mask)
    }

    /// The trees of a range that may have free huge frames, in ascending order; with `begun` only those
    /// that are in use.
    pub(crate) fn may_have(&self, trees: Range<usize>, begun: bool) -> impl Iterator<Item = usize> {
        (trees.start / TREES..trees.end.div_ceil(TREES)).flat_map(move |group| {
            let (used, free) = self.summary(group, trees.start, trees.end);
            ones(if begun { used } else { used | free }).map(move |tree| group * TREES + tree)
        })
    }

    /// Brings the bits of some trees of a group up to date.
    ///
    /// Whoever finds that the entries have moved on since he read them begins anew, as in
    /// [`index`](Self::index).
    #[cold]
    pub(crate) fn sum_up(&self, group: usize, mut trees: u64) {
        let wanted = |trees: u64| {
            let mut wanted = [0; 2];
            for tree in ones(trees) {
                let used = self.tree(group * TREES + tree).used;
                wanted[USED] |= u64::from(used > 0) << tree;
                wanted[FULL] |= u64::from(used >= self.huge_in(group * TREES + tree)) << tree;
            }
            wanted
        };
        let mut now = wanted(trees);
        while trees != 0 {
            for (which, on) in now.into_iter().enumerate() {
                let word = &self.summary[group * WORDS + which];
                // Relaxed: a look; AcqRel: no partner is relied on, see above.
                let is = word.load(Ordering::Relaxed);
                if on & !is != 0 {
                    word.fetch_or(on, Ordering::AcqRel);
                }
                if trees & !on & is != 0 {
                    word.fetch_and(!(trees & !on), Ordering::AcqRel);
                }
            }
            let then = wanted(trees);
            trees &= (now[USED] ^ then[USED]) | (now[FULL] ^ then[FULL]);
            now = then.map(|on| on & trees);
        }
    }

    /// Whether a search finds a tree if it has a free huge frame, and takes it for free only if it is.
    /// Nobody is at work.
    pub(crate) fn is_summed_up(&self, tree: usize) -> bool {
        let is = |which: usize| {
            self.summary_word(tree, which).load(Ordering::Relaxed) >> (tree % TREES) & 1 == 1
        };
        let used = self.tree(tree).used;
        let full = used == self.huge_in(tree);
        (is(USED) || used == 0) && (!is(FULL) || full)
    }

    #[inline]
    pub(crate) fn class(&self, tree: usize) -> Class {
        let word = self.summary_word(tree, CLASSES + tree % TREES / CLASSED);
        // Relaxed: a hint.
        Class::from_bits(word.load(Ordering::Relaxed) >> (tree % CLASSED * CLASS_BITS) & CLASS)
    }

    /// Gives a tree another class.
    pub(crate) fn set_class(&self, tree: usize, class: Class) {
        let word = self.summary_word(tree, CLASSES + tree % TREES / CLASSED);
        let shift = tree % CLASSED * CLASS_BITS;
        // Relaxed, both: hints.
        let mut old = word.load(Ordering::Relaxed);
        loop {
            let next = old & !(CLASS << shift) | class.bits() << shift;
            match word.compare_exchange_weak(old, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => old = seen,
            }
        }
    }
}

/// The places of the bits of a word that are set, in ascending order.
#[inline]
pub(crate) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = bits.trailing_zeros() as usize;
        let found = (bits != 0).then_some(bit);
        bits &= bits.wrapping_sub(1);
        found
    })
}

/// The bits of the trees of a group that lie below `end`.
#[inline]
const fn below(end: usize, first: usize) -> u64 {
    match end.saturating_sub(first) {
        0 => 0,
        64.. => u64::MAX,
        count => u64::MAX >> (64 - count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_ends_where_the_range_ends() {
        assert_eq!([below(63, 64), below(64, 64), below(65, 64)], [0, 0, 1]);
        assert_eq!([below(127, 64), below(128, 64), below(500, 64)], [u64::MAX >> 1, !0, !0]);
    }
}
