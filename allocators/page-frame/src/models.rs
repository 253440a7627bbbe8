//! Loom explores the shipped protocols: every order of their atomic operations in tiny zones.
//!
//! Contents of frames are loom's tracked cells, one for each half row: a frame that two threads own
//! is reported as a race, and so is one that is handed on without what its last owner did.

use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::sync::{AtomicU32, AtomicU64, Ordering, UnsafeCell, model, stopped_after, thread};
use strata_core::{FrameId, Order};

use crate::entry::{HUGE, shift};
use crate::frames::PageFrames;
use crate::geometry::{Geometry, QUAD, SLOT_WORDS};
use crate::index::{GROUP, PLANES};
use crate::local::Local;
use crate::tables::Tables;

/// Frames that share a tracked cell.
const CELL: u64 = 32;

/// The words of a zone.
struct Words {
    rows: Vec<AtomicU64>,
    quads: Vec<AtomicU64>,
    planes: Vec<AtomicU64>,
    trees: Vec<AtomicU32>,
    undone: AtomicU64,
    slots: Vec<AtomicU64>,
    contents: Vec<UnsafeCell<u32>>,
}

/// A zone with its words.
struct Zone {
    frames: PageFrames<'static>,
    /// Behind `frames`, which borrows from it: dropped later.
    words: Box<Words>,
}

// SAFETY: whether the cells are shared soundly is what the models check; all else is atomic.
unsafe impl Sync for Zone {}
// SAFETY: as above.
unsafe impl Send for Zone {}

impl Zone {
    /// `huge` huge frames of `2^huge_order` frames.
    fn new(huge_order: u8, huge: usize, locals: usize) -> Self {
        let geometry = Geometry::new(huge_order, QUAD).unwrap();
        let frames = geometry.huge_frames() * huge as u64;
        let zeroes = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        let words = Box::new(Words {
            rows: zeroes(huge * geometry.huge_rows()),
            quads: zeroes(huge.div_ceil(QUAD)),
            planes: zeroes(huge.div_ceil(GROUP) * PLANES),
            trees: (0..huge.div_ceil(QUAD)).map(|_| AtomicU32::new(0)).collect(),
            undone: AtomicU64::new(0),
            slots: zeroes(locals * SLOT_WORDS),
            contents: (0..frames / CELL).map(|_| UnsafeCell::new(0)).collect(),
        });
        // SAFETY: the box lives as long as the zone, which hands out nothing of this lifetime.
        let long: &'static Words = unsafe { &*core::ptr::from_ref(&*words) };
        let tables = Tables {
            geometry,
            frames,
            huge,
            rows: &long.rows,
            quads: &long.quads,
            planes: &long.planes,
            trees: &long.trees,
            undone: &long.undone,
            slots: &long.slots,
        };
        Self { frames: PageFrames::fresh(tables), words }
    }

    fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    fn tables(&self) -> &Tables<'static> {
        &self.frames.tables
    }

    /// Takes bits of a row before a model begins.
    fn taken(self, row: usize, bits: u64) -> Self {
        let huge = self.tables().geometry.huge_of_row(row).0;
        assert!(self.tables().charge(huge, u64::from(bits.count_ones()), false));
        self.words.rows[row].fetch_or(bits, Ordering::Relaxed);
        self
    }

    /// Uses frames as their owner does.
    fn touch(&self, block: Block) -> Block {
        for cell in block.0 / CELL..(block.0 + block.1).div_ceil(CELL) {
            // SAFETY: the caller owns the frames; loom reports it if another thread does too.
            self.words.contents[cell as usize].with_mut(|contents| unsafe { *contents += 1 });
        }
        block
    }

    fn take(&self, huge: usize, order: u8) -> Option<Block> {
        let frame = self.tables().take_block(huge, order, 0, false, &())?;
        Some(self.touch((frame.0, 1 << order)))
    }

    fn give(&self, block: Block) {
        self.touch(block);
        let order = block.1.trailing_zeros() as u8;
        assert_eq!(self.tables().free_block(FrameId(block.0), order), Ok(()));
    }

    fn claim(&self, start: u64, frames: u64) -> Option<Block> {
        self.tables().claim_range(start, start + frames, true).ok()?;
        Some(self.touch((start, frames)))
    }

    fn give_range(&self, block: Block) {
        self.touch(block);
        assert_eq!(self.tables().free_range(block.0, block.0 + block.1, false), Ok(()));
    }

    /// What must hold once one thread is left: all words agree, and `taken` frames are taken.
    fn settle(&self, taken: u64) {
        let checked = self.frames.validate().unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!(checked.taken, taken);
    }
}

