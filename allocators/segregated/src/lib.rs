#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", strata_loom, test))]
extern crate std;

#[cfg(feature = "allocator-api2")]
mod allocator;
#[cfg(all(feature = "background", target_os = "linux", not(strata_loom)))]
mod background;
mod budget;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
pub mod by_address;
mod central;
mod check;
mod chunks;
pub mod class;
mod destroy;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod fork;
#[cfg(all(feature = "metrics", target_os = "linux", not(strata_loom)))]
mod gauges;
mod give_back;
mod global;
mod ground;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
#[cfg_attr(not(feature = "measures"), path = "unhardened.rs")]
mod hardened;
mod heap;
mod huge;
mod large;
#[cfg(any(all(feature = "std", target_os = "linux", not(strata_loom)), all(test, strata_loom)))]
mod lend;
mod limit;
#[cfg(all(test, strata_loom))]
mod models;
mod own;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod process;
#[cfg(all(feature = "profile", target_os = "linux", not(strata_loom)))]
pub mod profile;
#[cfg(any(all(feature = "std", target_os = "linux"), test))]
mod recover;
mod region;
mod report;
mod resident;
mod scraps;
mod shards;
mod shelf;
mod span;
mod stats;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod stocks;
mod territory;
mod transit;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod usage;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod wishes;
#[cfg(all(feature = "guard-metadata", target_os = "linux", not(strata_loom)))]
mod yard;

#[cfg(all(feature = "background", target_os = "linux", not(strata_loom)))]
pub use background::{Background, BackgroundError};
pub use budget::GiveBack;
pub use check::{Broken, Checked, Walked};
pub use destroy::StillLive;
#[cfg(all(feature = "metrics", target_os = "linux", not(strata_loom)))]
pub use gauges::Gauges;
#[cfg(feature = "std")]
pub use global::SegregatedAlloc;
pub use heap::Heap;
#[cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]
pub use limit::LimitBelowLive;
pub use report::{ClassReport, GivenBack, LargeReport, Report};
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
pub use strata_os::memory::HugePages;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
pub use usage::MemoryUsage;
