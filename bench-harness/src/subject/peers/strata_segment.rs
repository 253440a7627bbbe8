//! `strata-segment`: the segments of this suite as a general allocator, eight shards of them. Memory:
//! `mmap`, through strata-os.

use super::forward::forward;
use crate::subject::{Description, Subject};
use strata_segment::SegmentAlloc;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(super) const VERSION: &str = "0.1.0";

/// The crate `strata-segment`, as its global allocator.
pub struct StrataSegment(SegmentAlloc);

impl StrataSegment {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(SegmentAlloc::new())
    }
}

forward!(StrataSegment, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. There is no usable-size hook: a free compares the length that was asked for.
unsafe impl Subject for StrataSegment {
    fn describe(&self) -> Description {
        Description {
            name: "strata-segment".into(),
            version: VERSION.into(),
            purge_settings: "whole regions, with hysteresis".into(),
            calibration: false,
        }
    }

    fn purge(&self) -> bool {
        self.0.face().trim();
        true
    }
}
