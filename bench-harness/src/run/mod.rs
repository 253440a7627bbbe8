//! Runs: every subject on every workload, each repetition in a child of its own.

mod arm;
mod beside;
mod callgrind;
mod check;
mod compare;
pub mod gate;
mod grid;
mod memory;
pub mod minimise;
mod others;
mod plan;
mod process;
mod progress;
mod provenance;
mod quiet;
mod single;
mod sitting;
mod suite;
mod time;
mod turns;
mod workload;

pub(crate) use arm::{ASK, Answer, Arm, CHILD};
pub use compare::{CompareOptions, Compared, compare, compare_stored};
pub use plan::{RunOptions, Suite};
pub use single::{MapOptions, ReplayOptions, map, replay};
pub use suite::run;
pub use workload::At;

pub(crate) use compare::table as compared_table;
pub(crate) use others::Others;
pub(crate) use plan::{arms, one, subjects, workload_names};
pub(crate) use process::signal_name;
pub(crate) use progress::Progress;
pub(crate) use provenance::header;
pub(crate) use single::{map_row, steady_addresses};
pub(crate) use workload::Workload;
