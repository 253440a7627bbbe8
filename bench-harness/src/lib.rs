//! strata-bench records what programs ask of their allocator.

pub mod error;
pub mod record;
pub mod trace;

pub use record::Recorder;
