//! A heap of its own over any source.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use strata_core::lock::{RawLock, SpinLock};
use strata_core::{Exhausted, Source, Stats};

use crate::budget::GiveBack;
use crate::central::{Central, Platform};
use crate::check::{Broken, Checked, Walked};
use crate::class;
use crate::large;
use crate::report::Report;

/// A platform of a lock alone.
#[derive(Debug)]
pub(crate) struct Bare<L>(PhantomData<L>);

impl<L: RawLock> Platform for Bare<L> {
    type Lock = L;
    const CLOCKED: bool = false;
    const FORGETS: bool = false;
    const SHARDED: bool = false;

    fn shard() -> usize {
        0
    }

    fn now() -> u64 {
        0
    }

    fn most_mappings() -> usize {
        // The source's affair.
        usize::MAX
    }
}

/// A general-purpose heap over memory of the caller's: a buffer, a pool's chunks, device memory that
/// the processor can read and write, another layer.
///
/// It has no thread-local parts: every operation takes a lock of the block's class, so threads that
/// use different classes do not meet. It is a value: several may live side by side, and their
/// blocks do not pass through the process heap's stocks, nor through each other. Without a clock, its
/// budget of memory to keep is the floor alone (see [`GiveBack`]).
///
/// Works without `std`. Dropping it releases all its memory to the source.
///
/// ```
/// use core::alloc::{GlobalAlloc, Layout};
/// use core::mem::MaybeUninit;
/// use strata_core::lock::SpinLock;
/// use strata_core::source::{Locked, Region};
/// use strata_segregated::Heap;
///
/// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 256 << 10];
/// let heap: Heap<_> = Heap::new(Locked::new(Region::new(&mut buffer)));
/// let layout = Layout::new::<[u64; 6]>();
/// // SAFETY: not a zero-sized layout; freed once, with its layout.
/// unsafe {
///     let block = heap.alloc(layout);
///     assert!(!block.is_null());
///     heap.dealloc(block, layout);
/// }
/// assert_eq!(heap.stats().allocated.unwrap().get(), 0);
/// ```
pub struct Heap<S, L = SpinLock>
where
    S: Source<Address = NonNull<u8>>,
    L: RawLock,
{
    pub(crate) central: Central<S, Bare<L>>,
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> Heap<S, L> {
    strata_core::const_unless_loom! {
        /// A heap that takes its memory from `source`, none yet.
        pub fn new(source: S) -> Self {
            Self { central: Central::new(source) }
        }
    }

    /// A block for `layout`; a layout of no bytes gets a block too.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the source has not enough; nothing changed.
    pub fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, Exhausted> {
        match class::class_of(layout) {
            Some(class) => NonNull::new(self.central.take_one(class.index())).ok_or(Exhausted),
            None => self.take_large(layout).map(|(block, _)| block),
        }
    }

    /// [`Heap::allocate`], with all bytes of the layout zero.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, Exhausted> {
        let (block, zero) = match class::class_of(layout) {
            Some(_) => (self.allocate(layout)?, false),
            None => self.take_large(layout)?,
        };
        if !zero {
            // SAFETY: a block holds its layout.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        Ok(block)
    }

    fn take_large(&self, layout: Layout) -> Result<(NonNull<u8>, bool), Exhausted> {
        let (block, zero, grown) = self.central.take_large(layout)?;
        self.central.make_up(class::CLASSES, grown);
        Ok((block, zero))
    }

    /// Takes a block back. Stops the process where it finds that it is not a live block of this heap
    /// for this layout.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of this heap, allocated for `layout` (or resized to it).
    pub unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        match class::class_of(layout) {
            Some(class) => {
                self.central.flush(class.index(), &[block.as_ptr()]);
            }
            // SAFETY: 1. the caller's.
            None => unsafe { self.central.put_large(block, layout) },
        }
    }

    /// Makes a block hold `new_size` bytes instead, at the same alignment: where it lies if it can,
    /// else elsewhere with its contents.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the source has not enough, or the size and the alignment make no layout;
    /// the block is as it was.
    ///
    /// # Safety
    ///
    /// 1. As for [`Heap::deallocate`].
    pub unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Result<NonNull<u8>, Exhausted> {
        let new = Layout::from_size_align(new_size, layout.align()).map_err(|_| Exhausted)?;
        match (class::class_of(layout), class::class_of(new)) {
            (Some(old), Some(class)) if old == class => return Ok(block),
            (None, None) => {
                // SAFETY: 1. the caller's. 2. both are large, of one alignment.
                let resized = unsafe { self.central.resize_large(block, layout, new) };
                if let Some((block, grown)) = resized {
                    self.central.make_up(class::CLASSES, grown);
                    return Ok(block);
                }
            }
            _ => {}
        }
        let to = self.allocate(new)?;
        // SAFETY: both hold that much, and are two blocks. 1. the caller's.
        unsafe {
            to.copy_from_nonoverlapping(block, layout.size().min(new_size));
            self.deallocate(block, layout);
        }
        Ok(to)
    }

    /// Bytes that a block of `layout` really has. O(1).
    pub fn good_size(&self, layout: Layout) -> usize {
        match class::class_of(layout) {
            Some(class) => class::block_len(class),
            None => large::usable(layout, self.central.granule()),
        }
    }

    /// Gives all pages without a live block back to the source. Answers how many bytes went.
    pub fn purge(&self) -> usize {
        self.central.purge_all()
    }

    /// Chooses how much memory without a live block is kept from now on.
    pub fn set_give_back(&self, mode: GiveBack) {
        self.central.set_give_back(mode);
    }

    /// This heap's figures. Exact while no other thread uses it.
    pub fn stats(&self) -> Stats {
        self.central.stats(0)
    }

    /// This heap from above: classes, large blocks, what is kept. Exact while no other thread uses it. O(frames
    /// in use).
    pub fn report(&self) -> Report {
        self.central.report(0, 0)
    }

    /// Walks all tables and checks them against each other. Other threads may go on.
    ///
    /// # Errors
    ///
    /// What was found broken first.
    pub fn validate(&self) -> Result<Checked, Broken> {
        self.central.validate()
    }

    /// Calls back with every live block and every free range. Exact while no other thread uses it.
    /// `visit` must not use this heap.
    pub fn walk(&self, visit: &mut dyn FnMut(Walked)) {
        self.central.walk(visit);
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> Drop for Heap<S, L> {
    fn drop(&mut self) {
        self.central.release();
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> fmt::Debug for Heap<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
