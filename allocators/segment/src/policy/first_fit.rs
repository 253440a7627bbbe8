//! First fit in address order.

use super::Index;
use super::tree::{self, LEFT, Order, RIGHT};
use crate::metadata::{Bookkeeping, Name, Piece};

/// The lowest free segment that fits: fast fits (Stephenson 1983), a tree by place whose nodes are no
/// shorter than what is below them.
///
/// O(depth) for every call. The depth is about the logarithm of the free segments where lengths do not
/// follow places, and their number at worst: it is for comparing policies, and for few segments.
#[derive(Debug)]
pub struct FirstFit {
    root: Name,
}

/// By place, the longest on top.
struct ByPlace;

impl Order for ByPlace {
    #[inline]
    fn key<M: Bookkeeping>(meta: &M, segment: Name) -> (u32, u32) {
        (meta.place(segment), 0)
    }

    #[inline]
    fn rank<M: Bookkeeping>(meta: &M, segment: Name) -> u32 {
        meta.len(segment)
    }
}

impl FirstFit {
    /// The lowest free segment of at least `need` units at `from` or above.
    pub(super) fn find<M: Bookkeeping>(&self, meta: &M, need: u32, from: u32) -> Option<Piece> {
        let (mut first, mut at) = (None, self.root);
        // Where a node is too short, so is everything below it.
        while !at.is_none() {
            let len = meta.len(at);
            if len < need {
                break;
            }
            if meta.place(at) < from {
                at = meta.link(at, RIGHT);
            } else {
                first = Some(Piece { name: at, len });
                at = meta.link(at, LEFT);
            }
        }
        first
    }
}

impl Index for FirstFit {
    const NEW: Self = Self { root: Name::NONE };

    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece> {
        let first = self.find(meta, need, 0)?;
        self.remove(meta, first);
        Some(first)
    }

    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        tree::insert::<ByPlace, M>(meta, &mut self.root, piece.name);
    }

    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool {
        tree::remove::<ByPlace, M>(meta, &mut self.root, piece.name);
        false
    }

    fn largest<M: Bookkeeping>(&self, meta: &M) -> u32 {
        if self.root.is_none() { 0 } else { meta.len(self.root) }
    }

    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool {
        tree::validate::<ByPlace, M>(meta, self.root, seen)
    }
}
