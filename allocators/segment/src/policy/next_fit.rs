//! Next fit.

use super::Index;
use super::first_fit::{ByPlace, longest};
use super::tree::{self, LEFT, RIGHT};
use crate::metadata::{Bookkeeping, Name, Piece};

/// The next free segment that fits, from where the last one was taken on, and round once (Knuth's
/// roving pointer). Found as [`FirstFit`](super::FirstFit) finds it, and at the same cost.
///
/// It spreads what is used over the whole region, and is known to leave the shortest free segments of
/// all policies here: a reference to compare with.
#[derive(Debug)]
pub struct NextFit {
    root: Name,
    /// Requests look from this place on.
    from: u32,
}

impl NextFit {
    /// The lowest free segment of at least `need` units at `from` or above.
    fn find<M: Bookkeeping>(&self, meta: &M, need: u32, from: u32) -> Option<Piece> {
        let (mut next, mut at) = (None, self.root);
        while !at.is_none() {
            let len = meta.len(at);
            if len < need {
                break;
            }
            if meta.place(at) < from {
                at = meta.link(at, RIGHT);
            } else {
                next = Some(Piece { name: at, len });
                at = meta.link(at, LEFT);
            }
        }
        next
    }
}

impl Index for NextFit {
    const NEW: Self = Self { root: Name::NONE, from: 0 };

    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece> {
        let next = self.find(meta, need, self.from).or_else(|| self.find(meta, need, 0))?;
        self.from = meta.place(next.name);
        self.remove(meta, next);
        Some(next)
    }

    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        tree::insert::<ByPlace, M>(meta, &mut self.root, piece.name);
    }

    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool {
        tree::remove::<ByPlace, M>(meta, &mut self.root, piece.name);
        false
    }

    fn largest<M: Bookkeeping>(&self, meta: &M) -> u32 {
        longest(meta, self.root)
    }

    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool {
        tree::validate::<ByPlace, M>(meta, self.root, seen)
    }
}
