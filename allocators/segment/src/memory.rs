//! Segments of memory: bookkeeping in band, blocks by `Layout`.

mod regions;
mod resize;

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::misuse;

use crate::Segments;
use crate::error::{AllocError, ClaimError, FreeError};
use crate::metadata::{
    Bookkeeping, HEADER, InBand, MOST_UNITS, Piece, SegmentState, UNIT, UNIT_SHIFT,
};
use crate::policy::Policy;

pub use regions::RegionId;

/// The longest block in bytes.
const MOST: usize = {
    let most = (MOST_UNITS as u64) << UNIT_SHIFT;
    (if most < isize::MAX as u64 { most as usize } else { isize::MAX as usize }) - UNIT
};

/// Units of a block of `size` bytes, which is not zero and not above [`MOST`], and its header.
#[inline]
pub(crate) const fn units(size: usize) -> u32 {
    ((size + HEADER + UNIT - 1) >> UNIT_SHIFT) as u32
}

/// A wrong request, by its cause.
#[cold]
#[inline(never)]
fn wrong_request(size: usize) -> AllocError {
    if size == 0 { AllocError::ZeroLen } else { AllocError::TooLong }
}

impl<P: Policy> Segments<P, InBand> {
    /// Segments without a region yet, all in band: 8 bytes before each block, and 16 a region.
    pub const fn new() -> Self {
        Self::with_metadata(InBand::new())
    }

    /// The shape of a layout.
    #[inline]
    pub(crate) fn shape(layout: Layout) -> Result<(u32, u32), AllocError> {
        if layout.size().wrapping_sub(1) >= MOST {
            return Err(wrong_request(layout.size()));
        }
        let len = units(layout.size());
        let align = layout.align() >> UNIT_SHIFT;
        if P::JOINS_ALL && align <= 1 {
            return Ok((len, 1));
        }
        if align > MOST_UNITS as usize / 2 {
            return Err(AllocError::Align);
        }
        let align = (align as u32).max(1);
        match P::shape(len, align) {
            Some(len) => Ok((len, align)),
            None => Err(AllocError::TooLong),
        }
    }

    #[inline]
    fn pointer(&self, piece: Piece) -> NonNull<u8> {
        let block = core::ptr::with_exposed_provenance_mut(self.meta.address(piece.name));
        // SAFETY: a block lies in a region, above the region's first bytes: not at zero.
        unsafe { NonNull::new_unchecked(block) }
    }

