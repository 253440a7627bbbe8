//! First-class heaps: any thread allocates and frees, another one walks and measures, and a heap ends as a whole.
#![cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use strata_core::lock::SpinLock;
use strata_core::source::Counted;
use strata_core::{ByteCount, Chunk, Contents, Exhausted, Source};
use strata_os::{OsReserve, OsSource};
use strata_segregated::{Heap, SegregatedAlloc, Walked};

const THREADS: usize = 4;

/// Layouts of each kind: classes, runs, a chunk of its own.
fn layout(n: usize) -> Layout {
    let size = match n % 10 {
        0 => 40_000 + n % 7 * 4096,
        1 if n.is_multiple_of(501) => 2 << 20,
        _ => 8 + n % 900,
    };
    Layout::from_size_align(size, 8).expect("small")
}

/// A block on its way between threads.
struct Block(NonNull<u8>, Layout);
// SAFETY: memory of a heap that threads share, owned by who has this.
unsafe impl Send for Block {}

/// The live blocks that a walk sees, and their bytes.
fn walked<S: Source<Address = NonNull<u8>>>(heap: &Heap<S, SpinLock>) -> (usize, usize) {
    let (mut blocks, mut bytes) = (0, 0);
    heap.walk(&mut |piece| {
        if let Walked::Block { len, .. } = piece {
            blocks += 1;
            bytes += len.get();
        }
    });
    (blocks, bytes)
}

fn pass_blocks_round<S: Source<Address = NonNull<u8>> + Sync + Send>(source: S) {
    let counted = Counted::new(source);
    let heap: Heap<_, SpinLock> = Heap::new(&counted);
    let barrier = Barrier::new(THREADS + 1);
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::channel::<Block>()).unzip();
    thread::scope(|scope| {
        for (number, from) in receivers.into_iter().enumerate() {
            let (heap, barrier) = (&heap, &barrier);
            let to = senders[(number + 1) % THREADS].clone();
            scope.spawn(move || {
                for n in 0..2000 {
                    let layout = layout(n * THREADS + number);
                    let block = heap.allocate(layout).expect("memory");
                    // SAFETY: a block of this layout.
                    unsafe { block.write_bytes(number as u8, layout.size()) };
                    to.send(Block(block, layout)).expect("a neighbour");
                    if n % 2 == 1 {
                        let Block(block, layout) = from.recv().expect("a neighbour");
                        // SAFETY: 1. a neighbour's, freed once.
                        unsafe { heap.deallocate(block, layout) };
                    }
                }
                drop(to);
                // All stand still while the heap is looked at; then what is left goes.
                barrier.wait();
                barrier.wait();
                for Block(block, layout) in from.iter().take(1000) {
                    // SAFETY: 1. as above.
                    unsafe { heap.deallocate(block, layout) };
                }
            });
        }
        // Nobody else has all senders: where they went, nobody waits for them.
        drop(senders);
        let walk_while_they_go_on = walked(&heap);
        assert!(walk_while_they_go_on.0 <= 2000 * THREADS);
        barrier.wait();
        let (blocks, bytes) = walked(&heap);
        assert_eq!(blocks, 1000 * THREADS);
        assert_eq!(heap.stats().allocated, Some(ByteCount(bytes)));
        assert_eq!(heap.stats().check_laws(), Ok(()));
        let report = heap.report();
        let taken: usize = report.classes.iter().map(|class| class.taken).sum();
        assert_eq!(taken + report.large.runs + report.large.chunks, blocks);
        let checked = heap.validate().expect("sound");
        assert_eq!(checked.blocks + checked.large, blocks);
        barrier.wait();
    });
    assert_eq!(walked(&heap), (0, 0));
    heap.destroy().expect("no block is live");
    assert_eq!(counted.counts().held, ByteCount(0), "released to the last byte");
}

#[test]
fn any_thread_allocates_and_frees_and_another_one_walks_and_measures() {
    pass_blocks_round(OsSource::new());
    pass_blocks_round(OsReserve);
}

