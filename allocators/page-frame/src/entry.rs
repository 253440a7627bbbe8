//! What is known of one huge frame in 16 bits, and four of them in one word.
//!
//! ```text
//!   15    14    13    12..11   10..0
//! ┌──────┬──────┬──────┬────────┬───────────────┐
//! │ HUGE │ BUSY │ HELD │ claims │ used frames   │
//! └──────┴──────┴──────┴────────┴───────────────┘
//! ```
//!
//! - used: frames that are taken or promised. Whoever takes frames of a row charges them here
//!   first, whoever gives them back clears the row first: used is never less than the bits set in
//!   the rows, so that an entry of zero means that all rows are zero and nobody is at work on them.
//! - claims: how many are taking several rows of this huge frame at this moment.
//! - HELD: a stock works here. A hint: others stay away while they find something else.
//! - BUSY: taken whole, and whoever did it is filling or clearing the rows, or may still give it back.
//! - HUGE: all rows are full, whatever is free: taken whole, or, with nothing used, free and left so by
//!   its last owner, or cut in quarters, as the lowest four bits say, which are none of used's then:
//!   a bit for each quarter that is taken.
//!
//! Four entries make a word because up to four neighbours are taken with one exchange, and because
//! an atomic word may not be reached in two widths.

use crate::geometry::QUAD;

pub(crate) const USED: u16 = 0x07ff;
pub(crate) const CLAIM: u16 = 0x0800;
pub(crate) const CLAIMS: u16 = 0x1800;
pub(crate) const HELD: u16 = 0x2000;
pub(crate) const BUSY: u16 = 0x4000;
pub(crate) const HUGE: u16 = 0x8000;
/// Beside HUGE: the quarters that are taken. A quarter is a row at least, so that used keeps clear.
pub(crate) const QUARTERS: u16 = 0x000f;

/// One in each of the four lanes.
pub(crate) const LANES: u64 = 0x0001_0001_0001_0001;

/// The entry of one huge frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) u16);

impl Entry {
    pub(crate) const FREE: Self = Self(0);

    /// The entry of `huge` in its word.
    #[inline]
    pub(crate) const fn of(word: u64, huge: usize) -> Self {
        Self((word >> shift(huge)) as u16)
    }

    /// Taken and promised frames.
    #[inline]
    pub(crate) const fn used(self) -> u64 {
        (self.0 & USED & !((self.0 >> 15) * QUARTERS)) as u64
    }

    /// As [`used`](Self::used), of one that is not closed.
    #[inline]
    pub(crate) const fn in_rows(self) -> u64 {
        (self.0 & USED) as u64
    }

    /// Taken whole, and handed out.
    #[inline]
    pub(crate) const fn is_huge(self) -> bool {
        self.0 & (HUGE | BUSY | QUARTERS) == HUGE && self.0 & USED != 0
    }

    /// Free, with rows that are full still: whoever takes it whole need not fill them, whoever takes a
    /// part of it clears them first.
    #[inline]
    pub(crate) const fn is_stale(self) -> bool {
        self.0 & !HELD == HUGE
    }

    /// Cut in quarters, some of which are taken. Its rows are full.
    #[inline]
    pub(crate) const fn is_quartered(self) -> bool {
        self.0 & (HUGE | BUSY) == HUGE && self.0 & QUARTERS != 0
    }

    /// The taken quarters of one that is quartered; none of one that is free.
    #[inline]
    pub(crate) const fn quarters(self) -> u16 {
        self.0 & QUARTERS
    }

    /// Cut in quarters of `quarter` frames, of which these are taken; stale where none is.
    #[inline]
    pub(crate) const fn with_quarters(self, taken: u16, quarter: u64) -> Self {
        let used = taken.count_ones() as u16 * quarter as u16;
        Self(self.0 & HELD | HUGE | taken | used)
    }

    /// Taken whole, or just about to be taken or given back so.
    #[inline]
    pub(crate) const fn is_whole(self) -> bool {
        self.is_closed() && !self.is_stale() && !self.is_quartered()
    }

    /// Its rows are not to be touched.
    #[inline]
    pub(crate) const fn is_closed(self) -> bool {
        self.0 & (HUGE | BUSY) != 0
    }

    /// Not to be begun with: taken whole, or another works here.
    #[inline]
    pub(crate) const fn is_taboo(self) -> bool {
        self.0 & (BUSY | HELD) != 0 || self.0 & (HUGE | QUARTERS) == HUGE
    }

