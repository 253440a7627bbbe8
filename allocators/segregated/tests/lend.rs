//! Large blocks of changing sizes: what a thread lends of the run that it keeps is nobody else's.

#![cfg(all(
    feature = "std",
    target_os = "linux",
    not(miri),
    not(feature = "checked"),
    not(feature = "measures")
))]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::thread;

use strata_segregated::SegregatedAlloc;
use strata_segregated::by_address::{ByAddress, Words};

const HEAP: SegregatedAlloc = SegregatedAlloc::new();
const KIB: usize = 1 << 10;

/// A test's turn: the tests look at one heap's figures.
struct Alone {
    _turn: MutexGuard<'static, ()>,
}

fn alone() -> Alone {
    static TURN: Mutex<()> = Mutex::new(());
    Alone { _turn: TURN.lock().unwrap_or_else(|error| error.into_inner()) }
}

impl Drop for Alone {
    /// What the test's thread keeps goes back before the next test begins, not when the thread ends beside it.
    fn drop(&mut self) {
        HEAP.flush_thread_cache();
        HEAP.purge();
    }
}

/// A block that knows what is in it.
#[derive(Debug)]
struct Block {
    at: *mut u8,
    len: usize,
    seed: u8,
}

// SAFETY: the block is the value's alone.
unsafe impl Send for Block {}

impl Block {
    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, 8).unwrap()
    }

    fn new(len: usize, seed: u8) -> Self {
        // SAFETY: not empty.
        let at = unsafe { HEAP.alloc(Self::layout(len)) };
        assert!(!at.is_null());
        let block = Self { at, len, seed };
        block.fill();
        block
    }

    /// One byte of each quarter of a page, and the last one.
    fn marks(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.len).step_by(KIB).chain([self.len - 1])
    }

    fn mark(&self, offset: usize) -> u8 {
        self.seed.wrapping_add((offset / KIB) as u8)
    }

    fn fill(&self) {
        // SAFETY: in the block.
        self.marks().for_each(|mark| unsafe { self.at.add(mark).write(self.mark(mark)) });
    }

    fn check(&self) {
        for mark in self.marks() {
            // SAFETY: in the block.
            assert_eq!(unsafe { self.at.add(mark).read() }, self.mark(mark), "{self:?} at {mark}");
        }
    }

    fn resize(&mut self, len: usize) {
        // SAFETY: a live block of this layout.
        let at = unsafe { HEAP.realloc(self.at, Self::layout(self.len), len) };
        assert!(!at.is_null());
        let old = std::mem::replace(self, Self { at, len, seed: self.seed });
        // The last byte's mark is one only where the block ends.
        for mark in (0..old.len.min(len)).step_by(KIB) {
            // SAFETY: in both.
            assert_eq!(unsafe { at.add(mark).read() }, old.mark(mark), "{old:?} at {mark}");
        }
        self.fill();
    }

    fn free(self) {
        self.check();
        // SAFETY: a live block of this layout.
        unsafe { HEAP.dealloc(self.at, Self::layout(self.len)) };
    }

    /// A block from the face that frees by address, whose stocks are its own.
    fn by_address(len: usize, seed: u8) -> Self {
        let block = Self { at: with(|heap| heap.allocate(len)), len, seed };
        assert!(!block.at.is_null());
        block.fill();
        block
    }

    /// Frees the block without saying how long it is.
    fn free_by_address(self) {
        self.check();
        // SAFETY: 1. a live block.
        with(|heap| unsafe { heap.free(self.at) });
    }
}

std::thread_local! {
    static WORDS: Words = const { Words::new() };
}

