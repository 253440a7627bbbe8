//! Loom explores a heap's shelves and ground, as shipped, between two threads.
//!
//! Words of spans and tables are plain memory behind the locks that are explored: what goes wrong
//! there shows as a block handed out twice, a purged block, or tables that contradict each other.

mod fork;
mod lend;
mod transit;

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::sync::{AtomicUsize, Ordering, model, thread, unexplored};
use strata_core::{Chunk, Contents, Exhausted, Source};

use crate::central::Central;
use crate::class::{self, CLASSES, Length};
use crate::heap::Bare;
use fork::{Forked, Lock, forked, leave_if_gone};

/// Two classes whose first spans have two blocks.
const CLASS: usize = CLASSES - 2;
const OTHER: usize = CLASSES - 4;
const PAGE: usize = 4096;

/// Memory of the test's own allocator, zeroed when it is purged.
#[derive(Debug)]
struct Pages {
    /// Stands for all contents: loom sees no plain memory, and would not try both orders of a purge
    /// and a write.
    contents: AtomicUsize,
    /// Chunks that there are yet: what a model needs, not what it explores.
    chunks: unexplored::AtomicUsize,
}

impl Pages {
    fn new(chunks: usize) -> Self {
        Self { contents: AtomicUsize::new(0), chunks: unexplored::AtomicUsize::new(chunks) }
    }

    fn touch(&self) {
        // Relaxed: no partner; it orders nothing on purpose.
        self.contents.fetch_add(1, Ordering::Relaxed);
        // What a thread did to its memory after a fork the child does not see.
        leave_if_gone();
    }
}

fn layout(len: usize, align: usize) -> Result<Layout, Exhausted> {
    Layout::from_size_align(len, align.max(PAGE)).map_err(|_| Exhausted)
}

// SAFETY: 1. and 2. the allocator's. 3. fresh memory is zero, and so is purged memory.
unsafe impl Source for Pages {
    type Address = NonNull<u8>;
    const ZEROED: bool = true;
    const PURGES: bool = true;

