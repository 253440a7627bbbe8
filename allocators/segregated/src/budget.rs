//! How much memory without a live block a heap keeps: the policy, without a lock or a system call.
//!
//! The floor is the greater of [`FLOOR`] and an eighth of what is live. A program that soon wants
//! again what was purged pays for faults that a larger budget would have saved, so the budget
//! learns: each time purged memory is taken within [`SOON`] of its purge it doubles, up to what was
//! reused. Where that stops it halves, once per [`SOON`], at the next call that comes here.

/// Kept whatever is live.
pub(crate) const FLOOR: usize = 1 << 20;
/// Kept even where new memory is taken from the system.
pub(crate) const SPARE: usize = 16 << 10;
/// Milliseconds.
const SOON: u64 = 1000;
/// What a heap keeps of memory that holds no live block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GiveBack {
    /// As much as the budget says: the greater of 1 MiB and an eighth of what is live, and more
    /// where the program keeps taking back what was purged.
    #[default]
    Budget,
    /// As [`Budget`](Self::Budget), but while the heap grows nothing goes back to keep the peak low: what
    /// lies idle beside new memory stays until it is more than the budget. For programs that want time
    /// rather than the lowest peak.
    AfterPeaks,
    /// Nothing: every page goes as soon as no block is on it.
    Eager,
    /// As [`Budget`](Self::Budget), by the cheaper call that lets the system take the pages when it
    /// needs them: resident memory does not fall until then.
    Lazy,
    /// Everything: nothing is purged unless asked for.
    Never,
}

#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) mode: GiveBack,
    /// Bytes above the floor.
    learned: usize,
    /// Purged bytes that were taken again since the last purge that nobody regretted.
    reused: usize,
    /// Bytes purged to make up for a new peak, and not taken again so far.
    made_up: usize,
    last_purge: u64,
    last_reuse: u64,
    /// Idle bytes that served without being purged, at once at the most, since the last [`Budget::tick`].
    hit: usize,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self {
            mode: GiveBack::Budget,
            learned: 0,
            reused: 0,
            made_up: 0,
            last_purge: 0,
            last_reuse: 0,
            hit: 0,
        }
    }

    pub(crate) fn floor(live: usize) -> usize {
        FLOOR.max(live / 8)
    }

    /// Bytes that may be kept while `live` bytes are in use.
    pub(crate) fn limit(&self, live: usize) -> usize {
        match self.mode {
            GiveBack::Budget | GiveBack::AfterPeaks | GiveBack::Lazy => {
                Self::floor(live) + self.learned
            }
            GiveBack::Eager => 0,
            GiveBack::Never => usize::MAX,
        }
    }

    #[cfg(all(test, not(strata_loom)))]
    fn learned(&self) -> usize {
        self.learned
    }

    /// Whether `tick` has anything to find.
    pub(crate) fn is_learned(&self) -> bool {
        self.learned != 0
    }

    /// Something was purged.
    pub(crate) fn purged(&mut self, now: u64) {
        self.last_purge = now;
    }

    /// `bytes` were purged to make up for a new peak: that they are wanted again teaches nothing, for
    /// to keep them would have made the peak higher.
    pub(crate) fn made_up(&mut self, bytes: usize) {
        self.made_up += bytes;
    }

    /// `bytes` were taken that had been purged. Answers how many of them to make up for a peak.
    pub(crate) fn wanted_again(&mut self, bytes: usize, live: usize, now: u64) -> usize {
        let of_peaks = bytes.min(self.made_up);
        self.made_up -= of_peaks;
        let bytes = bytes - of_peaks;
        if now.wrapping_sub(self.last_purge) >= SOON {
            self.reused = 0;
            return of_peaks;
        }
        if bytes == 0 {
            return of_peaks;
        }
        self.last_reuse = now;
        self.reused += bytes;
        let doubled = Self::floor(live) + 2 * self.learned;
        // A quarter more than was missed: what is kept is not quite the memory that is wanted.
        self.learned = self.learned.max(doubled.min(self.reused + self.reused / 4));
        of_peaks
    }

    /// A large block was taken out of `bytes` that were kept.
    pub(crate) fn hit(&mut self, bytes: usize) {
        self.hit = self.hit.max(bytes);
    }

    /// Some time has passed.
    pub(crate) fn tick(&mut self, now: u64) {
        if now.wrapping_sub(self.last_reuse) >= SOON {
            self.last_reuse = now;
            // What is in use all the time was kept with reason.
            let hit = core::mem::take(&mut self.hit);
            self.learned = (self.learned / 2).max(self.learned.min(hit + hit / 4));
            self.reused = 0;
            if self.learned < FLOOR / 16 {
                self.learned = 0;
            }
        }
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_floor_is_fixed_or_an_eighth_of_what_is_live() {
        let budget = Budget::new();
        assert_eq!(budget.limit(0), FLOOR);
        assert_eq!(budget.limit(64 * MIB), 8 * MIB);
    }

    #[test]
    fn memory_that_is_soon_wanted_again_is_kept_next_time_and_forgotten_later() {
        let mut budget = Budget::new();
        budget.purged(5000);
        for _ in 0..96 {
            budget.wanted_again(MIB / 16, 0, 5010);
        }
        assert!((6 * MIB..8 * MIB).contains(&budget.learned()), "{}", budget.learned());
        budget.tick(5500);
        assert!(budget.learned() >= 6 * MIB, "too soon to forget");
        let mut now = 6100;
        while budget.is_learned() {
            budget.tick(now);
            now += 1000;
        }
        assert!(now < 6100 + 12 * 1000);
        assert_eq!(budget.limit(0), FLOOR);
    }

    #[test]
    fn what_is_kept_and_used_stays_learned() {
        let mut budget = Budget::new();
        budget.purged(1);
        for _ in 0..20 {
            budget.wanted_again(16 * MIB, 0, 2);
        }
        for second in 1..60 {
            budget.hit(16 * MIB);
            budget.tick(1000 * second + 10);
        }
        assert!((16 * MIB..=20 * MIB).contains(&budget.learned()), "{}", budget.learned());
        (60..90).for_each(|second| budget.tick(1000 * second + 10));
        assert!(!budget.is_learned());
    }

    #[test]
    fn one_reuse_at_most_doubles() {
        let mut budget = Budget::new();
        budget.purged(1);
        budget.wanted_again(100 * MIB, 0, 2);
        assert_eq!(budget.learned(), FLOOR);
        budget.wanted_again(1, 0, 2);
        assert_eq!(budget.learned(), 3 * FLOOR);
    }

    #[test]
    fn what_was_purged_for_a_peak_teaches_nothing() {
        let mut budget = Budget::new();
        budget.purged(1);
        budget.made_up(4 * MIB);
        assert_eq!(budget.wanted_again(4 * MIB, 0, 2), 4 * MIB);
        assert_eq!(budget.learned(), 0);
        budget.wanted_again(4 * MIB, 0, 2);
        assert_eq!(budget.learned(), FLOOR);
    }

    #[test]
    fn what_is_wanted_long_after_teaches_nothing() {
        let mut budget = Budget::new();
        budget.purged(1000);
        budget.wanted_again(100 * MIB, 0, 2000);
        assert_eq!(budget.learned(), 0);
    }

    #[test]
    fn the_modes_are_their_extremes() {
        let mut budget = Budget::new();
        budget.mode = GiveBack::Eager;
        assert_eq!(budget.limit(1 << 30), 0);
        budget.mode = GiveBack::Never;
        assert_eq!(budget.limit(0), usize::MAX);
    }
}
