//! A thread that is gone before any of its steps outside of locks: each lock it would take, each call of
//! its source.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use std::boxed::Box;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::vec::Vec;

use strata_core::lock::{RawLock, SpinLock};
use strata_core::sync::Ordering;
use strata_core::{Chunk, Contents, Exhausted, Source};

use crate::central::Central;
use crate::class::{self, CLASSES, FRAME, Length};
use crate::heap::Bare;

/// Two classes whose first spans have two blocks.
const CLASS: usize = CLASSES - 2;
const OTHER: usize = CLASSES - 4;

std::thread_local! {
    /// Steps that are left to the thread that will be gone.
    static STEPS: Cell<Option<usize>> = const { Cell::new(None) };
    /// Locks that it holds: whoever forks waits for it then.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Gone;

fn step() {
    if HELD.get() != 0 {
        return;
    }
    match STEPS.get() {
        Some(0) => resume_unwind(Box::new(Gone)),
        steps => STEPS.set(steps.map(|steps| steps - 1)),
    }
}

/// Runs `work` up to its step number `steps + 1`; false where it came to its end before.
fn gone_after(steps: usize, work: impl FnOnce()) -> bool {
    STEPS.set(Some(steps));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    STEPS.set(None);
    match outcome {
        Ok(()) => false,
        Err(payload) if payload.is::<Gone>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

#[derive(Debug)]
struct Lock(SpinLock);

// SAFETY: 1. to 3. the lock inside; what unwinds does not hold it.
unsafe impl RawLock for Lock {
    const OPEN: Self = Self(SpinLock::OPEN);

    fn lock(&self) {
        step();
        HELD.set(HELD.get() + 1);
        self.0.lock();
    }

    fn try_lock(&self) -> bool {
        step();
        let taken = self.0.try_lock();
        HELD.set(HELD.get() + usize::from(taken));
        taken
    }

    unsafe fn unlock(&self) {
        HELD.set(HELD.get() - 1);
        // SAFETY: 1. the caller's.
        unsafe { self.0.unlock() };
    }
}

/// Memory of the test's own allocator, which the test leaves to it: a thread that is gone keeps some.
#[derive(Debug)]
struct Pages;

// SAFETY: 1. and 2. the allocator's. 3. fresh memory is zero, and so is purged memory.
unsafe impl Source for Pages {
    type Address = NonNull<u8>;
    const ZEROED: bool = true;
    const PURGES: bool = true;

    fn granule(&self) -> usize {
        FRAME
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        step();
        let len = strata_core::source::rounded_len(len, align, FRAME)?;
        let layout = Layout::from_size_align(len, align.max(FRAME)).map_err(|_| Exhausted)?;
        // SAFETY: not a layout of no bytes.
        let at = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(Exhausted)?;
        // SAFETY: 1. fresh. 2. and 3. the allocator's.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        step();
        let _ = chunk.into_raw_parts();
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        step();
        // SAFETY: the caller's range.
        unsafe { at.write_bytes(0, len) };
        Contents::Zero
    }
}

type Heap = Central<Pages, Bare<Lock>>;

fn take(heap: &Heap, class: usize, count: usize) -> Vec<*mut u8> {
    let mut blocks = std::vec![ptr::null_mut(); count];
    let mut got = 0;
    while got < count {
        got += heap.refill(class, &mut blocks[got..]).0;
    }
    blocks
}

/// What a thread does when it is gone: it may use one of the heap's live blocks.
type Work = fn(&Heap, &[*mut u8]);

/// Blocks of [`CLASS`], of which `work` may free all but the last, and what may be lost of it.
fn explore(work: Work, most_lost: usize) {
    for spread in [false, true] {
        explore_with(spread, work, most_lost);
    }
}

/// The same for a class with one shelf or with several.
fn explore_with(spread: bool, work: Work, most_lost: usize) {
    for steps in 0.. {
        let heap = Box::leak(Box::new(Heap::new(Pages)));
        if spread {
            heap.spread(CLASS);
        }
        let span = class::span_blocks(CLASS, Length::Short);
        let live = take(heap, CLASS, span + 3);
        heap.flush(OTHER, &take(heap, OTHER, 3));
        let is_gone = gone_after(steps, || work(heap, &live));

        // SAFETY: 1. the thread that is gone was this one.
        unsafe { heap.recover(0) };
        sums_are_right(heap);
        let checked = heap.validate().expect("tables agree");
        assert!(checked.blocks <= live.len() + most_lost, "lost after {steps} steps");
        let used = heap.ground.with(|ground| ground.used_bytes());
        assert_eq!(used, checked.frames * FRAME, "each frame in use carries something");

        let mine = [take(heap, CLASS, 5), take(heap, OTHER, 5)];
        let kept = &live[live.len() - 1];
        let all: Vec<_> = mine.iter().flatten().chain([kept]).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "handed out twice");
        heap.flush(CLASS, &mine[0]);
        heap.flush(OTHER, &mine[1]);
        heap.purge_all();
        assert_eq!(heap.validate().map(|now| now.blocks), Ok(checked.blocks));
        sums_are_right(heap);
        if !is_gone {
            return;
        }
    }
}

/// The sums that go without a lock are those of the tables.
fn sums_are_right(heap: &Heap) {
    let relaxed = Ordering::Relaxed;
    let (pages, empty) = heap
        .all_shelves()
        .map(|(_, shelf)| shelf.with(|lists| (lists.figures().idle, lists.figures().empty)))
        .fold((0, 0), |sums, one| (sums.0 + one.0, sums.1 + one.1));
    assert_eq!(heap.idle_pages.load(relaxed), pages);
    assert_eq!(heap.empty_spans.load(relaxed), empty);
    assert!(!heap.transit.is_under_way(), "all spans came back");
}

#[test]
fn a_refill_may_be_abandoned() {
    explore(|heap, _| drop(take(heap, CLASS, 7)), 7);
}

#[test]
fn a_flush_that_empties_spans_may_be_abandoned() {
    let work = |heap: &Heap, live: &[*mut u8]| {
        heap.flush(CLASS, &live[..live.len() - 1]);
    };
    explore(work, 0);
}

#[test]
fn giving_empty_spans_and_idle_frames_back_may_be_abandoned() {
    explore(
        |heap, live| {
            heap.flush(CLASS, &live[..live.len() - 1]);
            heap.purge_all();
        },
        0,
    );
}

#[test]
fn more_shelves_may_be_abandoned() {
    explore(|heap, _| heap.spread(CLASS), 0);
}

#[test]
fn large_blocks_may_be_abandoned() {
    let work = |heap: &Heap, _: &[*mut u8]| {
        for len in [100 << 10, 3 << 20] {
            let layout = Layout::from_size_align(len, 8).expect("small");
            let longer = Layout::from_size_align(len + len / 2, 8).expect("small");
            let (block, ..) = heap.take_large(layout).expect("there is memory");
            // SAFETY: 1. just taken, of this layout. 2. both are large and aligned alike.
            let grown = unsafe { heap.resize_large(block, layout, longer) };
            let (block, layout) = grown.map_or((block, layout), |(block, _)| (block, longer));
            // SAFETY: 1. as above.
            unsafe { heap.put_large(block, layout) };
        }
    };
    explore(work, 0);
}
