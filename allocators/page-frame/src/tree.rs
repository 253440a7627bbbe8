//! What a search reads of a tree before it looks at the tree's huge frames.
//!
//! ```text
//!  31                 3 2     0
//! ┌────────────────────┬───────┐
//! │ used               │ class │
//! └────────────────────┴───────┘
//! ```
//!
//! used counts the huge frames that are not all free: where it is the tree's number of huge frames,
//! there is none to begin with. It is a sum of what each change of an entry adds: exact when nobody
//! is at work, a hint at other times (it may even be below zero for a moment), and off by what a
//! thread that stopped for ever did not add. No promise rests on it: before a request fails, all
//! entries are looked at.

use crate::class::Class;

const CLASS_BITS: u32 = 3;

/// One huge frame more that is used.
const USED: u32 = 1 << CLASS_BITS;

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

    /// Huge frames with a taken frame.
    #[inline]
    pub(crate) const fn used(self) -> u32 {
        self.0 >> CLASS_BITS
    }
}

/// What to add to a tree's word when a huge frame goes from `old` to `new` used frames.
#[inline]
pub(crate) const fn change(old: u64, new: u64) -> u32 {
    match (old, new) {
        (0, 0) => 0,
        (0, _) => USED,
        (_, 0) => USED.wrapping_neg(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up_whatever_their_order() {
        assert_eq!(change(1, 2), 0);
        let mut word = Tree(0).with_class(Class::IMMOVABLE).0;
        let class = word;
        // Below zero, and back.
        for add in [change(512, 0), change(3, 0), change(0, 512), change(0, 3)] {
            word = word.wrapping_add(add);
            assert_eq!(Tree(word).class(), Class::IMMOVABLE);
        }
        assert_eq!(word, class);
        word = word.wrapping_add(change(0, 512)).wrapping_add(change(0, 7));
        assert_eq!(Tree(word).used(), 2);
    }
}
