#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", strata_loom, test))]
extern crate std;

/// An open lock of a type, in a constant or, in models, not.
#[cfg(not(strata_loom))]
macro_rules! new_lock {
    ($lock:ty) => {
        <$lock>::OPEN
    };
}
#[cfg(strata_loom)]
macro_rules! new_lock {
    ($lock:ty) => {
        <$lock>::open()
    };
}

#[cfg(feature = "allocator-api2")]
mod allocator;
mod block_pool;
mod blocks;
mod cache;
mod check;
mod config;
mod depot;
mod error;
mod explicit;
mod global;
mod handle;
mod local;
mod manage;
#[cfg(all(test, strata_loom))]
mod models;
mod pool;
mod pool_arc;
mod pool_box;
mod static_pool;
mod stats;
mod store;
mod system;

#[cfg(feature = "allocator-api2")]
pub use allocator::AllocatorSource;
pub use block_pool::BlockPool;
pub use check::Broken;
pub use config::Config;
pub use error::{FixedError, Misuse, PoolFull};
pub use explicit::ThreadCache;
pub use global::PoolAlloc;
pub use handle::{Handle, HandleError, HandlePool};
pub use local::LocalPool;
pub use pool::{Pool, PoolCache};
pub use pool_arc::{Counted, PoolArc};
pub use pool_box::PoolBox;
pub use static_pool::StaticPool;
pub use stats::PoolStats;
pub use strata_core::{ConfigError, Exhausted};
pub use system::{SystemLock, SystemSource};
