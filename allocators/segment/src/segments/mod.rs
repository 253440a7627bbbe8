//! Taking and giving back: what every policy and both kinds of bookkeeping share.

#[cfg(all(test, not(strata_loom)))]
mod bound;
mod claim;
mod resize;

use crate::metadata::{InBand, Metadata, Piece};
use crate::policy::Policy;

/// Segments of any length in one or more regions, placed by `P`, with bookkeeping `M`.
///
/// With [`InBand`] it hands out memory by `Layout`, through pointers; with
/// [`OutOfBand`](crate::OutOfBand) it hands out ranges of anything that has places, through
/// [`SegmentId`](crate::SegmentId)s. A value is used by one thread at a time; the crate's faces share
/// one. It is `const`-constructible and owns no memory: regions are given to it, and dropping it leaves
/// them as they are.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use strata_segment::{GoodFit, InBand, Segments};
///
/// let buffer = Box::leak(vec![MaybeUninit::<u8>::uninit(); 4096].into_boxed_slice());
/// let mut segments: Segments<GoodFit, InBand> = Segments::new();
/// segments.add_buffer(buffer)?;
/// let layout = Layout::new::<[u64; 3]>();
/// let block = segments.allocate(layout)?;
/// // SAFETY: 1. allocated above with this layout. 2. unused from here on.
/// unsafe { segments.deallocate(block, layout) };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Invariants
///
/// 1. `policy` has every segment that is marked free and no other; its quick lists have every segment
///    that is marked quick.
/// 2. `free` is the sum of the lengths of the free segments, `total` of all, quick ones included.
#[derive(Debug)]
pub struct Segments<P: Policy, M: Metadata = InBand> {
    pub(crate) policy: P,
    pub(crate) meta: M,
    pub(crate) free: u64,
    pub(crate) total: u64,
}

impl<P: Policy, M: Metadata> Segments<P, M> {
    pub(crate) const fn with_metadata(meta: M) -> Self {
        Self { policy: P::NEW, meta, free: 0, total: 0 }
    }

    /// Takes a segment of `len` units, which is of a shape of the policy. What stands in its links is
    /// left over.
    #[inline]
    pub(crate) fn take(&mut self, len: u32) -> Option<Piece> {
        match self.take_quick(len) {
            Some(piece) => Some(piece),
            None => self.take_listed(len),
        }
    }

    /// Takes a quick segment of exactly this length.
    #[inline]
    pub(crate) fn take_quick(&mut self, len: u32) -> Option<Piece> {
        let name = self.policy.take_quick(len)?;
        self.meta.unmark_quick(name);
        Some(Piece { name, len })
    }

    /// Takes a segment of the index, for a length that no quick one has.
    #[inline(never)]
    pub(crate) fn take_listed(&mut self, len: u32) -> Option<Piece> {
        if !self.meta.can_split(P::CUTS) {
            return None;
        }
        let piece = match self.policy.take(&mut self.meta, len) {
            Some(piece) => piece,
            None => self.take_slow(len)?,
        };
        Some(self.cut(piece, len))
    }

    /// Joins what is quick, and looks again.
    #[cold]
    #[inline(never)]
    fn take_slow(&mut self, len: u32) -> Option<Piece> {
        if !self.flush_quick() {
            return None;
        }
        self.policy.take(&mut self.meta, len)
    }

    /// Makes a used segment of `need` units of a free one that is not in the index, and puts the rest
    /// back.
    #[inline]
    fn cut(&mut self, mut piece: Piece, need: u32) -> Piece {
        self.free -= u64::from(piece.len);
        let mut whole = true;
        while let Some(keep) = P::cut(piece.len, need) {
            let rest = self.meta.split(piece, keep);
            piece.len = keep;
            self.free += u64::from(rest.len);
            // Only the first rest has the neighbour that the whole one had.
            self.meta.mark_free(rest, whole);
            whole = false;
            self.policy.insert_rest(&mut self.meta, rest);
        }
        self.meta.mark_used(piece, whole);
        piece
    }

