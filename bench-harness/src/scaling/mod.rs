//! Scaling: what threads that share no block cost one another.
//!
//! Each thread does a [`Load`] of its own. What they have in common is the allocator, and the
//! machine: a second processor that is slower, memory that is shared, a host that gives time to
//! others. So there are two controls, in windows in between:
//!
//! - two *processes* of one thread each under the same load: they have the machine in common and
//!   nothing of the allocator, so that what two threads do less is what they lose by sharing;
//! - the same threads on arrays of their own without any allocator: one's scaling by that of a loop
//!   that waits for its own results. Where processors are halves of a core, their own or a
//!   neighbour's, such a loop gets all that it can use and one that does four instructions a cycle
//!   does not: where this gate fails and the first one passes, the machine is what does not scale.
//!
//! ```text
//! parent: sitting 1 │ child of A │ child of B │ …      sitting 2, in another order …
//! child:  round:      windows of the subject, of the control, of the control once more,
//!                     each on 1, 2, … 64 threads, and of the subject in two processes, in an order
//!                     by chance
//! window:             threads set up, meet, settle │ counted while the clock runs │ stop
//! ```
//!
//! One thread is counted on each of the two processors that two threads are on, half a window each,
//! with the numbers of the thread that is there: were it on one of them only, or with the same numbers
//! twice, what the other is slower would pass for a loss by sharing.
//!
//! The control once more is the A/A arm. A sitting gives one value, the median over its rounds: the
//! rounds of one process share its addresses and are not independent. The interval is over sittings.

mod crew;
mod figures;
mod job;
mod load;
mod process;
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
