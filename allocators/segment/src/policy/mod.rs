//! Which free segment a request gets: placement policies behind one type parameter.
//!
//! Each keeps its free segments by two links in each and a few words of its own.

mod best_fit;
mod buddy;
mod first_fit;
mod good_fit;
mod list;
mod next_fit;
mod quick;
mod tree;

pub use best_fit::BestFit;
pub use buddy::Buddy;
pub use first_fit::FirstFit;
pub use good_fit::GoodFit;
pub use next_fit::NextFit;

use crate::metadata::{Bookkeeping, Name, Piece};

/// The free segments of some regions. Those in the index are marked free.
pub trait Index {
    /// Nothing is free.
    const NEW: Self;

    /// Whether any two free neighbours are joined. Where not, [`joins`](Self::joins) decides, and
    /// [`shape`](Self::shape) rounds.
    const JOINS_ALL: bool = true;

    /// Most cuts that one request makes.
    const CUTS: u32 = 1;

    /// The length that a request of `len` units at multiples of `align` units comes to; `None` where
    /// there is none.
    #[inline]
    fn shape(len: u32, align: u32) -> Option<u32> {
        let _ = align;
        Some(len)
    }

    /// Where to cut a free segment of `len` units, once, so that its lower part is at least `need`
    /// units; `None` where it stays as it is.
    #[inline]
    fn cut(len: u32, need: u32) -> Option<u32> {
        (len > need).then_some(need)
    }

    /// The length of the first free segment of `len` free units at `place`.
    #[inline]
    fn lump(place: u32, len: u32) -> u32 {
        let _ = place;
        len
    }

    /// Whether two free neighbours may be joined: the lower one's place, and both lengths.
    #[inline]
    fn joins(low: u32, low_len: u32, high_len: u32) -> bool {
        let _ = (low, low_len, high_len);
        true
    }

    /// Takes out a free segment of at least `need` units.
    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece>;

    /// Puts in a free segment.
    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece);

    /// Puts in what is left of a segment that a request was cut from.
    #[inline]
    fn insert_rest<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        self.insert(meta, piece);
    }

    /// Takes out this free segment; whether it was the last rest.
    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool;

    /// The longest free segment in units, zero where there is none.
    fn largest<M: Bookkeeping>(&self, meta: &M) -> u32;

    /// Takes a quick segment of exactly `len` units.
    #[inline]
    fn take_quick(&mut self, len: u32) -> Option<Name> {
        let _ = len;
        None
    }

    /// Keeps a freed segment of `len` units quick; false where it does not. `free` of `total`
    /// units are in the index.
    #[inline]
    fn keep_quick(&mut self, segment: Name, len: u32, free: u64, total: u64) -> bool {
        let _ = (segment, len, free, total);
        false
    }

    /// Takes any quick segment, so that it can be freed for good.
    #[inline]
    fn drain_quick(&mut self) -> Option<Name> {
        None
    }

    /// Units in quick segments.
    fn quick_units(&self) -> u64 {
        0
    }

    /// Tells `seen` of every free segment; whether the index agrees with the bookkeeping and itself.
    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool;
}

/// Which free segment a request gets.
///
/// | policy | takes | cost of a request and of a free |
/// |---|---|---|
/// | [`GoodFit`] | a segment of the nearest class that fits for certain | O(1) |
/// | [`BestFit`] | the shortest that fits, of those the lowest | expected O(log n) |
/// | [`FirstFit`] | the lowest that fits | O(depth): log n as a rule, n at worst |
/// | [`NextFit`] | the next that fits after the last one taken | as first fit |
/// | [`Buddy`] | the shortest block of a power of two | O(log of the region) |
pub trait Policy: Index {}

impl<const QUICK: usize, const LONG: usize> Policy for GoodFit<QUICK, LONG> {}
impl Policy for BestFit {}
impl Policy for FirstFit {}
impl Policy for NextFit {}
impl Policy for Buddy {}
