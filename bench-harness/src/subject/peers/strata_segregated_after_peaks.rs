//! `strata-segregated` as programs set it that want time rather than the lowest peak.

use super::StrataSegregated;
use super::forward::forward;
use crate::subject::{Description, OwnFigures, Subject};
use std::alloc::Layout;
use strata_segregated::{GiveBack, SegregatedAlloc};

/// The crate `strata-segregated` with [`GiveBack::AfterPeaks`].
pub struct StrataSegregatedAfterPeaks(StrataSegregated);

impl StrataSegregatedAfterPeaks {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(StrataSegregated::new())
    }
}

forward!(StrataSegregatedAfterPeaks, self => &self.0);

// SAFETY: 1. and 2. those of `StrataSegregated`, which everything is forwarded to.
unsafe impl Subject for StrataSegregatedAfterPeaks {
    fn describe(&self) -> Description {
        let description = self.0.describe();
        let settings = format!("{}; after peaks", description.purge_settings);
        Description {
            name: "strata-segregated-after-peaks".into(),
            purge_settings: settings,
            ..description
        }
    }

    fn begin(&self) {
        SegregatedAlloc::new().set_give_back(GiveBack::AfterPeaks);
    }

    unsafe fn usable_size(&self, ptr: *mut u8, layout: Layout) -> Option<usize> {
        // SAFETY: 1. the caller's.
        unsafe { self.0.usable_size(ptr, layout) }
    }

    fn purge(&self) -> bool {
        self.0.purge()
    }

    fn figures(&self) -> OwnFigures {
        self.0.figures()
    }
}
