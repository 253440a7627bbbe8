//! Generated programs on the process heap by address, beside the shadow of `tests/shadow`; and wrong
//! frees there, each in a child process.
#![cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]

#[path = "shadow/laws.rs"]
mod laws;
#[path = "shadow/poison.rs"]
mod poison;
#[path = "shadow/runner.rs"]
mod runner;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use proptest::prelude::*;
use runner::{Limits, Regime, Subject, play};
use strata_core::{ByteCount, Stats};
use strata_segregated::by_address::{ByAddress, Words};
use strata_segregated::{Broken, Checked, Report, SegregatedAlloc};

thread_local! {
    static WORDS: Words = const { Words::new() };
}

fn with<R>(work: impl FnOnce(ByAddress<'_>) -> R) -> R {
    // SAFETY: 1. a thread-local without a destructor. 2. this is the program itself.
    WORDS.with(|words| work(unsafe { ByAddress::of(words) }))
}

/// What C makes of a layout: 16 is the least alignment above 8 bytes.
fn as_c_has_it(layout: Layout) -> Layout {
    layout.align_to(if layout.size() > 8 { 16 } else { 8 }).expect("small")
}

/// Whether a request gets its alignment unasked.
fn is_plain(layout: Layout) -> bool {
    layout.align() <= if layout.size() > 8 { 16 } else { 8 }
}

struct Heap;

// SAFETY: the process heap's own answers.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        with(|heap| {
            let block = match layout.align() {
                ..=8 => {
                    let at_hand = heap.allocate_at_hand(layout.size());
                    if at_hand.is_null() { heap.allocate(layout.size()) } else { at_hand }
                }
                align => heap.allocate_aligned(layout.size(), align),
            };
            // SAFETY: 1. null, or just allocated.
            let usable = unsafe { heap.usable_len(block) };
            // With a word behind the block, no more may be used than was asked for; and some blocks have
            // a page of their own.
            let is_right = match cfg!(feature = "measures") {
                true => usable >= layout.size(),
                false => usable == self.good_size(layout),
            };
            assert!(block.is_null() || is_right, "{layout:?}: {usable}");
            block
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_plain(layout) {
            // SAFETY: the caller's.
            let block = unsafe { self.alloc(layout) };
            if !block.is_null() {
                // SAFETY: a block holds its layout.
                unsafe { block.write_bytes(0, layout.size()) };
            }
            return block;
        }
        with(|heap| heap.allocate_zeroed(layout.size()))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: 1. the caller's.
        with(|heap| unsafe {
            match block.addr() / 64 % 3 {
                0 => heap.free(block),
                1 if is_plain(layout) => heap.free_sized(block, size),
                _ => heap.free_aligned_sized(block, size, align),
            }
        });
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let new = Layout::from_size_align(new_size, layout.align()).expect("small");
        if is_plain(layout) && is_plain(new) {
            // SAFETY: 1. the caller's.
            return with(|heap| unsafe { heap.reallocate(block, new_size) });
        }
        // C has no such call.
        // SAFETY: the caller's.
        unsafe {
            let to = self.alloc(new);
            if !to.is_null() {
                to.copy_from_nonoverlapping(block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            to
        }
    }
}

impl Subject for Heap {
    // See `shadow/subjects.rs`.
    const ALONE: bool = !cfg!(feature = "measures");
    fn purge(&self) -> usize {
        with(|heap| heap.purge())
    }
    fn flush_thread_cache(&self) {
        self.purge();
    }
    fn good_size(&self, layout: Layout) -> usize {
        SegregatedAlloc.good_size(as_c_has_it(layout))
    }
    fn validate(&self) -> Result<Checked, Broken> {
        SegregatedAlloc.validate()
    }
    fn stats(&self) -> Stats {
        // What was asked for is counted by the other face only.
        Stats { requested: None, ..SegregatedAlloc.stats() }
    }
    fn report(&self) -> Report {
        Report { stats: self.stats(), ..SegregatedAlloc.report() }
    }
}

const LIMITS: Limits =
    Limits { live: 16 << 20, block: 4 << 20, align: 4 << 20, regime: Regime::Any };

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_process_heap_by_address(program in prop::collection::vec(any::<u8>(), 1..2500)) {
        // The one test here that uses it in this process, so its figures are exact.
        prop_assert_eq!(play(&Heap, LIMITS, &program), 0);
        Heap.purge();
        prop_assert_eq!(SegregatedAlloc.stats().allocated, Some(ByteCount(0)));
    }
}

const CHILD: &str = "STRATA_CHILD";
const RETURNED: &str = "the wrong call returned";

