//! Loom explores the shipped protocols: the bitmap of static pools, the depot, magazines, caches that
//! are left and claimed, chunks that retire; also with a thread that stops for ever at each step.
//!
//! Blocks are watched by cells that loom tracks: two owners at once, or an owner that does not see
//! what the one before did, is reported whatever the values are. The chunks' lock is a lock: who stops
//! inside it stops the others, which only the lock-free parts are free from; they are stopped here.

mod bits;
mod depot;
mod pool;

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Arc;

use strata_core::source::rounded_len;
use strata_core::sync::{model, thread};
use strata_core::{Chunk, Contents, Exhausted, Source};

const PAGE: usize = 4096;

/// Memory of the test's own allocator.
#[derive(Debug)]
struct Pages;

// SAFETY: 1. and 2. the allocator's. 3. fresh memory is zero, and so is purged memory.
unsafe impl Source for Pages {
    type Address = NonNull<u8>;
    const ZEROED: bool = true;
    const PURGES: bool = true;

    fn granule(&self) -> usize {
        PAGE
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, PAGE)?;
        let layout = Layout::from_size_align(len, PAGE).map_err(|_| Exhausted)?;
        // SAFETY: not a layout of no bytes.
        let at = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(Exhausted)?;
        // SAFETY: 1. fresh. 2. and 3. the allocator's.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        if let Ok(layout) = Layout::from_size_align(chunk.len(), PAGE) {
            // SAFETY: allocated with this layout, used by nobody.
            unsafe { std::alloc::dealloc(chunk.base().as_ptr(), layout) };
        }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // SAFETY: the caller's range.
        unsafe { at.write_bytes(0, len) };
        Contents::Zero
    }
}

/// Explores `work`; what it builds is more than loom's first stack and bounds hold.
fn explore(work: impl Fn() + Sync + Send + 'static) {
    explore_within(model::Builder::new(), work);
}

/// Explores `work` of many steps, with fewer preemptions where their number is bounded.
fn explore_long(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.map(|most| most.min(2));
    explore_within(builder, work);
}

fn explore_within(mut builder: model::Builder, work: impl Fn() + Sync + Send + 'static) {
    builder.max_branches = 100_000;
    let work = Arc::new(work);
    builder.check(move || {
        let work = Arc::clone(&work);
        let roomy = thread::Builder::new().stack_size(1 << 20).spawn(move || work());
        roomy.expect("a thread").join().expect("its model");
    });
}
