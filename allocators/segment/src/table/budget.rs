//! How much one call of `compact` may do.

use core::fmt;

/// The longest segment that moves under a budget that is not in bytes.
///
/// A segment is copied whole or not at all, so its length bounds by how much a budget of time is
/// exceeded.
pub const LONGEST_UNTOLD: usize = 256 << 10;

/// How much one call of [`compact`](super::SegmentTable::compact) may do. What it leaves, the next
/// call goes on with.
///
/// ```
/// use std::time::Instant;
/// use strata_segment::table::Budget;
/// let start = Instant::now();
/// let clock = || start.elapsed().as_nanos() as u64;
/// let pause = Budget::Time { ticks: 100_000, clock: &clock };
/// # let _ = pause;
/// ```
#[derive(Clone, Copy)]
pub enum Budget<'c> {
    /// So many bytes are copied at most. Strict: a segment that is longer does not move.
    Bytes(usize),
    /// So many segments move at most, none of them longer than [`LONGEST_UNTOLD`].
    Moves(usize),
    /// So much time may pass, on the caller's clock. Looking at segments that stay counts too.
    ///
    /// It is exceeded by at most the copy of one segment of [`LONGEST_UNTOLD`]; longer ones do not
    /// move. Nor is a copy begun that would exceed it at the pace of the copies before, but for the
    /// first of a call, so that each call gets on.
    Time {
        /// How much time, in the clock's unit.
        ticks: u64,
        /// What time it is, in any unit that is fine enough: a count that only rises, and may wrap.
        clock: &'c dyn Fn() -> u64,
    },
}

impl Budget<'_> {
    /// No bound: everything that can move moves.
    pub const ALL: Self = Self::Bytes(usize::MAX);

    /// The longest segment that moves under this budget.
    ///
    /// ```
    /// use strata_segment::table::Budget;
    /// assert_eq!(Budget::Bytes(1 << 20).longest(), 1 << 20);
    /// assert_eq!(Budget::Moves(7).longest(), 256 << 10);
    /// ```
    pub const fn longest(&self) -> usize {
        match self {
            Self::Bytes(bytes) => *bytes,
            Self::Moves(_) | Self::Time { .. } => LONGEST_UNTOLD,
        }
    }
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({bytes})"),
            Self::Moves(moves) => write!(f, "Moves({moves})"),
            Self::Time { ticks, .. } => write!(f, "Time({ticks})"),
        }
    }
}

/// Looks at segments that stay between two looks at the clock.
const LOOKS: usize = 32;
/// Copies below this length tell nothing about the pace: the clock's own cost is in them.
const TELLING: usize = 4 << 10;
/// Places after the binary point of a pace.
const POINT: u32 = 16;

/// How fast a table's copies are, in ticks a byte, learned from copies under budgets of time.
///
/// The slowest lately seen: it falls by an eighth with each faster copy, and at most doubles with a
/// slower one. So memory that is slower is known after a few copies, and one copy that was interrupted,
/// be it ever so short and the interruption long, does not idle many calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace(u64);

impl Pace {
    fn predict(self, len: usize) -> u64 {
        self.0.saturating_mul(len as u64) >> POINT
    }

    fn learn(&mut self, len: usize, ticks: u64) {
        if len >= TELLING {
            let seen = ticks.min(u64::MAX >> POINT).wrapping_shl(POINT) / len as u64;
            let most = if self.0 == 0 { u64::MAX } else { self.0.saturating_mul(2) };
            self.0 = seen.min(most).max(self.0 - self.0 / 8);
        }
    }
}

/// May this segment move in this call?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    Move,
    /// In a later call.
    Wait,
    /// Not under such a budget.
    Not,
}

/// What is left of a budget.
pub(super) struct Meter<'c, 'p> {
    budget: Budget<'c>,
    pace: &'p mut Pace,
    /// When the call began, and when the copy that runs did.
    start: u64,
    copy: u64,
    looks: usize,
    pub(super) moved_segments: usize,
    pub(super) moved_bytes: usize,
}

impl<'c, 'p> Meter<'c, 'p> {
    pub(super) fn new(budget: Budget<'c>, pace: &'p mut Pace) -> Self {
        let start = match budget {
            Budget::Time { clock, .. } => clock(),
            _ => 0,
        };
        Self { budget, pace, start, copy: start, looks: 0, moved_segments: 0, moved_bytes: 0 }
    }

