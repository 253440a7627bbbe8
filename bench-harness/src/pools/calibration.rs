//! Pools with known answers.

mod arrays;
mod list;

pub use arrays::PrivateArrays;
pub use list::RawList;