    #[inline]
    pub(crate) const fn is_held(self) -> bool {
        self.0 & HELD != 0
    }

    #[inline]
    pub(crate) const fn is_busy(self) -> bool {
        self.0 & BUSY != 0
    }

    /// Somebody is taking several words of it, or all of it, and may fail.
    #[inline]
    pub(crate) const fn in_flight(self) -> bool {
        self.0 & (BUSY | CLAIMS) != 0
    }

    /// With `frames` more promised, out of `capacity`.
    #[inline]
    pub(crate) const fn charge(self, frames: u64, capacity: u64) -> Option<Self> {
        if self.is_closed() || self.in_rows() + frames > capacity {
            return None;
        }
        Some(Self(self.0 + frames as u16))
    }

    /// With a stock at work, also where it took the last frame: others see that its tree has one.
    #[inline]
    pub(crate) const fn held(self) -> Self {
        Self(self.0 | HELD)
    }

    /// With a stock at work, unless all `capacity` frames are used: then there is nothing to stay away from,
    /// and the stock need not come back to say that it has left.
    #[inline]
    pub(crate) const fn held_until(self, capacity: u64) -> Self {
        if self.in_rows() < capacity { self.held() } else { Self(self.0 & !HELD) }
    }

    /// As [`charge`](Self::charge), and with one claim more.
    #[inline]
    pub(crate) const fn claim(self, frames: u64, capacity: u64) -> Option<Self> {
        if self.0 & CLAIMS == CLAIMS {
            return None;
        }
        match self.charge(frames, capacity) {
            Some(entry) => Some(Self(entry.0 + CLAIM)),
            None => None,
        }
    }
}

/// Where the entry of `huge` begins in its word.
#[inline]
pub(crate) const fn shift(huge: usize) -> u32 {
    (huge % QUAD) as u32 * 16
}

/// A mask over `count` lanes from that of `huge`; they lie in one word.
#[inline]
pub(crate) const fn lanes(huge: usize, count: usize) -> u64 {
    let all = if count == QUAD { u64::MAX } else { (1 << (count * 16)) - 1 };
    all << shift(huge)
}

/// The high bit of each lane whose entry is free for anyone, holds more than `above` and at most
/// `limit` used frames, which are less than those of a huge frame.
#[inline]
pub(crate) const fn between(word: u64, above: u16, limit: u16) -> u64 {
    // Lanes that are HELD or BUSY are above every limit, and so is what is taken whole: it has no room.
    // The claims bits are left out: they say nothing about room. So are the quarters of those that are
    // HUGE.
    let quarters = ((word & HIGH) >> 15) * QUARTERS as u64;
    let lanes = word & !(LANES * CLAIMS as u64) & !HIGH & !quarters;
    let more = (lanes | HIGH) - LANES * (above as u64 + 1);
    let less = ((LANES * limit as u64) | HIGH) - lanes;
    more & less & HIGH
}

/// The high bit of each lane.
const HIGH: u64 = LANES << 15;

/// The high bit of each lane whose huge frame is free, with no stock at work.
#[inline]
pub(crate) const fn free_lanes(word: u64) -> u64 {
    // One that is stale counts as zero; HUGE beside used frames is not.
    !((word & !HIGH) + (HIGH - LANES)) & HIGH
}

/// The high bit of each lane with used frames.
#[inline]
pub(crate) const fn used_lanes(word: u64) -> u64 {
    // A quarter is some frames at least, so that used is zero where no quarter is taken.
    ((word & (LANES * USED as u64)) + (HIGH - LANES)) & HIGH
}

