//! `strata-segregated`: the general-purpose allocator of this suite. Memory: `mmap`, through
//! strata-os.

use super::forward::forward;
use crate::subject::{Description, OwnFigures, Subject};
use std::alloc::Layout;
use strata_segregated::SegregatedAlloc;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(super) const VERSION: &str = "0.1.0";

/// The crate `strata-segregated`: its process heap, by default settings.
///
/// It does not declare its free ranges: its walk flushes the thread's stocks first, and a stop must
/// not change the memory that is read there.
pub struct StrataSegregated(SegregatedAlloc);

impl StrataSegregated {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(SegregatedAlloc::new())
    }
}

forward!(StrataSegregated, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `good_size` is the true length of the block that a layout gets: all those bytes are the block's.
unsafe impl Subject for StrataSegregated {
    fn describe(&self) -> Description {
        Description {
            name: "strata-segregated".into(),
            version: VERSION.into(),
            purge_settings: "retained <= max(1 MiB, live/8), learned".into(),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(self.0.good_size(layout))
    }

    /// Flushes the calling thread's stocks and purges the whole heap.
    fn purge(&self) -> bool {
        self.0.purge();
        true
    }

    fn figures(&self) -> OwnFigures {
        let stats = self.0.stats();
        OwnFigures {
            allocated: stats.allocated.map(|bytes| bytes.get() as u64),
            active: stats.active.map(|bytes| bytes.get() as u64),
            resident: stats.committed.map(|bytes| bytes.get() as u64),
            metadata: stats.metadata.map(|bytes| bytes.get() as u64),
            mapped: stats.reserved.map(|bytes| bytes.get() as u64),
        }
    }
}
