//! What the table asks of the core: segments that are listed in address order, tagged with the numbers
//! of their descriptors, and never quick.
//!
//! All free space is the core's. Nothing here decides where a segment goes, but for a request whose
//! hole compaction has just made.

use super::Refused;
use crate::metadata::{Bookkeeping, Entry, Name, OutOfBand, Piece};
use crate::{AllocError, Broken, Policy, RegionError, SegmentId, Segments};

/// The core, as the table sees it. A node is a segment or a hole, named by the index of its entry.
///
/// # Invariants
///
/// 1. No node is quick: no two holes are neighbours.
/// 2. The policy has no shapes, so that every node may begin and end at any unit.
#[derive(Debug)]
pub(super) struct Ground<'m, P: Policy> {
    core: Segments<P, OutOfBand<&'m mut [Entry]>>,
}

/// What the core's entry of a used node keeps for the table.
#[derive(Clone, Copy, Debug)]
struct Note {
    /// The number of its descriptor.
    tag: u32,
    /// The logarithm of its alignment.
    align: u32,
}

impl<'m, P: Policy> Ground<'m, P> {
    /// Without a region; places and lengths are multiples of `unit`, a power of two below 2^32.
    pub(super) fn new(entries: &'m mut [Entry], unit: usize) -> Self {
        const { assert!(P::JOINS_ALL, "a table's policy joins all neighbours: it is not Buddy") };
        Self { core: Segments::out_of_band(entries, unit as u64) }
    }

    pub(super) fn add_region(&mut self, base: u64, len: usize) -> Result<(), RegionError> {
        self.core.add_range(base, len as u64).map(drop)
    }

    /// What places and lengths are multiples of.
    pub(super) fn unit(&self) -> usize {
        1 << self.core.meta.unit_shift()
    }

    fn piece(&self, node: u32) -> Piece {
        Piece { name: Name(node), len: self.core.meta.len(Name(node)) }
    }

    fn bytes(&self, units: u64) -> usize {
        (units << self.core.meta.unit_shift()) as usize
    }

    /// The length that a segment of `len` bytes takes up; `usize::MAX` where that does not fit.
    pub(super) fn rounded(&self, len: usize) -> usize {
        len.checked_next_multiple_of(self.unit()).unwrap_or(usize::MAX)
    }

    /// A used node where the policy places it.
    #[inline]
    pub(super) fn allocate(&mut self, len: usize, align: usize, tag: u32) -> Result<u32, Refused> {
        let unit = self.unit();
        match self.core.allocate_range(len as u64, align.max(unit) as u64) {
            Ok(id) => {
                self.note(id.0, Note { tag, align: align.trailing_zeros() });
                Ok(id.0)
            }
            Err(AllocError::Exhausted | AllocError::TooLong) => Err(Refused::Exhausted),
            Err(AllocError::NoEntry) => Err(Refused::TableFull),
            Err(AllocError::ZeroLen) => Err(Refused::ZeroLength),
            Err(AllocError::Align) => Err(Refused::Alignment(align)),
        }
    }

    /// A used node at the low end of this hole, if it fits.
    pub(super) fn allocate_in(
        &mut self,
        hole: u32,
        len: usize,
        align: usize,
        tag: u32,
    ) -> Result<u32, Refused> {
        let (whole, shift) = (self.piece(hole), self.core.meta.unit_shift());
        let place = self.place(hole);
        let skip = place.next_multiple_of(align as u64) - place;
        let need = skip.saturating_add(self.rounded(len) as u64) >> shift;
        if need > u64::from(whole.len) {
            return Err(Refused::Exhausted);
        }
        if !self.core.meta.can_split(2) {
            return Err(Refused::TableFull);
        }
        // All of it becomes used; what is not wanted, above and below, is freed again.
        let Segments { policy, meta, free, .. } = &mut self.core;
        policy.remove(meta, whole);
        *free -= u64::from(whole.len);
        meta.mark_used(whole, true);
        if need < u64::from(whole.len) {
            let rest = meta.split(whole, need as u32);
            meta.mark_used(Piece { name: whole.name, len: need as u32 }, false);
            self.core.give_listed(rest);
        }
        let mut piece = self.piece(hole);
        if skip > 0 {
            let low = Piece { name: piece.name, len: (skip >> shift) as u32 };
            piece = self.core.meta.split(piece, low.len);
            self.core.meta.mark_used(low, false);
            self.core.meta.mark_used(piece, false);
            self.core.give_listed(low);
        }
        self.note(piece.name.0, Note { tag, align: align.trailing_zeros() });
        Ok(piece.name.0)
    }

    /// Frees a used node, which is joined with the holes beside it.
    pub(super) fn free(&mut self, node: u32) {
        let piece = self.piece(node);
        self.core.give_listed(piece);
    }

    /// Makes a used node as long as `len` bytes take up, where it begins.
    pub(super) fn resize(&mut self, node: u32, len: usize) -> Result<(), Refused> {
        let noted = self.noted(node);
        let units = u32::try_from(self.rounded(len) as u64 >> self.core.meta.unit_shift());
        let Ok(units) = units else { return Err(Refused::Exhausted) };
        match self.core.resize(self.piece(node), units) {
            Some(_) => {
                self.note(node, noted);
                Ok(())
            }
            None if self.core.meta.can_split(P::CUTS) => Err(Refused::Exhausted),
            None => Err(Refused::TableFull),
        }
    }

