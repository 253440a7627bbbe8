//! Loom explores the scalable face: two threads with a shard each, that free one another's blocks.
//!
//! A block's contents are a cell of loom's: a block that two threads have at a time is reported as a
//! race, and so is one that is handed on without what its last owner did.

use std::alloc::Layout;
use std::boxed::Box;
use std::ptr::NonNull;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::lock::SpinLock;
use strata_core::source::{Locked, Region};
use strata_core::sync::{UnsafeCell, model, stopped_after, thread};

use crate::Shared;
use crate::policy::GoodFit;

const BYTES: usize = 1024;
const LAYOUT: Layout = Layout::new::<[u64; 3]>();

type Heap = Shared<Locked<Region<'static>>, SpinLock, GoodFit<0, 0>, 2>;

/// A heap over a buffer, and a cell for each unit of the buffer.
struct World {
    heap: Heap,
    base: usize,
    cells: Vec<UnsafeCell<u32>>,
    /// Behind the heap, which lies in it: dropped later.
    _buffer: Box<[u128]>,
}

// SAFETY: whether the cells are shared soundly is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above; the buffer is reached through the heap.
unsafe impl Send for World {}

/// A block as it is handed from thread to thread.
#[derive(Clone, Copy)]
struct Block(NonNull<u8>);
// SAFETY: a block is its holder's, whichever thread that is.
unsafe impl Send for Block {}

impl World {
    fn new() -> Arc<Self> {
        let mut buffer = std::vec![0_u128; BYTES / 16].into_boxed_slice();
        let start = NonNull::from(&mut *buffer).cast::<u8>();
        // SAFETY: 1. and 2. the buffer is the heap's, and is dropped after it.
        let region = unsafe { Region::from_raw_parts(start, BYTES) };
        Arc::new(Self {
            heap: Shared::new(Locked::new(region)),
            base: start.addr().get(),
            cells: (0..BYTES / 16).map(|_| UnsafeCell::new(0)).collect(),
            _buffer: buffer,
        })
    }

    /// Uses a block as its owner does.
    fn touch(&self, block: Block) -> Block {
        let cell = (block.0.addr().get() - self.base) / 16;
        // SAFETY: the caller owns the block; loom reports it if another thread does too.
        self.cells[cell].with_mut(|contents| unsafe { *contents += 1 });
        block
    }

    fn take(&self, shard: usize) -> Block {
        let block = self.heap.allocate_in(shard, LAYOUT).expect("there is room");
        self.touch(Block(block))
    }

    fn give(&self, shard: usize, block: Block) {
        self.touch(block);
        // SAFETY: 1. a live block of this layout. 2. unused.
        unsafe { self.heap.deallocate_in(shard, block.0, LAYOUT) };
    }

    /// All is free again, and in order.
    fn settle(&self) {
        self.heap.validate().expect("all bookkeeping is in order");
        self.heap.each_shard(|segments| assert_eq!(segments.stats().used, 0));
    }
}

fn explore(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = model::Builder::new();
    builder.max_branches = 100_000;
    builder.check(work);
}

#[test]
fn a_block_freed_elsewhere_comes_back_while_its_shard_is_at_work() {
    explore(|| {
        let world = World::new();
        let sent = world.take(0);
        let there = Arc::clone(&world);
        let other = thread::spawn(move || there.give(1, sent));
        let own = world.take(0);
        world.give(0, own);
        other.join().unwrap();
        world.settle();
    });
}

#[test]
fn two_threads_that_free_one_anothers_blocks_lose_none() {
    explore(|| {
        let world = World::new();
        let (a, b) = (world.take(0), world.take(1));
        let there = Arc::clone(&world);
        let other = thread::spawn(move || {
            there.give(1, a);
            let own = there.take(1);
            there.give(1, own);
        });
        world.give(0, b);
        let own = world.take(0);
        world.give(0, own);
        other.join().unwrap();
        world.settle();
    });
}

#[test]
fn two_that_send_to_one_shard_lose_none() {
    explore(|| {
        let world = World::new();
        let (a, b) = (world.take(0), world.take(0));
        let there = Arc::clone(&world);
        let other = thread::spawn(move || there.give(1, a));
        world.give(1, b);
        other.join().unwrap();
        world.settle();
    });
}

#[test]
fn a_thread_that_stops_while_it_sends_keeps_its_block_and_no_other() {
    // A send is a load and an exchange of the list's head.
    for steps in 0..=2 {
        explore(move || {
            let world = World::new();
            let (a, b) = (world.take(0), world.take(0));
            let there = Arc::clone(&world);
            let other = thread::spawn(move || stopped_after(steps, || there.give(1, a)));
            world.give(0, b);
            let own = world.take(0);
            world.give(0, own);
            other.join().unwrap();
            world.heap.validate().expect("all bookkeeping is in order");
            world.heap.each_shard(|segments| assert!(segments.stats().used_segments <= 1));
        });
    }
}
