#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! - [`trace`]: what a program did, as a file and as a stream of events; [`record`]: making one;
//!   [`import`]: making one of what another tool wrote; [`mod@synth`]: of a measured profile.
//! - [`mod@subject`]: the allocators under measurement.
//! - [`script`]: a trace made ready for replay; [`child`]: the process that replays it.
//! - kernel: workloads written in Rust, for times that a replay's overhead would hide.
//! - scaling: what threads that share nothing cost one another.
//! - adversary: programs that look at the addresses they get.
//! - interleaved: allocators that take turns in one process, for [`frames`], allocators of page
//!   frames, [`regions`], allocators of blocks over a given region, and [`pools`] of equal blocks.
//! - [`run`]: the parent: which children, in which order, and what they say.
//! - [`check`]: the judge of a checked replay.
//! - [`mem`]: what the system knows of any process's memory; [`heap_report`]: what a heap of
//!   strata-segregated told of itself, drawn.
//! - [`results`]: rows with a versioned schema; [`report`]: the page made from them;
//!   [`explain()`]: a row in words.
//! - [`assert_frag!`]: one number for the tests of an allocator's own crate.
//! - [`heap`]: the harness's own heap, kept out of every figure; [`error`]: failures and exit codes.

mod adversary;
pub mod check;
pub mod child;
mod cli;
pub mod error;
mod explain;
mod footprint;
mod frag;
pub mod frames;
pub mod heap;
pub mod heap_report;
pub mod import;
mod interleaved;
mod kernel;
mod layers;
mod main_macro;
pub mod mem;
mod memory;
pub mod pools;
pub mod record;
pub mod regions;
pub mod report;
pub mod results;
pub mod run;
mod scaling;
pub mod script;
mod shared;
pub mod subject;
pub mod synth;
pub mod trace;

pub use cli::{Linked, command, command_with};
pub use explain::explain;
pub use frag::{Fragmentation, fragmentation};
pub use record::Recorder;
