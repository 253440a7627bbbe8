//! Two-level segregated fit, with a remainder at hand and quick lists.

use super::Index;
use super::list;
use super::quick::{self, Quick};
use crate::metadata::{Bookkeeping, Name, Piece, UNIT_BITS};

/// Classes of each row, as a power of two.
const SPLIT_BITS: u32 = 5;
const SPLIT: u32 = 1 << SPLIT_BITS;
/// Row 0 has the lengths below `SPLIT`, exact; row n those of n + `SPLIT_BITS` - 1 as their logarithm.
const ROWS: usize = (UNIT_BITS - SPLIT_BITS + 1) as usize;
const CLASSES: usize = ROWS * SPLIT as usize;

/// Segments of a request's own class that are looked at before a longer class is taken from. They may
/// be too short, so each is a step.
const LOOKS: u32 = 1;
/// The same, when no longer class has any.
const LAST_LOOKS: u32 = 64;

/// A segment of the nearest class that surely fits, in constant time: two-level segregated fit (TLSF;
/// Masmano, Ripoll, Crespo and Real 2004), two bitmaps and a list for each class.
///
/// Classes are exact up to 31 units and then 32 for each doubling, so that a class's lengths differ by a
/// thirty-second at most. To it are added:
///
/// - the last remainder (Lea's designated victim) lies in no list: what was cut from is cut from again
///   where it fits as well as what the lists have;
/// - a request looks at a few segments of its own class, which may be long enough, and at a few more
///   before it fails;
/// - up to `QUICK` segments of each exact length up to 64 units are kept as they are when they are freed,
///   and as long as enough is free, up to `LONG` of each of the next 1024 lengths. They are joined and
///   listed before a request fails.
///
/// `GoodFit<0, 0>` has no quick lists: a hard bound, [`REQUEST_STEPS`](Self::REQUEST_STEPS), in the low
/// hundreds. With quick lists a request that would fail empties them first, which is in its bound: a
/// constant as well, but a large one.
///
/// # Invariants
///
/// 1. A class's bit in its row is set as long as its list has a segment, and a row's bit as long as any
///    of its classes' is.
/// 2. `rest` is free, and in no list.
#[derive(Debug)]
pub struct GoodFit<const QUICK: usize = 8, const LONG: usize = 4> {
    quick: Quick<QUICK, LONG>,
    rest: Name,
    rest_len: u32,
    rows: u32,
    classes: [u32; ROWS],
    heads: [u32; CLASSES],
}

/// The class that a length is in.
#[inline]
const fn class_of(len: u32) -> u32 {
    if len < SPLIT {
        return len;
    }
    let log = len.ilog2();
    let shift = log - SPLIT_BITS;
    // The leading bit of what is left adds the first row.
    (shift << SPLIT_BITS) + (len >> shift)
}

/// The least length of a class.
#[inline]
const fn least_of(class: u32) -> u32 {
    if class < SPLIT {
        return class;
    }
    let shift = (class >> SPLIT_BITS) - 1;
    (SPLIT + (class & (SPLIT - 1))) << shift
}

impl<const QUICK: usize, const LONG: usize> GoodFit<QUICK, LONG> {
    /// Most steps of a free. A step asks or changes one fact about one segment: at most a cache line.
    pub const FREE_STEPS: u32 = 26;

    /// Most steps of a request, one that is aligned or fails included.
    pub const REQUEST_STEPS: u32 = {
        // What is looked at, a segment taken off its list, up to two cuts and what they leave listed.
        let once = 2 * (LOOKS + LAST_LOOKS) + 24;
        let quick = (quick::SHORT * QUICK + quick::LONG * LONG) as u32;
        // Quick segments are freed for good before a request fails, and then it looks again.
        if quick == 0 { once } else { 2 * once + quick * (Self::FREE_STEPS + 1) }
    };

    #[inline]
    fn set(&mut self, class: u32) {
        let row = class >> SPLIT_BITS;
        self.classes[row as usize] |= 1 << (class & (SPLIT - 1));
        self.rows |= 1 << row;
    }

    #[inline]
    fn clear(&mut self, class: u32) {
        let row = class >> SPLIT_BITS;
        let word = &mut self.classes[row as usize];
        *word &= !(1 << (class & (SPLIT - 1)));
        if *word == 0 {
            self.rows &= !(1 << row);
        }
    }

    /// The first class from `class` on that has a segment.
    #[inline]
    fn class_from(&self, class: u32) -> Option<u32> {
        let row = class >> SPLIT_BITS;
        let here = *self.classes.get(row as usize)? >> (class & (SPLIT - 1));
        if here != 0 {
            return Some(class + here.trailing_zeros());
        }
        let above = self.rows & (u32::MAX << 1) << row;
        if above == 0 {
            return None;
        }
        let row = above.trailing_zeros();
        Some((row << SPLIT_BITS) + self.classes[row as usize].trailing_zeros())
    }

