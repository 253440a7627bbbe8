//! Blocks that are not out are poisoned: whoever touches one is told by AddressSanitizer, with the
//! place. For builds with `--cfg strata_poison` under that sanitizer (ci/san); in others these are
//! no calls.
//!
//! The tests poison, not the allocator. It never writes into a free block of a frame that has a live
//! one; a frame without is its own again, for tables too, and is not poisoned any more. So the live
//! blocks of every frame are counted here. When it hands out a zeroed block, or moves one, it writes
//! before the block is out: by calls of `memset` and `memcpy`, whose checks ci/san turns off.

/// A block is out from now on: to be called by who got it, before it is touched.
pub(crate) fn out(at: *mut u8, len: usize) {
    #[cfg(strata_poison)]
    frames::each(at.expose_provenance(), len, |frame, part, len| frame.enter(part, len));
    let _ = (at, len);
}

/// A block is out no more: to be called before it is freed, since somebody else may have it at once.
pub(crate) fn back(at: *mut u8, len: usize) {
    #[cfg(strata_poison)]
    frames::each(at.expose_provenance(), len, |frame, part, len| frame.leave(part, len));
    let _ = (at, len);
}

/// Whether the sanitizer lets nobody touch the byte.
#[cfg(strata_poison)]
#[allow(dead_code, reason = "not every test that poisons asks")]
pub(crate) fn is_poisoned(at: *const u8) -> bool {
    unsafe extern "C" {
        fn __asan_address_is_poisoned(at: *const core::ffi::c_void) -> i32;
    }
    // SAFETY: looks into the sanitizer's own table only.
    unsafe { __asan_address_is_poisoned(at.cast()) != 0 }
}

#[cfg(strata_poison)]
mod frames {
    use core::ffi::c_void;
    use core::ptr::without_provenance;
    use core::sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    };

    unsafe extern "C" {
        fn __asan_poison_memory_region(at: *const c_void, len: usize);
        fn __asan_unpoison_memory_region(at: *const c_void, len: usize);
    }

    const FRAME: usize = 4096;
    /// Frames of 64 GiB, more than a heap reserves. Heaps that lie further apart may share entries, and a
    /// frame without a live block stays poisoned then: tests that poison run one after the other.
    const FRAMES: usize = 1 << 24;
    /// Set while somebody changes an entry and what it stands for.
    const LOCKED: u32 = 1 << 31;

    static LIVE: [AtomicU32; FRAMES] = [const { AtomicU32::new(0) }; FRAMES];

    /// A frame that is locked.
    pub(super) struct Frame {
        start: usize,
        live: u32,
    }

    impl Frame {
        pub(super) fn enter(&mut self, part: usize, len: usize) {
            self.live += 1;
            // SAFETY: changes the sanitizer's own table only, of an address that may be any.
            unsafe { __asan_unpoison_memory_region(without_provenance(part), len) };
        }

        pub(super) fn leave(&mut self, part: usize, len: usize) {
            self.live -= 1;
            // SAFETY: as above.
            unsafe {
                if self.live > 0 {
                    __asan_poison_memory_region(without_provenance(part), len);
                } else {
                    __asan_unpoison_memory_region(without_provenance(self.start), FRAME);
                }
            }
        }
    }

    /// Calls back with every frame that a block lies in, and the part of the block there.
    pub(super) fn each(at: usize, len: usize, change: impl Fn(&mut Frame, usize, usize)) {
        let (mut part, end) = (at, at + len);
        while at != 0 && part < end {
            let start = part - part % FRAME;
            let next = end.min(start + FRAME);
            let entry = &LIVE[start / FRAME % FRAMES];
            let live = loop {
                let found = entry.load(Relaxed);
                // Acquire pairs with the release below.
                let taken = entry.compare_exchange_weak(found, found | LOCKED, Acquire, Relaxed);
                if found & LOCKED == 0 && taken.is_ok() {
                    break found;
                }
                std::hint::spin_loop();
            };
            let mut frame = Frame { start, live };
            change(&mut frame, part, next - part);
            // Release pairs with the acquire above.
            entry.store(frame.live, Release);
            part = next;
        }
    }
}