    fn granule(&self) -> usize {
        PAGE
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        // Relaxed: only one thread of a model gets that far.
        let left = self.chunks.load(Ordering::Relaxed).checked_sub(1).ok_or(Exhausted)?;
        self.chunks.store(left, Ordering::Relaxed);
        let layout = layout(strata_core::source::rounded_len(len, align, PAGE)?, align)?;
        // SAFETY: not a layout of no bytes.
        let at = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(Exhausted)?;
        // SAFETY: 1. fresh. 2. and 3. the allocator's.
        Ok(unsafe { Chunk::from_raw_parts(at, layout.size()) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        // No chunk here is asked for at more than a page.
        if let Ok(layout) = layout(chunk.len(), PAGE) {
            // SAFETY: allocated with this layout, used by nobody.
            unsafe { std::alloc::dealloc(chunk.base().as_ptr(), layout) };
        }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        self.touch();
        // SAFETY: the caller's range.
        unsafe { at.write_bytes(0, len) };
        Contents::Zero
    }
}

type Heap = Central<Pages, Bare<Lock>>;

fn heap() -> Arc<Heap> {
    heap_of(usize::MAX)
}

/// A heap of so many chunks at most.
fn heap_of(chunks: usize) -> Arc<Heap> {
    Arc::new(Heap::new(Pages::new(chunks)))
}

/// Blocks of one class, as addresses that any thread may have.
type Blocks = Vec<usize>;

fn take(heap: &Heap, class: usize, count: usize) -> Blocks {
    let mut blocks = [ptr::null_mut(); 16];
    let mut got = 0;
    while got < count {
        let (more, _) = heap.refill(class, &mut blocks[got..count]);
        assert!(more > 0, "there is memory");
        got += more;
    }
    let mark = |block: &*mut u8| {
        heap.source.touch();
        // SAFETY: a block of at least a byte.
        unsafe { block.write(0xa5) };
        block.expose_provenance()
    };
    blocks[..count].iter().map(mark).collect()
}

fn put(heap: &Heap, class: usize, blocks: &[usize]) {
    let pointers: Vec<*mut u8> =
        blocks.iter().map(|at| ptr::with_exposed_provenance_mut(*at)).collect();
    for block in &pointers {
        // SAFETY: a live block that was marked when it was taken.
        assert_eq!(unsafe { block.read() }, 0xa5, "nobody purged or took a live block");
    }
    heap.flush(class, &pointers);
}

/// Has another thread do `work` with the heap.
fn beside<R: 'static>(
    heap: &Arc<Heap>,
    work: impl FnOnce(&Heap) -> R + 'static,
) -> thread::JoinHandle<R> {
    let heap = Arc::clone(heap);
    thread::spawn(move || work(&heap))
}

/// Blocks of a span of `class`.
fn span(class: usize) -> usize {
    class::span_blocks(class, Length::Short)
}

/// What must hold once one thread is left: blocks are distinct, all come back, tables agree.
fn finish(heap: Arc<Heap>, live: &[(usize, Blocks)]) {
    let mut seen = BTreeSet::new();
    for at in live.iter().flat_map(|(_, blocks)| blocks) {
        assert!(seen.insert(*at), "a block was handed out twice");
    }
    assert_eq!(heap.validate().map(|checked| checked.blocks), Ok(seen.len()));
    for (class, blocks) in live {
        put(&heap, *class, blocks);
    }
    assert_eq!(heap.validate().map(|checked| checked.blocks), Ok(0));
    let mut heap = Arc::into_inner(heap).expect("the other thread is done");
    heap.release();
}

/// Explores `work`, in which two threads use a heap.
fn explore(work: impl Fn() + Sync + Send + 'static) {
    explore_up_to(usize::MAX, work);
}

/// The same with no more than `most` preemptions: more take minutes where each shelf is locked.
fn explore_up_to(most: usize, work: impl Fn() + Sync + Send + 'static) {
    let mut builder = model::Builder::new();
    builder.max_branches = 100_000;
    builder.preemption_bound = match builder.preemption_bound {
        None if most == usize::MAX => None,
        bound => Some(bound.unwrap_or(most).min(most)),
    };
    let work = Arc::new(work);
    builder.check(move || {
        forked::set(Forked::No);
        // A heap of loom's types is more than the stack of a model's first thread holds.
        let work = Arc::clone(&work);
        let roomy = thread::Builder::new().stack_size(1 << 20).spawn(move || work());
        roomy.expect("a thread").join().expect("its model");
    });
}

#[test]
fn two_threads_refill_and_flush_one_class() {
    explore(|| {
        let heap = heap();
        let thread = beside(&heap, move |other| {
            let mut blocks = take(other, CLASS, 2);
            put(other, CLASS, &blocks.split_off(1));
            blocks
        });
        let mine = take(&heap, CLASS, 2);
        let theirs = thread.join().unwrap();
        finish(heap, &[(CLASS, mine), (CLASS, theirs)]);
    });
}

#[test]
fn a_flush_by_another_thread_than_the_one_that_took() {
    explore(|| {
        let heap = heap();
        let passed = take(&heap, CLASS, 2);
        let thread = beside(&heap, move |other| put(other, CLASS, &passed));
        let mine = take(&heap, CLASS, 2);
        thread.join().unwrap();
        finish(heap, &[(CLASS, mine)]);
    });
}

/// Two spans, the first one full, the second one with a block.
fn two_spans(heap: &Heap) -> (Blocks, Blocks) {
    (take(heap, CLASS, span(CLASS)), take(heap, CLASS, 1))
}

#[test]
fn a_refill_while_a_flush_empties_and_retires_the_span() {
    explore(|| {
        let heap = heap();
        let (full, kept) = two_spans(&heap);
        let thread = beside(&heap, move |other| put(other, CLASS, &full));
        let mine = take(&heap, CLASS, 2);
        thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (CLASS, mine)]);
    });
}