    /// Whether a segment of `len` bytes may move now; if so, its copy begins.
    pub(super) fn may_move(&mut self, len: usize) -> May {
        if len > self.budget.longest() {
            return May::Not;
        }
        let fits = match self.budget {
            Budget::Bytes(bytes) => len <= bytes - self.moved_bytes,
            Budget::Moves(moves) => self.moved_segments < moves,
            Budget::Time { ticks, clock } => {
                self.copy = clock();
                let spent = self.copy.wrapping_sub(self.start);
                let first = self.moved_segments == 0;
                spent < ticks && (first || self.pace.predict(len) <= ticks - spent)
            }
        };
        if fits { May::Move } else { May::Wait }
    }

    /// A segment has moved that was allowed to.
    pub(super) fn moved(&mut self, len: usize) {
        self.moved_segments += 1;
        self.moved_bytes += len;
        if let Budget::Time { clock, .. } = self.budget
            && len >= TELLING
        {
            self.pace.learn(len, clock().wrapping_sub(self.copy));
        }
    }

    /// Looks at a segment that stays. `false` where the time is over.
    #[inline]
    pub(super) fn look(&mut self) -> bool {
        self.looks += 1;
        match self.budget {
            Budget::Time { ticks, clock } if self.looks.is_multiple_of(LOOKS) => {
                clock().wrapping_sub(self.start) < ticks
            }
            _ => true,
        }
    }

    pub(super) fn longest(&self) -> usize {
        self.budget.longest()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    #[test]
    fn bytes_are_strict() {
        let mut pace = Pace::default();
        let mut meter = Meter::new(Budget::Bytes(100), &mut pace);
        assert_eq!(meter.may_move(101), May::Not);
        assert_eq!(meter.may_move(60), May::Move);
        meter.moved(60);
        assert_eq!(meter.may_move(41), May::Wait);
        assert_eq!(meter.may_move(40), May::Move);
    }

    #[test]
    fn moves_are_counted_and_long_segments_stay() {
        let mut pace = Pace::default();
        let mut meter = Meter::new(Budget::Moves(1), &mut pace);
        assert_eq!(meter.may_move(LONGEST_UNTOLD + 1), May::Not);
        assert_eq!(meter.may_move(LONGEST_UNTOLD), May::Move);
        meter.moved(LONGEST_UNTOLD);
        assert_eq!(meter.may_move(1), May::Wait);
        assert_eq!(Meter::new(Budget::Moves(0), &mut pace).may_move(1), May::Wait);
    }

    #[test]
    fn no_copy_begins_that_would_exceed_the_time_but_a_calls_first() {
        let now = Cell::new(u64::MAX - 10); // the clock wraps in between
        let clock = || now.get();
        let pass = |ticks| now.set(now.get().wrapping_add(ticks));
        let budget = Budget::Time { ticks: 100, clock: &clock };
        let mut pace = Pace::default();
        let mut meter = Meter::new(budget, &mut pace);
        assert_eq!(meter.may_move(8192), May::Move);
        pass(40);
        meter.moved(8192);
        assert_eq!(meter.may_move(8192), May::Move, "40 of 60 ticks");
        pass(40);
        meter.moved(8192);
        assert_eq!(meter.may_move(8192), May::Wait, "40 of 20 ticks");
        assert_eq!(meter.may_move(2048), May::Move, "10 of 20 ticks");
        let mut next = Meter::new(budget, &mut pace);
        assert_eq!(next.may_move(1 << 16), May::Move, "the first of a call, though it takes 320");
        pass(100);
        next.moved(1 << 16);
        assert_eq!(next.may_move(1), May::Wait);
        assert!((0..LOOKS).any(|_| !next.look()), "looking ends too");
    }

    #[test]
    fn the_pace_forgets_an_interruption() {
        let mut pace = Pace::default();
        pace.learn(8192, 80);
        assert_eq!(pace.predict(8192), 80);
        pace.learn(8192, 8000);
        assert_eq!(pace.predict(8192), 160);
        (0..8).for_each(|_| pace.learn(8192, 80));
        assert!(pace.predict(8192) < 100, "{}", pace.predict(8192));
        (0..6).for_each(|_| pace.learn(8192, 2000));
        assert_eq!(pace.predict(8192), 2000, "what stays slow is believed");
        pace.learn(1, u64::MAX);
        (0..80).for_each(|_| pace.learn(8192, u64::MAX));
        let _ = pace.predict(usize::MAX); // no overflow
    }
}
