//! Three heaps side by side: what one handed out comes back to it, whoever frees it, in any order.
#![cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ops::Range;
use std::sync::mpsc;
use std::thread;

use strata_core::ByteCount;
use strata_core::lock::SpinLock;
use strata_core::source::{Locked, Region};
use strata_os::{FutexLock, OsSource};
use strata_segregated::{Heap, SegregatedAlloc, Walked};

const ROOM: usize = 8 << 20;

/// A heap, by number, as everybody can use it.
type Any<'h> = &'h (dyn GlobalAlloc + Sync);

/// A heap's walk.
type Walk<'h> = &'h dyn Fn(&mut dyn FnMut(Walked));

/// A block and whose it is.
#[derive(Clone, Copy)]
struct Block {
    heap: usize,
    at: usize,
    layout: Layout,
}

fn allocate(heaps: &[Any; 3], heap: usize, size: usize) -> Block {
    let layout = Layout::from_size_align(size, 16).expect("small");
    // SAFETY: not a layout of no bytes.
    let at = unsafe { heaps[heap].alloc(layout) };
    assert!(!at.is_null());
    // SAFETY: a block of this layout.
    unsafe { at.write_bytes(heap as u8 + 1, size) };
    Block { heap, at: at.expose_provenance(), layout }
}

fn free(heaps: &[Any; 3], block: Block) {
    let at = core::ptr::with_exposed_provenance_mut::<u8>(block.at);
    // SAFETY: a live block of that heap, written when it was allocated.
    unsafe {
        let bytes = core::slice::from_raw_parts(at, block.layout.size());
        assert!(bytes.iter().all(|byte| *byte == block.heap as u8 + 1), "nobody else wrote it");
        heaps[block.heap].dealloc(at, block.layout);
    }
}

/// Sizes of classes, of runs and (seldom) of a chunk.
fn size(n: usize) -> usize {
    match n % 97 {
        0 => 40_000,
        1 if n.is_multiple_of(5) => 1_200_000,
        k => 8 + k * k * 3 % 2500,
    }
}

#[test]
fn blocks_of_three_heaps_are_never_crossed() {
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); ROOM];
    let own = buffer.as_ptr().addr()..buffer.as_ptr().addr() + ROOM;
    let first: Heap<_, SpinLock> = Heap::new(Locked::new(Region::new(&mut buffer)));
    let second: Heap<_, FutexLock> = Heap::new(OsSource::new());
    let heaps: [Any; 3] = [&first, &second, &SegregatedAlloc];

    let mut blocks: Vec<Block> = Vec::new();
    for n in 0..9000_usize {
        let heap = n % 3;
        // The buffer is small.
        let size = if heap == 0 { size(n) % 3000 + 1 } else { size(n) };
        let block = allocate(&heaps, heap, size);
        assert_eq!(own.contains(&block.at), heap == 0, "only the first heap has the buffer");
        blocks.push(block);
        if blocks.len() > 600 {
            let which = n.wrapping_mul(7919) % blocks.len();
            free(&heaps, blocks.swap_remove(which));
        }
        if n % 3000 == 0 {
            SegregatedAlloc.flush_thread_cache();
        }
    }
    // What each heap says is out is what it handed out.
    SegregatedAlloc.flush_thread_cache();
    let walks: [Walk; 3] = [&|v| first.walk(v), &|v| second.walk(v), &|v| SegregatedAlloc.walk(v)];
    for (heap, walk) in walks.iter().enumerate() {
        let mut walked: Vec<Range<usize>> = Vec::new();
        walk(&mut |piece| {
            if let Walked::Block { at, len } = piece {
                walked.push(at.addr().get()..at.addr().get() + len.0);
            }
        });
        if heap == 2 && cfg!(feature = "sampled-guards") {
            // Some lie on pages of their own, which no walk knows.
            continue;
        }
        for block in blocks.iter().filter(|block| block.heap == heap) {
            // A guard is walked as part of its block.
            let guarded = cfg!(feature = "guard-pages");
            let is_it = |range: &&Range<usize>| {
                range.start == block.at || guarded && range.contains(&block.at)
            };
            let found = walked.iter().filter(is_it).count();
            assert_eq!(found, 1, "each block is walked once");
        }
        let mine = blocks.iter().filter(|block| block.heap == heap).count();
        assert_eq!(walked.len(), mine, "and nothing else");
    }
    // The rest is freed by a thread that allocated nothing.
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<Block>();
        let freeing = scope.spawn(move || receive.iter().for_each(|block| free(&heaps, block)));
        blocks.iter().for_each(|block| send.send(*block).expect("the thread listens"));
        drop(send);
        // The scope alone does not wait for the thread's end, where it leaves its stocks.
        freeing.join().expect("all freed");
    });
    SegregatedAlloc.purge();
    for (stats, checked) in [
        (first.stats(), first.validate()),
        (second.stats(), second.validate()),
        (SegregatedAlloc.stats(), SegregatedAlloc.validate()),
    ] {
        assert_eq!(stats.allocated, Some(ByteCount(0)));
        let checked = checked.expect("valid");
        assert_eq!((checked.blocks, checked.large), (0, 0));
    }
}