#[test]
fn a_range_with_a_part_crosses_a_block_at_its_end() {
    explore(|| {
        let zone = Zone::new(6, 2, 0).shared();
        let other = beside(&zone, |zone| zone.take(1, 5));
        let mine = zone.claim(0, 96);
        let theirs = other.join().unwrap();
        assert!(theirs.is_some(), "a single word is neither delayed nor failed");
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
    });
}

/// A first frame and a number of frames.
type Block = (u64, u64);

/// Runs `work` in another thread.
fn beside<R: 'static>(
    zone: &Arc<Zone>,
    work: impl FnOnce(&Zone) -> R + 'static,
) -> thread::JoinHandle<R> {
    let zone = Arc::clone(zone);
    thread::spawn(move || work(&zone))
}

fn explore(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = model::Builder::new();
    builder.max_branches = 100_000;
    builder.check(work);
}

/// Runs `model_of` with a thread stopped after no atomic operation, after one, and so on.
fn at_each_step(most: usize, model_of: fn(usize)) {
    for steps in 0..=most {
        explore(move || model_of(steps));
    }
}

/// The bits of the upper half of a row.
const UPPER: u64 = 0xffff_ffff << 32;

#[test]
fn two_threads_take_the_last_block_of_a_row_once() {
    explore(|| {
        let zone = Zone::new(6, 1, 0).taken(0, UPPER).shared();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.take(0, 5);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() != theirs.is_some());
        zone.settle(64);
    });
}

#[test]
fn a_freed_block_comes_with_what_its_owner_did() {
    explore(|| {
        let zone = Zone::new(6, 1, 0).taken(0, UPPER).shared();
        let block = zone.take(0, 5).unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.take(0, 5);
        other.join().unwrap();
        zone.settle(32 + mine.map_or(0, |block| block.1));
    });
}

#[test]
fn blocks_of_two_rows_are_won_whole_or_not_at_all() {
    explore(|| {
        // Four rows, the last of which is taken: one block of two rows, and a row.
        let zone = Zone::new(8, 1, 0).taken(3, u64::MAX).shared();
        let other = beside(&zone, |zone| zone.take(0, 7));
        let mine = zone.take(0, 7);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() || theirs.is_none());
        zone.settle(64 + [mine, theirs].into_iter().flatten().map(|block| block.1).sum::<u64>());
    });
}

#[test]
fn a_row_is_taken_beside_a_claim_of_two() {
    explore(|| {
        let zone = Zone::new(7, 1, 0).shared();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.take(0, 6);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() && theirs.is_some(), "there is room for both");
        zone.settle(96);
    });
}

#[test]
fn a_frame_of_a_row_and_a_block_of_two_rows_exclude_each_other() {
    explore(|| {
        let zone = Zone::new(8, 1, 0).taken(2, u64::MAX).taken(3, u64::MAX).shared();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.take(0, 7);
        let theirs = other.join().unwrap();
        // The single word wins, unless the claim has both rows.
        assert!(mine.is_none() != theirs.is_none() || mine.is_none());
        let all = [mine, theirs];
        zone.settle(128 + all.into_iter().flatten().map(|block| block.1).sum::<u64>());
    });
}

#[test]
fn a_block_of_two_rows_is_freed_while_another_takes_them() {
    explore(|| {
        let zone = Zone::new(8, 1, 0).taken(2, u64::MAX).taken(3, u64::MAX).shared();
        let block = zone.take(0, 7).unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.take(0, 7).or_else(|| zone.take(0, 5));
        other.join().unwrap();
        zone.settle(128 + mine.map_or(0, |block| block.1));
    });
}

