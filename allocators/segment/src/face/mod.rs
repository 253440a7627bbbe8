//! The faces: how a heap of segments is reached through a shared reference.

mod exclusive;
mod locked;
mod shared;
#[cfg(feature = "std")]
mod thread;

pub use exclusive::Exclusive;
pub use locked::Locked;
pub use shared::Shared;

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::error::AllocError;

/// A heap that is reached through a shared reference, for
/// [`SegmentAlloc`](crate::SegmentAlloc) and whoever else does not care which.
///
/// # Safety
///
/// Implementors promise that
/// 1. a block is memory for its layout that nobody else has until it is freed, also when the face is
///    moved;
/// 2. no method unwinds.
pub unsafe trait Face {
    /// A block for `layout`.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause.
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// 1. `block` came from here with this layout (or was resized to it), and was not freed since.
    /// 2. Nobody uses it any more.
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout);

    /// Makes a block fit `new`; contents stay, its address may be another.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause; the block is as it was.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block from here of `old`, whose alignment is no less than `new`'s.
    /// 2. Where it succeeds, nobody uses `block` any more but by the pointer that is returned.
    unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError>;

    /// Bytes that a block of `layout` really has, `None` where no such block can be.
    fn usable_size(&self, layout: Layout) -> Option<usize>;
}
