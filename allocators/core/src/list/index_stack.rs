//! The stack that any thread pushes to and pops from, one index at a time.

use core::fmt;

use super::links::{SharedLinks, decode, encode};
use crate::state::{Packed, State};
use crate::sync::Ordering;

/// The word of the top: 64 bits where there are atomics of them, 32 elsewhere.
#[cfg(target_has_atomic = "64")]
type Word = u64;
#[cfg(not(target_has_atomic = "64"))]
type Word = u32;
/// The bits of the tag, and of the index.
const HALF: u32 = Word::BITS / 2;

/// The head word.
///
/// ```text
///  63          32 31             0
/// ┌──────────────┬────────────────┐
/// │ tag          │ index + 1 or 0 │
/// └──────────────┴────────────────┘
/// ```
///
/// Every pop changes the tag, so a pop that slept while its block went out and came back finds
/// another word and tries again: no ABA problem until the tag has gone all the way round, 2^32
/// pops in the middle of one. Without 64-bit atomics both halves have 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Top {
    /// Only its lower half of a word counts.
    tag: u32,
    block: Option<u32>,
}

impl Packed for Top {
    type Word = Word;

    #[inline]
    fn pack(self) -> Word {
        (self.tag as Word) << HALF | encode(self.block) as Word
    }

    #[inline]
    #[allow(clippy::unnecessary_cast, reason = "where the word has 32 bits")]
    fn unpack(word: Word) -> Self {
        let index = word & ((1 << HALF) - 1);
        Self { tag: (word >> HALF) as u32, block: decode(index as u32) }
    }
}

/// A lock-free stack of indices: a 32-bit index and a 32-bit tag in one 64-bit word, links apart. No
/// 128-bit exchange, no pointer in an integer, no write to a block. Zeroed memory is an empty stack.
///
/// On targets without 64-bit atomics index and tag have 16 bits each: see
/// [`MAX_INDEX`](Self::MAX_INDEX).
///
/// ```
/// use strata_core::list::{Indexed, IndexStack};
/// use strata_core::sync::AtomicU32;
///
/// static LINKS: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];
/// static STACK: IndexStack = IndexStack::new();
/// let links = Indexed::new(&LINKS);
/// // SAFETY: 1. both indices are ours. 2. always `links`.
/// unsafe {
///     STACK.push(links, 2);
///     STACK.push(links, 7);
///     assert_eq!(STACK.pop(links), Some(7));
/// }
/// ```
///
/// # Invariants
///
/// 1. The indices reached from the top are linked, end with one that nothing follows, and belong to
///    the stack.
#[derive(Default)]
pub struct IndexStack {
    top: State<Top>,
}

impl IndexStack {
    /// The greatest index that a stack of this build can hold.
    pub const MAX_INDEX: u32 = (((1 as Word) << HALF) - 2) as u32;

    crate::const_unless_loom! {
        /// An empty stack.
        pub fn new() -> Self {
            Self { top: State::zero() }
        }
    }

    /// Whether there is no index at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Relaxed: a hint only.
        self.top.load(Ordering::Relaxed).block.is_none()
    }

    /// Puts an index on the stack. Lock-free.
    ///
    /// # Safety
    ///
    /// 1. The caller owns the block of this index, which is [`MAX_INDEX`](Self::MAX_INDEX) at most,
    ///    and hands it over.
    /// 2. `links` are those of every other call, and have this index.
    #[inline]
    pub unsafe fn push(&self, links: impl SharedLinks, block: u32) {
        // SAFETY: 1. and 2. of this method: a chain of one.
        unsafe { self.push_chain(links, block, block) }
    }

    /// Puts a chain of indices on the stack, linked from `first` to `last`, with one
    /// compare-and-exchange. Lock-free.
    ///
    /// # Safety
    ///
    /// 1. The caller owns all blocks of the chain, and hands them over.
    /// 2. `links` are those of every other call, and lead from `first` to `last`.
    #[inline]
    pub unsafe fn push_chain(&self, links: impl SharedLinks, first: u32, last: u32) {
        // Release: publishes the links and the blocks' last contents to the Acquire in `pop` and
        // `take_all`; the changes in between are read-modify-writes and go on with its release
        // sequence. Relaxed reads: the value is only compared.
        let pushed = self.top.update_with(Ordering::Release, Ordering::Relaxed, |top| {
            debug_assert!(first <= Self::MAX_INDEX);
            // SAFETY: 1. still the caller's: no exchange has succeeded. 2. of this method.
            unsafe { links.link(last, top.block) };
            Some(Top { block: Some(first), ..top })
        });
        debug_assert!(pushed.is_ok());
    }

    /// Takes the index that came last; it is the caller's. Lock-free.
    ///
    /// # Safety
    ///
    /// 1. `links` are those of every other call.
    #[inline]
    pub unsafe fn pop(&self, links: impl SharedLinks) -> Option<u32> {
        // Acquire, also on a failed exchange: its partner is the Release of the push that put the
        // block there, whose link is read next. The exchange itself publishes nothing.
        let popped = self.top.update_with(Ordering::Acquire, Ordering::Acquire, |top| {
            let block = top.block?;
            // SAFETY: 1. shared links may be read while another thread writes them: then the tag
            // has moved on and the exchange fails. 2. it was linked when it came.
            let next = unsafe { links.next(block) };
            Some(Top { tag: top.tag.wrapping_add(1), block: next })
        });
        popped.ok()?.block
    }

    /// Takes every index; they are the caller's, newest first. Lock-free.
    #[inline]
    pub fn take_all<L: SharedLinks>(&self) -> super::Lifo<L> {
        // Acquire: its partners are the Release exchanges of all pushes on the stack.
        let taken = self.top.update_with(Ordering::Acquire, Ordering::Relaxed, |top| {
            top.block.map(|_| Top { tag: top.tag.wrapping_add(1), block: None })
        });
        // SAFETY: 1. invariant 1, and the exchange took the whole stack away from everyone else.
        unsafe { super::Lifo::from_head(taken.map_or(None, |top| top.block)) }
    }
}

impl fmt::Debug for IndexStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexStack").field("top", &self.top).finish()
    }
}

#[cfg(not(strata_loom))]
static_assertions::assert_eq_size!(IndexStack, Word);
static_assertions::assert_impl_all!(IndexStack: Send, Sync);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_keeps_both_fields() {
        for tag in [0, 1, (1 << (HALF - 1)) - 1] {
            for block in [None, Some(0), Some(1), Some(IndexStack::MAX_INDEX)] {
                let top = Top { tag, block };
                assert_eq!(Top::unpack(top.pack()), top);
            }
        }
        assert_eq!(Top::unpack(0), Top { tag: 0, block: None });
    }
}