#[test]
fn a_huge_frame_is_taken_whole_or_in_parts() {
    explore(|| {
        let zone = Zone::new(7, 1, 0).shared();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.claim(0, 128);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() || theirs.is_none());
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
    });
}

#[test]
fn a_huge_frame_goes_from_whole_to_parts() {
    explore(|| {
        let zone = Zone::new(7, 1, 0).shared();
        let whole = zone.claim(0, 128).unwrap();
        let other = beside(&zone, move |zone| zone.give_range(whole));
        let mine = zone.take(0, 5);
        other.join().unwrap();
        zone.settle(mine.map_or(0, |block| block.1));
    });
}

#[test]
fn a_huge_frame_goes_from_parts_to_whole() {
    explore(|| {
        let zone = Zone::new(6, 1, 0).shared();
        let part = zone.take(0, 5).unwrap();
        let other = beside(&zone, move |zone| zone.give(part));
        let mine = zone.claim(0, 64);
        other.join().unwrap();
        zone.settle(mine.map_or(0, |block| block.1));
    });
}

#[test]
fn parts_of_a_split_huge_frame_are_freed_by_two_threads() {
    explore(|| {
        let zone = Zone::new(6, 1, 0).shared();
        let _ = zone.claim(0, 64).unwrap();
        zone.tables().split_whole(0).unwrap();
        let other = beside(&zone, |zone| zone.give((0, 32)));
        zone.give((32, 32));
        other.join().unwrap();
        assert!(zone.claim(0, 64).is_some());
        zone.settle(64);
    });
}

#[test]
fn of_two_frees_of_one_huge_frame_one_is_refused() {
    explore(|| {
        let zone = Zone::new(6, 1, 0).shared();
        let _ = zone.claim(0, 64).unwrap();
        let other = beside(&zone, |zone| zone.tables().free_range(0, 64, false).is_ok());
        let mine = zone.tables().free_range(0, 64, false).is_ok();
        assert!(mine != other.join().unwrap());
        zone.settle(0);
    });
}

#[test]
fn ranges_that_cross_are_won_whole_or_not_at_all() {
    explore(|| {
        // One of them takes entries of two words.
        let zone = Zone::new(6, 6, 0).shared();
        let other = beside(&zone, |zone| zone.claim(256, 128));
        let mine = zone.claim(192, 128);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() || theirs.is_none());
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
    });
}

#[test]
fn a_range_is_undone_without_a_trace() {
    explore(|| {
        let zone = Zone::new(6, 3, 0).taken(2, 1).shared();
        let other = beside(&zone, |zone| zone.claim(0, 192));
        let mine = zone.take(0, 5);
        assert!(other.join().unwrap().is_none());
        zone.settle(1 + mine.map_or(0, |block| block.1));
    });
}

/// A zone of one huge frame of one row with `bits` free, and two locals.
fn stocked(free: u64) -> Arc<Zone> {
    Zone::new(6, 1, 2).taken(0, !free).shared()
}

const ONE: Order = Order::new(0).unwrap();

#[test]
fn a_stock_is_stolen_from_while_its_owner_takes() {
    explore(|| {
        // Two parts with a frame each: one goes to the hand, one may be stolen.
        let zone = stocked(1 << 32 | 1);
        let other = beside(&zone, |zone| {
            let local = zone.frames.local(0).unwrap();
            let first = local.alloc(ONE).unwrap();
            let second = local.alloc(ONE);
            core::mem::forget(local);
            (first, second)
        });
        let given = zone.frames.drain();
        let mine = zone.tables().take_block(0, 0, 0, false, &());
        let (first, second) = other.join().unwrap();
        let all: Vec<_> = [Some(first), second.ok(), mine].into_iter().flatten().collect();
        assert!(all.len() <= 2 && given <= 1);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "handed out twice: {all:?}");
    });
}

