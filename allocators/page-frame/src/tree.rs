//! What a search reads of a tree before it looks at the tree's huge frames.
//!
//! ```text
//!  31         18 17          3 2     0
//! ┌─────────────┬─────────────┬───────┐
//! │ full        │ used        │ class │
//! └─────────────┴─────────────┴───────┘
//! ```
//!
//! used counts the huge frames that are not all free, full those without a free frame. Both are
//! sums of what each change of an entry adds: exact when nobody is at work, a hint at other times
//! (a sum may even be below zero for a moment, which borrows from its left neighbour only), and
//! off by what a thread that stopped for ever did not add. No promise rests on them: before a
//! request fails, all entries are looked at.

use crate::class::Class;

const CLASS_BITS: u32 = 3;
const COUNT_BITS: u32 = 15;
const COUNT: u32 = (1 << COUNT_BITS) - 1;

/// One huge frame more that is used.
const USED: u32 = 1 << CLASS_BITS;
/// One huge frame more that is full.
const FULL: u32 = 1 << (CLASS_BITS + COUNT_BITS);

/// The word of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree(pub(crate) u32);

impl Tree {
    #[inline]
    pub(crate) const fn class(self) -> Class {
        Class::from_bits(self.0 & ((1 << CLASS_BITS) - 1))
    }

    #[inline]
    pub(crate) const fn with_class(self, class: Class) -> Self {
        Self(self.0 & !((1 << CLASS_BITS) - 1) | class.bits())
    }

    /// Whether all of `count` huge frames are full.
    #[inline]
    pub(crate) const fn is_full(self, count: u32) -> bool {
        self.0 & !((1 << CLASS_BITS) - 1) == count.wrapping_mul(USED + FULL)
    }

    /// Huge frames with a taken frame.
    #[inline]
    pub(crate) const fn used(self) -> u32 {
        self.0 >> CLASS_BITS & COUNT
    }

    /// Huge frames without a free frame.
    #[inline]
    pub(crate) const fn full(self) -> u32 {
        // The top field has one bit less than the field below.
        self.0 >> (CLASS_BITS + COUNT_BITS)
    }

    /// Whether some huge frame is partly used.
    #[inline]
    pub(crate) const fn has_partial(self) -> bool {
        self.used() != self.full()
    }
}

/// What to add to a tree's word when a huge frame with `capacity` frames goes from `old` to `new`
/// used frames.
#[inline]
pub(crate) const fn change(old: u64, new: u64, capacity: u64) -> u32 {
    let mut sum = 0u32;
    if old == 0 && new != 0 {
        sum = sum.wrapping_add(USED);
    }
    if old != 0 && new == 0 {
        sum = sum.wrapping_sub(USED);
    }
    if old != capacity && new == capacity {
        sum = sum.wrapping_add(FULL);
    }
    if old == capacity && new != capacity {
        sum = sum.wrapping_sub(FULL);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up_whatever_their_order() {
        let of = |old, new| change(old, new, 512);
        assert_eq!(of(1, 2), 0);
        let mut word = Tree(0).with_class(Class::MOVABLE).0;
        let class = word;
        // Going down first borrows, and comes back.
        for add in [of(512, 0), of(3, 0), of(0, 512), of(0, 3)] {
            word = word.wrapping_add(add);
            assert_eq!(Tree(word).class(), Class::MOVABLE);
        }
        assert_eq!(word, class);
        word = word.wrapping_add(of(0, 512)).wrapping_add(of(0, 7));
        assert_eq!((Tree(word).used(), Tree(word).full()), (2, 1));
        assert!(Tree(word).has_partial());
    }
}
