//! `strata-pool`: pools for eight lengths up to 256 bytes, and the system's allocator for the rest.
//! Memory of the pools: `mmap`, through strata-os.

use super::forward::forward;
use crate::subject::{Description, Subject};
use std::alloc::System;
use strata_pool::PoolAlloc;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(super) const VERSION: &str = "0.1.0";

/// The crate `strata-pool`, as its global allocator.
pub struct StrataPool(PoolAlloc<System>);

impl StrataPool {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(PoolAlloc::new(System))
    }
}

forward!(StrataPool, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. There is no usable-size hook: the crate has none.
unsafe impl Subject for StrataPool {
    fn describe(&self) -> Description {
        Description {
            name: "strata-pool".into(),
            version: VERSION.into(),
            purge_settings: "16 to 256 B; the rest is System's".into(),
            calibration: false,
        }
    }

    fn purge(&self) -> bool {
        self.0.trim();
        true
    }
}
