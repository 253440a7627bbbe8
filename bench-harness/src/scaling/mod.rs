//! Scaling: what threads that share no block cost one another.
//!
//! Each thread does a [`Load`] of its own. What they have in common is the allocator, and the
//! machine: a second processor that is slower, memory that is shared, a host that gives time to
//! others. So the same threads also work on arrays of their own without any allocator, in windows in
//! between; what an allocator loses is what it loses beyond that control.
//!
//! ```text
//! parent: sitting 1 │ child of A │ child of B │ …      sitting 2, in another order …
//! child:  round:      windows of the subject, of the control, of the control once more,
//!                     each on 1, 2, … 64 threads, in an order by chance
//! window:             threads set up, meet, settle │ counted while the clock runs │ stop
//! ```
//!
//! One thread is counted on each of the two processors that two threads are on, half a window each:
//! were it on one of them only, what the other is slower would pass for a loss by sharing.
//!
//! The control once more is the A/A arm. A sitting gives one value, the median over its rounds: the
//! rounds of one process share its addresses and are not independent. The interval is over sittings.

mod crew;
mod figures;
mod job;
mod load;
mod row;
mod run;
mod stage;
mod table;

pub(crate) use load::Load;
pub(crate) use row::{Row, judged};
pub(crate) use run::{Options, run};
pub(crate) use stage::enter;
pub(crate) use table::text;

/// The schema of the JSON lines.
pub(crate) const SCHEMA: &str = "strata-scaling/1";
