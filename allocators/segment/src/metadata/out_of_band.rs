//! Bookkeeping apart from the managed range, which is never touched.

mod regions;

use super::{Bookkeeping, Name, Piece, SegmentState, UNIT_BITS};

/// What is known of one segment: 24 bytes, in storage that the caller gives.
///
/// # Invariants
///
/// 1. `low` and `high` are the neighbours; a region is a ring of its segments and one entry that is its
///    end, which is its begin as well.
/// 2. `links` are of the index where the segment is free, and the caller's tag and nothing where it is
///    used. An end's are the regions after it, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    place: u32,
    /// The length in units, and the state in the two lowest bits.
    len: u32,
    low: u32,
    high: u32,
    links: [u32; 2],
}

static_assertions::const_assert!(size_of::<Entry>() <= 24);

impl Entry {
    /// An entry that describes nothing yet.
    pub const EMPTY: Self = Self { place: 0, len: 0, low: 0, high: 0, links: [0; 2] };
}

/// What an entry describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Free = 0,
    Used = 1,
    Quick = 2,
    /// An end of a region, or nothing.
    Other = 3,
}

const STATE_BITS: u32 = 2;
const STATE: u32 = (1 << STATE_BITS) - 1;

/// Bookkeeping in entries of 24 bytes, one a segment (used or free) and one a region. The managed range
/// may be anything that has places: device memory, offsets in a file, address space, frame numbers.
///
/// `S` is where entries are kept: `[Entry; N]` in a `static`, `&mut [Entry]`, `Vec<Entry>`. Entry 0 is
/// not used. When there is none for a cut, the request fails with
/// [`AllocError::NoEntry`](crate::AllocError::NoEntry), unless the caller gives longer storage
/// ([`replace_storage`](crate::Segments::replace_storage)).
#[derive(Debug)]
pub struct OutOfBand<S> {
    storage: S,
    /// Entries that were taken apart, linked by `high`.
    spare: u32,
    spares: u32,
    /// Entries from here on were never used.
    fresh: u32,
    first: u32,
    /// Bytes (or whatever the caller counts) of a unit, as a power of two.
    shift: u32,
    /// The caller's place of our place zero: a multiple of 2^30 units.
    origin: u64,
}

impl<S> OutOfBand<S> {
    pub(crate) const fn new(storage: S, shift: u32) -> Self {
        Self { storage, spare: 0, spares: 0, fresh: 1, first: 0, shift, origin: 0 }
    }

    /// The caller's place of one of ours.
    #[inline]
    pub(crate) fn outer(&self, place: u32) -> u64 {
        self.origin + (u64::from(place) << self.shift)
    }

    /// Our place of the caller's, if we have one for it.
    #[inline]
    pub(crate) fn inner(&self, place: u64) -> Option<u32> {
        u32::try_from(place.checked_sub(self.origin)? >> self.shift).ok()
    }

    /// Whether `[base, base + len)` can be told in places; fixes the origin where there is none yet.
    pub(crate) fn reach(&mut self, base: u64, len: u64) -> bool {
        let Some(end) = base.checked_add(len) else { return false };
        if self.first == 0 {
            let window = 1_u64.checked_shl(UNIT_BITS + self.shift).unwrap_or(0);
            self.origin = match window {
                0 => 0,
                window => (base & !(window - 1)).saturating_sub(window),
            };
        }
        self.inner(base).is_some()
            && self.inner(end).is_some()
            && len >> self.shift <= u64::from(super::MOST_UNITS)
    }
}

impl<S: AsRef<[Entry]> + AsMut<[Entry]>> OutOfBand<S> {
    #[inline]
    fn at(&self, name: Name) -> &Entry {
        &self.storage.as_ref()[name.0 as usize]
    }

    #[inline]
    fn at_mut(&mut self, name: Name) -> &mut Entry {
        &mut self.storage.as_mut()[name.0 as usize]
    }

