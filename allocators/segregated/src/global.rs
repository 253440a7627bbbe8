//! The face to programs: `GlobalAlloc`.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use strata_core::Source;
use strata_core::lock::RawLock;

use crate::heap::Heap;

#[cfg(feature = "std")]
pub use process_face::SegregatedAlloc;

/// A possible block as `GlobalAlloc` answers it.
fn raw<E>(block: Result<NonNull<u8>, E>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

// SAFETY: blocks hold their layout and are handed out once until they are freed; nothing unwinds.
unsafe impl<S, L> GlobalAlloc for Heap<S, L>
where
    S: Source<Address = NonNull<u8>> + Sync,
    L: RawLock + Sync,
{
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        raw(self.allocate(layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        raw(self.allocate_zeroed(layout))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: a live block, not null, of this layout: the caller's obligation.
        unsafe { self.deallocate(NonNull::new_unchecked(block), layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: a live block, not null, of this layout: the caller's obligation.
        raw(unsafe { self.reallocate(NonNull::new_unchecked(block), layout, new_size) })
    }
}

#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod process_face {
    use super::*;
    use crate::budget::GiveBack;
    use crate::check::{Broken, Checked, Walked};
    use crate::process::{self, HEAP};
    use crate::report::Report;
    use crate::usage::MemoryUsage;
    use crate::{class, hardened, large, stocks, wishes};
    use strata_core::{ByteCount, Stats};
    use strata_os::memory::HugePages;

    /// The process heap. A value of this type is a handle without contents: all of them are the one
    /// heap, and what one allocated any other may free.
    ///
    /// ```
    /// use strata_segregated::SegregatedAlloc;
    ///
    /// #[global_allocator]
    /// static ALLOC: SegregatedAlloc = SegregatedAlloc::new();
    ///
    /// fn main() {
    ///     let numbers: Vec<u32> = (0..1000).collect();
    ///     assert_eq!(numbers.len(), 1000);
    /// }
    /// ```
    ///
    /// Usable before `main`, after it, and while a thread ends. Not in a signal handler that may
    /// interrupt the allocator, as with every allocator of this kind.
    ///
    /// On a system other than Linux it forwards to [`System`](std::alloc::System).
    #[derive(Clone, Copy, Debug, Default)]
    pub struct SegregatedAlloc;

    impl SegregatedAlloc {
        /// The handle.
        pub const fn new() -> Self {
            Self
        }

        /// Gives the blocks that this thread keeps ready back to the heap, where other threads can
        /// have them and empty pages go back to the system. For the park hook of an executor:
        ///
        /// ```
        /// # use strata_segregated::SegregatedAlloc;
        /// drop(vec![0_u8; 100]);
        /// SegregatedAlloc::new().flush_thread_cache();
        /// ```
        pub fn flush_thread_cache(&self) {
            stocks::flush_this_thread();
        }

        /// Flushes this thread's stocks and gives all pages of the heap without a live block back to
        /// the system. Answers how many bytes went.
        pub fn purge(&self) -> usize {
            stocks::flush_this_thread();
            stocks::flush_left(usize::MAX);
            process::purge()
        }

        /// Chooses how much memory without a live block is kept from now on.
        pub fn set_give_back(&self, mode: GiveBack) {
            process::set_give_back(mode);
        }

        /// Names the heap's mappings `strata heap` in `/proc/PID/maps`, those to come too. Answers
        /// whether the system takes names: Linux from 5.17 on, where it was built with them. By
        /// `prctl`, which nothing else here calls: a sandbox may not know it.
        ///
        /// ```
        /// # use strata_segregated::SegregatedAlloc;
        /// let named = SegregatedAlloc::new().name_memory();
        /// println!("look for the heap's name in /proc/self/maps: {named}");
        /// ```
        pub fn name_memory(&self) -> bool {
            wishes::name_memory()
        }

        /// Advises the system on 2 MiB pages in all of the heap's mappings, those to come too.
        /// Answers whether it took the advice. By default nothing is advised; what the heap purges
        /// splits huge pages again, so that this serves heaps that stay full.
        pub fn set_huge_pages(&self, wish: HugePages) -> bool {
            wishes::set_huge_pages(wish)
        }

        /// Has blocks of 1 MiB and more that are wanted zeroed, and whose memory had another block before,
        /// zeroed by what is there of their pages: those are cleared, and the others, which a program that
        /// touches little of such a block never had, are left away. By `mincore`, which nothing else here
        /// calls: a sandbox may not know it. Without, all of such a block is cleared.
        pub fn zero_by_pages(&self, wish: bool) {
            wishes::set_zero_by_pages(wish);
        }

        /// The heap's figures. What threads keep ready is read while they go on, so `allocated` is
        /// right to within their stocks, 2 MiB of blocks a thread at most.
        pub fn stats(&self) -> Stats {
            let mut in_stocks = stocks::slotted();
            stocks::stocked(|class, blocks| in_stocks += class::cut(class).block_len() * blocks);
            let stats = process::stats(in_stocks);
            #[cfg(feature = "stats")]
            let stats = Stats { requested: Some(ByteCount(stocks::requested::total())), ..stats };
            stats
        }

        /// The heap from above: each class with its spans, stocks and holes, the large blocks, what is kept and
        /// what went back. Other threads may go on. Without allocating; O(frames in use).
        ///
        /// ```
        /// # use strata_segregated::SegregatedAlloc;
        /// let report = SegregatedAlloc::new().report();
        /// println!("{report}"); // for people
        /// println!("{}", report.json()); // for programs
        /// ```
        pub fn report(&self) -> Report {
            process::report()
        }

        /// What the process takes of the machine and may take, by files of the system's: not for every
        /// request.
        ///
        /// ```
        /// # use strata_segregated::SegregatedAlloc;
        /// let usage = SegregatedAlloc::new().memory_usage();
        /// if let (Some(rss), Some(limit)) = (usage.rss, usage.limit) {
        ///     println!("{} of {} bytes", rss.get(), limit.get());
        /// }
        /// ```
        pub fn memory_usage(&self) -> MemoryUsage {
            let bytes = |figure: Option<ByteCount>| figure.unwrap_or_default();
            let stats = self.stats();
            MemoryUsage::read(bytes(stats.committed), bytes(stats.allocated))
        }

        /// Bytes that a block of `layout` really has. O(1).
        pub fn good_size(&self, layout: Layout) -> usize {
            match class::class_of(layout) {
                _ if hardened::ON => hardened::good_size(layout),
                Some(class) => class::block_len(class),
                None => large::usable(layout, HEAP.granule()),
            }
        }

        /// Walks all tables and checks them against each other. Other threads may go on.
        ///
        /// # Errors
        ///
        /// What was found broken first.
        pub fn validate(&self) -> Result<Checked, Broken> {
            process::validate()
        }

        /// Calls back with every block in use and every free range, after flushing this thread's
        /// stocks and those that ended threads left. Blocks in other threads' stocks count as in use; exact while no other thread
        /// allocates. `visit` must not allocate from this heap.
        pub fn walk(&self, visit: &mut dyn FnMut(Walked)) {
            stocks::flush_this_thread();
            stocks::flush_left(usize::MAX);
            process::walk(visit);
        }
    }

    /// Takes a block of a class for so many bytes.
    #[inline(always)]
    fn take(class: usize, bytes: usize) -> *mut u8 {
        if cfg!(feature = "checked") {
            stocks::pin(true);
            return stocks::take_one(class, bytes);
        }
        stocks::take(class, bytes)
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of the process heap, of that class.
    #[inline(always)]
    unsafe fn put(class: usize, block: *mut u8) {
        if cfg!(feature = "checked") {
            process::flush(class, &[block]);
            return;
        }
        // SAFETY: 1. the caller's.
        unsafe { stocks::put(class, block) };
    }

    /// Counts requested bytes, where that is wanted.
    #[inline(always)]
    fn count(block: *mut u8, bytes: usize) -> *mut u8 {
        #[cfg(feature = "stats")]
        if !block.is_null() {
            stocks::requested::add(bytes);
        }
        let _ = bytes;
        block
    }

    // SAFETY: blocks hold their layout and are handed out once until they are freed; nothing unwinds.
    unsafe impl GlobalAlloc for SegregatedAlloc {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let block = match class::class_of(layout) {
                _ if hardened::ON => stocks::with(|stocks| hardened::take(stocks, layout)),
                Some(class) => take(class.index(), layout.size()),
                None => stocks::take_large(layout),
            };
            count(block, layout.size())
        }

        #[inline]
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            if hardened::ON {
                let block = stocks::with(|stocks| hardened::take_zeroed(stocks, layout));
                return count(block, layout.size());
            }
            let Some(class) = class::class_of(layout) else {
                return count(stocks::take_large_zeroed(layout), layout.size());
            };
            let block = take(class.index(), layout.size());
            if !block.is_null() {
                if layout.size() > class::FINE_MAX {
                    // So stores of a constant size stay aligned when the caller's own to the first words
                    // save the compiler those of zero there.
                    // SAFETY: `ALIGN_ABOVE_FINE` is what all blocks of these sizes are aligned to.
                    unsafe {
                        let aligned = block.addr().is_multiple_of(class::ALIGN_ABOVE_FINE);
                        core::hint::assert_unchecked(aligned);
                    }
                }
                // SAFETY: a block holds its layout.
                unsafe { block.write_bytes(0, layout.size()) };
            }
            count(block, layout.size())
        }

        #[inline]
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            #[cfg(feature = "stats")]
            stocks::requested::sub(layout.size());
            match class::class_of(layout) {
                // SAFETY: 1. the caller's.
                _ if hardened::ON => unsafe {
                    stocks::with(|stocks| hardened::put(stocks, block, layout));
                },
                // SAFETY: 1. the caller's.
                Some(class) => unsafe { put(class.index(), block) },
                // SAFETY: 1. the caller's; so it is not null.
                None => unsafe { stocks::put_large(NonNull::new_unchecked(block), layout) },
            }
        }

        #[inline]
        unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: the caller's: the new size makes a layout.
            let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
            if hardened::ON {
                // SAFETY: 1. the caller's: the layouts have one alignment.
                let to = stocks::with(|all| unsafe { hardened::resize(all, block, layout, new) });
                #[cfg(feature = "stats")]
                stocks::requested::sub(if to.is_null() { 0 } else { layout.size() });
                return count(to, new_size);
            }
            let (old_class, class) = (class::class_of(layout), class::class_of(new));
            if old_class == class && class.is_some() {
                #[cfg(feature = "stats")]
                stocks::requested::sub(layout.size());
                return count(block, new_size);
            }
            // SAFETY: the caller's.
            unsafe { realloc_slow(block, layout, new, class.is_none() && old_class.is_none()) }
        }
    }

    /// Moves a block to another class, or resizes a large one.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of the process heap for `layout`; `new` has the same alignment;
    ///    `large` says that both are large.
    #[inline(never)]
    unsafe fn realloc_slow(block: *mut u8, layout: Layout, new: Layout, large: bool) -> *mut u8 {
        // SAFETY: 1. the caller's; so it is not null.
        unsafe {
            if large {
                let at = NonNull::new_unchecked(block);
                if let Some(block) = stocks::resize_large(at, layout, new) {
                    #[cfg(feature = "stats")]
                    stocks::requested::sub(layout.size());
                    return count(block.as_ptr(), new.size());
                }
            }
            let alloc = SegregatedAlloc;
            let to = alloc.alloc(new);
            if !to.is_null() {
                to.copy_from_nonoverlapping(block, layout.size().min(new.size()));
                alloc.dealloc(block, layout);
            }
            to
        }
    }
}

#[cfg(all(feature = "std", not(all(target_os = "linux", not(strata_loom)))))]
mod process_face {
    use super::*;
    use std::alloc::System;

    /// The system's allocator: this crate does not know the system that it was built for, and
    /// forwards.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct SegregatedAlloc;

    impl SegregatedAlloc {
        /// The handle.
        pub const fn new() -> Self {
            Self
        }

        /// Nothing: there are no stocks here.
        pub fn flush_thread_cache(&self) {}

        /// Nothing goes back: 0.
        pub fn purge(&self) -> usize {
            0
        }
    }

    // SAFETY: the system's allocator, by another name.
    unsafe impl GlobalAlloc for SegregatedAlloc {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { System.dealloc(block, layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { System.realloc(block, layout, new_size) }
        }
    }
}
