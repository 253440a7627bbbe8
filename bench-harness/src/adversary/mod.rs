//! Adversaries: small programs that look at the addresses they get, to make an allocator waste memory.
//!
//! A recorded trace asks for the same blocks whatever it is given. An adversary frees the very blocks
//! whose neighbours it keeps. Each program runs in a child of its own, on any subject, whose heap grows
//! as it likes; what it takes is read as anonymous memory and as pages that ever held a block. The
//! [`robson`] game is the same one that `regions` plays against allocators of fixed memory.
//!
//! ```text
//! program ─► Holder: take a block, give one back, where does it lie?
//!              ├─ Held     any subject, its heap growing        (this module)
//!              └─ Heap     a region, full at some time          (crate::regions)
//! ```

mod fill;
mod held;
mod holder;
mod holes;
mod idle;
mod job;
mod report;
pub(crate) mod robson;
mod row;
mod run;
mod stage;
mod table;

pub(crate) use holder::{Holder, usual_distance};
pub(crate) use job::Program;
pub(crate) use report::html;
pub(crate) use row::Row;
pub(crate) use run::{Options, run};
pub(crate) use stage::enter;
pub(crate) use table::text;

/// The schema of the JSON lines.
pub(crate) const SCHEMA: &str = "strata-adversary/1";
