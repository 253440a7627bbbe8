//! Where the bookkeeping of segments lives: beside the bytes, or apart from them.
//!
//! Both kinds answer the same questions about a segment and its two neighbours, each in constant
//! time. Everything above, policies included, is written once over [`Bookkeeping`].

mod in_band;
mod out_of_band;

pub use in_band::InBand;
pub use out_of_band::{Entry, OutOfBand};

pub(crate) use in_band::{HEADER, OWNERS, UNIT, UNIT_SHIFT};
pub(crate) use out_of_band::State;

/// Bits of a length or of a place, counted in units: two bits of each word are flags.
pub(crate) const UNIT_BITS: u32 = 30;
/// The longest segment, in units.
pub(crate) const MOST_UNITS: u32 = (1 << UNIT_BITS) - 1;

/// The name of a segment, in bookkeeping: its place in units in band, its entry's index out of band.
///
/// # Invariants
///
/// 1. Zero names nothing. Every other name that is handed to a [`Bookkeeping`] came from it: it is
///    where a segment begins (or one ends a region) whose bookkeeping has not been joined away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Name(pub(crate) u32);

impl Name {
    /// No segment.
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A segment with its length in units, which is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub(crate) name: Name,
    pub(crate) len: u32,
}

/// What a segment is, as a walk tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// In the index of free segments.
    Free,
    /// Handed out.
    Used,
    /// Freed, in a quick list: not joined with its neighbours.
    Quick,
}

/// What must be known of segments. All lengths and places are in units.
///
/// Each region is a row of segments without gaps. An end that is neither free nor joined with
/// anything stands above its last one, so that [`above`](Self::above) always has an answer.
pub trait Bookkeeping {
    /// The length of a segment.
    fn len(&self, segment: Name) -> u32;
    /// Units as a shift: what they are to the caller.
    fn unit_shift(&self) -> u32;
    /// The caller's place of a segment: the address of its block, or where it begins.
    fn base(&self, segment: Name) -> u64;
    /// Where it begins: what alignment and address order are decided by.
    fn place(&self, segment: Name) -> u32;
    /// Whether it is free and in the index (quick ones are not).
    fn is_free(&self, segment: Name) -> bool;
    /// The neighbour below, where it is free and in the index.
    fn free_below(&self, segment: Name) -> Option<Piece>;
    /// The neighbour above: a segment, or the end of the region.
    fn above(&self, segment: Piece) -> Name;

    /// One of the two links of a free segment.
    fn link(&self, segment: Name, which: usize) -> Name;
    /// Sets one of the two links of a free segment.
    fn set_link(&mut self, segment: Name, which: usize, to: Name);

    /// Whether `count` more cuts can be made.
    fn can_split(&self, count: u32) -> bool;
    /// Cuts a segment `keep` units above its begin; the upper part, whose neighbour below is not free yet.
    /// What is known of neither is right until both are marked.
    fn split(&mut self, piece: Piece, keep: u32) -> Piece;
    /// Makes one of two neighbours. What is known of it is right once it is marked.
    fn join(&mut self, low: Piece, high: Piece) -> Piece;

    /// Moves the begin of a used segment down by `by` units into the free neighbour below, which is not
    /// in the index any more; the segment, which is not marked yet. What is left below is right once it
    /// is marked; where nothing is left, it is gone.
    fn lower_begin(&mut self, below: Piece, segment: Piece, by: u32) -> Piece;
    /// Cuts `by` units off the low side of a used segment, which keeps its identity; the low part and
    /// the segment. Neither is marked yet, and both are used.
    fn split_low(&mut self, segment: Piece, by: u32) -> (Piece, Piece);

    /// Marks a segment free, with its length. `known`: the neighbour above had a free one below it before.
    fn mark_free(&mut self, piece: Piece, known: bool);
    /// Marks a segment used, with its length. `whole`: the neighbour above was there while it was free.
    fn mark_used(&mut self, piece: Piece, whole: bool);
    /// Marks a used segment as freed into a quick list: to its neighbours it is used.
    fn mark_quick(&mut self, segment: Name);
    /// Undoes [`mark_quick`](Self::mark_quick).
    fn unmark_quick(&mut self, segment: Name);

    /// What the segment is.
    fn mark(&self, segment: Name) -> SegmentState;
    /// The region that comes first, by place; regions are named by their lowest segment's bookkeeping.
    fn first_region(&self) -> Option<Name>;
    /// The region after that one.
    fn next_region(&self, region: Name) -> Option<Name>;
    /// The lowest segment of a region.
    fn lowest(&self, region: Name) -> Name;
    /// Where a region's segments begin, and how long they are together.
    fn bounds(&self, region: Name) -> (u32, u32);
    /// Whether this ends a region.
    fn is_end(&self, segment: Name) -> bool;
}

/// In band or out of band: [`InBand`] or [`OutOfBand`].
pub trait Metadata: Bookkeeping {}

impl Metadata for InBand {}
impl<S: AsRef<[Entry]> + AsMut<[Entry]>> Metadata for OutOfBand<S> {}

static_assertions::assert_eq_size!(Name, u32);
static_assertions::assert_eq_size!(Piece, u64);
