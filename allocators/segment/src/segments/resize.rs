//! Longer and shorter in place, on either side.

use super::Segments;
use crate::metadata::{Metadata, Piece};
use crate::policy::Policy;

impl<P: Policy, M: Metadata> Segments<P, M> {
    /// Makes a used segment `len` units long (shaped) where it begins; `None`, with nothing changed, where
    /// what lies above is not free or not long enough, or there is no entry.
    pub(crate) fn resize(&mut self, piece: Piece, len: u32) -> Option<Piece> {
        if len <= piece.len {
            return self.shrink(piece, len);
        }
        if !P::JOINS_ALL {
            return self.grow_shaped(piece, len);
        }
        let above = self.meta.above(piece);
        if !self.meta.is_free(above) {
            return None;
        }
        let above = Piece { name: above, len: self.meta.len(above) };
        if piece.len + above.len < len || !self.meta.can_split(1) {
            return None;
        }
        let was_rest = self.policy.remove(&mut self.meta, above);
        self.free -= u64::from(above.len);
        let mut grown = self.meta.join(piece, above);
        let whole = grown.len == len;
        if !whole {
            let rest = self.meta.split(grown, len);
            grown.len = len;
            self.free += u64::from(rest.len);
            self.meta.mark_free(rest, true);
            if was_rest {
                self.policy.insert_rest(&mut self.meta, rest);
            } else {
                self.policy.insert(&mut self.meta, rest);
            }
        }
        self.meta.mark_used(grown, whole);
        Some(grown)
    }

    fn shrink(&mut self, mut piece: Piece, len: u32) -> Option<Piece> {
        if piece.len == len {
            return Some(piece);
        }
        if !self.meta.can_split(P::CUTS) {
            return None;
        }
        while let Some(keep) = P::cut(piece.len, len) {
            let rest = self.meta.split(piece, keep);
            piece.len = keep;
            self.meta.mark_used(piece, false);
            self.give_listed(rest);
        }
        Some(piece)
    }

    /// Joins a block with the buddies above it, as often as it takes.
    fn grow_shaped(&mut self, piece: Piece, len: u32) -> Option<Piece> {
        let mut grown = piece;
        while grown.len < len {
            let above = self.meta.above(grown);
            // A block's end is where its upper buddy begins, in whatever pieces that one is free.
            let is_buddy = self.meta.is_free(above) && self.meta.len(above) == grown.len;
            if !is_buddy || !P::joins(self.meta.place(grown.name), grown.len, grown.len) {
                break;
            }
            let above = Piece { name: above, len: grown.len };
            self.policy.remove(&mut self.meta, above);
            self.free -= u64::from(above.len);
            grown = self.meta.join(grown, above);
            self.meta.mark_used(grown, true);
        }
        if grown.len == len {
            return Some(grown);
        }
        // Not far enough: as it was.
        while grown.len > piece.len {
            let rest = self.meta.split(grown, grown.len / 2);
            grown.len /= 2;
            self.meta.mark_used(grown, false);
            self.give_listed(rest);
        }
        None
    }

    /// Moves a used segment's begin down by `by` units; `None`, with nothing changed, where the neighbour
    /// below is not free or not long enough, or the policy has shapes.
    pub(crate) fn grow_low(&mut self, piece: Piece, by: u32) -> Option<Piece> {
        if by == 0 {
            return Some(piece);
        }
        let below = self.meta.free_below(piece.name)?;
        if !P::JOINS_ALL || below.len < by {
            return None;
        }
        let was_rest = self.policy.remove(&mut self.meta, below);
        self.free -= u64::from(by);
        let lowered = self.meta.lower_begin(below, piece, by);
        self.meta.mark_used(lowered, false);
        if by < below.len {
            let rest = Piece { name: below.name, len: below.len - by };
            self.meta.mark_free(rest, false);
            if was_rest {
                self.policy.insert_rest(&mut self.meta, rest);
            } else {
                self.policy.insert(&mut self.meta, rest);
            }
        }
        Some(lowered)
    }

    /// Moves a used segment's begin up by `by` units, less than it has; `None` with nothing changed where
    /// there is no entry, or the policy has shapes.
    pub(crate) fn shrink_low(&mut self, piece: Piece, by: u32) -> Option<Piece> {
        if by == 0 {
            return Some(piece);
        }
        if !P::JOINS_ALL || !self.meta.can_split(1) {
            return None;
        }
        let (low, kept) = self.meta.split_low(piece, by);
        self.meta.mark_used(low, false);
        self.meta.mark_used(kept, false);
        self.give_listed(low);
        Some(kept)
    }

    /// Units of the free neighbour above, zero where there is none.
    pub(crate) fn free_above(&self, piece: Piece) -> u32 {
        let above = self.meta.above(piece);
        if self.meta.is_free(above) { self.meta.len(above) } else { 0 }
    }
}
