//! The face `GlobalAlloc`.
//!
//! This file names the layers below: the zone lies in reserved address space of the system.

#[cfg(all(feature = "std", not(strata_loom)))]
pub use face::PageFrameAlloc;

#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
mod face {
    use core::alloc::{GlobalAlloc, Layout};
    use core::fmt;
    use core::ptr::{self, NonNull};

    use strata_core::misuse;
    use strata_core::sync::{AtomicU64, Ordering};
    use strata_core::{Chunk, Contents, FrameId, Order, Source, Stats};
    use strata_os::{OsReserve, OsSource};

    use crate::check::FrameState;
    use crate::ready::Ready;
    use crate::source::FrameSource;
    use crate::thread;

    /// Bytes of the zone: address space, of which only what is touched costs memory. Where a process may
    /// not have so much, it gets the half, and so on.
    const MOST: usize = 1 << 36;
    const LEAST: usize = 1 << 20;

    /// A block of so many bytes gives its contents back to the system when it is freed.
    const PURGED: usize = 1 << 20;

    /// Stocks of single frames. Threads share them by their numbers, a call each at a time: whoever finds
    /// his in use goes without.
    const STOCKS: usize = 64;

    /// A purge takes so many bytes of free frames at a time, and leaves the others to other threads.
    const STEP: u64 = 4 << 20;

    /// The frames, and how far they have been used.
    struct Zone {
        frames: FrameSource<OsReserve>,
        /// No frame from here on was ever handed out: those need no purge.
        high: AtomicU64,
    }

    /// An allocator whose blocks are runs of frames of `FRAME` bytes: a power of two, 16 bytes to 1 MiB.
    ///
    /// Each block is rounded up to whole frames and nothing more, and costs no header. With frames of
    /// 64 bytes (the default) a `Box` costs a cache line; with 4096 it costs a page, as in a kernel.
    /// Metadata is about an eighth of a byte a frame.
    ///
    /// Each value is an allocator of its own, with a zone of up to 64 GiB of address space. The zone is
    /// made by the first call. Threads that are first at the same time each make one; the first stays,
    /// the others unmap theirs, and nobody waits. All operations are those of
    /// [`PageFrames`](crate::PageFrames) and [`Local`](crate::Local): lock-free for blocks of up to 64 frames
    /// and of up to 2048 in whole huge frames.
    ///
    /// Blocks of one frame come out of stocks, 64 of them for all threads. A thread has one only while it
    /// is in a call, so that none is left behind by a thread that ends, and none is waited for: two threads
    /// of one stock that meet there take and free frames without. What is in stock is at most 144 frames
    /// each; [`purge`](Self::purge) empties them. A block that is freed twice while a stock has it may go
    /// unnoticed until it leaves the stock.
    ///
    /// ```
    /// use strata_page_frame::PageFrameAlloc;
    ///
    /// #[global_allocator]
    /// static ALLOC: PageFrameAlloc = PageFrameAlloc::new();
    ///
    /// fn main() {
    ///     let numbers: Vec<u32> = (0..1000).collect();
    ///     assert_eq!(numbers.len(), 1000);
    /// }
    /// ```
    ///
    /// On a system other than Linux it forwards to [`System`](std::alloc::System).
    pub struct PageFrameAlloc<const FRAME: usize = 64> {
        zone: Ready<Zone>,
    }

    impl<const FRAME: usize> PageFrameAlloc<FRAME> {
        const VALID: () = assert!(
            FRAME.is_power_of_two() && FRAME >= 16 && FRAME <= 1 << 20,
            "FRAME must be a power of two from 16 bytes to 1 MiB"
        );

        /// An allocator without a zone yet.
        pub const fn new() -> Self {
            let () = Self::VALID;
            Self { zone: Ready::empty() }
        }

        #[inline]
        fn zone(&self) -> Option<&Zone> {
            match self.zone.get() {
                Some(zone) => Some(zone),
                None => self.zone_slow(),
            }
        }

        #[cold]
        #[inline(never)]
        fn zone_slow(&self) -> Option<&Zone> {
            // SAFETY: 1. `build` puts the zone into a mapping of its own, which `discard` takes away; so
            // does the drop of this allocator.
            unsafe { self.zone.get_or_build(build::<FRAME>, discard) }
        }

        /// Bytes that a block of `layout` really has. O(1).
        pub fn good_size(&self, layout: Layout) -> usize {
            count::<FRAME>(layout) * FRAME
        }