#[test]
fn a_stolen_frame_comes_with_what_its_owner_did() {
    explore(|| {
        let zone = stocked(1 << 32 | 1);
        let local = zone.frames.local(0).unwrap();
        let first = local.alloc(ONE).unwrap();
        zone.touch((first.0, 1));
        zone.touch((32, 1));
        local.free(first, ONE).unwrap();
        core::mem::forget(local);
        let other = beside(&zone, |zone| zone.frames.drain());
        let mine = zone.tables().take_block(0, 0, 0, false, &());
        if let Some(frame) = mine {
            zone.touch((frame.0, 1));
        }
        other.join().unwrap();
    });
}

/// What may be lost to a stopped thread: taken by nobody, and never handed out again.
fn at_most_lost(zone: &Zone, owned: u64, most: u64) {
    let taken = (0..zone.frames.frames()).filter(|frame| zone.tables().is_taken(*frame)).count();
    let lost = taken as u64 - owned;
    assert!(lost <= most, "{lost} frames lost");
}

#[test]
fn one_who_stops_while_taking_loses_at_most_his_block() {
    at_each_step(6, |steps| {
        let zone = Zone::new(6, 1, 0).shared();
        let other = beside(&zone, move |zone| stopped_after(steps, || zone.take(0, 5)).flatten());
        let mine = zone.take(0, 5);
        let theirs = other.join().unwrap();
        assert!(mine.is_some(), "there was room for both");
        let owned = [mine, theirs].into_iter().flatten().map(|block| block.1).sum();
        at_most_lost(&zone, owned, 32);
    });
}

#[test]
fn one_who_stops_in_a_claim_of_two_rows_stops_nobody() {
    at_each_step(8, |steps| {
        let zone = Zone::new(8, 1, 0).taken(3, u64::MAX).shared();
        let other = beside(&zone, move |zone| stopped_after(steps, || zone.take(0, 7)).flatten());
        // A row is left beside the claim.
        let mine = zone.take(0, 6);
        let theirs = other.join().unwrap();
        assert!(mine.is_some());
        let owned = 64 + [mine, theirs].into_iter().flatten().map(|block| block.1).sum::<u64>();
        at_most_lost(&zone, owned, 128);
    });
}

#[test]
fn one_who_stops_at_a_huge_frame_loses_at_most_that() {
    at_each_step(8, |steps| {
        let zone = Zone::new(6, 2, 0).shared();
        let other = beside(&zone, move |zone| {
            stopped_after(steps, || {
                let whole = zone.claim(0, 64);
                if let Some(whole) = whole {
                    zone.give_range(whole);
                }
            })
        });
        let mine = zone.claim(64, 64);
        assert!(mine.is_some());
        let part = zone.take(0, 5);
        other.join().unwrap();
        at_most_lost(&zone, 64 + part.map_or(0, |block| block.1), 64);
    });
}

#[test]
fn one_who_stops_with_a_stock_loses_at_most_that() {
    at_each_step(24, |steps| {
        let zone = stocked(1 << 48 | 1 << 32 | 1);
        let other = beside(&zone, move |zone| {
            let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
            let take = || [local.alloc(ONE).ok(), local.alloc(ONE).ok()];
            stopped_after(steps, take)
        });
        zone.frames.drain();
        let mine = zone.tables().take_block(0, 0, 0, false, &());
        let theirs = other.join().unwrap().unwrap_or_default();
        let all = [theirs[0], theirs[1], mine];
        let mut all: Vec<_> = all.into_iter().flatten().collect();
        let owned = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), owned, "handed out twice");
    });
}

/// What a program that may crash writes down: frames that it has, and those that it is freeing.
struct Records {
    owned: AtomicU64,
    freeing: AtomicU64,
}

impl Records {
    fn take(&self, local: &Local<'_>) -> Option<FrameId> {
        let frame = local.alloc(ONE).ok()?;
        self.owned.fetch_or(1 << frame.0, Ordering::Relaxed);
        Some(frame)
    }

