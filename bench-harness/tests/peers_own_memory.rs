//! No subject gets its memory from `std::alloc`, not even at its first call: in a child that would
//! be the instrument's own heap, and what is measured would not be the subject's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use strata_bench::subject::calibration::{Header64, NeverFrees, Noop, PowersOfTwo};
use strata_bench::subject::{Subject, peers};

/// The system's allocator, counting what the calling thread asks of it.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: forwards to `System`; the counter neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's obligations are those of the method called.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Small and large, aligned, zeroed, reallocated and purged.
fn exercise<S: Subject>(subject: &S) {
    for size in [1, 16, 100, 4096, 70_000, 5 << 20] {
        for align in [1, 16, 4096] {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: each block is freed once, with its layout.
            unsafe {
                let first = subject.alloc(layout);
                let second = subject.alloc_zeroed(layout);
                assert!(!first.is_null() && !second.is_null());
                let first = subject.realloc(first, layout, size + 200);
                subject.usable_size(second, layout);
                subject.dealloc(second, layout);
                subject.dealloc(first, Layout::from_size_align(size + 200, align).unwrap());
            }
        }
    }
    subject.purge();
}

fn keeps_to_itself<S: Subject>(subject: &'static S) {
    let calls = || {
        let before = CALLS.get();
        exercise(subject);
        CALLS.get() - before
    };
    let name = subject.describe().name;
    assert_eq!(calls(), 0, "{name} on its first thread");
    assert_eq!(std::thread::spawn(calls).join().unwrap(), 0, "{name} on a later thread");
}

/// The check for each type.
macro_rules! all {
    ($($(#[$when:meta])* $type:ty;)+) => {$(
        $(#[$when])*
        {
            static SUBJECT: $type = <$type>::new();
            keeps_to_itself(&SUBJECT);
        }
    )+};
}

#[test]
fn no_subject_calls_the_global_allocator() {
    let before = CALLS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(CALLS.get() - before, 2, "the counter counts");
    // Without its 70 TB of addresses, for example under a limit, it cannot be called at all.
    #[cfg(feature = "smmalloc")]
    if peers::Smmalloc::has_address_space() {
        all! { peers::Smmalloc; }
    }
    all! {
        Noop;
        NeverFrees;
        PowersOfTwo;
        Header64;
        #[cfg(feature = "strata-segregated")]
        peers::StrataSegregated;
        #[cfg(feature = "strata-page-frame")]
        peers::StrataPageFrame;
        #[cfg(feature = "rusty_alloc")]
        peers::RustyAlloc;
        #[cfg(feature = "talc")]
        peers::Talc;
        #[cfg(feature = "rlsf")]
        peers::Rlsf;
        #[cfg(feature = "dlmalloc")]
        peers::Dlmalloc;
        #[cfg(any(feature = "mimalloc-v2", feature = "mimalloc-v3"))]
        peers::Mimalloc;
        #[cfg(feature = "jemalloc")]
        peers::Jemalloc;
        #[cfg(feature = "snmalloc")]
        peers::Snmalloc;
        #[cfg(feature = "rpmalloc")]
        peers::Rpmalloc;
    }
}
