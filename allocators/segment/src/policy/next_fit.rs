//! Next fit.

use super::{FirstFit, Index};
use crate::metadata::{Bookkeeping, Piece};

/// The next free segment that fits, from where the last one was taken on, and round once (Knuth's
/// roving pointer). Found as [`FirstFit`] finds it, and at the same cost.
///
/// It spreads what is used over the whole region, and is known to leave the shortest free segments of
/// all policies here: a reference to compare with.
#[derive(Debug)]
pub struct NextFit {
    first_fit: FirstFit,
    /// Requests look from this place on.
    from: u32,
}

impl Index for NextFit {
    const NEW: Self = Self { first_fit: FirstFit::NEW, from: 0 };

    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece> {
        let next = self.first_fit.find(meta, need, self.from);
        let next = next.or_else(|| self.first_fit.find(meta, need, 0))?;
        self.from = meta.place(next.name);
        self.remove(meta, next);
        Some(next)
    }

    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        self.first_fit.insert(meta, piece);
    }

    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool {
        self.first_fit.remove(meta, piece)
    }

    fn largest<M: Bookkeeping>(&self, meta: &M) -> u32 {
        self.first_fit.largest(meta)
    }

    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool {
        self.first_fit.validate(meta, seen)
    }
}