    /// Takes a segment of `len` units at a multiple of `align` units, a power of two above one. Both are
    /// shaped.
    #[cold]
    pub(crate) fn take_aligned(&mut self, len: u32, align: u32) -> Option<Piece> {
        if !P::JOINS_ALL {
            // Blocks lie at multiples of their length, and `shape` has made it no less than `align`.
            return self.take_listed(len);
        }
        if !self.meta.can_split(2) {
            return None;
        }
        let most = len.checked_add(align - 1)?;
        let piece = match self.policy.take(&mut self.meta, most) {
            Some(piece) => piece,
            None => self.take_slow(most)?,
        };
        let skip = self.meta.place(piece.name).wrapping_neg() & (align - 1);
        if skip == 0 {
            return Some(self.cut(piece, len));
        }
        let high = self.meta.split(piece, skip);
        let low = Piece { name: piece.name, len: skip };
        self.meta.mark_free(low, false);
        self.policy.insert(&mut self.meta, low);
        self.free -= u64::from(high.len);
        self.finish_high(high, len)
    }

    /// Makes a used segment of the low part of `high`, which is counted as used already and whose
    /// neighbour below is free.
    fn finish_high(&mut self, mut high: Piece, len: u32) -> Option<Piece> {
        let whole = high.len == len;
        if !whole {
            let rest = self.meta.split(high, len);
            high.len = len;
            self.free += u64::from(rest.len);
            self.meta.mark_free(rest, true);
            self.policy.insert_rest(&mut self.meta, rest);
        }
        self.meta.mark_used(high, whole);
        Some(high)
    }

    /// Gives back a used segment of a shape of the policy: it is kept quick, or joined with its
    /// neighbours; then what it has become.
    #[inline]
    pub(crate) fn give(&mut self, piece: Piece) -> Option<Piece> {
        self.meta.mark_quick(piece.name);
        if self.policy.keep_quick(piece.name, piece.len, self.free, self.total) {
            return None;
        }
        Some(self.give_listed(piece))
    }

    /// Joins a used segment with its free neighbours and puts it into the index.
    #[inline(never)]
    pub(crate) fn give_listed(&mut self, mut piece: Piece) -> Piece {
        self.free += u64::from(piece.len);
        let (mut was_rest, mut known) = (false, false);
        loop {
            let mut joined = false;
            if let Some(below) = self.meta.free_below(piece.name)
                && P::joins(self.meta.place(below.name), below.len, piece.len)
            {
                was_rest |= self.policy.remove(&mut self.meta, below);
                piece = self.meta.join(below, piece);
                joined = true;
            }
            let above = self.meta.above(piece);
            if self.meta.is_free(above) {
                let above = Piece { name: above, len: self.meta.len(above) };
                if P::joins(self.meta.place(piece.name), piece.len, above.len) {
                    was_rest |= self.policy.remove(&mut self.meta, above);
                    piece = self.meta.join(piece, above);
                    joined = true;
                    known = true;
                }
            }
            if P::JOINS_ALL || !joined {
                break;
            }
        }
        self.meta.mark_free(piece, known);
        if was_rest {
            self.policy.insert_rest(&mut self.meta, piece);
        } else {
            self.policy.insert(&mut self.meta, piece);
        }
        piece
    }

    /// Gives back a used segment of any length: in the shapes of the policy. Whoever calls it has asked
    /// for [`CUTS`](Index::CUTS) twice, or has joined as much.
    pub(crate) fn give_range(&mut self, mut piece: Piece) -> Piece {
        loop {
            let lump = P::lump(self.meta.place(piece.name), piece.len);
            if lump == piece.len {
                return self.give_listed(piece);
            }
            let rest = self.meta.split(piece, lump);
            self.meta.mark_used(Piece { name: piece.name, len: lump }, false);
            self.give_listed(Piece { name: piece.name, len: lump });
            piece = rest;
        }
    }

    /// Joins all quick segments with their neighbours; whether there were any. At most 64 times the
    /// length of a quick list of frees.
    pub fn flush_quick(&mut self) -> bool {
        let mut any = false;
        while let Some(name) = self.policy.drain_quick() {
            let len = self.meta.len(name);
            self.give_listed(Piece { name, len });
            any = true;
        }
        any
    }
}
