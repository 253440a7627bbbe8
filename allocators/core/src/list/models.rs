//! Loom explores the shipped lists: every order of their atomic operations, and every value that
//! the orderings allow a load to see.
//!
//! Block contents are loom's tracked cells, so an ordering that fails to hand a block over with its
//! contents is reported as a race, and so is a block that two threads own. `Tracked` keeps even the
//! links in such cells: it stands for links in free memory, which loom cannot see.

use std::sync::Arc;
use std::vec::Vec;

use super::*;
use crate::sync::{AtomicU32, UnsafeCell, model, stopped_after, thread};

const BLOCKS: usize = 4;

/// Plain links, one cell a block: racing on one is an error, as in a block's first word.
struct Tracked([UnsafeCell<Option<u32>>; BLOCKS]);

// SAFETY: 1. a plain store and load of one place. 2. numbers. 3. loom reports misuse by panicking,
// which ends the model.
unsafe impl Links for Tracked {
    type Block = u32;
    type Head = IndexHead;

    unsafe fn link(&self, block: u32, next: Option<u32>) {
        // SAFETY: 1. of this method, which loom checks.
        self.0[block as usize].with_mut(|link| unsafe { *link = next });
    }

    unsafe fn next(&self, block: u32) -> Option<u32> {
        // SAFETY: 1. of this method, which loom checks.
        self.0[block as usize].with(|link| unsafe { *link })
    }
}

/// What the threads of a model share.
struct Shared {
    tracked: Tracked,
    words: [AtomicU32; BLOCKS],
    contents: [UnsafeCell<u32>; BLOCKS],
    remote: RemoteList<Tracked>,
    stack: IndexStack,
}

// SAFETY: whether the cells are shared soundly is what the models check.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            tracked: Tracked(core::array::from_fn(|_| UnsafeCell::new(None))),
            words: core::array::from_fn(|_| AtomicU32::new(0)),
            contents: core::array::from_fn(|_| UnsafeCell::new(0)),
            remote: RemoteList::with_head(IndexHead::empty()),
            stack: IndexStack::new(),
        })
    }

    /// Uses a block as its owner does.
    fn touch(&self, block: u32) {
        // SAFETY: the caller owns the block; loom reports it if another thread does too.
        self.contents[block as usize].with_mut(|contents| unsafe { *contents += 1 });
    }

    fn push_remote(&self, block: u32) {
        self.touch(block);
        // SAFETY: 1. the models give each block to one thread. 2. always `tracked`.
        unsafe { self.remote.push(&self.tracked, block) };
    }

    fn take_remote(&self) -> Vec<u32> {
        let mut list = self.remote.take_all();
        // SAFETY: 1. always `tracked`.
        let taken: Vec<_> = core::iter::from_fn(|| unsafe { list.pop(&self.tracked) }).collect();
        taken.iter().for_each(|block| self.touch(*block));
        taken
    }

    fn push(&self, block: u32) {
        self.touch(block);
        // SAFETY: 1. the models give each block to one thread. 2. always `words`.
        unsafe { self.stack.push(Indexed::new(&self.words), block) };
    }

    fn pop(&self) -> Option<u32> {
        // SAFETY: 1. always `words`.
        let block = unsafe { self.stack.pop(Indexed::new(&self.words)) }?;
        self.touch(block);
        Some(block)
    }

    fn drain(&self) -> Vec<u32> {
        core::iter::from_fn(|| self.pop()).collect()
    }
}

/// Sorts, and asserts that no block is there twice.
fn distinct(mut blocks: Vec<u32>) -> Vec<u32> {
    blocks.sort_unstable();
    assert!(blocks.windows(2).all(|pair| pair[0] != pair[1]), "handed out twice: {blocks:?}");
    blocks
}

#[test]
fn two_pushers_and_a_taker_of_all_lose_no_block() {
    model(|| {
        let shared = Shared::new();
        let pushers = [0, 1].map(|block| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.push_remote(block))
        });
        let mut taken = shared.take_remote();
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        taken.extend(shared.take_remote());
        assert_eq!(distinct(taken), [0, 1]);
    });
}

#[test]
fn a_taken_block_may_be_pushed_again_while_others_push() {
    model(|| {
        let shared = Shared::new();
        shared.push_remote(0);
        let pusher = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.push_remote(1))
        };
        let mut held = Vec::new();
        for block in shared.take_remote() {
            if block == 0 { shared.push_remote(0) } else { held.push(block) }
        }
        pusher.join().unwrap();
        held.extend(shared.take_remote());
        assert_eq!(distinct(held), [0, 1]);
    });
}

