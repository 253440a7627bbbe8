//! The lists against a `Vec`, and under real threads.

use core::ptr::NonNull;
use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::sync::AtomicU32;

fn words<const N: usize>() -> [AtomicU32; N] {
    [const { AtomicU32::new(0) }; N]
}

proptest! {
    /// One thread: every list is a stack.
    #[test]
    fn each_list_answers_like_a_vec(pushes in prop::collection::vec(any::<bool>(), 0..200)) {
        let words = words::<200>();
        let links = Indexed::new(&words);
        let (mut lifo, stack) = (Lifo::<Indexed>::new(), IndexStack::new());
        let other_words = self::words::<200>();
        let other = Indexed::new(&other_words);
        let mut oracle = Vec::new();
        for (block, push) in (0u32..).zip(pushes) {
            // SAFETY: 1. each number is pushed once. 2. each list keeps to its own links.
            unsafe {
                if push {
                    lifo.push(&links, block);
                    stack.push(other, block);
                    oracle.push(block);
                } else {
                    let expected = oracle.pop();
                    prop_assert_eq!(lifo.pop(&links), expected);
                    prop_assert_eq!(stack.pop(other), expected);
                }
            }
            prop_assert_eq!(lifo.first(), oracle.last().copied());
            prop_assert_eq!(stack.is_empty(), oracle.is_empty());
        }
        let mut rest = stack.take_all();
        while let Some(expected) = oracle.pop() {
            // SAFETY: 1. the stack's links.
            prop_assert_eq!(unsafe { rest.pop(&other) }, Some(expected));
        }
        prop_assert!(rest.is_empty() && stack.is_empty());
    }
}

#[test]
fn a_chain_goes_on_whole_and_in_order() {
    let words = words::<6>();
    let links = Indexed::new(&words);
    let list = RemoteList::<Indexed>::new();
    // SAFETY: 1. the blocks are the test's, each pushed once. 2. one set of links.
    unsafe {
        let mut chain = Lifo::new();
        for block in [2, 1, 0] {
            chain.push(&links, block);
        }
        assert!(list.push(&links, 5));
        assert!(!list.push_chain(&links, 0, 2));
        let mut all = list.take_all();
        for expected in [Some(0), Some(1), Some(2), Some(5), None] {
            assert_eq!(all.pop(&links), expected);
        }
    }
}

#[test]
fn links_in_the_blocks_survive_the_passage_between_threads() {
    const BLOCKS: usize = if cfg!(miri) { 50 } else { 5_000 };
    let mut memory = std::vec![[0usize; 2]; BLOCKS];
    let names: Vec<usize> = memory.iter_mut().map(|b| b.as_mut_ptr().expose_provenance()).collect();
    let list = RemoteList::<InBand>::new();
    let taken = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for half in names.chunks(BLOCKS / 2) {
            let list = &list;
            scope.spawn(move || {
                for name in half {
                    let block = core::ptr::with_exposed_provenance_mut::<u8>(*name);
                    // SAFETY: 1. each block is in one half. 2. always `InBand`.
                    unsafe { list.push(&InBand, NonNull::new(block).unwrap()) };
                }
            });
        }
        scope.spawn(|| {
            while taken.lock().unwrap().len() < BLOCKS {
                let mut blocks = list.take_all();
                // SAFETY: 1. always `InBand`.
                while let Some(block) = unsafe { blocks.pop(&InBand) } {
                    assert!(taken.lock().unwrap().insert(block.addr()), "handed out twice");
                }
            }
        });
    });
    assert!(list.is_empty());
}

#[test]
fn four_threads_on_one_stack_never_hold_the_same_index() {
    const TURNS: usize = if cfg!(miri) { 50 } else { 20_000 };
    let words = words::<3>();
    let links = Indexed::new(&words);
    let stack = IndexStack::new();
    let held = self::words::<3>();
    for block in 0..3 {
        // SAFETY: 1. the test's own. 2. always `links`.
        unsafe { stack.push(links, block) };
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..TURNS {
                    // SAFETY: 1. always `links`.
                    let Some(block) = (unsafe { stack.pop(links) }) else { continue };
                    let owner = &held[block as usize];
                    assert_eq!(owner.swap(1, crate::sync::Ordering::Relaxed), 0);
                    owner.store(0, crate::sync::Ordering::Relaxed);
                    // SAFETY: 1. popped above. 2. always `links`.
                    unsafe { stack.push(links, block) };
                }
            });
        }
    });
    let mut rest = stack.take_all();
    // SAFETY: 1. always `links`.
    let left = core::iter::from_fn(|| unsafe { rest.pop(&links) });
    assert_eq!(left.count(), 3);
}
