//! System with a flaw planted by the executable's name, for the tests of `gate` and `compare`.
//!
//! A copy whose name ends in `-memory` keeps a page more for every hundred pages that were live at
//! most; one that ends in `-time` does five percent more work a call. Any other is System itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The subject `planted`.
struct Planted;

const UNKNOWN: usize = 0;
const SOUND: usize = 1;
const MEMORY: usize = 2;
const TIME: usize = 3;

/// Which flaw, once it is known.
static FLAW: AtomicUsize = AtomicUsize::new(UNKNOWN);
/// Bytes that are live, and the most that were when a page was last kept.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static KEPT_AT: AtomicUsize = AtomicUsize::new(0);
/// Calls so far.
static CALLS: AtomicUsize = AtomicUsize::new(0);

const PAGE: usize = 4096;

/// The flaw, by the name of the file that runs: asked once, without allocating.
fn flaw() -> usize {
    // Relaxed, here and below: replay on one thread is all that these tests do, and a flaw that two
    // threads find out is the same.
    let known = FLAW.load(Relaxed);
    if known == UNKNOWN { find_slow() } else { known }
}

#[cold]
fn find_slow() -> usize {
    let mut name = [0_u8; PAGE];
    // SAFETY: the call writes at most the buffer's length.
    let length =
        unsafe { libc::readlink(c"/proc/self/exe".as_ptr(), name.as_mut_ptr().cast(), name.len()) };
    let name = std::ffi::OsStr::from_bytes(&name[..usize::try_from(length).unwrap_or(0)]);
    let found = match name.as_bytes() {
        name if name.ends_with(b"-memory") => MEMORY,
        name if name.ends_with(b"-time") => TIME,
        _ => SOUND,
    };
    FLAW.store(found, Relaxed);
    found
}

/// A page for every hundred by which more is live than ever.
fn keep(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    while live >= KEPT_AT.load(Relaxed) + 100 * PAGE {
        KEPT_AT.fetch_add(100 * PAGE, Relaxed);
        // SAFETY: a new mapping of a page, which is written within its length and kept for ever.
        unsafe {
            let page = libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if page != libc::MAP_FAILED {
                page.cast::<u8>().write(1);
            }
        }
    }
}

/// The same call again for every twentieth.
fn again() -> bool {
    CALLS.fetch_add(1, Relaxed).is_multiple_of(20)
}

// SAFETY: every block is System's own, with the caller's layout.
unsafe impl GlobalAlloc for Planted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match flaw() {
            MEMORY => keep(layout.size()),
            TIME if again() => {
                // SAFETY: the caller's layout; the block is freed at once with the same one.
                unsafe { System.dealloc(System.alloc(layout), layout) };
            }
            _ => {}
        }
        // SAFETY: the caller's obligations are this method's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if flaw() == MEMORY {
            LIVE.fetch_sub(layout.size(), Relaxed);
        }
        // SAFETY: the caller's obligations are this method's own.
        unsafe { System.dealloc(block, layout) };
    }
}

strata_bench::main!(Planted);