#[test]
fn only_the_push_that_finds_the_list_empty_says_so() {
    model(|| {
        let shared = Shared::new();
        let other = {
            let shared = Arc::clone(&shared);
            // SAFETY: 1. this thread's block. 2. always `tracked`.
            thread::spawn(move || unsafe { shared.remote.push(&shared.tracked, 0) })
        };
        // SAFETY: 1. this thread's block. 2. always `tracked`.
        let first = unsafe { shared.remote.push(&shared.tracked, 1) };
        assert_ne!(first, other.join().unwrap());
    });
}

#[test]
fn a_popper_that_sleeps_while_its_block_comes_back_takes_nothing_twice() {
    model(|| {
        let shared = Shared::new();
        shared.push(0);
        shared.push(1);
        // This thread makes the word look as before: pop 1, pop 0, push 1.
        let sleeper = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.pop())
        };
        let mut held = Vec::new();
        let top = shared.pop();
        held.extend(shared.pop());
        if let Some(top) = top {
            shared.push(top);
        }
        held.extend(sleeper.join().unwrap());
        held.extend(shared.drain());
        assert_eq!(distinct(held), [0, 1]);
    });
}

#[test]
fn a_popped_block_comes_with_what_its_pusher_wrote() {
    model(|| {
        let shared = Shared::new();
        let pusher = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.push(0);
                shared.push(1);
            })
        };
        // `pop` writes the contents: loom reports a race if the push did not publish them.
        let mut held: Vec<_> = shared.pop().into_iter().collect();
        pusher.join().unwrap();
        held.extend(shared.drain());
        assert_eq!(distinct(held), [0, 1]);
    });
}

#[test]
fn taking_a_whole_stack_and_popping_from_it_share_no_block() {
    model(|| {
        let shared = Shared::new();
        shared.push(0);
        shared.push(1);
        let popper = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.pop())
        };
        let mut list = shared.stack.take_all();
        let links = Indexed::new(&shared.words);
        // SAFETY: 1. always `words`.
        let mut held: Vec<_> = core::iter::from_fn(|| unsafe { list.pop(&links) }).collect();
        held.iter().for_each(|block| shared.touch(*block));
        held.extend(popper.join().unwrap());
        held.extend(shared.drain());
        assert_eq!(distinct(held), [0, 1]);
    });
}

#[test]
fn a_taken_stack_comes_with_what_its_pusher_wrote() {
    model(|| {
        let shared = Shared::new();
        let pusher = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.push(0))
        };
        let mut list = shared.stack.take_all();
        // SAFETY: 1. always `words`.
        let first = unsafe { list.pop(&Indexed::new(&shared.words)) };
        let mut held: Vec<_> = first.into_iter().collect();
        held.iter().for_each(|block| shared.touch(*block));
        pusher.join().unwrap();
        held.extend(shared.drain());
        assert_eq!(distinct(held), [0]);
    });
}

/// Runs `model_of` with a thread stopped after no atomic operation, after one, and so on, past the
/// end of an undisturbed operation.
fn at_each_step(model_of: fn(usize)) {
    for steps in 0..=4 {
        model(move || model_of(steps));
    }
}

#[test]
fn a_pusher_stopped_for_ever_at_any_step_loses_at_most_its_own_block() {
    at_each_step(|steps| {
        let shared = Shared::new();
        shared.push_remote(0);
        let stopped = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || stopped_after(steps, || shared.push_remote(1)).is_some())
        };
        // Before the stopped thread is joined: nothing orders it with this one.
        let mut held = shared.take_remote();
        shared.push_remote(2);
        let finished = stopped.join().unwrap();
        held.extend(shared.take_remote());
        let held = distinct(held);
        assert!(held.contains(&0) && held.contains(&2));
        assert!(!finished || held.contains(&1), "a finished push was lost");
    });
}

#[test]
fn a_popper_stopped_for_ever_at_any_step_takes_at_most_one_index_with_it() {
    at_each_step(|steps| {
        let shared = Shared::new();
        shared.push(0);
        shared.push(1);
        let stopped = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || stopped_after(steps, || shared.pop()).flatten())
        };
        let mut held: Vec<_> = shared.pop().into_iter().collect();
        let last = stopped.join().unwrap();
        held.extend(last);
        held.extend(shared.drain());
        assert!(distinct(held).len() >= 1);
    });
}

#[test]
fn a_thread_stopped_between_its_pop_and_its_push_leaves_the_stack_whole() {
    at_each_step(|steps| {
        let shared = Shared::new();
        shared.push(0);
        shared.push(1);
        let stopped = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                stopped_after(steps, || {
                    if let Some(block) = shared.pop() {
                        shared.push(block);
                    }
                });
            })
        };
        let mut held: Vec<_> = shared.pop().into_iter().collect();
        stopped.join().unwrap();
        held.extend(shared.drain());
        let held = distinct(held);
        assert!((1..=2).contains(&held.len()), "more than one block is gone: {held:?}");
    });
}
