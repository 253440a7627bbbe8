//! A limit on the process heap: requests beyond it fail, and nothing else does.
#![cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]

use core::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use strata_core::ByteCount;
use strata_segregated::{GiveBack, SegregatedAlloc};

const HEAP: SegregatedAlloc = SegregatedAlloc::new();
const MIB: usize = 1 << 20;

/// The heap is one for all tests here, so they take turns, each from nothing.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    HEAP.set_limit(None).expect("none is above everything");
    HEAP.set_give_back(GiveBack::Budget);
    HEAP.purge();
    turn
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("small")
}

fn allocate(size: usize) -> Option<*mut u8> {
    // SAFETY: not of no bytes.
    let block = unsafe { HEAP.alloc(layout(size)) };
    (!block.is_null()).then_some(block)
}

fn free(block: *mut u8, size: usize) {
    // SAFETY: allocated with this size, freed once.
    unsafe { HEAP.dealloc(block, layout(size)) };
}

/// Blocks of so many bytes, until there are no more.
fn fill(size: usize) -> Vec<*mut u8> {
    core::iter::from_fn(|| allocate(size)).collect()
}

/// Bytes with contents, tables apart.
fn held() -> usize {
    let stats = HEAP.stats();
    stats.committed.expect("counted").get() - stats.metadata.expect("counted").get()
}

#[test]
fn requests_of_every_size_fail_at_the_limit_and_succeed_below_it() {
    for size in [24, 1000, 20_000, 100_000, 3 * MIB] {
        let _turn = turn();
        HEAP.set_limit(Some(ByteCount(32 * MIB))).expect("above what is live");
        let blocks = fill(size);
        // With a word or a guard around them, blocks take more than they say.
        let bytes = blocks.len() * size;
        assert!((12 * MIB..=32 * MIB).contains(&bytes), "{size}: {bytes}");
        assert!(held() <= 32 * MIB, "{size}: {}", held());
        HEAP.validate().expect("sound");
        let (half, rest) = blocks.split_at(blocks.len() / 2);
        half.iter().for_each(|block| free(*block, size));
        HEAP.flush_thread_cache();
        // What they were serves another size, too.
        let others = fill(5000);
        assert!(others.len() * 5000 > bytes / 4, "{size}: {}", others.len());
        assert!(held() <= 32 * MIB, "{size}: {}", held());
        others.iter().for_each(|block| free(*block, 5000));
        rest.iter().for_each(|block| free(*block, size));
        HEAP.flush_thread_cache();
        assert_eq!(HEAP.stats().allocated, Some(ByteCount(0)));
    }
}

#[test]
fn a_block_that_may_not_grow_is_as_it_was() {
    let _turn = turn();
    HEAP.set_limit(Some(ByteCount(16 * MIB))).expect("above what is live");
    for size in [100_000, 2 * MIB] {
        let block = allocate(size).expect("below the limit");
        // SAFETY: a block of this size.
        unsafe {
            block.write_bytes(7, size);
            assert!(HEAP.realloc(block, layout(size), 32 * MIB).is_null());
            assert!((0..size).all(|at| *block.add(at) == 7));
        }
        free(block, size);
    }
}

#[test]
fn what_is_idle_goes_for_a_request_that_would_not_fit_beside_it() {
    let _turn = turn();
    HEAP.set_give_back(GiveBack::Never);
    HEAP.set_limit(Some(ByteCount(32 * MIB))).expect("above what is live");
    let large: Vec<_> = (0..12).map(|_| allocate(2 * MIB).expect("below the limit")).collect();
    large.iter().for_each(|block| free(*block, 2 * MIB));
    let small = fill(512);
    assert!(small.len() * 512 > 20 * MIB, "{}", small.len());
    small.iter().for_each(|block| free(*block, 512));
}

#[test]
fn a_limit_below_what_is_live_is_refused() {
    let _turn = turn();
    let block = allocate(8 * MIB).expect("no limit");
    let refused = HEAP.set_limit(Some(ByteCount(4 * MIB))).expect_err("more is live");
    assert!(refused.held.get() >= 8 * MIB);
    assert!(refused.to_string().contains("a limit cannot be below"), "{refused}");
    let other = allocate(64 * MIB).expect("nothing changed");
    free(other, 64 * MIB);
    free(block, 8 * MIB);
    HEAP.set_limit(Some(ByteCount(4 * MIB))).expect("nothing is live");
    assert_eq!(allocate(8 * MIB), None);
}