    #[inline]
    fn unlist<M: Bookkeeping>(&mut self, meta: &mut M, class: u32, segment: Name) {
        let head = &mut self.heads[class as usize];
        list::unlink(meta, head, segment);
        if *head == 0 {
            self.clear(class);
        }
    }

    /// A segment of `class` of at least `need` units among the first `looks`.
    #[inline]
    fn search<M: Bookkeeping>(&self, meta: &M, class: u32, need: u32, looks: u32) -> Option<Piece> {
        let mut at = Name(self.heads[class as usize]);
        for _ in 0..looks {
            if at.is_none() {
                return None;
            }
            let len = meta.len(at);
            if len >= need {
                return Some(Piece { name: at, len });
            }
            at = list::next(meta, at);
        }
        None
    }

    #[inline]
    fn take_rest(&mut self) -> Piece {
        let rest = Piece { name: self.rest, len: self.rest_len };
        (self.rest, self.rest_len) = (Name::NONE, 0);
        rest
    }
}

impl<const QUICK: usize, const LONG: usize> Index for GoodFit<QUICK, LONG> {
    const NEW: Self = Self {
        quick: Quick::NEW,
        rest: Name::NONE,
        rest_len: 0,
        rows: 0,
        classes: [0; ROWS],
        heads: [0; CLASSES],
    };

    #[inline]
    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece> {
        let own = class_of(need);
        // Every segment from `sure` on is long enough: its class begins at `need` or above.
        let sure = if least_of(own) == need { own } else { own + 1 };
        let mut found = None;
        if sure != own {
            found = self.search(meta, own, need, LOOKS);
        }
        if found.is_none() {
            let class = self.class_from(sure);
            if self.rest_len >= need && class.is_none_or(|class| self.rest_len <= least_of(class)) {
                return Some(self.take_rest());
            }
            found = match class {
                Some(class) => {
                    let name = Name(self.heads[class as usize]);
                    let piece = Piece { name, len: meta.len(name) };
                    self.unlist(meta, class, name);
                    return Some(piece);
                }
                None => self.search(meta, own, need, LAST_LOOKS),
            };
        }
        let piece = found?;
        self.unlist(meta, own, piece.name);
        Some(piece)
    }

    #[inline]
    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        let class = class_of(piece.len);
        let head = &mut self.heads[class as usize];
        let was_empty = *head == 0;
        list::push(meta, head, piece.name);
        if was_empty {
            self.set(class);
        }
    }

    #[inline]
    fn insert_rest<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        if self.rest_len != 0 {
            let old = self.take_rest();
            self.insert(meta, old);
        }
        (self.rest, self.rest_len) = (piece.name, piece.len);
    }

    #[inline]
    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool {
        if piece.name == self.rest {
            self.take_rest();
            return true;
        }
        self.unlist(meta, class_of(piece.len), piece.name);
        false
    }

    fn largest<M: Bookkeeping>(&self, meta: &M) -> u32 {
        let mut largest = self.rest_len;
        if self.rows != 0 {
            let row = self.rows.ilog2();
            let class = (row << SPLIT_BITS) + self.classes[row as usize].ilog2();
            let mut at = Name(self.heads[class as usize]);
            while !at.is_none() {
                largest = largest.max(meta.len(at));
                at = list::next(meta, at);
            }
        }
        largest
    }

    #[inline]
    fn take_quick(&mut self, len: u32) -> Option<Name> {
        self.quick.take(len)
    }

    #[inline]
    fn keep_quick(&mut self, segment: Name, len: u32, free: u64, total: u64) -> bool {
        // Where little is free, what is freed is wanted joined.
        self.quick.keep(segment, len, || free.saturating_sub(total / 16) / 4)
    }

    fn drain_quick(&mut self) -> Option<Name> {
        self.quick.drain()
    }

    fn quick_units(&self) -> u64 {
        self.quick.units()
    }

    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool {
        let mut sound = true;
        for class in 0..CLASSES as u32 {
            let head = self.heads[class as usize];
            let row = class >> SPLIT_BITS;
            let bit = self.classes[row as usize] >> (class & (SPLIT - 1)) & 1 == 1;
            sound &= bit == (head != 0) && (self.rows >> row & 1 == 1 || !bit);
            sound &= list::validate(meta, head, &mut |name| {
                let len = meta.len(name);
                sound &= class_of(len) == class;
                seen(Piece { name, len });
            });
        }
        if !self.rest.is_none() {
            sound &= meta.is_free(self.rest) && meta.len(self.rest) == self.rest_len;
            seen(Piece { name: self.rest, len: self.rest_len });
        }
        sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::MOST_UNITS;

    #[test]
    fn classes_rise_with_lengths_and_begin_where_they_say() {
        let mut last = 0;
        for len in (1..100_000).chain([MOST_UNITS - 1, MOST_UNITS]) {
            let class = class_of(len);
            assert!(class >= last && (class as usize) < CLASSES, "{len}");
            assert!(least_of(class) <= len);
            assert!(len == MOST_UNITS || least_of(class + 1) > len);
            last = class;
        }
    }
}
