#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", strata_loom, test))]
extern crate std;

#[cfg(all(feature = "allocator-api2", feature = "std", target_os = "linux", not(strata_loom)))]
mod allocator;
mod block;
mod bulk;
mod change;
mod check;
mod checked;
pub mod class;
mod entry;
mod error;
mod evacuate;
mod frames;
mod geometry;
mod global;
mod index;
mod journal;
mod local;
#[cfg(all(feature = "mapped", target_os = "linux"))]
pub mod mapped;
#[cfg(all(test, strata_loom))]
mod models;
pub mod paging;
mod quarter;
mod range;
#[cfg(any(all(feature = "std", target_os = "linux"), strata_loom))]
mod ready;
mod recover;
mod row;
mod run;
mod search;
mod setup;
mod slot;
mod source;
mod stats;
mod summary;
mod tables;
mod take;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod thread;
mod tree;
mod whole;
pub mod zones;

pub use check::{Broken, Checked, FrameState};
pub use class::{Class, Fit, Policy, separate, together};
pub use error::{ClaimError, FreeError, ZoneError};
pub use evacuate::{Candidate, Evacuation, Move};
pub use frames::PageFrames;
pub use geometry::Geometry;
#[cfg(all(feature = "std", not(strata_loom)))]
pub use global::PageFrameAlloc;
pub use local::Local;
pub use recover::Recovered;
pub use source::FrameSource;
pub use stats::FrameStats;
