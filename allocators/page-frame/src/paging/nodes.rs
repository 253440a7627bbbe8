//! The nodes of all tables of a space, by number.

use core::mem::size_of;
use core::ptr::NonNull;

use strata_core::{Chunk, Exhausted, Source};

use crate::source::usable;

/// Entries of a node, as a power of two.
pub(super) const NODE_BITS: u32 = 6;
/// Entries of a node.
pub(super) const ENTRIES: usize = 1 << NODE_BITS;

/// A node: what 64 neighbouring pages, or 64 neighbouring subtrees, are.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Who names this node: a parent's entry or a table. Zero in a free one.
    pub(super) refs: u32,
    /// The next free node, in a free one.
    next: u32,
    /// One more than a frame's or a node's number; zero is nothing.
    pub(super) entries: [u64; ENTRIES],
}

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

/// No node.
const NONE: u32 = u32::MAX;
/// Nodes of the first chunk; each later chunk has as many as all before it.
const FIRST: u32 = 16;
/// Chunks at most: as many as 2^25 nodes need, whose 2^31 entries no 32-bit count of references
/// overflows on.
const CHUNKS: usize = 22;

/// Nodes in chunks of doubling length, so that no node ever moves and a number finds its chunk by its
/// highest bit.
///
/// ```text
///   chunk 0: 0..16   chunk 1: 16..32   chunk 2: 32..64   chunk 3: 64..128   ...
/// ```
///
/// # Invariants
///
/// 1. The chunks `0..used` hold `len` initialised nodes, and nothing else reaches them.
#[derive(Debug)]
pub(super) struct Nodes {
    chunks: [Option<Chunk>; CHUNKS],
    used: usize,
    len: u32,
    /// The first free node.
    free: u32,
    /// How many are free.
    spare: u32,
}

impl Nodes {
    pub(super) const fn new() -> Self {
        Self { chunks: [const { None }; CHUNKS], used: 0, len: 0, free: NONE, spare: 0 }
    }

    /// Nodes in use.
    pub(super) fn in_use(&self) -> u32 {
        self.len - self.spare
    }

    /// Sees to it that so many nodes are free, however many are taken meanwhile from those.
    pub(super) fn reserve<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        nodes: u32,
    ) -> Result<(), Exhausted> {
        while self.spare < nodes {
            self.grow(source)?;
        }
        Ok(())
    }

    fn grow<S: Source<Address = NonNull<u8>>>(&mut self, source: &S) -> Result<(), Exhausted> {
        let more = if self.len == 0 { FIRST } else { self.len };
        let slot = self.chunks.get_mut(self.used).ok_or(Exhausted)?;
        let bytes = (more as usize).checked_mul(size_of::<Node>()).ok_or(Exhausted)?;
        let chunk = usable(source, bytes, align_of::<Node>())?;
        for index in 0..more {
            let next = if index + 1 == more { self.free } else { self.len + index + 1 };
            let node = Node { refs: 0, next, entries: [0; ENTRIES] };
            // SAFETY: the chunk is ours, usable, aligned, and holds `more` nodes.
            unsafe { chunk.base().cast::<Node>().add(index as usize).write(node) };
        }
        *slot = Some(chunk);
        self.free = self.len;
        self.used += 1;
        self.len += more;
        self.spare += more;
        Ok(())
    }

    /// Takes a reserved node: one reference, no entries.
    pub(super) fn take(&mut self) -> Option<NodeId> {
        let id = NodeId(self.free);
        let node = self.get_mut(id)?;
        let next = node.next;
        node.refs = 1;
        node.entries = [0; ENTRIES];
        self.free = next;
        self.spare -= 1;
        Some(id)
    }

    /// Takes a node back that nobody names.
    pub(super) fn give(&mut self, id: NodeId) {
        let free = self.free;
        if let Some(node) = self.get_mut(id) {
            debug_assert_eq!(node.refs, 0, "a node goes when its last reference does");
            node.next = free;
            self.free = id.0;
            self.spare += 1;
        }
    }

    /// A node; `None` where there is none of that number.
    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        let place = self.place(id)?;
        // SAFETY: an initialised node (invariant 1), borrowed as long as `self`.
        Some(unsafe { place.as_ref() })
    }

    /// A node to change.
    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        let mut place = self.place(id)?;
        // SAFETY: an initialised node (invariant 1), borrowed as long as `self`, exclusively.
        Some(unsafe { place.as_mut() })
    }

    fn place(&self, NodeId(index): NodeId) -> Option<NonNull<Node>> {
        if index >= self.len {
            return None;
        }
        let (chunk, first) = match index / FIRST {
            0 => (0, 0),
            times => {
                let doublings = times.ilog2();
                (doublings as usize + 1, FIRST << doublings)
            }
        };
        let chunk = self.chunks.get(chunk)?.as_ref()?;
        // SAFETY: below `len`, so inside its chunk (invariant 1).
        Some(unsafe { chunk.base().cast::<Node>().add((index - first) as usize) })
    }

    /// Gives all chunks up.
    pub(super) fn chunks(&mut self) -> impl Iterator<Item = Chunk> {
        let chunks = core::mem::replace(self, Self::new()).chunks;
        chunks.into_iter().flatten()
    }
}
