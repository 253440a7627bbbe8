//! How many blocks a stock may hold.
//!
//! It starts small, doubles while it keeps running empty or over within few visits to the slow path,
//! and is halved when nothing happened in it for many. How few and how many depends on what its
//! blocks would cost: a stock of large blocks has to be asked for often. A thread that comes to the slow path
//! too seldom to lose time there has stocks that are large enough.

use crate::class;

/// Blocks that a stock holds at first, at most.
pub(super) const FIRST: usize = 8;
/// Blocks that a stock ever holds, at most: with the null below, an array of 16 KiB.
pub(super) const MOST: usize = 2047;
/// Blocks from which on a stock does not grow that is only ever full, where its thread frees blocks of
/// many classes, and where only of this one.
const PASSED_ON: [usize; 2] = [63, 255];
/// Visits in a row that found a stock full, after which it is one that is only ever full.
pub(super) const GAVE: u8 = 8;
/// Blocks that one refill takes, at most, and the first one after a flush.
pub(super) const REFILL: usize = 512;
const FIRST_REFILL: usize = 32;
/// Bytes of blocks that a stock holds at first, and ever.
const FIRST_BYTES: usize = 2 << 10;
/// Divided by a block's bytes: visits.
const SOON_BYTES: usize = 64 << 10;
const MOST_BYTES: usize = 1 << 20;
/// Bytes in stocks that a byte of new memory near the heap's peak takes back.
pub(super) const TRIMMED: usize = 8;
/// Visits to the slow path between two looks at what is live.
pub(super) const LOOK: u32 = 256;
/// Bytes of blocks that the stocks of a thread may grow by whatever other threads have, and ever.
const THREAD_BYTES: core::ops::Range<usize> = 256 << 10..2 << 20;
/// Classes that a sweep looks at, at most.
pub(super) const SWEPT: usize = 8;
/// Visits to the slow path of all classes between two looks for an idle one.
pub(super) const SWEEP: u32 = 16;

/// How often a thread visits the slow path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// In which millisecond it was looked at; zero while it never was.
    looked: u32,
    /// Whether longer stocks would save less than a thousandth of the time.
    is_slow: bool,
}

impl Pace {
    /// Visits between two looks, and as many milliseconds: a visit takes about a microsecond.
    pub(super) const LOOK: u32 = 64;

    pub(super) const NEW: Self = Self { looked: 0, is_slow: false };

    /// [`LOOK`](Self::LOOK) visits passed.
    pub(super) fn look(&mut self, millis: u64) {
        let now = (millis as u32).max(1);
        let before = core::mem::replace(&mut self.looked, now);
        self.is_slow = before != 0 && now.wrapping_sub(before) >= Self::LOOK;
    }

    /// Whether stocks may grow.
    pub(super) fn is_fast(self) -> bool {
        !self.is_slow
    }
}

/// Visits to the slow path of all classes between two to the one of `class` that double its stock.
pub(super) fn soon(class: usize) -> u16 {
    (SOON_BYTES / class::cut(class).block_len()).clamp(4, 1024) as u16
}

/// Visits to the slow path of all classes after which a stock is idle that had none of them.
pub(super) fn long(class: usize) -> u16 {
    16 * soon(class)
}

/// Blocks that the stock of `class` holds at first.
pub(super) fn first(class: usize) -> usize {
    (FIRST_BYTES / class::cut(class).block_len()).min(FIRST)
}

/// Blocks that the stock of `class` ever holds.
pub(super) fn most(class: usize) -> usize {
    (MOST_BYTES / class::cut(class).block_len()).clamp(2, MOST)
}

/// Whether a thread's stocks may grow to `bytes`, where those of all threads come to `all` then and
/// the heap's high mark is `high`.
pub(super) fn may_grow(bytes: usize, all: usize, high: usize) -> bool {
    bytes <= THREAD_BYTES.start || (bytes <= THREAD_BYTES.end && all <= 2 * high)
}

/// Whether a stock of `bound` blocks that is only ever full may grow, where the thread's stocks come to
/// `bytes` then, and it visits the slow path for this class every `turn` visits: it passes its blocks
/// on, and those of many classes would pin many pages until more are freed.
pub(super) fn may_pass_on(bound: usize, bytes: usize, high: usize, turn: u16) -> bool {
    let alone = is_alone(turn);
    let part = if alone { high / 4 } else { high / 16 };
    bound < PASSED_ON[usize::from(alone)] && bytes <= part.max(64 << 10)
}

/// Whether a class that a thread visits the slow path for every `turn` visits is about the only one.
fn is_alone(turn: u16) -> bool {
    turn <= 2
}

