//! Blocks of memory made longer and shorter.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::Segments;
use crate::error::{AllocError, ResizeError};
use crate::memory::wrong_free;
use crate::metadata::InBand;
use crate::policy::Policy;

impl<P: Policy> Segments<P, InBand> {
    /// Makes a block fit `new` where it begins: longer into the free neighbour above, or shorter. Costs
    /// what a free and a request cost.
    ///
    /// # Errors
    ///
    /// [`ResizeError`], by cause; nothing changed.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block from here, allocated with (or resized to) `old`.
    /// 2. Nobody uses what is beyond the end of `new`.
    #[inline]
    pub unsafe fn resize_in_place(
        &mut self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<(), ResizeError> {
        // SAFETY: 1. a block of ours lies in a region.
        if let Err(error) = unsafe { self.check(block, old) } {
            wrong_free(error);
        }
        let len = match Self::shape(new) {
            Ok((len, _)) => len,
            Err(AllocError::ZeroLen) => return Err(ResizeError::ZeroLen),
            Err(AllocError::Align) => return Err(ResizeError::Misaligned),
            Err(_) => return Err(ResizeError::TooLong),
        };
        if block.addr().get() & (new.align() - 1) != 0 {
            return Err(ResizeError::Misaligned);
        }
        match self.resize(self.piece_of(block), len) {
            Some(_) => Ok(()),
            None => Err(ResizeError::NoRoom),
        }
    }

    /// Makes a block fit `new`, whose alignment is no greater than `old`'s: in place where that can be, by
    /// sliding it down into the free neighbour below, or by a new block. Contents stay, up to the
    /// shorter of both; the block's address may be another.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause; the block is as it was.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block from here, allocated with (or resized to) `old`.
    /// 2. Where it succeeds, nobody uses `block` any more but by the pointer that is returned.
    pub unsafe fn reallocate(
        &mut self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: 1. the caller's. 2. as nobody uses the block meanwhile.
        match unsafe { self.resize_in_place(block, old, new) } {
            Ok(()) => return Ok(block),
            Err(ResizeError::NoRoom | ResizeError::Misaligned) => {}
            Err(_) => {
                return Self::shape(new).and(Err(AllocError::Exhausted));
            }
        }
        let kept = old.size().min(new.size());
        if let Some(slid) = self.slide_and_grow(block, new, kept) {
            return Ok(slid);
        }
        let to = self.allocate(new)?;
        // SAFETY: both are live blocks, and long enough; a fresh block overlaps none. 1. and 2. the
        // caller's.
        unsafe {
            to.copy_from_nonoverlapping(block, kept);
            self.deallocate(block, old);
        }
        Ok(to)
    }

    /// Grows a block over both its neighbours and moves its contents down.
    fn slide_and_grow(
        &mut self,
        block: NonNull<u8>,
        new: Layout,
        kept: usize,
    ) -> Option<NonNull<u8>> {
        let (len, align) = Self::shape(new).ok()?;
        let piece = self.piece_of(block);
        let more = len.checked_sub(piece.len)?;
        if align > 1 {
            return None;
        }
        let above = self.free_above(piece);
        let by = more.saturating_sub(above).max(1);
        let lowered = self.grow_low(piece, by)?;
        let to = self.pointer(lowered);
        // SAFETY: both lie in the block as it is now; the new header lies below both, and nothing was
        // written above it.
        unsafe { to.copy_from(block, kept) };
        let grown = self.resize(lowered, len);
        debug_assert!(grown.is_some(), "as much is free as was asked for");
        Some(to)
    }
}