    fn free(&self, local: &Local<'_>, frame: FrameId) {
        self.freeing.fetch_or(1 << frame.0, Ordering::Relaxed);
        self.owned.fetch_and(!(1 << frame.0), Ordering::Relaxed);
        local.free(frame, ONE).unwrap();
        self.freeing.fetch_and(!(1 << frame.0), Ordering::Relaxed);
    }

    /// Goes through all of a stock's ways.
    fn work(&self, local: &Local<'_>) {
        let first = self.take(local);
        let second = self.take(local);
        first.map(|frame| self.free(local, frame));
        self.take(local);
        second.map(|frame| self.free(local, frame));
        local.drain();
    }
}

#[test]
fn recovery_accounts_for_every_frame_wherever_one_stopped() {
    at_each_step(200, |steps| {
        let free = 1 << 48 | 1 << 32 | 1;
        let zone = stocked(free);
        let records = Records { owned: AtomicU64::new(0), freeing: AtomicU64::new(0) };
        let records = Arc::new(records);
        let other = {
            let (zone, records) = (Arc::clone(&zone), Arc::clone(&records));
            thread::spawn(move || {
                let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
                stopped_after(steps, || records.work(&local)).is_some()
            })
        };
        let done = other.join().unwrap();
        assert!(done || steps < 200, "the work has more steps than were tried");
        let owned = records.owned.load(Ordering::Relaxed);
        zone.tables().recover(|frame| (owned | !free) >> frame.0 & 1 == 1);
        // What is taken is what somebody has, or what he knows that he was freeing.
        let taken = zone.words.rows[0].load(Ordering::Relaxed) & free;
        let freeing = records.freeing.load(Ordering::Relaxed);
        assert_eq!(taken & !freeing, owned & !freeing, "lost, or handed out unknown");
        zone.settle(u64::from((taken | !free).count_ones()));
    });
}

/// The number of atomic operations of `work` on the zone that `of` makes.
fn steps_of(of: impl Fn() -> Zone, work: impl Fn(&Zone)) -> usize {
    let finishes = |steps: &usize| {
        let zone = of();
        stopped_after(*steps, || work(&zone)).is_some()
    };
    (0..).find(finishes).unwrap_or(0)
}

/// The hand, a refill, and the longest path: a request that fails after everything was looked at.
/// The formulas are those of the documentation of `Local::alloc`.
#[test]
fn the_steps_of_each_path_are_those_that_are_stated() {
    explore(|| {
        let ready = || {
            let zone = Zone::new(6, QUAD, 1);
            let local = zone.frames.local(0).unwrap();
            local.alloc(ONE).unwrap();
            core::mem::forget(local);
            zone
        };
        let again = |zone: &Zone| {
            zone.words.slots[0].store(0, Ordering::Relaxed);
            let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
            local.alloc(ONE).unwrap();
        };
        // Two of these are the owner's coming back.
        let hit = steps_of(ready, again) - 2;
        assert_eq!(hit, 3, "the hand is read, a record and the hand are written");
        for huge in [QUAD, 2 * QUAD, 3 * QUAD] {
            let full = || {
                let zone = Zone::new(6, huge, 1);
                for row in 0..huge {
                    assert!(zone.tables().charge(row, 64, false));
                    zone.words.rows[row].store(u64::MAX, Ordering::Relaxed);
                }
                zone
            };
            let fails = |zone: &Zone| {
                let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
                assert!(local.alloc(ONE).is_err());
            };
            let longest = steps_of(full, fails);
            // Each tree three times, each entry twice and its rows once, each local's words.
            let (trees, rows) = (huge / QUAD, huge);
            let stated = 3 * trees + 2 * huge + rows + 20 + 30;
            assert!(longest <= stated, "{longest} steps, stated {stated}");
        }
    });
}

#[test]
fn marks_of_whole_huge_frames_are_read_back() {
    explore(|| {
        let zone = Zone::new(6, 2, 0);
        let _ = zone.claim(64, 64).unwrap();
        let word = zone.words.quads[0].load(Ordering::Relaxed);
        assert_eq!(word >> shift(1) & 0xffff, u64::from(HUGE | 64));
    });
}
