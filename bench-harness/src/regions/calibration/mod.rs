//! Allocators of regions with known answers.

mod first_fit;
mod sliding;
mod slots;

pub use first_fit::FirstFit;
pub use sliding::Sliding;
pub use slots::FixedSlots;
