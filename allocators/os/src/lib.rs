#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(not(strata_loom))]
mod bell;
pub mod clock;
mod error;
#[cfg(feature = "memmap2")]
mod file;
pub mod fork;
pub mod library;
pub mod limits;
mod lock;
pub mod memory;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod pressure;
#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "process/unknown.rs")]
mod process;
pub mod random;
#[cfg(all(feature = "memmap2", target_os = "linux"))]
mod shared;
mod source;
pub mod stack;
#[cfg(all(test, target_os = "linux", not(strata_loom)))]
mod tests;
pub mod thread;

#[cfg(not(strata_loom))]
pub use bell::Bell;
pub use error::OsError;
#[cfg(feature = "memmap2")]
pub use file::FileMap;
pub use lock::FutexLock;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
pub use pressure::Pressure;
#[cfg(all(feature = "memmap2", target_os = "linux"))]
pub use shared::SharedMemory;
pub use source::{OsReserve, OsSource};
