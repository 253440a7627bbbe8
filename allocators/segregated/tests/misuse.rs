//! Wrong frees end the process with a message: at once on a [`Heap`] and in builds with `checked` or
//! `canaries`, when the thread's stocks are flushed otherwise. Each case runs in a child process.
#![cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]

use core::alloc::{GlobalAlloc, Layout};
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use strata_core::lock::SpinLock;
use strata_os::OsSource;
use strata_segregated::{Heap, SegregatedAlloc};

const CHILD: &str = "STRATA_CHILD";
/// What a child prints when a wrong free returned.
const RETURNED: &str = "the wrong free returned";

/// What is done wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Double,
    OtherClass,
    Foreign,
    Interior,
    LargeDouble,
    LargeOtherSize,
    LargeInterior,
    LargeForeign,
    ChunkDouble,
    ChunkOtherSize,
    ChunkResizedOtherSize,
    SmallAsLarge,
    LargeAsSmall,
}

use Wrong::*;

/// Every case, with words of its message.
const CASES: [(Wrong, &str); 13] = [
    (Double, "a block was freed twice"),
    (OtherClass, "with another layout than it has"),
    (Foreign, "a freed block is not of this heap"),
    (Interior, "a freed address is not where a block begins"),
    (LargeDouble, "a large block was freed twice"),
    (LargeOtherSize, "with another size than it has"),
    (LargeInterior, "with another size than it has"),
    (LargeForeign, "a freed block is not of this heap"),
    (ChunkDouble, "a large block was freed twice"),
    (ChunkOtherSize, "with another size than it has"),
    (ChunkResizedOtherSize, "has another size"),
    (SmallAsLarge, "with another size than it has"),
    (LargeAsSmall, "with another layout than it has"),
];

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("small")
}

fn commit(heap: &impl GlobalAlloc, wrong: Wrong) {
    let (small, large, chunk) = (layout(48), layout(100 << 10), layout(3 << 20));
    // SAFETY: none: each case breaks the contract of `dealloc` on purpose, in a child that ends.
    unsafe {
        // Neighbours keep spans and regions as they are.
        let _other = (heap.alloc(small), heap.alloc(large), heap.alloc(layout(200)));
        match wrong {
            Double => {
                let block = heap.alloc(small);
                heap.dealloc(block, small);
                heap.dealloc(block, small);
            }
            OtherClass => heap.dealloc(heap.alloc(small), layout(200)),
            Foreign => {
                let mut foreign = [0_u64; 6];
                heap.dealloc(foreign.as_mut_ptr().cast(), small);
            }
            Interior => heap.dealloc(heap.alloc(small).add(8), small),
            LargeDouble => {
                let block = heap.alloc(large);
                heap.dealloc(block, large);
                heap.dealloc(block, large);
            }
            LargeOtherSize => heap.dealloc(heap.alloc(large), layout(60 << 10)),
            LargeInterior => heap.dealloc(heap.alloc(large).add(4096), large),
            LargeForeign => {
                let mut foreign = vec![0_u64; (100 << 10) / 8];
                heap.dealloc(foreign.as_mut_ptr().cast(), large);
            }
            ChunkDouble => {
                let block = heap.alloc(chunk);
                heap.dealloc(block, chunk);
                heap.dealloc(block, chunk);
            }
            ChunkOtherSize => heap.dealloc(heap.alloc(chunk), layout(2 << 20)),
            ChunkResizedOtherSize => {
                heap.realloc(heap.alloc(chunk), layout(2 << 20), 5 << 20);
            }
            SmallAsLarge => heap.dealloc(heap.alloc(small), large),
            LargeAsSmall => heap.dealloc(heap.alloc(large), small),
        }
    }
}

/// Runs case `CASES[number]` of test `name` in a child; answers what it printed.
fn in_child(name: &str, number: usize) -> String {
    let out = Command::new(env::current_exe().expect("a path"))
        .args([name, "--exact", "--test-threads=1", "--nocapture"])
        .env(CHILD, number.to_string())
        .output()
        .expect("a child");
    let (wrong, words) = CASES[number];
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    if cfg!(feature = "measures") && name.starts_with("the_process_heap") {
        // Other words, and what lies beyond a block may be untouchable.
        assert!(matches!(out.status.signal(), Some(6 | 11)), "{wrong:?}: {text}");
        return text;
    }
    assert_eq!(out.status.signal(), Some(6), "{wrong:?} ends in SIGABRT: {text}");
    let message = text.lines().find(|line| line.starts_with("strata: "));
    assert!(message.is_some_and(|line| line.contains(words)), "{wrong:?}: {text}");
    text
}

/// The case that this process is the child for.
fn asked() -> Option<Wrong> {
    let number: usize = env::var(CHILD).ok()?.parse().ok()?;
    Some(CASES[number].0)
}

#[test]
fn a_heap_finds_a_wrong_free_at_once() {
    if let Some(wrong) = asked() {
        let heap: Heap<_, SpinLock> = Heap::new(OsSource::new());
        commit(&heap, wrong);
        eprintln!("{RETURNED}");
        return;
    }
    for number in 0..CASES.len() {
        let text = in_child("a_heap_finds_a_wrong_free_at_once", number);
        assert!(!text.contains(RETURNED), "{text}");
    }
}

#[test]
fn the_process_heap_finds_a_wrong_free_when_it_is_flushed() {
    if let Some(wrong) = asked() {
        commit(&SegregatedAlloc, wrong);
        eprintln!("{RETURNED}");
        SegregatedAlloc.flush_thread_cache();
        return;
    }
    for number in 0..CASES.len() {
        let text = in_child("the_process_heap_finds_a_wrong_free_when_it_is_flushed", number);
        if cfg!(feature = "checked") || cfg!(feature = "canaries") {
            assert!(!text.contains(RETURNED), "checked at once: {text}");
        }
    }
}

/// A block that another thread freed too is found when the later of the two flushes.
#[test]
fn a_free_by_two_threads_is_found() {
    if asked().is_some() {
        // SAFETY: none: the block is freed twice on purpose, in a child that ends.
        unsafe {
            let block = SegregatedAlloc.alloc(layout(48)).expose_provenance();
            let free = move || {
                SegregatedAlloc.dealloc(std::ptr::with_exposed_provenance_mut(block), layout(48));
                SegregatedAlloc.flush_thread_cache();
            };
            std::thread::spawn(free).join().expect("the first one");
            free();
        }
        return;
    }
    in_child("a_free_by_two_threads_is_found", 0);
}
