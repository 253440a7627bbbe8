//! A request for the only free memory there is, while that is on its way from one place to another.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Arc;
use std::vec::Vec;

use super::{Blocks, CLASS, Heap, OTHER, beside, explore_up_to, finish, heap_of, put, span, take};
use crate::class::FRAME;
use crate::large::RUN_MAX;

/// A block of so many frames.
fn frames(count: usize) -> Layout {
    Layout::from_size_align(count * FRAME, FRAME).expect("a short block")
}

/// Takes all runs that there are, long ones first.
fn take_runs(heap: &Heap) -> Vec<(NonNull<u8>, Layout)> {
    let mut runs = Vec::new();
    let mut count = RUN_MAX / FRAME;
    while count != 0 {
        match heap.take_large(frames(count)) {
            Ok((at, ..)) => runs.push((at, frames(count))),
            Err(_) => count /= 2,
        }
    }
    runs
}

fn put_run(heap: &Heap, (at, layout): (NonNull<u8>, Layout)) {
    // SAFETY: 1. each is freed once, with the layout that it has.
    unsafe { heap.put_large(at, layout) };
}

/// A heap without free memory: a full span of `CLASS` takes some of it, runs the others.
fn full() -> (Arc<Heap>, Blocks, Vec<(NonNull<u8>, Layout)>) {
    let heap = heap_of(1);
    let blocks = take(&heap, CLASS, span(CLASS));
    let runs = take_runs(&heap);
    (heap, blocks, runs)
}

fn end(heap: Arc<Heap>, runs: Vec<(NonNull<u8>, Layout)>, live: &[(usize, Blocks)]) {
    runs.into_iter().for_each(|run| put_run(&heap, run));
    finish(heap, live);
}

#[test]
fn a_request_finds_the_block_whose_pages_are_being_purged() {
    explore_up_to(2, || {
        let (heap, mut blocks, runs) = full();
        put(&heap, CLASS, &blocks.split_off(1));
        let thread = beside(&heap, |other| other.purge_all());
        let mine = take(&heap, CLASS, 1);
        thread.join().unwrap();
        end(heap, runs, &[(CLASS, blocks), (CLASS, mine)]);
    });
}

#[test]
fn a_request_finds_the_frames_that_are_being_purged() {
    explore_up_to(2, || {
        let (heap, blocks, mut runs) = full();
        let (at, layout) = runs.pop().expect("the last one is a frame");
        put_run(&heap, (at, layout));
        let thread = beside(&heap, |other| other.purge_all());
        let (again, ..) = heap.take_large(layout).expect("there is a free frame");
        thread.join().unwrap();
        assert_eq!(again, at);
        runs.push((at, layout));
        end(heap, runs, &[(CLASS, blocks)]);
    });
}

#[test]
fn a_request_finds_the_frames_of_a_span_that_retires() {
    explore_up_to(2, || {
        let (heap, blocks, runs) = full();
        put(&heap, CLASS, &blocks);
        let thread = beside(&heap, |other| other.purge_all());
        let mine = take(&heap, OTHER, 1);
        thread.join().unwrap();
        end(heap, runs, &[(OTHER, mine)]);
    });
}

#[test]
fn a_run_finds_the_frames_of_a_span_that_retires() {
    explore_up_to(2, || {
        let (heap, blocks, mut runs) = full();
        put(&heap, CLASS, &blocks);
        let thread = beside(&heap, |other| other.purge_all());
        let layout = frames(1);
        let (at, ..) = heap.take_large(layout).expect("there are free frames");
        thread.join().unwrap();
        runs.push((at, layout));
        end(heap, runs, &[]);
    });
}

#[test]
fn a_request_finds_the_other_blocks_of_a_span_that_another_thread_cut() {
    explore_up_to(2, || {
        // The only frames that there are make one span of two blocks, of a class with many shelves.
        let heap = heap_of(1);
        heap.spread(CLASS);
        let blocks = take(&heap, CLASS, span(CLASS));
        let runs = take_runs(&heap);
        put(&heap, CLASS, &blocks);
        heap.retire_all();
        let thread = beside(&heap, |other| take(other, CLASS, 1));
        let mine = take(&heap, CLASS, 1);
        let theirs = thread.join().unwrap();
        end(heap, runs, &[(CLASS, mine), (CLASS, theirs)]);
    });
}