    /// The state of an entry; `None` where there is no such entry.
    #[inline]
    pub(crate) fn state(&self, name: Name) -> Option<State> {
        let entry = self.storage.as_ref().get(name.0 as usize)?;
        if name.0 == 0 || name.0 >= self.fresh || entry.len >> STATE_BITS == 0 {
            return Some(State::Other);
        }
        Some(match entry.len & STATE {
            0 => State::Free,
            1 => State::Used,
            2 => State::Quick,
            _ => State::Other,
        })
    }

    /// The neighbour below: a segment, or the end of the region.
    #[inline]
    pub(crate) fn below(&self, name: Name) -> Name {
        Name(self.at(name).low)
    }

    /// The neighbour above: a segment, or the end of the region.
    #[inline]
    pub(crate) fn high(&self, name: Name) -> Name {
        Name(self.at(name).high)
    }

    /// The caller's word of a used segment.
    #[inline]
    pub(crate) fn tag(&self, name: Name) -> u32 {
        self.at(name).links[0]
    }

    /// Sets the caller's word of a used segment.
    #[inline]
    pub(crate) fn set_tag(&mut self, name: Name, tag: u32) {
        self.at_mut(name).links[0] = tag;
    }

    /// Entries that can still be used.
    #[inline]
    pub(crate) fn unused(&self) -> u32 {
        let all = u32::try_from(self.storage.as_ref().len()).unwrap_or(u32::MAX);
        all.saturating_sub(self.fresh) + self.spares
    }

    /// Takes an entry; the caller has asked whether there is one.
    #[inline]
    fn take_entry(&mut self) -> Name {
        if self.spare != 0 {
            let name = Name(self.spare);
            self.spare = self.at(name).high;
            self.spares -= 1;
            return name;
        }
        self.fresh += 1;
        Name(self.fresh - 1)
    }

    #[inline]
    fn drop_entry(&mut self, name: Name) {
        let spare = self.spare;
        *self.at_mut(name) = Entry { high: spare, ..Entry::EMPTY };
        self.spare = name.0;
        self.spares += 1;
    }

    /// Puts other storage in place, with all entries copied; the old one.
    pub(crate) fn replace_storage(&mut self, mut storage: S) -> Result<S, S> {
        let used = self.fresh as usize;
        match storage.as_mut().get_mut(..used) {
            Some(entries) => entries.copy_from_slice(&self.storage.as_ref()[..used]),
            None => return Err(storage),
        }
        Ok(core::mem::replace(&mut self.storage, storage))
    }

    pub(crate) fn storage(&self) -> &S {
        &self.storage
    }

    /// Makes two neighbours change places: the used one comes to lie below the free one.
    ///
    /// ```text
    ///   ─ low ─ free ─ used ─ high ─    becomes    ─ low ─ used ─ free ─ high ─
    /// ```
    pub(crate) fn exchange(&mut self, free: Name, used: Name) {
        let (low, high) = (Name(self.at(free).low), Name(self.at(used).high));
        let place = self.at(free).place;
        let len = self.at(used).len >> STATE_BITS;
        let entry = self.at_mut(used);
        (entry.place, entry.low, entry.high) = (place, low.0, free.0);
        let entry = self.at_mut(free);
        (entry.place, entry.low, entry.high) = (place + len, used.0, high.0);
        self.at_mut(low).high = used.0;
        self.at_mut(high).low = free.0;
    }
}

impl<S: AsRef<[Entry]> + AsMut<[Entry]>> Bookkeeping for OutOfBand<S> {
    #[inline]
    fn len(&self, segment: Name) -> u32 {
        self.at(segment).len >> STATE_BITS
    }

    #[inline]
    fn unit_shift(&self) -> u32 {
        self.shift
    }

    #[inline]
    fn base(&self, segment: Name) -> u64 {
        self.outer(self.place(segment))
    }

    #[inline]
    fn place(&self, segment: Name) -> u32 {
        self.at(segment).place
    }

    #[inline]
    fn is_free(&self, segment: Name) -> bool {
        self.at(segment).len & STATE == State::Free as u32
    }

    #[inline]
    fn free_below(&self, segment: Name) -> Option<Piece> {
        let name = self.below(segment);
        self.is_free(name).then(|| Piece { name, len: self.len(name) })
    }

