//! Segments of anything that has places: bookkeeping out of band.
//!
//! Nothing here touches the managed range; there is no unsafe code on this side.

mod ranges;

pub use ranges::RangeId;

use crate::Segments;
use crate::error::{AllocError, ClaimError, FreeError, ResizeError};
use crate::metadata::{Bookkeeping, Entry, MOST_UNITS, Name, OutOfBand, Piece, State};
use crate::policy::Policy;

/// The name of a used segment out of band: the index of its entry. It stays the same while the segment
/// is resized or slides, and may be another segment's after it is freed.
///
/// A table of handles stores what belongs to a segment by it: indices are small and are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SegmentId(pub(crate) u32);

impl SegmentId {
    /// The index: at least 1, below the number of entries.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The name with this index; whether a segment has it is checked where it is used.
    #[inline]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

/// A segment that slid: the caller moves `len` from `from` to `to`, which is below and may overlap it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slide {
    /// Where it was.
    pub from: u64,
    /// Where it is.
    pub to: u64,
    /// How long it is.
    pub len: u64,
}

impl<P: Policy, S: AsRef<[Entry]> + AsMut<[Entry]>> Segments<P, OutOfBand<S>> {
    /// Segments without a range yet, described in `storage`. Places, lengths and alignments are the
    /// caller's to interpret (bytes, frames, blocks of a device); all are rounded up to `unit`, a power
    /// of two.
    ///
    /// A range is at most 2^30 - 1 units long; all must lie within 2^32 units, from 2^30 units and
    /// more below the first.
    ///
    /// # Panics
    ///
    /// Where `unit` is not a power of two below 2^32.
    pub const fn out_of_band(storage: S, unit: u64) -> Self {
        assert!(unit.is_power_of_two() && unit < 1 << 32, "the unit is a power of two below 2^32");
        Self::with_metadata(OutOfBand::new(storage, unit.trailing_zeros()))
    }
}

impl<P: Policy, S: AsRef<[Entry]> + AsMut<[Entry]>> Segments<P, OutOfBand<S>> {
    fn units(&self, len: u64) -> Option<u32> {
        let units = len.checked_add((1 << self.meta.unit_shift()) - 1)? >> self.meta.unit_shift();
        u32::try_from(units).ok().filter(|&units| units <= MOST_UNITS)
    }

    fn shape(&self, len: u64, align: u64) -> Result<(u32, u32), AllocError> {
        if len == 0 {
            return Err(AllocError::ZeroLen);
        }
        let align_units = align >> self.meta.unit_shift();
        if !align.is_power_of_two() || align_units > u64::from(MOST_UNITS / 2) {
            return Err(AllocError::Align);
        }
        let len = self.units(len).ok_or(AllocError::TooLong)?;
        let align = (align_units as u32).max(1);
        let len = P::shape(len, align).ok_or(AllocError::TooLong)?;
        Ok((len, align))
    }

    /// The segment of this name, which must be used.
    #[inline]
    fn used(&self, id: SegmentId) -> Result<Piece, FreeError> {
        let name = Name(id.0);
        match self.meta.state(name) {
            Some(State::Used) => Ok(Piece { name, len: self.meta.len(name) }),
            Some(State::Quick | State::Free) => Err(FreeError::DoubleFree),
            Some(State::Other) => Err(FreeError::NotASegment),
            None => Err(FreeError::Foreign),
        }
    }

    /// A segment of `len` (rounded up to units) at a multiple of `align`. Its tag is 0.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause.
    #[inline]
    pub fn allocate_range(&mut self, len: u64, align: u64) -> Result<SegmentId, AllocError> {
        let (len, align) = self.shape(len, align)?;
        let piece = if align == 1 { self.take(len) } else { self.take_aligned(len, align) };
        let Some(piece) = piece else {
            let enough = self.meta.can_split(if align == 1 { P::CUTS } else { P::CUTS + 1 });
            return Err(if enough { AllocError::Exhausted } else { AllocError::NoEntry });
        };
        self.meta.set_tag(piece.name, 0);
        Ok(SegmentId(piece.name.0))
    }

    /// The segment `[base, base + len)`, rounded up to units. O(segments). Its tag is 0.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], by cause.
    pub fn allocate_range_at(&mut self, base: u64, len: u64) -> Result<SegmentId, ClaimError> {
        if len == 0 {
            return Err(ClaimError::ZeroLen);
        }
        if base & ((1 << self.meta.unit_shift()) - 1) != 0 {
            return Err(ClaimError::Misaligned);
        }
        let len = self.units(len).ok_or(ClaimError::OutOfRange)?;
        let len = P::shape(len, 1).ok_or(ClaimError::OutOfRange)?;
        let place = self.meta.inner(base).ok_or(ClaimError::OutOfRange)?;
        let piece = self.claim(place, len)?;
        self.meta.set_tag(piece.name, 0);
        Ok(SegmentId(piece.name.0))
    }

    /// Takes a segment back. O(1) with [`GoodFit`](crate::GoodFit).
    ///
    /// # Errors
    ///
    /// [`FreeError`], by cause; nothing changed. An id that is another segment's by now is not
    /// recognised.
    #[inline]
    pub fn free(&mut self, id: SegmentId) -> Result<(), FreeError> {
        let piece = self.used(id)?;
        self.give(piece);
        Ok(())
    }

    /// Where a used segment begins; `None` where none has this name. O(1).
    #[inline]
    pub fn base(&self, id: SegmentId) -> Option<u64> {
        let piece = self.used(id).ok()?;
        Some(self.meta.base(piece.name))
    }

    /// How long a used segment is; `None` where none has this name. O(1).
    #[inline]
    pub fn len(&self, id: SegmentId) -> Option<u64> {
        let piece = self.used(id).ok()?;
        Some(u64::from(piece.len) << self.meta.unit_shift())
    }

