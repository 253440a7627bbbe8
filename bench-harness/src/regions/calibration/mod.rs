//! Allocators of regions with known answers.

mod buddies;
mod first_fit;
mod sliding;
mod slots;

pub use buddies::Buddies;
pub use first_fit::FirstFit;
pub use sliding::Sliding;
pub use slots::FixedSlots;
