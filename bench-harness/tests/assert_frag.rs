//! `assert_frag!` as another crate's tests use it, on allocators with known answers.

use std::alloc::{GlobalAlloc, Layout, System};
use strata_bench::subject::calibration::{Header64, NeverFrees, PowersOfTwo};
use strata_bench::{assert_frag, fragmentation};

/// Ends its process at the thousandth call.
struct Aborting(std::sync::atomic::AtomicUsize);

// SAFETY: every block is System's own, with the caller's layout.
unsafe impl GlobalAlloc for Aborting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: the count is only this allocator's own.
        if self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1000 {
            std::process::abort();
        }
        // SAFETY: the caller's obligations are this method's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

/// Refuses every block.
struct Refusing;

// SAFETY: no block is ever handed out.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        std::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[test]
fn a_limit_holds_for_whom_it_is_meant() {
    static HEADER: Header64 = Header64::new();
    assert_frag!(&HEADER, "live-set", <= 1.6);
}

#[test]
fn an_allocator_that_others_used_is_refused_and_not_praised() {
    // The test's own allocator keeps what reading the trace took.
    match fragmentation(&System, "live-set") {
        Ok(found) => assert!(found.ratio() >= 1.0, "{found}"),
        Err(failure) => assert!(failure.message.contains("earlier calls"), "{}", failure.message),
    }
}

#[test]
#[should_panic(expected = "at most 1.2 was asserted")]
fn powers_of_two_are_beyond_it() {
    static POWERS: PowersOfTwo = PowersOfTwo::new();
    assert_frag!(&POWERS, "live-set", <= 1.2);
}

#[test]
fn known_allocators_have_known_ratios() {
    static POWERS: PowersOfTwo = PowersOfTwo::new();
    static HEADER: Header64 = Header64::new();
    static NEVER: NeverFrees = NeverFrees::new();
    let [powers, header, never] = [
        fragmentation(&POWERS, "live-set").unwrap(),
        fragmentation(&HEADER, "live-set").unwrap(),
        fragmentation(&NEVER, "live-set").unwrap(),
    ];
    // Sizes are uniform between powers of two: 4/3 of them, on average, is the next one; and what is
    // free of one size serves no other.
    assert!((4.0 / 3.0..1.9).contains(&powers.ratio()), "{powers}");
    let headers = header.blocks as f64 * 64.0 / header.live as f64;
    assert!((1.0 + headers..1.35 + headers).contains(&header.ratio()), "{header}");
    assert!(never.ratio() > 2.0, "{never}");
    assert_eq!(powers.live, never.live);
}

#[test]
fn what_cannot_be_replayed_is_told() {
    let told = |found: strata_bench::error::Result<_>| {
        let found: strata_bench::Fragmentation = match found {
            Ok(found) => found,
            Err(failure) => return failure.message,
        };
        panic!("{found}")
    };
    assert!(told(fragmentation(&Refusing, "live-set")).contains("refused"));
    let aborting = Aborting(0.into());
    assert!(told(fragmentation(&aborting, "live-set")).contains("signal 6"));
    assert!(told(fragmentation(&System, "pair-64")).contains("too few"));
    assert!(told(fragmentation(&System, "nonsense")).contains("nonsense"));
}
