//! Where the links of a free list live.

use core::fmt;
use core::ptr::{self, NonNull};

use crate::sync::{AtomicPtr, AtomicU32, Ordering};

/// Keeps one link a block.
///
/// # Safety
///
/// Implementors promise that
/// 1. `next` answers what the last `link` of that block was given, when the two are ordered by
///    happens-before and the block was on the list in between;
/// 2. copies of a block's name mean the same block;
/// 3. no method panics or blocks.
pub unsafe trait Links {
    /// The name of a block.
    type Block: Copy + Eq + fmt::Debug;
    /// An atomic place for an optional block: the head of a shared list.
    type Head: Head<Block = Self::Block>;

    /// Makes `next` follow `block`.
    ///
    /// # Safety
    ///
    /// 1. The caller owns `block`: nobody else reads or writes its link.
    /// 2. `block` is one that these links are for.
    unsafe fn link(&self, block: Self::Block, next: Option<Self::Block>);

    /// What follows `block`.
    ///
    /// # Safety
    ///
    /// 1. The caller owns `block`, or these links may be read while another thread writes them.
    /// 2. `block` was linked before.
    unsafe fn next(&self, block: Self::Block) -> Option<Self::Block>;
}

/// Links by index that may be read while another thread writes them.
///
/// # Safety
///
/// Implementors promise that
/// 1. `next` may be called for a block that the caller does not own, at any time after the block's
///    first link; where another thread owns it, the answer is a number that means nothing.
pub unsafe trait SharedLinks: Links<Block = u32> + Copy {}

/// An atomic place for an optional block.
pub trait Head {
    /// The name of a block.
    type Block: Copy + Eq;
    /// Reads the place.
    fn load(&self, order: Ordering) -> Option<Self::Block>;
    /// Replaces what is there and answers it.
    fn swap(&self, block: Option<Self::Block>, order: Ordering) -> Option<Self::Block>;
    /// Replaces `old` by `new`; may fail though `old` is there.
    ///
    /// # Errors
    ///
    /// What is there instead.
    fn exchange(
        &self,
        old: Option<Self::Block>,
        new: Option<Self::Block>,
        done: Ordering,
        failed: Ordering,
    ) -> Result<(), Option<Self::Block>>;
}

/// Links in the first word of the free block itself. Costs no memory, and writes to the block.
///
/// Blocks are at least one pointer long and aligned for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InBand;

// SAFETY: 1. a plain store and load of one place. 2. pointers. 3. nothing here can.
unsafe impl Links for InBand {
    type Block = NonNull<u8>;
    type Head = PointerHead;

    #[inline]
    unsafe fn link(&self, block: NonNull<u8>, next: Option<NonNull<u8>>) {
        let place = block.cast::<Option<NonNull<u8>>>();
        debug_assert!(place.is_aligned());
        // SAFETY: 1. and 2. of this method: the block is the caller's, long enough and aligned.
        unsafe { place.write(next) }
    }

    #[inline]
    unsafe fn next(&self, block: NonNull<u8>) -> Option<NonNull<u8>> {
        // SAFETY: 1. the caller owns the block (the links cannot be read otherwise). 2. its first
        // word is a link.
        unsafe { block.cast::<Option<NonNull<u8>>>().read() }
    }
}

/// The head of a shared list of pointers; keeps their provenance.
#[derive(Debug)]
pub struct PointerHead(AtomicPtr<u8>);

impl PointerHead {
    crate::const_unless_loom! {
        /// No block.
        pub fn empty() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }
}

impl Default for PointerHead {
    fn default() -> Self {
        Self::empty()
    }
}