        /// Gives the pages of all free frames that were used before back to the system; how many bytes
        /// went. Free frames are taken for the time of it, up to 4 MiB at once. Other threads may go on.
        pub fn purge(&self) -> usize {
            let Some(zone) = self.zone.get() else { return 0 };
            for index in 0..STOCKS {
                zone.frames.frames().borrow_local(index, |local| local.drain());
            }
            // Relaxed: what is handed out meanwhile needs no purge.
            let high = zone.high.load(Ordering::Relaxed);
            let mut purged = 0;
            zone.frames.frames().walk(|start, frames, state| {
                if state != FrameState::Free {
                    return;
                }
                let (mut at, end) = (start.get(), high.min(start.get() + frames));
                while at < end {
                    let step = (STEP / FRAME as u64).max(1).min(end - at);
                    purged += zone.purge_free(FrameId(at), step, FRAME);
                    at += step;
                }
            });
            purged
        }

        /// This allocator's figures: allocated and active are the frames of its blocks. What the system
        /// backs is not counted. A pass over the entries of all huge frames.
        pub fn stats(&self) -> Stats {
            let Some(zone) = self.zone.get() else { return Stats::default() };
            let stats = zone.frames.stats();
            Stats { allocated: stats.active, ..stats }
        }

        /// Walks all tables and checks them against each other, while nobody allocates.
        ///
        /// # Errors
        ///
        /// What was found broken first.
        pub fn validate(&self) -> Result<(), crate::Broken> {
            self.zone.get().map_or(Ok(()), |zone| zone.frames.frames().validate().map(drop))
        }

        /// Calls back with the bytes of each free run of frames. `visit` must not allocate from here.
        pub fn free_ranges(&self, visit: &mut dyn FnMut(core::ops::Range<usize>)) {
            let Some(zone) = self.zone.get() else { return };
            zone.frames.frames().walk(|start, frames, state| {
                if state == FrameState::Free {
                    let from = zone.frames.address_of(start).addr().get();
                    visit(from..from + frames as usize * FRAME);
                }
            });
        }

        /// Gives a block of one frame back, to the stock of this thread.
        ///
        /// # Safety
        ///
        /// 1. `block` is a live block of this allocator, of one frame.
        #[inline]
        unsafe fn give_one(&self, block: NonNull<u8>) {
            let Some(zone) = self.zone.get().map(|zone| &zone.frames) else {
                misuse::stop(FOREIGN)
            };
            let (frame, one) = (zone.frame_of(block), Order::default());
            let freed = zone
                .frames()
                .borrow_local(stock(), |local| local.free(frame, one))
                .unwrap_or_else(|| zone.frames().free(frame, one));
            if freed.is_err() {
                misuse::stop(FOREIGN);
            }
        }

        /// Gives a block back, and its contents to the system where it is large.
        ///
        /// # Safety
        ///
        /// 1. `block` is a live block of this allocator, of so many frames.
        #[inline]
        unsafe fn give(&self, block: NonNull<u8>, frames: usize, align: usize) {
            let Some(zone) = self.zone.get().map(|zone| &zone.frames) else {
                misuse::stop(FOREIGN)
            };
            if frames * FRAME >= PURGED {
                // SAFETY: 1. and 3. the block is the caller's, who has done with it. 2. whole frames.
                let _ = unsafe { zone.purge(block, frames * FRAME) };
            }
            let frame = zone.frame_of(block);
            let order = Order::covering(frames as u64).unwrap_or(Order::MAX);
            let freed = if order.frames() == frames as u64 && align <= frames * FRAME {
                zone.frames().free(frame, order)
            } else {
                zone.frames().free_run(frame, frames as u64)
            };
            if freed.is_err() {
                misuse::stop(FOREIGN);
            }
        }
    }

    const FOREIGN: &str = "block freed twice, or not allocated here with this layout";

    impl<const FRAME: usize> Default for PageFrameAlloc<FRAME> {
        fn default() -> Self {
            Self::new()
        }
    }