/// The high bit of the first of each aligned group of `count` lanes, 1, 2 or 4, whose bits are set.
#[inline]
pub(crate) const fn groups(high: u64, count: usize) -> u64 {
    match count {
        1 => high,
        2 => high & high >> 16 & 0x0000_8000_0000_8000,
        _ => (high == HIGH) as u64 * 0x8000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_between_are_what_each_entry_says() {
        let quarters = HUGE | 384 | 7;
        let entries =
            [0, 1, 5, 511, 512, quarters, HELD, HELD | 5, BUSY | 512, HUGE | 512, CLAIM | 7];
        for a in entries {
            for b in entries {
                let word = u64::from(a) | u64::from(b) << 48 | 300 << 16 | u64::from(HUGE) << 32;
                for (above, limit) in [(0, 511), (0, 0), (4, 504), (299, 300), (300, 384)] {
                    let found = between(word, above, limit);
                    for huge in 0..4 {
                        let entry = Entry::of(word, huge);
                        let used = entry.used() as u16;
                        let fits = !entry.is_taboo() && used > above;
                        let expected = fits && used <= limit;
                        assert_eq!(found >> (shift(huge) + 15) & 1 == 1, expected, "{entry:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_charge_stops_at_the_capacity_and_at_whole_huge_frames() {
        assert_eq!(Entry(500).charge(12, 512), Some(Entry(512)));
        assert_eq!(Entry(500).charge(13, 512), None);
        assert_eq!(Entry(HELD | 3).charge(1, 512), Some(Entry(HELD | 4)));
        assert_eq!(Entry(HELD | 3).charge(509, 512), Some(Entry(HELD | 512)));
        assert_eq!(Entry(3).held(), Entry(HELD | 3));
        assert_eq!(Entry(HUGE | 512).charge(0, 512), None);
        assert_eq!(Entry(BUSY).charge(1, 512), None);
        assert_eq!(Entry(HUGE).charge(1, 512), None);
        assert_eq!(Entry(1).claim(128, 512), Some(Entry(CLAIM | 129)));
        assert_eq!(Entry(CLAIMS).claim(128, 512), None);
    }

    #[test]
    fn a_stale_huge_frame_is_free_and_closed() {
        let all =
            |entry: Entry| [entry.is_huge(), entry.is_stale(), entry.is_whole(), entry.is_closed()];
        assert_eq!(all(Entry(HUGE)), [false, true, false, true]);
        assert_eq!(all(Entry(HUGE | 512)), [true, false, true, true]);
        assert_eq!(all(Entry(BUSY | 512)), [false, false, true, true]);
        assert_eq!(all(Entry(HUGE | BUSY | 512)), [false, false, true, true]);
        assert_eq!(all(Entry(HELD | 512)), [false; 4]);
    }

    #[test]
    fn quarters_are_counted_and_kept_apart_from_what_is_whole_or_stale() {
        let cut = Entry(HELD).with_quarters(0b1010, 128);
        assert_eq!((cut.quarters(), cut.used(), cut.is_held()), (0b1010, 256, true));
        let all = cut.with_quarters(0b1111, 128);
        assert_eq!((all.used(), all.is_huge(), all.is_whole()), (512, false, false));
        assert!(cut.is_quartered() && all.is_quartered() && cut.is_closed());
        let none = all.with_quarters(0, 128);
        assert!(none.is_stale() && !none.is_quartered());
        assert_eq!(Entry(0).with_quarters(0b1111, 256).used(), 1024);
        assert!(!Entry(HUGE | 1024).is_quartered() && !Entry(HUGE | BUSY | 512).is_quartered());
    }

    #[test]
    fn lanes_are_free_or_used_as_each_entry_says() {
        let entries =
            [0, 1, HUGE, HUGE | 512, HELD, HUGE | HELD, BUSY | 512, 0x7fff, HUGE | 128 | 1];
        for a in entries {
            for b in entries {
                let word = u64::from(a) | u64::from(b) << 16 | u64::from(a) << 32;
                for (huge, entry) in [a, b, a, 0].map(Entry).into_iter().enumerate() {
                    let bit = 0x8000 << shift(huge);
                    let idle = entry.is_stale() || entry.0 & !HELD == 0;
                    assert_eq!(free_lanes(word) & bit != 0, idle && !entry.is_held(), "{entry:?}");
                    assert_eq!(used_lanes(word) & bit != 0, entry.used() > 0, "{entry:?}");
                }
            }
        }
    }

    #[test]
    fn groups_are_aligned_and_complete() {
        let high = |lanes: u64| (0..4).map(|lane| (lanes >> lane & 1) << (16 * lane + 15)).sum();
        for lanes in 0..16 {
            let pairs = [0b0011, 0b1100].map(|pair| lanes & pair == pair);
            let twos = u64::from(pairs[0]) | u64::from(pairs[1]) << 2;
            assert_eq!(groups(high(lanes), 1), high(lanes));
            assert_eq!(groups(high(lanes), 2), high(twos));
            assert_eq!(groups(high(lanes), 4), high(u64::from(lanes == 15)));
        }
    }

    #[test]
    fn masks_cover_their_lanes() {
        assert_eq!(lanes(0, 4), u64::MAX);
        assert_eq!(lanes(6, 2), 0xffff_ffff_0000_0000);
        assert_eq!(lanes(5, 1), 0xffff_0000);
    }
}