    /// A block for `layout`.
    ///
    /// Costs what the policy's table in [`Policy`] says. Alignments above 16 look for a
    /// segment that is longer by the alignment, and give back what is cut off.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause.
    #[inline]
    pub fn allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let (len, align) = Self::shape(layout)?;
        if align == 1
            && let Some(piece) = self.take_quick(len)
        {
            return Ok(self.pointer(piece));
        }
        let piece = if align == 1 { self.take_listed(len) } else { self.take_aligned(len, align) };
        match piece {
            Some(piece) => Ok(self.pointer(piece)),
            None => Err(AllocError::Exhausted),
        }
    }

    /// The block of `size` bytes at this address, for memory whose place matters.
    ///
    /// O(segments): the region is walked.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], by cause. Blocks begin at multiples of 16; [`Buddy`](crate::Buddy) has others
    /// rules yet.
    pub fn allocate_at(&mut self, address: usize, size: usize) -> Result<NonNull<u8>, ClaimError> {
        if size == 0 {
            return Err(ClaimError::ZeroLen);
        }
        if address & (UNIT - 1) != 0 {
            return Err(ClaimError::Misaligned);
        }
        let name = self.meta.name_in_span(address).filter(|_| size <= MOST);
        let Some(name) = name else { return Err(ClaimError::OutOfRange) };
        let len = P::shape(units(size), 1).ok_or(ClaimError::OutOfRange)?;
        let piece = self.claim(name.0, len)?;
        Ok(self.pointer(piece))
    }

    /// Bytes that a block of `layout` really has, `None` where no such block can be. O(1).
    pub fn usable_size(layout: Layout) -> Option<usize> {
        let (len, _) = Self::shape(layout).ok()?;
        Some(((len as usize) << UNIT_SHIFT) - HEADER)
    }

    /// Whether this block can be freed with this layout: what [`deallocate`](Self::deallocate) asks.
    ///
    /// An address outside of the span from the first region's begin to the last one's end is
    /// recognised always. One inside, where no block begins or where one was freed, is recognised by the
    /// 32 bits before it, which only a live block's header has right. O(1).
    ///
    /// # Errors
    ///
    /// [`FreeError`], by cause.
    ///
    /// # Safety
    ///
    /// 1. If the address lies between two regions, the 8 bytes before it can be read.
    #[inline]
    pub unsafe fn check(&self, block: NonNull<u8>, layout: Layout) -> Result<(), FreeError> {
        // SAFETY: 1. the caller's.
        unsafe { self.checked(block, layout) }.map(drop)
    }

    /// The block as a segment, if it can be freed with this layout. Its length is the layout's: who uses
    /// it need not wait for the header.
    #[inline]
    pub(crate) unsafe fn checked(
        &self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<Piece, FreeError> {
        let address = block.addr().get();
        match self.meta.name_in_span(address) {
            Some(name) if self.meta.is_live(name) => match Self::shape(layout) {
                Ok((len, _)) if len == self.meta.len(name) => Ok(Piece { name, len }),
                _ => Err(FreeError::WrongLen),
            },
            _ => Err(self.cause(address)),
        }
    }

    /// Why no live block begins at this address.
    #[cold]
    #[inline(never)]
    fn cause(&self, address: usize) -> FreeError {
        let Some(name) = self.meta.name_in_span(address & !(UNIT - 1)) else {
            return FreeError::Foreign;
        };
        let Some(region) = self.region_with(name.0, 1) else { return FreeError::Foreign };
        match self.find(region, name.0) {
            Some((piece, state)) if piece.name == name && address & (UNIT - 1) == 0 => {
                match state {
                    SegmentState::Used => FreeError::NotASegment,
                    _ => FreeError::DoubleFree,
                }
            }
            _ => FreeError::NotASegment,
        }
    }

    /// Takes a block back. O(1) with [`GoodFit`](crate::GoodFit).
    ///
    /// A wrong free that [`check`](Self::check) recognises ends the process with a message; nothing is
    /// changed before.
    ///
    /// # Safety
    ///
    /// 1. `block` came from here with this layout (or was resized to it), and was not freed since.
    /// 2. Nobody uses it any more.
    #[inline]
    pub unsafe fn deallocate(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: 1. a block of ours lies in a region.
        match unsafe { self.checked(block, layout) } {
            Ok(piece) => drop(self.give(piece)),
            Err(error) => wrong_free(error),
        }
    }

    /// The same, with an error instead of an end of the process.
    ///
    /// # Errors
    ///
    /// [`FreeError`], by cause; nothing changed.
    ///
    /// # Safety
    ///
    /// As for [`deallocate`](Self::deallocate), except that what `check` recognises may be wrong.
    #[inline]
    pub unsafe fn try_deallocate(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<(), FreeError> {
        // SAFETY: 1. the caller's.
        let piece = unsafe { self.checked(block, layout)? };
        self.give(piece);
        Ok(())
    }

    /// The live block at this address, with its length.
    #[inline]
    pub(crate) fn piece_of(&self, block: NonNull<u8>) -> Piece {
        let name = self.meta.name_at(block.addr().get());
        Piece { name, len: self.meta.len(name) }
    }
}

impl<P: Policy> Default for Segments<P, InBand> {
    fn default() -> Self {
        Self::new()
    }
}

/// Ends the process.
#[cold]
#[inline(never)]
pub(crate) fn wrong_free(error: FreeError) -> ! {
    misuse::stop(match error {
        FreeError::DoubleFree => "a block was freed twice",
        FreeError::Foreign => "a freed block is not of these regions",
        FreeError::NotASegment => {
            "a freed block is none: freed before, or not where a block begins"
        }
        FreeError::WrongLen => "a block was freed with another layout than it has",
    })
}