    impl<const FRAME: usize> fmt::Debug for PageFrameAlloc<FRAME> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("PageFrameAlloc").field("stats", &self.stats()).finish()
        }
    }

    impl<const FRAME: usize> Drop for PageFrameAlloc<FRAME> {
        /// Unmaps the zone: who holds a block has lost it, as with every allocator that ends.
        fn drop(&mut self) {
            self.zone.take().into_iter().for_each(discard);
        }
    }

    /// A zone in a mapping of its own.
    fn build<const FRAME: usize>() -> Option<NonNull<Zone>> {
        let mut bytes = MOST;
        let frames = loop {
            match FrameSource::with_locals(OsReserve, (bytes / FRAME) as u64, FRAME, STOCKS) {
                // The whole zone at once: what is reserved counts for no limit, and pages come when they
                // are touched.
                // SAFETY: 1. the zone's own chunk. 2. whole pages, as it was reserved.
                Ok(zone) if unsafe { OsReserve.commit(zone.base(), bytes) }.is_ok() => break zone,
                _ if bytes > LEAST => bytes /= 2,
                _ => return None,
            }
        };
        let layout = Layout::new::<Zone>();
        let Ok(place) = OsSource::new().acquire(layout.size(), layout.align()) else { return None };
        let place = place.base().cast::<Zone>();
        // SAFETY: fresh memory, large enough and aligned.
        unsafe { place.write(Zone { frames, high: AtomicU64::new(0) }) };
        Some(place)
    }

    /// Ends a zone that [`build`] made.
    fn discard(zone: NonNull<Zone>) {
        let os = OsSource::new();
        let Some(len) = size_of::<Zone>().checked_next_multiple_of(os.granule()) else { return };
        // SAFETY: made by `build`, and nobody reaches it any more; its memory is a chunk of that length.
        unsafe {
            zone.drop_in_place();
            os.release(Chunk::from_raw_parts(zone.cast(), len));
        }
    }

    impl Zone {
        /// Takes a run of `count` frames.
        #[inline]
        fn take(&self, count: u64, align: usize) -> Option<NonNull<u8>> {
            let align = self.frames.align_order(align)?;
            let frame = self
                .frames
                .frames()
                .borrow_local(stock(), |local| self.frames.take(count, align, Some(local)))
                .unwrap_or_else(|| self.frames.take(count, align, None))
                .ok()?;
            let end = frame.get() + count;
            // Relaxed, both: a mark that guards nothing.
            if end > self.high.load(Ordering::Relaxed) {
                self.high.fetch_max(end, Ordering::Relaxed);
            }
            Some(self.frames.address_of(frame))
        }

        /// Purges frames, unless somebody has taken one of them; how many bytes went.
        fn purge_free(&self, start: FrameId, count: u64, frame: usize) -> usize {
            if self.frames.frames().alloc_at(start, count).is_err() {
                return 0;
            }
            let (at, len) = (self.frames.address_of(start), count as usize * frame);
            // SAFETY: 1. and 3. taken now, so nobody else's. 2. whole frames.
            let gone = unsafe { self.frames.purge(at, len) }.is_gone();
            // SAFETY: 1. and 2. taken above, as one run.
            unsafe { self.frames.release(Chunk::from_raw_parts(at, len)) };
            if gone { len } else { 0 }
        }
    }

    /// The stock of the running thread.
    #[inline]
    fn stock() -> usize {
        thread::number() as usize % STOCKS
    }

    /// Frames of a block.
    #[inline]
    const fn count<const FRAME: usize>(layout: Layout) -> usize {
        if layout.size() <= FRAME { 1 } else { layout.size().div_ceil(FRAME) }
    }

    // SAFETY: blocks are whole frames, handed out once until they are freed; nothing unwinds.
    unsafe impl<const FRAME: usize> GlobalAlloc for PageFrameAlloc<FRAME> {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let Some(zone) = self.zone() else { return ptr::null_mut() };
            let block = zone.take(count::<FRAME>(layout) as u64, layout.align());
            block.map_or(ptr::null_mut(), NonNull::as_ptr)
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's obligations are the same ones.
            let block = unsafe { self.alloc(layout) };
            let (Some(at), Some(zone)) = (NonNull::new(block), self.zone.get()) else {
                return block;
            };
            // Pages that were never touched stay so.
            // SAFETY: 1. and 3. the block is ours until it is returned. 2. whole frames.
            let zero = layout.size() >= PURGED
                && unsafe { zone.frames.purge(at, self.good_size(layout)) } == Contents::Zero;
            if !zero {
                // SAFETY: a block holds its layout.
                unsafe { block.write_bytes(0, layout.size()) };
            }
            block
        }

        #[inline]
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: 1. the caller's: a live block, so not null, of this layout.
            unsafe {
                let block = NonNull::new_unchecked(block);
                match count::<FRAME>(layout) {
                    1 if layout.align() <= FRAME && FRAME < PURGED => self.give_one(block),
                    frames => self.give(block, frames, layout.align()),
                }
            }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: the caller's: the new size makes a layout.
            let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
            if count::<FRAME>(layout) == count::<FRAME>(new) {
                return block;
            }
            // SAFETY: the caller's: a live block of `layout`; the new block holds its layout.
            unsafe {
                let to = self.alloc(new);
                if !to.is_null() {
                    to.copy_from_nonoverlapping(block, layout.size().min(new_size));
                    self.dealloc(block, layout);
                }
                to
            }
        }
    }
}

#[cfg(all(feature = "std", not(target_os = "linux"), not(strata_loom)))]
mod face {
    use core::alloc::{GlobalAlloc, Layout};
    use std::alloc::System;

    /// The system's allocator: this crate does not know the system that it was built for, and forwards.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct PageFrameAlloc<const FRAME: usize = 64>;

    impl<const FRAME: usize> PageFrameAlloc<FRAME> {
        /// The handle.
        pub const fn new() -> Self {
            Self
        }
    }

    // SAFETY: the system's allocator, by another name.
    unsafe impl<const FRAME: usize> GlobalAlloc for PageFrameAlloc<FRAME> {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { System.dealloc(block, layout) }
        }
    }
}
