//! An array of tables that grows by doubling and never moves.

use core::ptr::{self, NonNull};

use strata_core::sync::{AtomicPtr, Ordering};
use strata_core::{Chunk, Exhausted, Source};

use super::acquire_ready;

/// Items of the first piece, as a power of two.
const FIRST_LOG2: u32 = 3;
/// Pieces at most: 2^27 items.
const PIECES: usize = 24;

/// Items of `stride` bytes each, in pieces of which each has twice as many as the one before.
/// Appended to under a lock, read without one.
///
/// # Invariants
///
/// 1. Piece `n`, once it is there, has `8 << n` items and stays until [`Segments::release`]. Pieces
///    are made in order.
#[derive(Debug)]
pub(crate) struct Segments {
    pieces: [AtomicPtr<u8>; PIECES],
    /// A multiple of [`ALIGN`].
    stride: usize,
}

/// Of each item.
pub(crate) const ALIGN: usize = 64;

impl Segments {
    #[cfg(not(strata_loom))]
    pub(crate) const fn new(stride: usize) -> Self {
        let stride = stride.next_multiple_of(ALIGN);
        Self { pieces: [const { AtomicPtr::new(ptr::null_mut()) }; PIECES], stride }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new(stride: usize) -> Self {
        let pieces = core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        Self { pieces, stride: stride.next_multiple_of(ALIGN) }
    }

    /// Item `id`.
    ///
    /// # Safety
    ///
    /// 1. The caller got the number from [`Segments::grow`], or from who did by way of an Acquire.
    #[inline]
    pub(crate) unsafe fn get(&self, id: u32) -> NonNull<u8> {
        let number = id as usize + (1 << FIRST_LOG2);
        let piece = number.ilog2() - FIRST_LOG2;
        // Relaxed: the piece came before the number (1.).
        let base = self.pieces[piece as usize].load(Ordering::Relaxed);
        let at = number - (1 << (piece + FIRST_LOG2));
        debug_assert!(!base.is_null());
        // SAFETY: the piece is there (1.) and has the item.
        unsafe { NonNull::new_unchecked(base.add(at * self.stride)) }
    }

    /// One more piece: the numbers of its items. Their memory is whatever the source gave.
    ///
    /// # Safety
    ///
    /// 1. The caller holds the lock under which this array grows.
    pub(crate) unsafe fn grow<S: Source<Address = NonNull<u8>>>(
        &self,
        source: &S,
    ) -> Result<core::ops::Range<u32>, Exhausted> {
        // Relaxed: written under the lock only (1.).
        let made = self.pieces.iter().position(|piece| piece.load(Ordering::Relaxed).is_null());
        let Some(piece) = made else { return Err(Exhausted) };
        let items = 1_usize << (piece as u32 + FIRST_LOG2);
        let len = items.checked_mul(self.stride).ok_or(Exhausted)?;
        let (base, _) = acquire_ready(source, len, ALIGN)?.into_raw_parts();
        // Relaxed: whoever hands a number on publishes the piece with it.
        self.pieces[piece].store(base.as_ptr(), Ordering::Relaxed);
        let first = items - (1 << FIRST_LOG2);
        Ok(first as u32..(first + items) as u32)
    }

    /// The numbers of the items in the last piece, if there is one.
    pub(crate) fn last_piece(&self) -> Option<core::ops::Range<u32>> {
        // Relaxed: the caller has the lock, or only looks.
        let made = |piece: &AtomicPtr<u8>| !piece.load(Ordering::Relaxed).is_null();
        let pieces = self.pieces.iter().take_while(|piece| made(piece)).count();
        let items = 1_usize << (pieces.checked_sub(1)? as u32 + FIRST_LOG2);
        let first = items - (1 << FIRST_LOG2);
        Some(first as u32..(first + items) as u32)
    }

    /// Gives the last piece back.
    ///
    /// # Safety
    ///
    /// 1. The caller holds the lock under which this array grows, and nobody uses an item of the
    ///    piece any more. 2. It came from `source`.
    pub(crate) unsafe fn release_last<S: Source<Address = NonNull<u8>>>(&self, source: &S) {
        let made = |piece: &AtomicPtr<u8>| !piece.load(Ordering::Relaxed).is_null();
        // Relaxed, all: under the lock (1.).
        let pieces = self.pieces.iter().take_while(|piece| made(piece)).count();
        let Some(last) = pieces.checked_sub(1) else { return };
        if let Some(base) = NonNull::new(self.pieces[last].load(Ordering::Relaxed)) {
            self.pieces[last].store(ptr::null_mut(), Ordering::Relaxed);
            let len = self.len(last, source.granule());
            // SAFETY: acquired with this length (2.), unused (1.).
            unsafe { source.release(Chunk::from_raw_parts(base, len)) };
        }
    }

    /// Bytes of all pieces.
    pub(crate) fn bytes(&self, granule: usize) -> usize {
        // Relaxed: a figure.
        let made = |(_, piece): &(usize, &AtomicPtr<u8>)| !piece.load(Ordering::Relaxed).is_null();
        self.pieces.iter().enumerate().filter(made).map(|(n, _)| self.len(n, granule)).sum()
    }

    /// Bytes of the first `items` items, in granules.
    pub(crate) fn touched(&self, items: usize, granule: usize) -> usize {
        (items * self.stride).next_multiple_of(granule).min(self.bytes(granule))
    }

    fn len(&self, piece: usize, granule: usize) -> usize {
        ((self.stride << FIRST_LOG2) << piece).next_multiple_of(granule)
    }

    /// Gives all pieces back.
    ///
    /// # Safety
    ///
    /// 1. Nobody uses an item any more. 2. All pieces came from `source`.
    pub(crate) unsafe fn release<S: Source<Address = NonNull<u8>>>(&mut self, source: &S) {
        for piece in 0..PIECES {
            // Relaxed: ours alone.
            let base = self.pieces[piece].load(Ordering::Relaxed);
            self.pieces[piece].store(ptr::null_mut(), Ordering::Relaxed);
            if let Some(base) = NonNull::new(base) {
                let len = self.len(piece, source.granule());
                // SAFETY: acquired with this length (2.), unused (1.).
                unsafe { source.release(Chunk::from_raw_parts(base, len)) };
            }
        }
    }
}
