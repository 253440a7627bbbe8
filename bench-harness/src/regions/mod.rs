//! Allocators of blocks of any size over a fixed region, under measurement: what of the region can be
//! used, what a call costs, and whether blocks keep apart.
//!
//! The harness gives the region and looks at what is in it; the allocator gets no other memory for
//! blocks. All jobs but `check` run in this process, on the same warm range of addresses, in turns.
//!
//! - [`RegionSubject`] is what an allocator implements to take part; [`main!`](crate::main) with
//!   `regions` before its type gives the whole command.
//! - `fill`, `efficiency`, `phase`, `checkerboard`, `robson` and `overhead` tell of space; `pair`,
//!   `churn`, `latency` and `translate` of time; `compact` of moving; `check` is the judge.

mod calibration;
mod compact;
mod fill;
mod gates;
mod ground;
mod heap;
mod holes;
mod job;
mod judge;
mod latency;
mod overhead;
mod peers;
mod robson;
mod row;
mod run;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod translate;

pub use calibration::{Buddies, FirstFit, FixedSlots, Sliding};
#[allow(unused_imports, unreachable_pub, reason = "without a feature there is no peer")]
pub use peers::*;
pub use subject::{Budget, Claims, Compacted, Entry, FreeBytes, RegionSubject, linked};

pub(crate) use gates::judged;
pub use ground::Ground;
pub(crate) use job::Workload;
#[doc(hidden)]
pub use job::{Job, Measured, enter};
pub(crate) use row::Row;
pub(crate) use run::{COMMAND, Options, run, side};
pub(crate) use table::{svg, text};

/// The schema of the JSON lines.
pub(crate) const SCHEMA: &str = "strata-regions/1";
