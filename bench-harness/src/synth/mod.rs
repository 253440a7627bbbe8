//! Traces made of measured distributions: how often blocks of each size are asked for, and how many live.
//!
//! A profile is a table of sizes with a rate and a live count each, as fleet-wide profilers give. What
//! it does not say is when a block goes: by Little's law the mean lifetime of a size is its live count
//! by its rate, and a [`Law`] says how lifetimes lie about it. Memory is bounded by the live blocks,
//! however long the trace.

mod ends;
mod law;
mod make;
mod profile;
#[cfg(test)]
mod tests;

pub use law::Law;
pub use make::{Made, SynthOptions, synth};