/// Whether blocks of such a class go to other threads as they are, from a stock of `bound` blocks that
/// was found full `gave` times in a row.
pub(super) fn passes_on(bound: usize, gave: u8, turn: u16) -> bool {
    gave >= GAVE && is_alone(turn) && bound > PASSED_ON[0]
}

/// Bytes of blocks that may be on their way so.
pub(super) fn most_passed(high: usize) -> usize {
    high / 4
}

/// Bytes of blocks in stocks that ended threads leave for the next ones, where the heap's high mark
/// is `high`: as many as there is memory. What the next threads take from them is neither flushed nor
/// refilled, which half of the mark made one block of six; beside a growing peak they are trimmed.
pub(super) fn most_left(high: usize) -> usize {
    high.clamp(64 << 10, 4 << 20)
}

/// Bytes that stocks which ended threads leave may take themselves.
pub(super) fn most_own_left(high: usize) -> usize {
    (high / 16).clamp(64 << 10, 2 << 20)
}

/// Which block of a refill of `got` goes out first where the refill begins with a page: one of those in that page, and
/// another for the next class.
///
/// Were it always the first one, the blocks of all classes that a program uses a few of at a time would share some sets
/// of a processor's first cache. After the colours of slabs (Bonwick, 1994); with no room left out for them.
#[cfg(any(test, not(feature = "measures")))]
pub(super) fn colour(class: usize, got: usize) -> usize {
    class % got.min(class::FRAME / class::cut(class).block_len()).max(1)
}

/// Blocks that the `nth` refill in a row takes into a stock that holds up to `bound`, from 1 on.
///
/// Half of it at most, but few at first: what is taken beyond the need overflows the stock when the
/// blocks come back, and then the next round would need a refill and a flush again.
pub(super) fn refill(bound: usize, nth: u8) -> usize {
    let most = FIRST_REFILL << nth.saturating_sub(1).min(8);
    bound.div_ceil(2).clamp(1, most.min(REFILL))
}

/// The bound after `now`: arrays are powers of two, and hold a null besides the blocks.
pub(super) fn grown(class: usize, now: usize) -> usize {
    let next = match now {
        0 => 1,
        1..FIRST => 2 * now,
        FIRST => 2 * FIRST - 1,
        _ => 2 * now + 1,
    };
    next.min(most(class)).max(now)
}

/// The bound below `now`.
pub(super) fn shrunk(class: usize, now: usize) -> usize {
    (now / 2).max(first(class))
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn colours_lie_in_the_refill_and_in_its_first_page() {
        for class in 0..class::CLASSES {
            let len = class::cut(class).block_len();
            for got in 1..=REFILL {
                let first = colour(class, got);
                assert!(first < got && (first == 0 || (first + 1) * len <= class::FRAME));
            }
        }
    }

    #[test]
    fn a_pace_is_that_of_the_last_visits() {
        let mut pace = Pace::NEW;
        for (millis, fast) in [(500, true), (500, true), (563, true), (627, false), (630, true)] {
            pace.look(millis);
            assert_eq!(pace.is_fast(), fast, "{millis}");
        }
        pace.look(u64::from(u32::MAX) + 631);
        assert!(pace.is_fast(), "the clock goes round");
    }

    /// A program that takes and puts back `batch` blocks in turn, which a stock of `bound` can hold,
    /// soon does so without a refill or a flush, whatever is in the stock at first.
    #[test]
    fn a_stock_settles_where_it_holds_all_that_goes_round() {
        let bound = 1024;
        for batch in (1..bound - FIRST_REFILL).step_by(9) {
            for start in (0..=bound).step_by(7) {
                let (mut len, mut took) = (start, 0);
                let settled = (0..40).any(|_| {
                    let mut visits = 0;
                    for _ in 0..batch {
                        if len == 0 {
                            took += 1;
                            len = refill(bound, took);
                            visits += 1;
                        }
                        len -= 1;
                    }
                    for _ in 0..batch {
                        if len == bound {
                            took = 0;
                            len = bound / 2;
                            visits += 1;
                        }
                        len += 1;
                    }
                    visits == 0
                });
                assert!(settled, "batches of {batch}, {start} in the stock at first");
            }
        }
    }

    #[test]
    fn stocks_grow_to_their_bounds_and_no_further() {
        for class in 0..class::CLASSES {
            let (mut bound, mut steps) = (first(class), 0);
            while grown(class, bound) > bound {
                bound = grown(class, bound);
                steps += 1;
            }
            assert_eq!(bound, most(class).max(first(class)));
            assert!(steps <= 12);
            let len = class::cut(class).block_len();
            assert!(bound * len <= MOST_BYTES.max(2 * len));
            assert!((bound + 1) * size_of::<usize>() <= 16 << 10);
            while bound > first(class) {
                bound = shrunk(class, bound);
            }
        }
    }
}
