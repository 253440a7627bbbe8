//! Pools of equal blocks under measurement: what a pair costs, whether threads meet, and what is kept
//! when nothing is in use.
//!
//! Every pool holds values of one type, a [`Payload`] of 64 bytes of which a program writes one word.
//! Times are measured in this process, in turns; what a pool keeps of the system's memory, and whether
//! its blocks keep apart, in a process of its own.
//!
//! - [`PoolSubject`] is what a pool implements to take part; [`main!`](crate::main) with `pools` (or
//!   `shared pools`, where threads may share it) before its type gives the whole command.
//! - `raw-list`, an intrusive list without anything else, is the lower bound; `private-arrays`, an array
//!   for each thread, is the control of the machine's own scaling.

mod calibration;
mod cross;
mod gates;
mod idle;
mod job;
mod judge;
mod peers;
mod ring;
mod row;
mod run;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod time;

pub use calibration::{PrivateArrays, RawList};
#[allow(unused_imports, unreachable_pub, reason = "without a feature there is no peer")]
pub use peers::*;
pub use subject::{Claims, Entry, Payload, PoolFigures, PoolLocal, PoolSubject, linked};

pub(crate) use gates::judged;
pub(crate) use job::Workload;
#[doc(hidden)]
pub use job::{Job, Measured, enter, enter_shared};
pub(crate) use row::Row;
pub(crate) use run::{COMMAND, Options, run, side};
pub(crate) use table::text;

/// The schema of the JSON lines.
pub(crate) const SCHEMA: &str = "strata-pools/1";
