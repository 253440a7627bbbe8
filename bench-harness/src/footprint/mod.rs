//! Footprints: what an allocator holds of the system's memory at named points of small programs.
//!
//! Where [`run`](crate::run) replays recorded programs, a footprint [`Scenario`] is a few lines of
//! code of its own, each about one thing that memory is lost to. A fresh child runs one scenario on
//! one subject and reads its own private dirty bytes; the parent takes off what System's child has
//! at idle with the same bookkeeping.
//!
//! ```text
//! child:  bookkeeping mapped and touched │ one small block │ the scenario ... │ figures as JSON
//!                                        │                 └ idle             └ points, curve
//!                         System's idle ─┘ = the base of every figure of this scenario
//! ```

mod blocks;
mod dirty;
mod figures;
mod flow;
mod job;
mod pages;
mod process;
mod report;
mod rounds;
mod row;
mod run;
mod scenario;
mod spike;
mod stage;
mod table;

pub(crate) use self::table::text;
pub(crate) use blocks::{Zeroed, table};
pub(crate) use dirty::{anonymous, private_dirty};
pub(crate) use pages::{gone, page_bytes, without};
pub(crate) use process::answer;
pub(crate) use report::html;
pub(crate) use row::{Figure, Limit, Row, Unit, judged};
pub(crate) use run::{Options, run};
pub(crate) use scenario::Scenario;
pub(crate) use stage::enter;

/// The schema of the JSON lines.
pub(crate) const SCHEMA: &str = "strata-footprint/1";