#[test]
fn a_heap_with_a_block_of_another_thread_does_not_end_unless_it_is_dropped() {
    let counted: &Counted<OsSource> = Box::leak(Box::new(Counted::new(OsSource::new())));
    let heap: Arc<Heap<_, SpinLock>> = Arc::new(Heap::new(counted));
    let other = Arc::clone(&heap);
    let allocate = move || Block(other.allocate(layout(5)).expect("memory"), layout(5));
    let Block(block, layout) = thread::spawn(allocate).join().expect("a block");

    let heap = Arc::into_inner(heap).expect("the other thread is gone");
    let still_live = heap.destroy().expect_err("a block is live");
    assert_eq!(still_live.blocks(), 1);
    assert!(still_live.to_string().starts_with("the heap has 1 live blocks of "), "{still_live}");
    let heap = still_live.into_heap();
    assert!(heap.contains(block.as_ptr()) && heap.validate().is_ok());
    assert!(heap.stats().allocated.is_some_and(|bytes| bytes.get() >= layout.size()));
    drop(heap);
    assert_eq!(counted.counts().held, ByteCount(0), "with the block");
}

#[test]
fn a_heap_does_not_use_the_stocks_of_the_process() {
    let before = SegregatedAlloc.stats();
    let heap: Heap<_, SpinLock> = Heap::new(OsSource::new());
    let blocks: Vec<_> =
        (0..500).map(|n| Block(heap.allocate(layout(n)).expect("memory"), layout(n))).collect();
    for Block(block, layout) in blocks {
        // SAFETY: 1. allocated above.
        unsafe { heap.deallocate(block, layout) };
    }
    assert_eq!(SegregatedAlloc.stats().allocated, before.allocated);
    heap.destroy().expect("no block is live");
}

/// One chunk of memory, and a purge that takes its time.
struct Slow {
    chunks: AtomicUsize,
    purging: AtomicBool,
    asked: AtomicBool,
}

// SAFETY: 1. and 2. the allocator's; the chunk is never released. 3. fresh memory is zero, and so is purged memory.
unsafe impl Source for Slow {
    type Address = NonNull<u8>;
    const ZEROED: bool = true;
    const PURGES: bool = true;

    fn granule(&self) -> usize {
        4096
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        if self.chunks.swap(0, Ordering::Relaxed) == 0 {
            return Err(Exhausted);
        }
        let layout = Layout::from_size_align(len, align.max(4096)).map_err(|_| Exhausted)?;
        // SAFETY: not a layout of no bytes.
        let at = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(Exhausted)?;
        // SAFETY: 1. fresh. 2. and 3. the allocator's.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        let _ = chunk.into_raw_parts();
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        self.purging.store(true, Ordering::SeqCst);
        while !self.asked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        // SAFETY: the caller's range.
        unsafe { at.write_bytes(0, len) };
        Contents::Zero
    }
}

/// Fills a heap with blocks of `layout`, and asks for the only one that was freed while that is being purged.
fn asks_while_purging(layout: Layout) {
    let source = Slow {
        chunks: AtomicUsize::new(1),
        purging: AtomicBool::new(false),
        asked: AtomicBool::new(false),
    };
    let heap: Heap<_, SpinLock> = Heap::new(&source);
    let blocks: Vec<_> = core::iter::from_fn(|| heap.allocate(layout).ok()).collect();
    let last = blocks[blocks.len() / 2];
    // SAFETY: 1. allocated above, freed once.
    unsafe { heap.deallocate(last, layout) };
    thread::scope(|scope| {
        let purge = scope.spawn(|| heap.purge());
        while !source.purging.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        source.asked.store(true, Ordering::SeqCst);
        assert_eq!(heap.allocate(layout), Ok(last), "{layout:?}");
        assert_eq!(purge.join().expect("no panic"), layout.size());
    });
}

#[test]
fn no_request_fails_because_the_last_free_block_is_being_purged() {
    asks_while_purging(Layout::new::<[u8; 4096]>());
}

#[test]
fn no_request_fails_because_the_last_free_run_is_being_purged() {
    asks_while_purging(Layout::new::<[u8; 256 << 10]>());
}
