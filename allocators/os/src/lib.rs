#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

mod error;
#[cfg(feature = "memmap2")]
mod file;
mod lock;
pub mod memory;
mod source;
#[cfg(all(test, target_os = "linux", not(strata_loom)))]
mod tests;

pub use error::OsError;
#[cfg(feature = "memmap2")]
pub use file::FileMap;
pub use lock::FutexLock;
pub use source::{OsReserve, OsSource};