    #[inline]
    fn above(&self, segment: Piece) -> Name {
        self.high(segment.name)
    }

    #[inline]
    fn link(&self, segment: Name, which: usize) -> Name {
        Name(self.at(segment).links[which])
    }

    #[inline]
    fn set_link(&mut self, segment: Name, which: usize, to: Name) {
        self.at_mut(segment).links[which] = to.0;
    }

    #[inline]
    fn can_split(&self, count: u32) -> bool {
        self.unused() >= count
    }

    #[inline]
    fn split(&mut self, piece: Piece, keep: u32) -> Piece {
        let name = self.take_entry();
        let Entry { place, high, .. } = *self.at(piece.name);
        let len = piece.len - keep;
        *self.at_mut(name) = Entry {
            place: place + keep,
            len: len << STATE_BITS | State::Used as u32,
            low: piece.name.0,
            high,
            links: [0; 2],
        };
        self.at_mut(piece.name).high = name.0;
        self.at_mut(Name(high)).low = name.0;
        Piece { name, len }
    }

    #[inline]
    fn join(&mut self, low: Piece, high: Piece) -> Piece {
        let above = self.at(high.name).high;
        self.at_mut(low.name).high = above;
        self.at_mut(Name(above)).low = low.name.0;
        self.drop_entry(high.name);
        Piece { name: low.name, len: low.len + high.len }
    }

    fn lower_begin(&mut self, below: Piece, segment: Piece, by: u32) -> Piece {
        self.at_mut(segment.name).place -= by;
        if by == below.len {
            let low = self.at(below.name).low;
            self.at_mut(Name(low)).high = segment.name.0;
            self.at_mut(segment.name).low = low;
            self.drop_entry(below.name);
        }
        Piece { name: segment.name, len: segment.len + by }
    }

    fn split_low(&mut self, segment: Piece, by: u32) -> (Piece, Piece) {
        let name = self.take_entry();
        let Entry { place, low, .. } = *self.at(segment.name);
        *self.at_mut(name) = Entry {
            place,
            len: by << STATE_BITS | State::Used as u32,
            low,
            high: segment.name.0,
            links: [0; 2],
        };
        self.at_mut(Name(low)).high = name.0;
        let entry = self.at_mut(segment.name);
        (entry.place, entry.low) = (place + by, name.0);
        (Piece { name, len: by }, Piece { name: segment.name, len: segment.len - by })
    }

    #[inline]
    fn mark_free(&mut self, piece: Piece, _: bool) {
        self.at_mut(piece.name).len = piece.len << STATE_BITS | State::Free as u32;
    }

    #[inline]
    fn mark_used(&mut self, piece: Piece, _: bool) {
        self.at_mut(piece.name).len = piece.len << STATE_BITS | State::Used as u32;
    }

    #[inline]
    fn mark_quick(&mut self, segment: Name) {
        let entry = self.at_mut(segment);
        entry.len = entry.len & !STATE | State::Quick as u32;
    }

    #[inline]
    fn unmark_quick(&mut self, segment: Name) {
        let entry = self.at_mut(segment);
        entry.len = entry.len & !STATE | State::Used as u32;
    }

    fn mark(&self, segment: Name) -> SegmentState {
        match self.at(segment).len & STATE {
            0 => SegmentState::Free,
            2 => SegmentState::Quick,
            _ => SegmentState::Used,
        }
    }

    fn first_region(&self) -> Option<Name> {
        (self.first != 0).then_some(Name(self.first))
    }

    fn next_region(&self, region: Name) -> Option<Name> {
        let next = self.at(region).links[0];
        (next != 0).then_some(Name(next))
    }

    fn lowest(&self, region: Name) -> Name {
        self.high(region)
    }

    fn bounds(&self, region: Name) -> (u32, u32) {
        (self.at(region).place, self.at(region).links[1])
    }

    #[inline]
    fn is_end(&self, segment: Name) -> bool {
        self.at(segment).len & STATE == State::Other as u32
    }
}
