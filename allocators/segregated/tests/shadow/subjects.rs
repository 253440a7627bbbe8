//! The heaps that programs are played on.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::runner::{Limits, Regime, Subject, play};
use strata_core::lock::{RawLock, SpinLock};
use strata_core::source::Counted;
use strata_core::{ByteCount, Source, Stats};
use strata_segregated::{Broken, Checked, GiveBack, Heap, Report, SegregatedAlloc};

/// The process heap, used explicitly: the program's own blocks are the system allocator's.
pub(crate) struct ProcessHeap;

impl<S, L> Subject for Heap<S, L>
where
    S: Source<Address = NonNull<u8>> + Sync,
    L: RawLock + Sync,
{
    fn purge(&self) -> usize {
        Heap::purge(self)
    }
    fn good_size(&self, layout: Layout) -> usize {
        Heap::good_size(self, layout)
    }
    fn validate(&self) -> Result<Checked, Broken> {
        Heap::validate(self)
    }
    fn stats(&self) -> Stats {
        Heap::stats(self)
    }
    fn report(&self) -> Report {
        Heap::report(self)
    }
}

// SAFETY: the process heap's own answers.
unsafe impl GlobalAlloc for ProcessHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { SegregatedAlloc.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { SegregatedAlloc.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { SegregatedAlloc.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { SegregatedAlloc.realloc(block, layout, new_size) }
    }
}

impl Subject for ProcessHeap {
    // What waits in quarantine is allocated still, and words behind blocks are, too.
    const ALONE: bool = !cfg!(feature = "measures");
    fn purge(&self) -> usize {
        SegregatedAlloc.purge()
    }
    fn flush_thread_cache(&self) {
        SegregatedAlloc.flush_thread_cache();
    }
    fn good_size(&self, layout: Layout) -> usize {
        SegregatedAlloc.good_size(layout)
    }
    fn validate(&self) -> Result<Checked, Broken> {
        SegregatedAlloc.validate()
    }
    fn stats(&self) -> Stats {
        SegregatedAlloc.stats()
    }
    fn report(&self) -> Report {
        SegregatedAlloc.report()
    }
}

/// What a mapped heap is asked for.
pub(crate) const MAPPED: Limits =
    Limits { live: 16 << 20, block: 4 << 20, align: 1 << 30, regime: Regime::Any };
/// What a heap in a buffer is asked for: it has less, and refuses now and then.
pub(crate) const BUFFER: Limits =
    Limits { live: 8 << 20, block: 1 << 20, align: 64 << 10, regime: Regime::Any };
/// Bytes of the buffers.
const ROOM: usize = 3 << 20;

/// A buffer of that many.
pub(crate) fn buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); ROOM]
}

/// Plays on a heap over `source`, and asserts that it all came back.
pub(crate) fn play_over<S: Source<Address = NonNull<u8>> + Sync>(
    source: S,
    mode: GiveBack,
    limits: Limits,
    program: &[u8],
) -> usize {
    let counted = Counted::new(source);
    let heap: Heap<_, SpinLock> = Heap::new(&counted);
    heap.set_give_back(mode);
    let refused = play(&heap, limits, program);
    drop(heap);
    assert_eq!(counted.counts().held, ByteCount(0), "released to the last byte");
    refused
}
