//! Limits on memory and instructions against a stored baseline.
//!
//! Time is none of them: a stored time says nothing about today's machine. `compare` runs two
//! executables in turns instead.

mod baseline;
mod judge;
mod measure;
mod table;

pub use baseline::{Baseline, Figure, Measured, Metric};
pub use judge::{Limits, Verdict, judge};
pub(crate) use measure::NoIdle;
pub use measure::{GateOptions, against, record};
pub(crate) use table::{markdown, text};
