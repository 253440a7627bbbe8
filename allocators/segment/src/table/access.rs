//! Access: what segmentation hardware checks, checked here; and pins.

use core::ptr::NonNull;
use core::slice;

use crate::policy::Policy;

use super::{Fault, Handle, Mover, Permissions, PinWord, Pinned, PinnedMut, SegmentTable};

impl<'m, P: Policy, M: Mover> SegmentTable<'m, P, M> {
    /// Where byte `offset` of the segment is now, checked as segmentation hardware checks an
    /// access: the segment exists, it grants `access`, and `len` bytes from `offset` on end within
    /// its limit.
    ///
    /// The answer is a place and no more. It is the segment's until the table is next changed: what
    /// follows is the caller's to know, or to leave to [`read`](Self::read), [`write`](Self::write)
    /// and pins, which borrow.
    ///
    /// Constant time, and no store.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`], [`Fault::Permission`] or [`Fault::Limit`].
    #[inline]
    pub fn translate(
        &self,
        handle: Handle,
        access: Permissions,
        offset: usize,
        len: usize,
    ) -> Result<M::Place, Fault> {
        self.descriptors.reach(handle, access, offset, len)
    }

    /// Pins the segment for reading: while the guard lives, on whichever thread, it does not move,
    /// change or end. There may be several.
    ///
    /// Constant time; one atomic exchange here, and one when the guard is dropped.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`]; [`Fault::Permission`] without [`READ`](Permissions::READ);
    /// [`Fault::Pinned`] while it is pinned for writing.
    pub fn pin(&self, handle: Handle) -> Result<Pinned<'m, M::Place>, Fault> {
        let limit = self.limit(handle)?;
        let base = self.translate(handle, Permissions::READ, 0, limit)?;
        let word = self.pin_word(handle);
        if !word.share() {
            return Err(Fault::Pinned);
        }
        Ok(Pinned::new(base, limit, word))
    }

    /// Pins the segment for reading and writing: as [`pin`](Self::pin), and nobody else has access
    /// to it.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`]; [`Fault::Permission`] without [`READ_WRITE`](Permissions::READ_WRITE);
    /// [`Fault::Pinned`] while there is any other pin on it.
    pub fn pin_mut(&mut self, handle: Handle) -> Result<PinnedMut<'m, M::Place>, Fault> {
        let limit = self.limit(handle)?;
        let base = self.translate(handle, Permissions::READ_WRITE, 0, limit)?;
        let word = self.pin_word(handle);
        if !word.exclude() {
            return Err(Fault::Pinned);
        }
        Ok(PinnedMut::new(base, limit, word))
    }

    /// Whether a guard is there.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`] for a stale handle.
    pub fn is_pinned(&self, handle: Handle) -> Result<bool, Fault> {
        self.descriptors.find(handle)?;
        Ok(!self.pin_word(handle).is_free())
    }
}

impl<P: Policy, M: Mover<Place = NonNull<u8>>> SegmentTable<'_, P, M> {
    /// The pin word of a segment that was just translated.
    ///
    /// # Safety
    ///
    /// 1. The handle's descriptor is there.
    #[inline]
    unsafe fn pin_word_of(&self, handle: Handle) -> &PinWord {
        // SAFETY: 1. of this function, and there is a word for each descriptor (invariant 4).
        unsafe { self.pins.get_unchecked(handle.index()) }
    }

    /// `len` bytes of the segment, from `offset` on.
    ///
    /// # Errors
    ///
    /// As [`translate`](Self::translate) for [`READ`](Permissions::READ), and [`Fault::Pinned`]
    /// while it is pinned for writing.
    #[inline]
    pub fn read(&self, handle: Handle, offset: usize, len: usize) -> Result<&[u8], Fault> {
        let base = self.translate(handle, Permissions::READ, offset, len)?;
        // SAFETY: 1. translated now.
        if !unsafe { self.pin_word_of(handle) }.is_readable() {
            return Err(Fault::Pinned);
        }
        // SAFETY: `len` bytes from `base` on are within the limit of a live segment: memory that is
        // initialised and the table's (invariants 1 and 2). Nobody writes there for as long as the
        // table is borrowed: `write` and moves need it mutably, and no guard for writing is there
        // nor can be made, for that needs it mutably too.
        Ok(unsafe { slice::from_raw_parts(base.as_ptr(), len) })
    }

    /// `len` bytes of the segment, from `offset` on, to change.
    ///
    /// # Errors
    ///
    /// As [`translate`](Self::translate) for [`READ_WRITE`](Permissions::READ_WRITE), since what
    /// can be changed through a slice can be read through it; and [`Fault::Pinned`] while there is
    /// any pin on it.
    #[inline]
    pub fn write(&mut self, handle: Handle, offset: usize, len: usize) -> Result<&mut [u8], Fault> {
        let base = self.translate(handle, Permissions::READ_WRITE, offset, len)?;
        // SAFETY: 1. translated now.
        if !unsafe { self.pin_word_of(handle) }.is_free() {
            return Err(Fault::Pinned);
        }
        // SAFETY: as in `read`. Nobody else has access for as long as the table is borrowed
        // mutably: no guard is there, nor can one be made.
        Ok(unsafe { slice::from_raw_parts_mut(base.as_ptr(), len) })
    }

    /// Copies `bytes` into the segment, from `offset` on. Unlike [`write`](Self::write) it reads
    /// nothing there, and needs [`WRITE`](Permissions::WRITE) alone.
    ///
    /// # Errors
    ///
    /// As [`translate`](Self::translate), and [`Fault::Pinned`] while there is any pin on it.
    pub fn store(&mut self, handle: Handle, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        let base = self.translate(handle, Permissions::WRITE, offset, bytes.len())?;
        // SAFETY: 1. translated now.
        if !unsafe { self.pin_word_of(handle) }.is_free() {
            return Err(Fault::Pinned);
        }
        // SAFETY: as in `write`; and `bytes` is a borrow of something else, for all borrows of the
        // segment's bytes are borrows of the table, or guards.
        unsafe { base.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Ok(())
    }
}
