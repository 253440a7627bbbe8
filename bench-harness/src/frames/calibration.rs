//! Frame allocators with known answers.

mod arrays;
mod bitmap;

pub use arrays::PrivateArrays;
pub use bitmap::LockedBitmap;