fn with<R>(work: impl FnOnce(ByAddress<'_>) -> R) -> R {
    // SAFETY: 1. a thread-local without a destructor. 2. this is the program itself.
    WORDS.with(|words| work(unsafe { ByAddress::of(words) }))
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn blocks_of_changing_sizes_come_from_one_run() {
    let _alone = alone();
    HEAP.purge();
    let first = Block::new(600 * KIB, 1);
    let at = first.at;
    first.free();
    for len in [40, 600, 100, 333, 599, 33] {
        let mut block = Block::new(len * KIB, 2);
        assert_eq!(block.at, at, "{len} KiB");
        block.resize(500 * KIB);
        assert_eq!(block.at, at, "it grows where it lies");
        block.resize(50 * KIB);
        assert_eq!(block.at, at);
        block.free();
    }
    HEAP.validate().unwrap();
}

#[test]
fn what_lies_behind_a_block_that_stays_out_serves_others() {
    let _alone = alone();
    HEAP.purge();
    Block::new(900 * KIB, 1).free();
    let stays = Block::new(64 * KIB, 2);
    let active = |()| HEAP.stats().active.unwrap().0;
    let before = active(());
    let next = Block::new(512 * KIB, 3);
    assert!(active(()) <= before, "it lies in the run that was lent");
    stays.check();
    next.free();
    stays.free();
    HEAP.validate().unwrap();
}

#[test]
fn a_lent_block_that_another_thread_frees_comes_back_whole_and_once() {
    let _alone = alone();
    for round in 0..20 {
        HEAP.purge();
        Block::new(800 * KIB, 1).free();
        let lent = Block::new(100 * KIB, 2);
        let at = lent.at.addr();
        // That thread keeps the run now, and lends it to this one.
        let (hand, take) = mpsc::channel();
        let (back, last) = mpsc::channel::<Block>();
        let other = thread::spawn(move || {
            lent.free();
            let again = Block::new(100 * KIB, 3);
            assert_eq!(again.at.addr(), at);
            hand.send(again).unwrap();
            // What it can get while the block is out must not be the block.
            let more = Block::new(700 * KIB, 4);
            let returned = last.recv().unwrap();
            let behind = Block::new(650 * KIB, 5);
            returned.check();
            more.free();
            behind.free();
            returned.free();
        });
        let again: Block = take.recv().unwrap();
        if round % 2 == 0 {
            // This thread's slot has seen the same block of the same length go out.
            again.free();
            let mine = Block::new(790 * KIB, 6);
            back.send(Block::new(100 * KIB, 7)).unwrap();
            mine.check();
            other.join().unwrap();
            mine.free();
        } else {
            back.send(again).unwrap();
            other.join().unwrap();
        }
        HEAP.validate().unwrap();
    }
}

#[test]
fn a_lent_block_that_another_thread_resized_or_freed_is_freed_by_its_address_as_what_it_is_now() {
    let _alone = alone();
    for step in 0..20 {
        HEAP.purge();
        Block::by_address(800 * KIB, 1).free_by_address();
        let mut lent = Block::by_address(100 * KIB, 2);
        let at = lent.at.addr();
        let lent = thread::spawn(move || {
            match step % 4 {
                // The loan ends; the block is as long as before then, or not.
                0 => lent.resize(60 * KIB),
                1 => {
                    lent.resize(60 * KIB);
                    lent.resize(100 * KIB);
                }
                // That thread keeps the run, and lends it.
                2 => {
                    lent.free();
                    lent = Block::new(100 * KIB, 3);
                }
                _ => {
                    lent.free();
                    lent = Block::new(300 * KIB, 3);
                    lent.resize(200 * KIB);
                }
            }
            lent
        });
        let lent = lent.join().unwrap();
        assert!(step % 4 < 2 || lent.at.addr() == at, "the run went back and forth");
        let len = lent.len;
        // SAFETY: 1. a live block.
        assert_eq!(with(|heap| unsafe { heap.usable_len(lent.at) }), len);
        lent.free_by_address();
        let others = [100, 60, 700, 100].map(|len| Block::by_address(len * KIB, len as u8));
        HEAP.validate().unwrap();
        others.into_iter().for_each(Block::free_by_address);
        HEAP.validate().unwrap();
    }
}

#[test]
fn a_block_that_goes_out_again_with_the_same_length_has_its_alignment_and_its_length() {
    let _alone = alone();
    HEAP.purge();
    Block::new(500 * KIB, 1).free();
    let layout = |align| Layout::from_size_align(96 * KIB, align).unwrap();
    for align in [8, 4 * KIB, 512 * KIB, 8, 2048 * KIB, 16] {
        // SAFETY: not empty; a live block of this layout, which holds it.
        unsafe {
            let at = HEAP.alloc(layout(align));
            assert!(!at.is_null() && at.addr().is_multiple_of(align), "{align}");
            at.write_bytes(1, 96 * KIB);
            HEAP.dealloc(at, layout(align));
        }
        // The last byte of the last page, or the first one of the next, is all that they differ in.
        for len in [96 * KIB, 96 * KIB - 1, 96 * KIB + 1, 92 * KIB + 1, 92 * KIB] {
            Block::new(len, len as u8).free();
        }
        HEAP.validate().unwrap();
    }
}

#[test]
fn a_lent_block_is_freed_or_resized_while_its_lender_takes_back_what_lies_behind() {
    let _alone = alone();
    let (hand, take) = mpsc::sync_channel::<Block>(0);
    let other = thread::spawn(move || {
        for (step, mut block) in take.iter().enumerate() {
            if step % 3 == 2 {
                block.resize(200 * KIB);
            }
            block.free();
        }
    });
    for _ in 0..3000 {
        Block::new(900 * KIB, 1).free();
        hand.send(Block::new(100 * KIB, 2)).unwrap();
        // Ends the loan, as the other thread frees the block.
        HEAP.flush_thread_cache();
    }
    drop(hand);
    other.join().unwrap();
    HEAP.validate().unwrap();
}

#[test]
fn short_blocks_of_high_alignment_keep_to_their_frames() {
    let _alone = alone();
    HEAP.purge();
    let layout = |size| Layout::from_size_align(size, 64 * KIB).unwrap();
    for _ in 0..4 {
        // SAFETY: not empty.
        let blocks = [1, 5000, 9000, 1].map(|size| (unsafe { HEAP.alloc(layout(size)) }, size));
        for (number, (at, size)) in (1_u8..).zip(blocks) {
            assert!(at.addr().is_multiple_of(64 * KIB));
            // SAFETY: in the block.
            unsafe { at.write_bytes(number, size) };
        }
        let others: Vec<Block> = (0..40).map(|seed| Block::new(4 * KIB, seed)).collect();
        for (number, (at, size)) in (1_u8..).zip(blocks) {
            // SAFETY: in the block; a live one of this layout.
            unsafe {
                assert_eq!(at.add(size - 1).read(), number);
                HEAP.dealloc(at, layout(size));
            }
        }
        others.into_iter().for_each(Block::free);
        HEAP.validate().unwrap();
    }
}

#[test]
fn threads_that_pass_blocks_of_changing_sizes_find_their_contents() {
    let _alone = alone();
    const THREADS: u64 = 3;
    let steps: u64 = std::env::var("STRATA_LOANS").map_or(3000, |steps| steps.parse().unwrap());
    let shared: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 1..=THREADS {
            let shared = &shared;
            scope.spawn(move || {
                let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let mut own: Vec<Block> = Vec::new();
                for step in 0..steps {
                    let choice = random(&mut state);
                    let len = 33 * KIB + (random(&mut state) % (1300 * KIB as u64)) as usize;
                    match choice % 8 {
                        0..=2 if own.len() < 4 => own.push(Block::new(len, step as u8)),
                        3 if !own.is_empty() => {
                            let index = choice as usize / 8 % own.len();
                            own[index].resize(len);
                        }
                        4 if !own.is_empty() => {
                            let block = own.swap_remove(choice as usize / 8 % own.len());
                            shared.lock().unwrap().push(block);
                        }
                        5 => {
                            let block = shared.lock().unwrap().pop();
                            if let Some(block) = block {
                                block.check();
                                own.push(block);
                            }
                        }
                        6 if (choice / 8).is_multiple_of(64) => HEAP.flush_thread_cache(),
                        _ => {
                            if let Some(block) = own.pop() {
                                block.free();
                            }
                        }
                    }
                }
                own.into_iter().for_each(Block::free);
            });
        }
    });
    shared.into_inner().unwrap().into_iter().for_each(Block::free);
    HEAP.validate().unwrap();
}