    /// The caller's word for a used segment; `None` where none has this name. O(1).
    #[inline]
    pub fn tag(&self, id: SegmentId) -> Option<u32> {
        let piece = self.used(id).ok()?;
        Some(self.meta.tag(piece.name))
    }

    /// Sets the caller's word for a used segment: it stays with it until it is freed. O(1).
    ///
    /// # Errors
    ///
    /// [`FreeError`] where no used segment has this name.
    #[inline]
    pub fn set_tag(&mut self, id: SegmentId, tag: u32) -> Result<(), FreeError> {
        let piece = self.used(id)?;
        self.meta.set_tag(piece.name, tag);
        Ok(())
    }

    /// Makes a used segment `len` long where it begins: longer into the free neighbour above, or shorter.
    ///
    /// # Errors
    ///
    /// [`ResizeError`], by cause; nothing changed.
    pub fn resize_range(&mut self, id: SegmentId, len: u64) -> Result<(), ResizeError> {
        let piece = self.used(id).map_err(|_| ResizeError::NotASegment)?;
        if len == 0 {
            return Err(ResizeError::ZeroLen);
        }
        let len = self.units(len).and_then(|len| P::shape(len, 1)).ok_or(ResizeError::TooLong)?;
        match self.resize(piece, len) {
            Some(_) => Ok(()),
            None if self.meta.can_split(P::CUTS) => Err(ResizeError::NoRoom),
            None => Err(ResizeError::NoEntry),
        }
    }

    /// Moves a used segment's begin to `base`, down into the free neighbour below or up; its end stays.
    ///
    /// # Errors
    ///
    /// [`ResizeError`], by cause; nothing changed.
    pub fn rebase(&mut self, id: SegmentId, base: u64) -> Result<(), ResizeError> {
        let piece = self.used(id).map_err(|_| ResizeError::NotASegment)?;
        if base & ((1 << self.meta.unit_shift()) - 1) != 0 || !P::JOINS_ALL {
            return Err(ResizeError::Misaligned);
        }
        let place = self.meta.inner(base).ok_or(ResizeError::NoRoom)?;
        let now = self.meta.place(piece.name);
        if place <= now {
            return self.grow_low(piece, now - place).map(drop).ok_or(ResizeError::NoRoom);
        }
        if place - now >= piece.len {
            return Err(ResizeError::ZeroLen);
        }
        self.shrink_low(piece, place - now).map(drop).ok_or(ResizeError::NoEntry)
    }

    /// Slides a used segment down over the free neighbour below it: the free one then lies above it,
    /// joined with what is free there. O(1) with [`GoodFit`](crate::GoodFit). The caller moves the
    /// contents.
    ///
    /// `None`, with nothing changed, where no used segment has this name, nothing is free below it, or the
    /// policy has shapes ([`Buddy`](crate::Buddy)). Quick segments are not free: call
    /// [`flush_quick`](Self::flush_quick) before.
    pub fn slide_down(&mut self, id: SegmentId) -> Option<Slide> {
        let piece = self.used(id).ok()?;
        if !P::JOINS_ALL {
            return None;
        }
        let below = self.meta.free_below(piece.name)?;
        let from = self.meta.base(piece.name);
        let mut was_rest = self.policy.remove(&mut self.meta, below);
        self.meta.exchange(below.name, piece.name);
        let mut free = below;
        let above = self.meta.high(free.name);
        if self.meta.is_free(above) {
            let above = Piece { name: above, len: self.meta.len(above) };
            was_rest |= self.policy.remove(&mut self.meta, above);
            free = self.meta.join(free, above);
        }
        self.meta.mark_free(free, false);
        if was_rest {
            self.policy.insert_rest(&mut self.meta, free);
        } else {
            self.policy.insert(&mut self.meta, free);
        }
        let to = self.meta.base(piece.name);
        Some(Slide { from, to, len: u64::from(piece.len) << self.meta.unit_shift() })
    }

    /// How much is free directly below a used segment. Quick segments are not.
    pub fn free_below(&self, id: SegmentId) -> u64 {
        let below = self.used(id).ok().and_then(|piece| self.meta.free_below(piece.name));
        below.map_or(0, |below| u64::from(below.len) << self.meta.unit_shift())
    }

    /// The first used segment of a range; `None` where there is none. O(free segments before it).
    pub fn first_used(&self, range: RangeId) -> Option<SegmentId> {
        self.range(range)?;
        self.used_from(self.meta.lowest(range.0))
    }

    /// The used segment after this one in its range, by place; `None` after the last, and where no used
    /// segment has this name. O(1): between two used ones lie at most one free and some quick.
    pub fn next_used(&self, id: SegmentId) -> Option<SegmentId> {
        let piece = self.used(id).ok()?;
        self.used_from(self.meta.high(piece.name))
    }

    fn used_from(&self, mut name: Name) -> Option<SegmentId> {
        while !self.meta.is_end(name) {
            if self.meta.state(name) == Some(State::Used) {
                return Some(SegmentId(name.0));
            }
            name = self.meta.high(name);
        }
        None
    }

    /// Entries that are not used yet.
    pub fn unused_entries(&self) -> u32 {
        self.meta.unused()
    }

    /// Puts longer storage in place of the one that there is, with all entries copied, and answers the old
    /// one. Ids stay. O(entries).
    ///
    /// # Errors
    ///
    /// Gives `storage` back where it is too short for the entries that are used.
    pub fn replace_storage(&mut self, storage: S) -> Result<S, S> {
        self.meta.replace_storage(storage)
    }

    /// The storage of the entries: how many there are, for one.
    pub fn storage(&self) -> &S {
        self.meta.storage()
    }
}
