//! The whole program in a fixed region of 4 MiB, as on a machine without an operating system: one
//! allocator in a `static`, a lock of the user's choice, no growth.

use core::ptr::NonNull;

use strata_core::lock::{RawLock, SpinLock};
use strata_core::source::Region;
use strata_segment::{Locked, SegmentAlloc};

/// The user's lock, in the terms of lock_api: any crate's `RawMutex` will do.
struct Raw(SpinLock);

// SAFETY: `SpinLock` promises the same.
unsafe impl lock_api::RawMutex for Raw {
    const INIT: Self = Self(SpinLock::new());
    type GuardMarker = lock_api::GuardSend;

    fn lock(&self) {
        self.0.lock();
    }

    fn try_lock(&self) -> bool {
        self.0.try_lock()
    }

    unsafe fn unlock(&self) {
        // SAFETY: 1. the caller holds it.
        unsafe { self.0.unlock() }
    }
}

const BYTES: usize = 4 << 20;
static mut MEMORY: [u8; BYTES] = [0; BYTES];

#[global_allocator]
static ALLOC: SegmentAlloc<Locked<Raw, Region<'static>>> = SegmentAlloc::over(Locked::new(
    // SAFETY: 1. the bytes of a static, for ever. 2. nothing else names it.
    unsafe { Region::from_raw_parts(NonNull::new_unchecked((&raw mut MEMORY).cast()), BYTES) },
));

fn main() {
    let words: Vec<String> = (0..10_000).map(|n| format!("word {n}")).collect();
    let some: Vec<&String> = words.iter().filter(|word| word.ends_with('7')).collect();
    println!("{} words, {} of them end with 7", words.len(), some.len());

    let stats = ALLOC.face().with(|heap| heap.segments().stats());
    println!(
        "{} bytes in {} blocks, {} free, fragmentation {:.2}",
        stats.used,
        stats.used_segments,
        stats.free,
        stats.fragmentation()
    );
    assert!(Vec::<u8>::new().try_reserve_exact(BYTES).is_err(), "no more than the region has");
}
