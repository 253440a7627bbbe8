//! `PageFrameAlloc` as the global allocator of this test, and as values of its own.

#![cfg(all(feature = "std", target_os = "linux"))]

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::sync::Barrier;

use strata_page_frame::PageFrameAlloc;

mod common;
use common::Random;

#[global_allocator]
static GLOBAL: PageFrameAlloc = PageFrameAlloc::new();

/// A block with its layout and what its bytes are.
struct Block {
    at: *mut u8,
    layout: Layout,
    value: u8,
}

impl Block {
    fn check(&self) {
        assert_eq!(self.at.addr() % self.layout.align(), 0, "{:?}", self.layout);
        for place in [0, self.layout.size() / 2, self.layout.size() - 1] {
            // SAFETY: inside a live block, which was filled.
            assert_eq!(unsafe { self.at.add(place).read() }, self.value);
        }
    }

    fn fill(&self) {
        // SAFETY: a live block of ours.
        unsafe { self.at.write_bytes(self.value, self.layout.size()) };
    }
}

fn layout(random: &mut Random) -> Layout {
    let most = 1 << random.below(19);
    let size = 1 + random.below(most) as usize;
    let shift = random.below(if size > 4096 { 17 } else { 10 });
    Layout::from_size_align(size, 1 << shift).unwrap()
}

/// Random calls against a map of what is live: no overlap, contents kept, zeroes where asked for.
fn play(alloc: &impl GlobalAlloc, seed: u64, calls: usize) {
    let mut random = Random(seed);
    let mut live: Vec<Block> = Vec::new();
    let mut ranges = BTreeMap::new();
    for call in 0..calls {
        match random.below(5) {
            0 | 1 => {
                let (layout, value) = (layout(&mut random), call as u8);
                let zeroed = random.below(4) == 0;
                // SAFETY: no layout is empty.
                let at = unsafe {
                    if zeroed { alloc.alloc_zeroed(layout) } else { alloc.alloc(layout) }
                };
                assert!(!at.is_null());
                let block = Block { at, layout, value: if zeroed { 0 } else { value } };
                if zeroed {
                    // SAFETY: a live block, which was zeroed.
                    let bytes = unsafe { std::slice::from_raw_parts(at, layout.size()) };
                    assert!(bytes.iter().all(|&byte| byte == 0));
                }
                block.fill();
                let (start, end) = (at.addr(), at.addr() + layout.size());
                let below = ranges.range(..end).next_back();
                assert!(below.is_none_or(|(_, &before)| before <= start), "overlap");
                ranges.insert(start, end);
                live.push(block);
            }
            2 if !live.is_empty() => {
                let place = random.below(live.len() as u64) as usize;
                let block = &mut live[place];
                block.check();
                let size = 1 + random.below(2 * block.layout.size() as u64) as usize;
                ranges.remove(&block.at.addr());
                // SAFETY: a live block with its layout; the size is not zero.
                block.at = unsafe { alloc.realloc(block.at, block.layout, size) };
                let kept = size.min(block.layout.size());
                block.layout = Layout::from_size_align(size, block.layout.align()).unwrap();
                // SAFETY: a live block, whose first bytes were kept.
                assert_eq!(unsafe { block.at.add(kept - 1).read() }, block.value);
                block.fill();
                ranges.insert(block.at.addr(), block.at.addr() + size);
            }
            _ if !live.is_empty() => {
                let block = live.swap_remove(random.below(live.len() as u64) as usize);
                block.check();
                ranges.remove(&block.at.addr());
                // SAFETY: a live block with its layout.
                unsafe { alloc.dealloc(block.at, block.layout) };
            }
            _ => {}
        }
    }
    for block in live {
        block.check();
        // SAFETY: as above.
        unsafe { alloc.dealloc(block.at, block.layout) };
    }
}

#[test]
fn frames_of_any_size_serve_any_layout() {
    play(&PageFrameAlloc::<16>::new(), 1, 4000);
    play(&PageFrameAlloc::<64>::new(), 2, 4000);
    play(&PageFrameAlloc::<4096>::new(), 3, 4000);
    play(&GLOBAL, 4, 4000);
}

#[test]
fn everything_comes_back_and_the_tables_agree() {
    let alloc = PageFrameAlloc::<64>::new();
    assert_eq!(alloc.stats().allocated, None, "no zone before the first call");
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let alloc = &alloc;
            scope.spawn(move || play(alloc, 10 + seed, 3000));
        }
    });
    assert_eq!(alloc.stats().allocated.unwrap().get(), 0);
    assert_eq!(alloc.validate(), Ok(()));
    let mut free = 0;
    alloc.free_ranges(&mut |range| free += range.len());
    assert!(free >= 1 << 20);
}

#[test]
fn racers_to_the_first_block_get_blocks_of_one_zone() {
    for _ in 0..20 {
        let alloc = PageFrameAlloc::<64>::new();
        let start = Barrier::new(8);
        let layout = Layout::new::<[u64; 8]>();
        let blocks: Vec<usize> = std::thread::scope(|scope| {
            let take = || {
                start.wait();
                // SAFETY: the layout is not empty.
                unsafe { alloc.alloc(layout) }.addr()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (first, last) = (blocks.iter().min().unwrap(), blocks.iter().max().unwrap());
        assert!(*first != 0 && last - first < 1 << 30, "one zone");
        assert_eq!(alloc.stats().allocated.unwrap().get(), 8 * 64);
    }
}

#[test]
fn a_purge_and_the_free_of_a_large_block_give_memory_back() {
    let alloc = PageFrameAlloc::<4096>::new();
    let layout = Layout::from_size_align(8 << 20, 4096).unwrap();
    // SAFETY: not empty; live until freed; within the block.
    unsafe {
        let block = alloc.alloc(layout);
        block.write_bytes(1, layout.size());
        alloc.dealloc(block, layout);
        let again = alloc.alloc(layout);
        assert_eq!((again, again.add(5000).read()), (block, 0), "the contents went with the free");
        alloc.dealloc(again, layout);
    }
    assert!(alloc.purge() >= 8 << 20);
    assert_eq!(alloc.stats().allocated.unwrap().get(), 0);
}

#[cfg(feature = "allocator-api2")]
#[test]
fn collections_of_allocator_api2_live_in_it() {
    let alloc = PageFrameAlloc::<64>::new();
    let mut numbers = allocator_api2::vec::Vec::new_in(&alloc);
    numbers.extend(0..10_000_u64);
    assert!(numbers.iter().enumerate().all(|(place, &number)| place as u64 == number));
    drop(numbers);
    assert_eq!(alloc.stats().allocated.unwrap().get(), 0);
}
