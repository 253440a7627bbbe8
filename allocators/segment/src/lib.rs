#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", strata_loom, test))]
extern crate std;

mod check;
mod error;
mod face;
mod global;
mod growth;
mod heap;
mod memory;
mod metadata;
#[cfg(all(test, strata_loom))]
mod models;
mod offsets;
mod policy;
mod segments;
mod stats;
pub mod table;

pub use check::{Broken, Seen};
pub use error::{AllocError, ClaimError, FreeError, RegionError, ResizeError};
pub use face::{Exclusive, Face, Locked, Shared};
pub use global::SegmentAlloc;
pub use heap::Heap;
pub use memory::RegionId;
pub use metadata::{Entry, InBand, Metadata, OutOfBand, SegmentState};
pub use offsets::{RangeId, SegmentId, Slide};
pub use policy::{BestFit, Buddy, FirstFit, GoodFit, NextFit, Policy};
pub use segments::Segments;
pub use stats::SegmentStats;
