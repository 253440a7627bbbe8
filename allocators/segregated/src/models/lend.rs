//! A lent run whose block another thread frees or resizes while its lender takes back what lies behind.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::boxed::Box;
use std::vec::Vec;

use strata_core::sync::thread;

use super::{Heap, Pages, explore_up_to};
use crate::check::Checked;
use crate::class::FRAME;
use crate::lend;
use crate::region::{Front, Lender};

/// A block of so many frames.
const fn frames(count: usize) -> Layout {
    match Layout::from_size_align(count * FRAME, FRAME) {
        Ok(layout) => layout,
        Err(_) => panic!("a short block"),
    }
}

/// The run that is lent, and its front that is out.
const RUN: Layout = frames(24);
const OUT: Layout = frames(10);

/// A block of a model, which any thread may have.
#[derive(Clone, Copy)]
struct Block(NonNull<u8>, Layout);

// SAFETY: memory of the heap's, which lives as long as the model.
unsafe impl Send for Block {}

fn take(heap: &Heap, layout: Layout) -> Block {
    heap.source.touch();
    Block(heap.take_large(layout).expect("there is memory").0, layout)
}

fn put(heap: &Heap, block: Block) {
    heap.source.touch();
    // SAFETY: 1. each block is freed once, with the layout that it has.
    unsafe { heap.put_large(block.0, block.1) };
}

/// A loan as a thread has it.
struct Loan {
    lender: Lender,
    front: &'static Front,
    block: Block,
}

impl Loan {
    /// Keeps a run at `place`, and lends its front.
    fn begin(heap: &'static Heap, place: &u64) -> Self {
        let (Block(at, _), lender) = (take(heap, RUN), Lender::of(place));
        let (len, front) = heap.keep_run(at, RUN, lender).expect("a run of some frames");
        assert_eq!(len, RUN.size());
        lend::lend(front, OUT.size() / FRAME, len);
        Self { lender, front, block: Block(at, OUT) }
    }

    /// Takes back what lies behind the block, which is out.
    fn end(self, heap: &'static Heap) {
        heap.source.touch();
        heap.end_loan(self.block.0, self.block.1, self.front, self.lender);
    }
}

/// What must hold once one thread is left: each block has its frames alone, all come back, tables agree.
fn finish(heap: &Heap, live: &[Block]) {
    let mut ranges: Vec<_> =
        live.iter().map(|Block(at, layout)| (at.addr().get(), layout.size())).collect();
    ranges.sort_unstable();
    let apart = ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0);
    assert!(apart, "two blocks have a frame");
    let frames = ranges.iter().map(|(_, len)| len / FRAME).sum();
    let all = Checked { large: live.len(), frames, ..Checked::default() };
    assert_eq!(heap.validate(), Ok(all), "no frame is lost, or there twice");
    live.iter().for_each(|block| put(heap, *block));
    assert_eq!(heap.validate(), Ok(Checked::default()));
}

/// Explores what another thread does with a block that is lent and whose loan ends meanwhile. It answers
/// the block that it has then, if any.
fn explore_loan(work: fn(&'static Heap, Block) -> Option<Block>) {
    explore_up_to(2, move || {
        let at = Box::into_raw(Box::new(Heap::new(Pages::new(usize::MAX))));
        // SAFETY: it lives until the model is over.
        let heap: &'static Heap = unsafe { &*at };
        let place = 0_u64;
        let loan = Loan::begin(heap, &place);
        let lent = loan.block;
        let thread = thread::spawn(move || work(heap, lent));
        loan.end(heap);
        // What was cut off may be somebody's again at once.
        let mine = take(heap, OUT);
        let theirs = thread.join().unwrap();
        let live: Vec<_> = [Some(mine), theirs].into_iter().flatten().collect();
        finish(heap, &live);
        // SAFETY: from a box; the other thread is done.
        unsafe { Box::from_raw(at) }.release();
    });
}

#[test]
fn a_lent_block_is_freed_while_its_loan_ends() {
    explore_loan(|heap, block| {
        put(heap, block);
        None
    });
}

#[test]
fn a_lent_block_is_freed_and_its_frames_are_taken_again_while_its_loan_ends() {
    explore_loan(|heap, block| {
        put(heap, block);
        Some(take(heap, frames(12)))
    });
}

fn resize(heap: &Heap, Block(at, layout): Block, new: Layout) -> Option<Block> {
    heap.source.touch();
    // SAFETY: 1. live, of this layout. 2. aligned alike, and large.
    let resized = unsafe { heap.resize_large(at, layout, new) };
    Some(Block(at, if resized.is_some() { new } else { layout }))
}

#[test]
fn a_lent_block_is_shortened_while_its_loan_ends() {
    explore_loan(|heap, block| resize(heap, block, frames(9)));
}

#[test]
fn a_lent_block_is_lengthened_while_its_loan_ends() {
    explore_loan(|heap, block| resize(heap, block, frames(16)));
}
