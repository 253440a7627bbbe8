//! The list of one owner.

use core::fmt;

use super::Links;

/// A last-in, first-out list with one owner: a head and nothing else, no count, no atomic.
///
/// Its links are passed to each call and must be the same ones every time. Dropping a list that is
/// not empty loses its blocks.
///
/// ```
/// use core::ptr::NonNull;
/// use strata_core::list::{InBand, Lifo};
///
/// let mut blocks = [[0usize; 2]; 3];
/// let names = blocks.each_mut().map(|block| NonNull::from(block).cast::<u8>());
/// let mut list = Lifo::new();
/// for block in names {
///     // SAFETY: 1. the array's block, given once. 2. always `InBand`.
///     unsafe { list.push(&InBand, block) };
/// }
/// // SAFETY: 1. always `InBand`.
/// assert_eq!(unsafe { list.pop(&InBand) }, Some(names[2]));
/// ```
///
/// # Invariants
///
/// 1. The blocks on it are linked, end with one that nothing follows, and belong to the list.
pub struct Lifo<L: Links> {
    head: Option<L::Block>,
}

impl<L: Links> Lifo<L> {
    /// An empty list.
    #[inline]
    pub const fn new() -> Self {
        Self { head: None }
    }

    /// The list that starts with `head` and goes on as the links say.
    ///
    /// # Safety
    ///
    /// 1. All of its blocks are linked, end with one that nothing follows, and are handed over.
    #[inline]
    pub unsafe fn from_head(head: Option<L::Block>) -> Self {
        Self { head }
    }

    /// Whether there is no block.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The block that `pop` would answer.
    #[inline]
    pub fn first(&self) -> Option<L::Block> {
        self.head
    }

    /// Puts a block on the list. O(1): one store to its link.
    ///
    /// # Safety
    ///
    /// 1. The caller owns `block`, and hands it over.
    /// 2. `links` are those of every other call, and are for `block`.
    #[inline]
    pub unsafe fn push(&mut self, links: &L, block: L::Block) {
        // SAFETY: 1. of this method. 2. of this method.
        unsafe { links.link(block, self.head) };
        self.head = Some(block);
    }

    /// Puts a chain of blocks on the list, linked from `first` to `last`. O(1).
    ///
    /// # Safety
    ///
    /// 1. The caller owns all blocks of the chain, and hands them over.
    /// 2. `links` are those of every other call, and lead from `first` to `last`.
    #[inline]
    pub unsafe fn push_chain(&mut self, links: &L, first: L::Block, last: L::Block) {
        // SAFETY: 1. of this method. 2. of this method.
        unsafe { links.link(last, self.head) };
        self.head = Some(first);
    }

    /// Takes the block that came last; it is the caller's. O(1): one load of its link.
    ///
    /// # Safety
    ///
    /// 1. `links` are those of every other call.
    #[inline]
    pub unsafe fn pop(&mut self, links: &L) -> Option<L::Block> {
        let block = self.head?;
        // SAFETY: 1. the list owns it. 2. it was linked when it came.
        self.head = unsafe { links.next(block) };
        Some(block)
    }
}

impl<L: Links> Default for Lifo<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Links> fmt::Debug for Lifo<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifo").field("first", &self.head).finish()
    }
}

// SAFETY: invariant 1: the blocks belong to the list, wherever it is sent; `&Lifo` gives names
// only.
unsafe impl<L: Links> Send for Lifo<L> {}
// SAFETY: as above.
unsafe impl<L: Links> Sync for Lifo<L> {}
