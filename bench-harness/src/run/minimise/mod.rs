//! The smallest part of a trace that still fails, or still fragments: delta debugging over blocks.

mod ddmin;
mod events;
mod search;

pub use search::{Goal, MinimiseOptions, Minimised, minimise};
