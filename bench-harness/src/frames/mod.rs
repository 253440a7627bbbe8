//! Frame allocators under measurement: time, scaling, fragmentation and exactness of any allocator
//! of power-of-two frames.
//!
//! A frame allocator hands out numbers and touches no memory of its own, so that a child process
//! each would measure nothing more: all jobs run in this process, interleaved. Each builds a fresh
//! allocator, warms it up, and runs under the clock on threads that start together.
//!
//! ```text
//! pair 1:  A  B  A'  control │ pair 2:  control  A'  B  A │ ...      each at 1, 2, … threads
//!          └──┴── ratio      │ A' is A once more: the noise; control is an array for each thread
//! ```
//!
//! - [`FrameSubject`] is what an allocator implements to take part: some dozen lines, and
//!   [`main!`](crate::main) with `frames` before its type gives the whole command.
//! - The workloads: `bulk`, `repeat`, `random` and `latency` are timed, `fragment` counts whole huge
//!   frames, `overlap` holds every frame that is handed out against a table of owners.

mod bulk;
mod calibration;
mod fragment;
mod indexes;
mod job;
mod latency;
mod map;
mod overlap;
mod peers;
mod random;
mod repeat;
mod row;
mod run;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod zone;

pub use calibration::{LockedBitmap, PrivateArrays};
#[cfg(feature = "buddy_system_allocator")]
pub(crate) use peers::BUDDY_VERSION;
#[cfg(feature = "buddy_system_allocator")]
pub use peers::Buddy;
#[cfg(all(test, feature = "strata-page-frame"))]
pub(crate) use peers::PAGE_FRAME_VERSION;
#[cfg(feature = "strata-page-frame")]
pub use peers::StrataPageFrame;
pub use subject::{Entry, FrameSubject, linked};

pub(crate) use job::Workload;
#[doc(hidden)]
pub use job::{Job, Measured, enter};
pub(crate) use map::svg;
pub(crate) use row::Row;
pub(crate) use run::{Options, run};
pub(crate) use table::text;

/// The schema of the JSON lines.
pub(crate) const SCHEMA: &str = "strata-frames/1";

/// Frames of a huge frame, and their order.
pub(crate) const HUGE: usize = 1 << HUGE_ORDER;
pub(crate) const HUGE_ORDER: u8 = 9;
