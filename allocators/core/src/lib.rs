#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", strata_loom, test))]
extern crate std;

pub mod align;
pub mod chunk;
pub mod error;
pub mod list;
pub mod lock;
pub mod misuse;
pub mod source;
pub mod span;
pub mod state;
pub mod stats;
pub mod sync;
pub mod units;

pub use chunk::{Address, Chunk, Offset};
pub use error::{ConfigError, Exhausted};
pub use source::{Contents, Source};
pub use stats::Stats;
pub use units::{ByteCount, FrameId, Order, SizeClass};
