//! Where the resident memory of a stopped child is.
//!
//! The parent reads the child's [pages](scan), its table of live blocks and the history of pages,
//! and splits every resident byte into the terms of the [waterfall].

mod absorption;
mod classes;
mod gaps;
mod map;
mod pages;
pub(crate) mod scan;
pub(crate) mod strides;
mod waterfall;

pub(crate) use absorption::absorption;
pub(crate) use classes::classes;
pub(crate) use gaps::gaps;
pub(crate) use map::heap_map;
pub(crate) use waterfall::{Baseline, Reading, read};