#[test]
fn a_span_retires_while_another_class_cuts_one() {
    explore(|| {
        let heap = heap();
        let (full, kept) = two_spans(&heap);
        let thread = beside(&heap, move |other| put(other, CLASS, &full));
        let mine = take(&heap, OTHER, 1);
        thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (OTHER, mine)]);
    });
}

#[test]
fn a_purge_never_takes_a_page_of_a_block_that_is_handed_out() {
    explore(|| {
        let heap = heap();
        // Idle pages in a span that stays, and idle frames of one that went.
        let (full, mut kept) = two_spans(&heap);
        kept.extend(take(&heap, CLASS, 1));
        put(&heap, CLASS, &full);
        put(&heap, CLASS, &kept.split_off(1));
        let thread = beside(&heap, move |other| other.purge(usize::MAX));
        let mut mine = take(&heap, CLASS, 1);
        mine.extend(take(&heap, CLASS, 1));
        let theirs = take(&heap, OTHER, 1);
        thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (CLASS, mine), (OTHER, theirs)]);
    });
}

#[test]
fn a_purge_of_everything_while_another_thread_takes_the_span_that_was_kept() {
    explore(|| {
        let heap = heap();
        let block = take(&heap, CLASS, 1);
        put(&heap, CLASS, &block);
        let thread = beside(&heap, move |other| other.purge_all());
        let mine = take(&heap, CLASS, 2);
        thread.join().unwrap();
        finish(heap, &[(CLASS, mine)]);
    });
}

#[test]
fn blocks_come_back_to_a_span_whose_pages_are_being_purged() {
    explore_up_to(2, || {
        let heap = heap();
        let (mut full, kept) = two_spans(&heap);
        put(&heap, CLASS, &full.split_off(1));
        let thread = beside(&heap, move |other| other.purge_all());
        put(&heap, CLASS, &full);
        assert_eq!(heap.validate().map(drop), Ok(()));
        let mine = take(&heap, CLASS, 2);
        thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (CLASS, mine)]);
    });
}

#[test]
fn a_class_gets_more_shelves_while_a_span_is_being_purged() {
    explore_up_to(2, || {
        let heap = heap();
        let (mut full, kept) = two_spans(&heap);
        put(&heap, CLASS, &full.split_off(1));
        let thread = beside(&heap, move |other| other.purge_all());
        heap.spread(CLASS);
        put(&heap, CLASS, &full);
        thread.join().unwrap();
        finish(heap, &[(CLASS, kept)]);
    });
}

#[test]
fn a_validation_finds_nothing_while_spans_come_and_go() {
    explore_up_to(2, || {
        let heap = heap();
        let (full, kept) = two_spans(&heap);
        let thread = beside(&heap, move |other| {
            put(other, CLASS, &full);
            take(other, OTHER, 1)
        });
        assert_eq!(heap.validate().map(drop), Ok(()));
        let theirs = thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (OTHER, theirs)]);
    });
}

#[test]
fn a_class_gets_more_shelves_while_another_thread_frees_and_takes() {
    explore_up_to(2, || {
        let heap = heap();
        let (full, kept) = two_spans(&heap);
        let thread = beside(&heap, move |other| {
            put(other, CLASS, &full);
            take(other, CLASS, 2)
        });
        heap.spread(CLASS);
        let mine = take(&heap, CLASS, 2);
        let theirs = thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (CLASS, mine), (CLASS, theirs)]);
    });
}

#[test]
fn two_threads_give_a_class_more_shelves() {
    explore_up_to(2, || {
        let heap = heap();
        let (full, kept) = two_spans(&heap);
        let thread = beside(&heap, move |other| {
            other.spread(CLASS);
            put(other, CLASS, &full);
        });
        heap.spread(CLASS);
        let mine = take(&heap, CLASS, 2);
        thread.join().unwrap();
        finish(heap, &[(CLASS, kept), (CLASS, mine)]);
    });
}
