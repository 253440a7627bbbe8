//! The whole `strata-bench` command with an allocator of your own among the subjects.
//!
//! ```sh
//! cargo run --release --example my_alloc -- run --alloc myalloc --workload pair-64
//! ```

use std::alloc::{GlobalAlloc, Layout, System};

/// Your allocator: here the system's, which counts nothing and adds nothing.
struct MyAlloc;

// SAFETY: both methods are the system allocator's, with the caller's own arguments.
unsafe impl GlobalAlloc for MyAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

strata_bench::main!(MyAlloc);