    /// Where a used node would come to lie if it slid down, aligned as it is; `None` where it would stay.
    pub(super) fn slides_to(&self, node: u32) -> Option<u64> {
        let hole = self.prev(node).filter(|&below| self.is_free(below))?;
        let start = self.place(hole);
        let to = start.next_multiple_of(self.align(node) as u64);
        // Below an alignment above the unit part of the hole stays: one node more.
        let has_nodes = to == start || self.core.meta.can_split(1);
        (to < self.place(node) && has_nodes).then_some(to)
    }

    /// Slides a used node down to where [`slides_to`](Self::slides_to) says. Its bytes are the caller's
    /// to move.
    pub(super) fn slide(&mut self, node: u32, to: u64) {
        let (id, noted, len) = (SegmentId(node), self.noted(node), self.len(node));
        let below = self.core.free_below(id);
        if self.place(node) - to == below {
            let slid = self.core.slide_down(id);
            debug_assert_eq!(slid.map(|slide| slide.to), Some(to));
        } else {
            let moved = self.core.rebase(id, to);
            debug_assert_eq!(moved, Ok(()));
            let cut = self.resize(node, len);
            debug_assert_eq!(cut, Ok(()));
        }
        self.note(node, noted);
    }

    /// Where a used node would come to lie if it slid up, aligned as it is; `None` where it would stay.
    pub(super) fn rises_to(&self, node: u32) -> Option<u64> {
        let hole = self.next(node).filter(|&above| self.is_free(above))?;
        let end = self.place(hole) + self.len(hole) as u64;
        let to = (end - self.len(node) as u64) & !(self.align(node) as u64 - 1);
        // The hole that it leaves may be one node more.
        (to > self.place(node) && self.core.meta.can_split(1)).then_some(to)
    }

    /// Slides a used node up to where [`rises_to`](Self::rises_to) says. Its bytes are the caller's to
    /// move.
    pub(super) fn rise(&mut self, node: u32, to: u64) {
        let (noted, by) = (self.noted(node), (to - self.place(node)) as usize);
        let grown = self.resize(node, self.len(node) + by);
        debug_assert_eq!(grown, Ok(()));
        let moved = self.core.rebase(SegmentId(node), to);
        debug_assert_eq!(moved, Ok(()));
        self.note(node, noted);
    }

    #[inline]
    pub(super) fn place(&self, node: u32) -> u64 {
        self.core.meta.outer(self.core.meta.place(Name(node)))
    }

    /// In bytes, rounding included.
    #[inline]
    pub(super) fn len(&self, node: u32) -> usize {
        self.bytes(u64::from(self.core.meta.len(Name(node))))
    }

    #[inline]
    pub(super) fn is_free(&self, node: u32) -> bool {
        self.core.meta.is_free(Name(node))
    }

    /// The number of a used node's descriptor.
    #[inline]
    pub(super) fn tag(&self, node: u32) -> u32 {
        self.core.meta.tag(Name(node))
    }

    /// What a used node is aligned to.
    pub(super) fn align(&self, node: u32) -> usize {
        1 << self.core.meta.link(Name(node), 1).0
    }

    /// A used node's links are of no list: the core keeps the caller's tag in the first one until it
    /// changes the node, and nothing in the second.
    fn note(&mut self, node: u32, note: Note) {
        self.core.meta.set_tag(Name(node), note.tag);
        self.core.meta.set_link(Name(node), 1, Name(note.align));
    }

    fn noted(&self, node: u32) -> Note {
        Note { tag: self.tag(node), align: self.core.meta.link(Name(node), 1).0 }
    }

    fn unless_end(&self, name: Name) -> Option<u32> {
        (!self.core.meta.is_end(name)).then_some(name.0)
    }

    /// The node above, in the same region.
    #[inline]
    pub(super) fn next(&self, node: u32) -> Option<u32> {
        self.unless_end(self.core.meta.high(Name(node)))
    }

    /// The node below, in the same region.
    #[inline]
    pub(super) fn prev(&self, node: u32) -> Option<u32> {
        self.unless_end(self.core.meta.below(Name(node)))
    }

    /// The lowest node of a region.
    pub(super) fn lowest(&self, region: u32) -> Option<u32> {
        self.unless_end(self.core.meta.lowest(Name(region)))
    }

    /// The lowest region.
    pub(super) fn first_region(&self) -> Option<u32> {
        self.core.meta.first_region().map(|region| region.0)
    }

    /// The next region, by place.
    pub(super) fn next_region(&self, region: u32) -> Option<u32> {
        self.core.meta.next_region(Name(region)).map(|region| region.0)
    }

    /// Checks the core.
    pub(super) fn validate(&self) -> Result<(), Broken> {
        self.core.validate()
    }

    /// Bytes of the longest hole.
    pub(super) fn largest_free(&self) -> usize {
        self.bytes(u64::from(self.core.policy.largest(&self.core.meta)))
    }

    /// Bytes of all holes.
    pub(super) fn total_free(&self) -> usize {
        self.bytes(self.core.free)
    }
}
