//! Best fit, exact.

use super::Index;
use super::tree::{self, LEFT, Order, RIGHT};
use crate::metadata::{Bookkeeping, Name, Piece};

/// The shortest free segment that fits, and of those as long the lowest: one tree of all free segments,
/// balanced by ranks that are mixed from places.
///
/// Expected O(log n) of n free segments for every call; a program that could choose places freely could
/// make it deep.
#[derive(Debug)]
pub struct BestFit {
    root: Name,
}

/// By length, then by place.
struct ByLength;

impl Order for ByLength {
    #[inline]
    fn key<M: Bookkeeping>(meta: &M, segment: Name) -> (u32, u32) {
        (meta.len(segment), meta.place(segment))
    }

    #[inline]
    fn rank<M: Bookkeeping>(meta: &M, segment: Name) -> u32 {
        let mixed = meta.place(segment).wrapping_mul(0x9e37_79b1);
        (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b)
    }
}

impl Index for BestFit {
    const NEW: Self = Self { root: Name::NONE };

    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece> {
        let (mut best, mut at) = (None, self.root);
        while !at.is_none() {
            let len = meta.len(at);
            if len >= need {
                best = Some(Piece { name: at, len });
                at = meta.link(at, LEFT);
            } else {
                at = meta.link(at, RIGHT);
            }
        }
        let best = best?;
        self.remove(meta, best);
        Some(best)
    }

    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        tree::insert::<ByLength, M>(meta, &mut self.root, piece.name);
    }

    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool {
        tree::remove::<ByLength, M>(meta, &mut self.root, piece.name);
        false
    }

    fn largest<M: Bookkeeping>(&self, meta: &M) -> u32 {
        let (mut largest, mut at) = (0, self.root);
        while !at.is_none() {
            largest = meta.len(at);
            at = meta.link(at, RIGHT);
        }
        largest
    }

    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool {
        tree::validate::<ByLength, M>(meta, self.root, seen)
    }
}