/// The pointer of an optional block.
#[inline]
fn raw(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

// Each method's ordering is its caller's, who names the partner.
impl Head for PointerHead {
    type Block = NonNull<u8>;

    #[inline]
    fn load(&self, order: Ordering) -> Option<NonNull<u8>> {
        NonNull::new(self.0.load(order))
    }

    #[inline]
    fn swap(&self, block: Option<NonNull<u8>>, order: Ordering) -> Option<NonNull<u8>> {
        NonNull::new(self.0.swap(raw(block), order))
    }

    #[inline]
    fn exchange(
        &self,
        old: Option<NonNull<u8>>,
        new: Option<NonNull<u8>>,
        done: Ordering,
        failed: Ordering,
    ) -> Result<(), Option<NonNull<u8>>> {
        match self.0.compare_exchange_weak(raw(old), raw(new), done, failed) {
            Ok(_) => Ok(()),
            Err(seen) => Err(NonNull::new(seen)),
        }
    }
}

/// Links in an array of atomics, one a block, by the block's index. Costs 4 bytes a block, never
/// touches it, and may be read by a thread that lost the race for it.
///
/// Indices are below the array's length and below `u32::MAX`. An array of zeroes links every block
/// to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Indexed<'m> {
    links: &'m [AtomicU32],
}

impl<'m> Indexed<'m> {
    /// Links of the blocks `0..links.len()`.
    pub const fn new(links: &'m [AtomicU32]) -> Self {
        Self { links }
    }

    /// The number of blocks that have a link.
    pub const fn blocks(&self) -> usize {
        self.links.len()
    }
}

/// An optional index as a number: zero for none, so that zeroed memory is an empty list.
#[inline]
pub(super) fn encode(block: Option<u32>) -> u32 {
    debug_assert!(block != Some(u32::MAX), "an index is below u32::MAX");
    block.map_or(0, |index| index.wrapping_add(1))
}

/// The optional index that a number stands for.
#[inline]
pub(super) fn decode(number: u32) -> Option<u32> {
    number.checked_sub(1)
}

// SAFETY: 1. an atomic store and load of one place. 2. numbers. 3. an index outside of the array
// is excluded by obligation 2 of both methods.
unsafe impl Links for Indexed<'_> {
    type Block = u32;
    type Head = IndexHead;

    #[inline]
    unsafe fn link(&self, block: u32, next: Option<u32>) {
        debug_assert!((block as usize) < self.links.len());
        // SAFETY: 2. of this method.
        let place = unsafe { self.links.get_unchecked(block as usize) };
        // Relaxed: the list's head publishes the link together with the block.
        place.store(encode(next), Ordering::Relaxed);
    }

    #[inline]
    unsafe fn next(&self, block: u32) -> Option<u32> {
        debug_assert!((block as usize) < self.links.len());
        // SAFETY: 2. of this method.
        let place = unsafe { self.links.get_unchecked(block as usize) };
        // Relaxed: the caller's Acquire of the list's head orders it after the store; where it
        // lost a race the value is not used.
        decode(place.load(Ordering::Relaxed))
    }
}

// SAFETY: 1. an atomic load of one place, whoever stores there.
unsafe impl SharedLinks for Indexed<'_> {}

/// The head of a shared list of indices.
#[derive(Debug)]
pub struct IndexHead(AtomicU32);

impl IndexHead {
    crate::const_unless_loom! {
        /// No block.
        pub fn empty() -> Self {
            Self(AtomicU32::new(0))
        }
    }
}

impl Default for IndexHead {
    fn default() -> Self {
        Self::empty()
    }
}

impl Head for IndexHead {
    type Block = u32;

    #[inline]
    fn load(&self, order: Ordering) -> Option<u32> {
        decode(self.0.load(order))
    }

    #[inline]
    fn swap(&self, block: Option<u32>, order: Ordering) -> Option<u32> {
        decode(self.0.swap(encode(block), order))
    }

    #[inline]
    fn exchange(
        &self,
        old: Option<u32>,
        new: Option<u32>,
        done: Ordering,
        failed: Ordering,
    ) -> Result<(), Option<u32>> {
        match self.0.compare_exchange_weak(encode(old), encode(new), done, failed) {
            Ok(_) => Ok(()),
            Err(seen) => Err(decode(seen)),
        }
    }
}
