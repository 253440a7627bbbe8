//! `strata-page-frame`: the page frames of this suite as a general allocator. Memory: `mmap`, through
//! strata-os.

use super::forward::forward;
use crate::subject::{Description, OwnFigures, Subject};
use std::alloc::Layout;
use std::ops::Range;
use strata_page_frame::PageFrameAlloc;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(super) const VERSION: &str = "0.1.0";

/// The crate `strata-page-frame`: every block a run of frames of 64 bytes.
pub struct StrataPageFrame(PageFrameAlloc<64>);

impl StrataPageFrame {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(PageFrameAlloc::new())
    }
}

forward!(StrataPageFrame, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `good_size` is the true length of the block that a layout gets: all those bytes are the block's.
unsafe impl Subject for StrataPageFrame {
    fn describe(&self) -> Description {
        Description {
            name: "strata-page-frame".into(),
            version: VERSION.into(),
            purge_settings: "frames of 64 B; blocks of 1 MiB when freed".into(),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(self.0.good_size(layout))
    }

    fn purge(&self) -> bool {
        self.0.purge();
        true
    }

    fn for_each_free_range(&self, visit: &mut dyn FnMut(Range<usize>)) -> bool {
        self.0.free_ranges(visit);
        true
    }

    fn figures(&self) -> OwnFigures {
        let stats = self.0.stats();
        OwnFigures {
            allocated: stats.allocated.map(|bytes| bytes.get() as u64),
            active: stats.active.map(|bytes| bytes.get() as u64),
            resident: None,
            metadata: stats.metadata.map(|bytes| bytes.get() as u64),
            mapped: stats.reserved.map(|bytes| bytes.get() as u64),
        }
    }
}
