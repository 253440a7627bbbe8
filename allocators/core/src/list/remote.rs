//! The list that any thread pushes to and one takes whole.

use core::fmt;

use super::{Head, InBand, Indexed, Lifo, Links};
use super::{IndexHead, PointerHead};
use crate::sync::Ordering;

/// A list for blocks freed by other threads than their owner's: any thread pushes, and whoever
/// takes, takes everything with one swap.
///
/// Because a block leaves only together with all others, the head that a push compares with can
/// never be a reused name for another list: there is no ABA problem and no tag. The idea is
/// sharded-slab's and mimalloc's.
///
/// ```
/// use strata_core::list::{Indexed, RemoteList};
/// use strata_core::sync::AtomicU32;
///
/// let words = [const { AtomicU32::new(0) }; 8];
/// let links = Indexed::new(&words);
/// let list = RemoteList::<Indexed>::new();
/// // SAFETY: 1. blocks 3 and 5 are ours. 2. always `links`.
/// let was_empty = unsafe { [list.push(&links, 3), list.push(&links, 5)] };
/// assert_eq!(was_empty, [true, false]);
/// let mut taken = list.take_all();
/// // SAFETY: 1. always `links`.
/// let blocks = unsafe { [taken.pop(&links), taken.pop(&links), taken.pop(&links)] };
/// assert_eq!(blocks, [Some(5), Some(3), None]);
/// ```
///
/// # Invariants
///
/// 1. The blocks reached from `head` are linked, end with one that nothing follows, and belong to
///    the list.
pub struct RemoteList<L: Links> {
    head: L::Head,
}

impl RemoteList<InBand> {
    crate::const_unless_loom! {
        /// An empty list of blocks that hold their links.
        pub fn new() -> Self {
            Self { head: PointerHead::empty() }
        }
    }
}

impl RemoteList<Indexed<'_>> {
    crate::const_unless_loom! {
        /// An empty list of indices.
        pub fn new() -> Self {
            Self { head: IndexHead::empty() }
        }
    }
}

impl<L: Links> RemoteList<L> {
    /// A list over links of the caller's own kind; `head` is empty.
    pub fn with_head(head: L::Head) -> Self {
        Self { head }
    }

    /// Whether there is no block at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Relaxed: a hint only. Who acts on it calls `take_all`, which orders.
        self.head.load(Ordering::Relaxed).is_none()
    }

    /// Puts a block on the list; true when the list was empty before. Lock-free.
    ///
    /// # Safety
    ///
    /// 1. The caller owns `block`, and hands it over.
    /// 2. `links` are those of every other call, and are for `block`.
    #[inline]
    pub unsafe fn push(&self, links: &L, block: L::Block) -> bool {
        // SAFETY: 1. and 2. of this method: a chain of one.
        unsafe { self.push_chain(links, block, block) }
    }

    /// Puts a chain of blocks on the list, linked from `first` to `last`, with one
    /// compare-and-exchange; true when the list was empty before. Lock-free.
    ///
    /// # Safety
    ///
    /// 1. The caller owns all blocks of the chain, and hands them over.
    /// 2. `links` are those of every other call, and lead from `first` to `last`.
    #[inline]
    pub unsafe fn push_chain(&self, links: &L, first: L::Block, last: L::Block) -> bool {
        // Relaxed: the value is only compared; the blocks behind it are not read.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: 1. still the caller's: no exchange has succeeded. 2. of this method.
            unsafe { links.link(last, head) };
            // Release: publishes the link and the block's last contents to the Acquire swap in
            // `take_all`. Later pushes are read-modify-writes and so go on with its release
            // sequence.
            match self.head.exchange(head, Some(first), Ordering::Release, Ordering::Relaxed) {
                Ok(()) => return head.is_none(),
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes every block; they are the caller's, newest first. Wait-free: one swap.
    #[inline]
    pub fn take_all(&self) -> Lifo<L> {
        // Acquire: its partners are the Release exchanges of all pushes on the list.
        let head = self.head.swap(None, Ordering::Acquire);
        // SAFETY: 1. invariant 1, and the swap took the whole list away from everyone else.
        unsafe { Lifo::from_head(head) }
    }
}

impl<L: Links> Default for RemoteList<L>
where
    L::Head: Default,
{
    fn default() -> Self {
        Self { head: L::Head::default() }
    }
}

impl<L: Links> fmt::Debug for RemoteList<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: for people.
        f.debug_struct("RemoteList").field("first", &self.head.load(Ordering::Relaxed)).finish()
    }
}

// SAFETY: invariant 1: the blocks belong to the list, and only one thread gets each out.
unsafe impl<L: Links> Send for RemoteList<L> where L::Head: Send {}
// SAFETY: as above; all methods of `&RemoteList` go through the atomic head.
unsafe impl<L: Links> Sync for RemoteList<L> where L::Head: Sync {}
