//! Subjects with analytically known answers, against which the instrument itself is checked.
//!
//! | subject | what it shows, whatever the trace |
//! |---|---|
//! | [`Noop`] | nothing: the cost of the instrument alone |
//! | [`NeverFrees`] | holes + kept = the touched bytes of freed blocks |
//! | [`PowersOfTwo`] | rounding = Σ (power of two ≥ size, at least 16) − size over the live blocks |
//! | [`Header64`] | 64 bytes of block header for each live block |
//! | [`FirstFit`] | its free ranges are all that its 8 MiB can serve; by name only |
//!
//! None of them calls an allocator: their memory is a mapping of their own.

mod first_fit;
mod header;
mod never_frees;
mod noop;
mod powers;
mod region;
mod spin;
#[cfg(test)]
mod tests;

pub use first_fit::FirstFit;
pub use header::Header64;
pub use never_frees::NeverFrees;
pub use noop::Noop;
pub use powers::PowersOfTwo;

pub(crate) use region::Region;
pub(crate) use spin::Spin;

use std::alloc::{GlobalAlloc, Layout};

/// The unit that every calibration subject rounds sizes to: what C promises of `malloc`.
pub(crate) const GRANULE: usize = 16;

/// `bytes` rounded up to a whole number of granules, at least one.
pub(crate) const fn granules(bytes: usize) -> usize {
    if bytes == 0 { GRANULE } else { (bytes + (GRANULE - 1)) & !(GRANULE - 1) }
}

/// The subjects of fixed memory, which no listing shows.
pub(crate) fn fixed() -> Vec<super::Entry> {
    vec![crate::subject!(FirstFit, FirstFit::new())]
}

/// The description of a calibration subject; its version is this crate's.
fn describe(name: &str) -> super::Description {
    super::Description {
        name: name.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        purge_settings: "never".into(),
        calibration: true,
    }
}

/// Reallocates by allocating, copying and freeing.
///
/// # Safety
///
/// 1. The obligations of [`GlobalAlloc::realloc`].
unsafe fn move_block<A: GlobalAlloc>(
    allocator: &A,
    ptr: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: by obligation 1 `new_size`, rounded up to the alignment, is a valid size, and not 0;
    // the two blocks are both live, hence disjoint, and each has at least the bytes copied.
    unsafe {
        let new = allocator.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
        if !new.is_null() {
            std::ptr::copy_nonoverlapping(ptr, new, layout.size().min(new_size));
            allocator.dealloc(ptr, layout);
        }
        new
    }
}