type Wrong = fn(ByAddress<'_>);

/// What waits in quarantine is known.
const CHUNK_DOUBLE: &str =
    if cfg!(feature = "quarantine") { "freed twice" } else { "not of this heap" };

/// Wrong calls, with words of their messages. None keeps its contract, on purpose.
const CASES: [(&str, Wrong, &str); 16] = [
    ("double", |heap| twice(heap, 48), "a block was freed twice"),
    ("large double", |heap| twice(heap, 100 << 10), "freed"),
    ("chunk double", |heap| twice(heap, 3 << 20), CHUNK_DOUBLE),
    ("foreign", |heap| free(heap, foreign()), "not of this heap"),
    ("interior, late", |heap| free(heap, heap.allocate(48).wrapping_add(16)), "block begins"),
    (
        "large interior",
        |heap| free(heap, heap.allocate(100 << 10).wrapping_add(4096)),
        "no block's",
    ),
    (
        "large inside a page",
        |heap| free(heap, heap.allocate(100 << 10).wrapping_add(16)),
        "no block's",
    ),
    (
        "chunk interior",
        |heap| free(heap, heap.allocate(3 << 20).wrapping_add(4096)),
        "not of this heap",
    ),
    ("small size", |heap| sized(heap, 48, 40), ""),
    ("larger size", |heap| sized(heap, 48, 49), "with another size"),
    ("much larger size", |heap| sized(heap, 48, 1 << 20), "with another size"),
    ("large with another size", |heap| sized(heap, 100 << 10, 200 << 10), "with another size"),
    ("large with a small size", |heap| sized(heap, 100 << 10, 100), "with another size"),
    ("resized after the free", |heap| resized_after_free(heap, 48), "freed"),
    ("resized inside", |heap| resized(heap, heap.allocate(48).wrapping_add(16)), "block begins"),
    ("resized foreign", |heap| resized(heap, foreign()), "not of this heap"),
];

/// Memory of the program itself.
fn foreign() -> *mut u8 {
    static mut FOREIGN: [u64; 8] = [0; 8];
    (&raw mut FOREIGN).cast()
}

fn free(heap: ByAddress<'_>, block: *mut u8) {
    // SAFETY: none, on purpose, in a child that ends.
    unsafe { heap.free(block) };
}

fn twice(heap: ByAddress<'_>, size: usize) {
    let block = heap.allocate(size);
    free(heap, block);
    free(heap, block);
}

fn sized(heap: ByAddress<'_>, size: usize, said: usize) {
    let block = heap.allocate(size);
    // SAFETY: as in `free`.
    unsafe { heap.free_sized(block, said) };
}

fn resized(heap: ByAddress<'_>, block: *mut u8) {
    // SAFETY: as in `free`.
    unsafe { heap.reallocate(block, 100) };
}

fn resized_after_free(heap: ByAddress<'_>, size: usize) {
    let block = heap.allocate(size);
    free(heap, block);
    resized(heap, block);
}

#[test]
fn wrong_calls_end_the_process_with_a_message() {
    const NAME: &str = "wrong_calls_end_the_process_with_a_message";
    if let Ok(name) = env::var(CHILD) {
        let (_, wrong, _) = CASES.iter().find(|(case, ..)| *case == name).expect("a case");
        with(|heap| {
            // Neighbours keep spans and regions as they are.
            let _others = (heap.allocate(48), heap.allocate(100 << 10), heap.allocate(200));
            wrong(heap);
            // What is seen late is seen now.
            heap.purge();
        });
        println!("{RETURNED}");
        return;
    }
    for (case, _, words) in CASES {
        let out = Command::new(env::current_exe().unwrap())
            .args([NAME, "--exact", "--test-threads=1", "--nocapture"])
            .env(CHILD, case)
            .output()
            .unwrap();
        let (said, printed) =
            (String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
        if cfg!(feature = "canaries") {
            // All of them, at once; what lies beyond a block may be untouchable.
            assert!(matches!(out.status.signal(), Some(6 | 11)), "{case}: {said}{printed}");
        } else if words.is_empty() {
            // 40 bytes are a request of 48 too.
            assert!(printed.contains(RETURNED), "{case}: {said}");
        } else {
            assert_eq!(out.status.signal(), Some(6), "{case}: {said}{printed}");
            assert!(said.contains(words), "{case}: {said}");
        }
    }
}

#[test]
fn null_and_absurd_requests_are_answered() {
    with(|heap| {
        // SAFETY: 1. null.
        unsafe {
            heap.free(ptr::null_mut());
            heap.free_sized(ptr::null_mut(), 7);
            heap.free_aligned_sized(ptr::null_mut(), 7, 3);
            assert_eq!(heap.usable_len(ptr::null_mut()), 0);
            assert!(heap.reallocate(ptr::null_mut(), usize::MAX).is_null());
        }
        for size in [isize::MAX as usize, usize::MAX, usize::MAX - 15] {
            assert!(heap.allocate(size).is_null() && heap.allocate_zeroed(size).is_null());
            assert!(heap.allocate_at_hand(size).is_null());
            assert!(heap.allocate_aligned(size, 64).is_null());
        }
        assert!(heap.allocate_aligned(64, 48).is_null() && heap.allocate_aligned(64, 0).is_null());
    });
}
