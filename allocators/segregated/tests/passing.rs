//! Threads that only free what others allocate, long rows of frees, threads that come and go: no block
//! is lost, none is handed out twice, and what is kept stays bounded.

#![cfg(all(feature = "std", target_os = "linux"))]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::mpsc::sync_channel;
use std::thread;

use strata_segregated::SegregatedAlloc;

const ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// A block that says whose it is at both ends.
struct Block(*mut u8, Layout, u64);
// SAFETY: the block is in one thread's hand at a time.
unsafe impl Send for Block {}

impl Block {
    fn new(bytes: usize, mark: u64) -> Self {
        let layout = Layout::from_size_align(bytes, 8).unwrap();
        // SAFETY: not of zero bytes; the block has room for a word at either end.
        unsafe {
            let at = ALLOC.alloc(layout);
            assert!(!at.is_null());
            at.cast::<u64>().write(mark);
            at.add(bytes - 8).cast::<u64>().write_unaligned(mark);
            Self(at, layout, mark)
        }
    }

    fn free(self) {
        let Self(at, layout, mark) = self;
        // SAFETY: allocated with this layout, and freed once.
        unsafe {
            assert_eq!(at.cast::<u64>().read(), mark);
            assert_eq!(at.add(layout.size() - 8).cast::<u64>().read_unaligned(), mark);
            ALLOC.dealloc(at, layout);
        }
    }
}

/// A size of each kind of bound: many blocks, few, one, none.
const SIZES: [usize; 8] = [16, 64, 1024, 1500, 2048, 3000, 8192, 32768];

#[test]
fn what_one_thread_allocates_and_another_frees_is_whole_and_comes_back() {
    let marks = |round: u64, index: usize| round << 32 | index as u64;
    let before = ALLOC.stats().allocated.unwrap().0;
    for sizes in [&SIZES[..1], &SIZES[2..3], &SIZES[4..5], &SIZES[..2], &SIZES[..]] {
        let (send, receive) = sync_channel::<Vec<Block>>(4);
        let consumer = thread::spawn(move || receive.into_iter().flatten().for_each(Block::free));
        for round in 0..60 {
            let sized = sizes.iter().cycle().take(if sizes[0] > 1000 { 300 } else { 1500 });
            let blocks = sized.enumerate().map(|(i, bytes)| Block::new(*bytes, marks(round, i)));
            send.send(blocks.collect()).unwrap();
        }
        drop(send);
        consumer.join().unwrap();
    }
    ALLOC.validate().unwrap();
    // What other tests have alive beside this one is little.
    let after = ALLOC.stats().allocated.unwrap().0;
    assert!(after <= before + (8 << 20), "{before} and {after} bytes");
}

#[test]
fn long_rows_of_frees_leave_no_stock_beyond_its_bound() {
    // So many classes that stocks may not hold much of each, first or last.
    let sizes: Vec<usize> = (0..36).map(|n| (16 << (n / 3)) + (4 << (n / 3)) * (n % 3)).collect();
    for round in 0..4 {
        let mut blocks = Vec::new();
        for index in 0..400 {
            let sized = sizes.iter().filter(|bytes| **bytes < 8192 || index % 8 == 0);
            blocks.extend(sized.map(|bytes| Block::new(*bytes, index ^ round)));
        }
        // Forwards and backwards, by turns.
        if round % 2 == 0 {
            blocks.into_iter().for_each(Block::free);
        } else {
            blocks.into_iter().rev().for_each(Block::free);
        }
    }
    ALLOC.validate().unwrap();
}

#[test]
fn threads_that_come_and_go_take_over_what_others_left() {
    for round in 0..20 {
        let left: Vec<Block> = thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|thread| {
                    scope.spawn(move || {
                        let blocks = (0..1200_u64).map(|i| {
                            let mark = round << 40 | thread << 32 | i;
                            Block::new(SIZES[i as usize % 6] + i as usize % 7, mark)
                        });
                        let mut left = Vec::new();
                        for block in blocks.collect::<Vec<_>>() {
                            if block.2 % 50 == 0 { left.push(block) } else { block.free() }
                        }
                        left
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        left.into_iter().for_each(Block::free);
    }
    ALLOC.validate().unwrap();
    ALLOC.purge();
    ALLOC.validate().unwrap();
}
