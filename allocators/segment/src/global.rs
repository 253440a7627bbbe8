//! `GlobalAlloc` and `Allocator` over any face.
//!
//! This file names the layers below: the default face asks the system for memory, and its waiters sleep.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use crate::error::AllocError;
use crate::face::Face;

/// The default face: eight shards over the system's memory.
#[cfg(feature = "std")]
type DefaultFace = crate::Shared<strata_os::OsSource, strata_os::FutexLock>;

/// Without `std` there is none: name one.
#[cfg(not(feature = "std"))]
type DefaultFace = core::convert::Infallible;

/// A face as an allocator: for `#[global_allocator]`, and with feature `allocator-api2` for collections.
///
/// By default it is [`Shared`](crate::Shared) over the system's memory:
///
#[cfg_attr(feature = "std", doc = "```")]
#[cfg_attr(not(feature = "std"), doc = "```ignore")]
/// use strata_segment::SegmentAlloc;
///
/// #[global_allocator]
/// static ALLOC: SegmentAlloc = SegmentAlloc::new();
///
/// fn main() {
///     let words: Vec<String> = (0..100).map(|n| format!("word {n}")).collect();
///     assert_eq!(words.len(), 100);
/// }
/// ```
///
/// [`over`](Self::over) makes one of any face: a fixed region behind a lock, for one.
#[derive(Debug)]
pub struct SegmentAlloc<F = DefaultFace> {
    face: F,
}

#[cfg(feature = "std")]
impl SegmentAlloc {
    strata_core::const_unless_loom! {
        /// An allocator over the system's memory; none is asked for before the first request.
        pub fn new() -> Self {
            Self { face: crate::Shared::new(strata_os::OsSource::new()) }
        }
    }
}

#[cfg(feature = "std")]
impl Default for SegmentAlloc {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> SegmentAlloc<F> {
    /// An allocator over a face.
    pub const fn over(face: F) -> Self {
        Self { face }
    }

    /// The face: its figures and its check.
    pub const fn face(&self) -> &F {
        &self.face
    }

    /// The face, when nobody else has it.
    pub const fn face_mut(&mut self) -> &mut F {
        &mut self.face
    }
}

/// The pointer of a result.
#[inline]
fn raw(block: Result<NonNull<u8>, AllocError>) -> *mut u8 {
    match block {
        Ok(block) => block.as_ptr(),
        Err(_) => ptr::null_mut(),
    }
}

// SAFETY: promises 1. and 2. of `Face`.
unsafe impl<F: Face> GlobalAlloc for SegmentAlloc<F> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        raw(self.face.allocate(layout))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's: a live block, so not null, of this layout, which nobody uses any more.
        unsafe { self.face.deallocate(NonNull::new_unchecked(block), layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's: a live block of this layout, and the new size makes a layout.
        unsafe {
            let new = Layout::from_size_align_unchecked(new_size, layout.align());
            raw(self.face.reallocate(NonNull::new_unchecked(block), layout, new))
        }
    }
}

#[cfg(feature = "allocator-api2")]
mod allocator_api2_face {
    use super::*;
    use allocator_api2::alloc::{AllocError as NoMemory, Allocator};

    /// A block as it is handed out: only the bytes of the layout, because a free says its length again,
    /// and they are compared.
    #[inline]
    fn slice(block: NonNull<u8>, layout: Layout) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(block, layout.size())
    }

    /// A block of no bytes: nowhere, and aligned.
    fn nothing(layout: Layout) -> Result<NonNull<[u8]>, NoMemory> {
        let at = NonNull::new(ptr::without_provenance_mut(layout.align())).ok_or(NoMemory)?;
        Ok(NonNull::slice_from_raw_parts(at, 0))
    }

    // SAFETY: blocks stay until they are freed while the allocator is borrowed; a block is freed with a
    // layout of as many bytes as it was handed out with.
    unsafe impl<F: Face> Allocator for &SegmentAlloc<F> {
        #[inline]
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, NoMemory> {
            if layout.size() == 0 {
                return nothing(layout);
            }
            let block = self.face.allocate(layout).map_err(|_| NoMemory)?;
            Ok(slice(block, layout))
        }

        #[inline]
        unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
            if layout.size() != 0 {
                // SAFETY: the caller's: a live block of a layout of as many bytes.
                unsafe { self.face.deallocate(block, layout) }
            }
        }

        unsafe fn grow(
            &self,
            block: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, NoMemory> {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { resize(*self, block, old, new) }
        }

        unsafe fn shrink(
            &self,
            block: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, NoMemory> {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { resize(*self, block, old, new) }
        }
    }

    /// Grows or shrinks.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of `old`, which nobody uses meanwhile.
    unsafe fn resize<F: Face>(
        alloc: &SegmentAlloc<F>,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, NoMemory> {
        let (from, to) = (old.size(), new.size());
        if from != 0 && to != 0 && new.align() <= old.align() {
            // SAFETY: 1. of this function.
            let moved = unsafe { alloc.face.reallocate(block, old, new) };
            return moved.map(|at| slice(at, new)).map_err(|_| NoMemory);
        }
        let fresh = alloc.allocate(new)?;
        // SAFETY: 1. of this function; a fresh block overlaps none, and both are long enough.
        unsafe {
            fresh.cast::<u8>().copy_from_nonoverlapping(block, from.min(to));
            Allocator::deallocate(&alloc, block, old);
        }
        Ok(fresh)
    }
}
