//! What a box needs of its pool.

use core::ptr::NonNull;

/// Gives blocks of one layout and takes them back. Sealed: implemented by the pools of this crate.
///
/// # Safety
///
/// Implementors promise that
/// 1. a block that was taken is nobody else's until it is put back, holds the layout that the pool
///    was made for, and stays where it is when the pool is moved;
/// 2. a block may be put back by any thread that may use a shared reference to the pool.
pub unsafe trait Blocks {
    /// Takes a block; `None` where there is none.
    fn take_block(&self) -> Option<NonNull<u8>>;

    /// Puts a block back.
    ///
    /// # Safety
    ///
    /// 1. `block` came from this pool, was not put back since, and is used no more.
    unsafe fn put_block(&self, block: NonNull<u8>);
}

/// A pool whose blocks hold a `T`. Sealed, as [`Blocks`] is.
///
/// # Safety
///
/// Implementors promise that
/// 1. blocks are as long as a `T` at least, and aligned for it.
pub unsafe trait BlocksOf<T>: Blocks {}

/// A pool whose memory can outlive it.
///
/// # Safety
///
/// Implementors promise that
/// 1. after `note_pinned`, a pool that ends while blocks are out leaves all of its memory as it is,
///    for ever.
pub unsafe trait KeepsPinned: Blocks {
    /// Says that a value in a block was pinned.
    fn note_pinned(&self);
}

/// Tells the compiler to lay the code of a branch out of the way, where the other one is the pair's
/// that all are measured by. (A cold function marks the block that calls it; hashbrown's trick.)
#[cold]
#[inline(always)]
pub(crate) fn unlikely() {}
