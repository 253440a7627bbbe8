//! Allocators that take turns in this process.
//!
//! What touches no memory of the system's, or only what the harness gives it, needs no child of its
//! own. Every job builds a fresh allocator, and the arms take turns, so that all of them see the
//! same drift of the machine:
//!
//! ```text
//! pair 1:  A  B  A'  control │ pair 2:  control  A'  B  A │ ...
//!          └──┴── ratio      │ A' is A once more: the noise
//! ```
//!
//! `frames`, `regions` and `pools` are made of this; what they measure is their own.

mod arms;
mod gate;
mod grid;
mod map;
mod side;
mod standing;
mod team;
mod ticks;
mod times;

pub(crate) use arms::{Arm, Contender, Wanted, begin, interleave};
pub(crate) use gate::{Bound, Gate, Verdict, gates_table, missed};
pub(crate) use grid::{add, fresh, headed, interval};
pub(crate) use map::Picture;
pub(crate) use side::{SIDE, answer, aside};
pub(crate) use standing::Standing;
pub(crate) use team::{Member, guarded, team};
pub(crate) use ticks::{Ticks, median_band};
pub(crate) use times::{Phase, Time, Timings, per_call, ratios};
