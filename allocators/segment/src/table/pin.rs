//! Pins: what says that a segment must stay where it is. One word a segment.
//!
//! Guards of pins are given out by the table's owner and dropped on any thread, while the owner
//! goes on to compact. So the word is atomic. All it has to order is the last access through a
//! guard before the first one of the table after it.

use strata_core::const_unless_loom;
use strata_core::sync::{AtomicU32, Ordering};

/// How one segment is pinned. Tables take them as a slice, one for each descriptor.
#[derive(Debug)]
pub struct PinWord(AtomicU32);

/// No pin.
const FREE: u32 = 0;
/// One pin that allows writing, and no other. Any lesser number counts pins for reading.
const EXCLUSIVE: u32 = u32::MAX;

impl PinWord {
    const_unless_loom! {
        /// No pin.
        pub fn new() -> Self {
            Self(AtomicU32::new(FREE))
        }
    }

    /// One more pin for reading; `false` where one for writing, or a count that is full, is in the
    /// way.
    pub(super) fn share(&self) -> bool {
        // Acquire: partner of the release in `unexclude`. What was written through that pin is read
        // through this one.
        let more = |pins| (pins < EXCLUSIVE - 1).then(|| pins + 1);
        self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).is_ok()
    }

    /// A pin for reading is gone.
    pub(super) fn unshare(&self) {
        // Release: partner of the acquires in `is_free` and `exclude`. Reads through the pin come
        // before what the table or another pin writes there.
        let before = self.0.fetch_sub(1, Ordering::Release);
        debug_assert!(before != FREE && before != EXCLUSIVE, "a pin for reading was here");
    }

    /// The one pin for writing; `false` where there is any pin.
    pub(super) fn exclude(&self) -> bool {
        // Acquire: partner of the releases in `unshare` and `unexclude`.
        self.0.compare_exchange(FREE, EXCLUSIVE, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The pin for writing is gone.
    pub(super) fn unexclude(&self) {
        debug_assert!(self.0.load(Ordering::Relaxed) == EXCLUSIVE, "a pin for writing was here");
        // Release: partner of the acquires in `share`, `exclude`, `is_free` and `is_readable`. What
        // was written through the pin comes before what the table reads or moves.
        self.0.store(FREE, Ordering::Release);
    }

    /// Whether nothing pins the segment. It stays so for as long as the table's owner makes no pin.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        // Acquire: partner of the releases in `unshare` and `unexclude`.
        self.0.load(Ordering::Acquire) == FREE
    }

    /// Whether no pin for writing is there. It stays so for as long as the table's owner makes none.
    #[inline]
    pub(super) fn is_readable(&self) -> bool {
        // Acquire: partner of the release in `unexclude`.
        self.0.load(Ordering::Acquire) != EXCLUSIVE
    }
}

impl Default for PinWord {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn many_may_read_or_one_may_write() {
        let pin = PinWord::new();
        assert!(pin.share() && pin.share());
        assert!(!pin.exclude() && !pin.is_free() && pin.is_readable());
        pin.unshare();
        assert!(!pin.exclude());
        pin.unshare();
        assert!(pin.is_free() && pin.exclude());
        assert!(!pin.share() && !pin.exclude() && !pin.is_free() && !pin.is_readable());
        pin.unexclude();
        assert!(pin.is_free() && pin.is_readable());
    }

    #[test]
    fn a_full_count_takes_no_more() {
        let pin = PinWord(AtomicU32::new(EXCLUSIVE - 2));
        assert!(pin.share());
        assert!(!pin.share(), "one more would read as a pin for writing");
        assert!(pin.is_readable());
    }
}
