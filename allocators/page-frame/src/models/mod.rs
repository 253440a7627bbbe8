//! Loom explores the shipped protocols: every order of their atomic operations in tiny zones.
//!
//! Contents of frames are loom's tracked cells, one for each half row: a frame that two threads own
//! is reported as a race, and so is one that is handed on without what its last owner did.

mod blocks;
mod crash;
mod quarter;
mod stocks;
mod whole;

use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::sync::{AtomicU64, Ordering, UnsafeCell, model, stopped_after, thread};
use strata_core::{FrameId, Order};

use crate::entry::{HELD, shift};
use crate::frames::PageFrames;
use crate::geometry::{Geometry, QUAD, SLOT_WORDS};
use crate::index::{GROUP, PLANES};
use crate::local::Local;
use crate::summary;
use crate::tables::Tables;

/// Frames that share a tracked cell.
const CELL: u64 = 32;

/// The words of a zone.
struct Words {
    rows: Vec<AtomicU64>,
    quads: Vec<AtomicU64>,
    planes: Vec<AtomicU64>,
    summary: Vec<AtomicU64>,
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
            summary: zeroes(huge.div_ceil(QUAD).div_ceil(summary::TREES) * summary::WORDS),
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
            summary: &long.summary,
            trees: huge.div_ceil(QUAD),
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

    /// A stock works at all huge frames: the index, which nothing rests on, is left alone and adds no
    /// orders.
    fn held(self) -> Self {
        for (huge, quad) in (0..self.tables().huge).map(|huge| (huge, self.tables().quad(huge))) {
            quad.fetch_or(u64::from(HELD) << shift(huge), Ordering::Relaxed);
        }
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
        assert_eq!(self.tables().free_block(FrameId(block.0), order, &()), Ok(()));
    }

    fn claim(&self, start: u64, frames: u64) -> Option<Block> {
        self.tables().claim_range((start, start + frames), true, &()).ok()?;
        Some(self.touch((start, frames)))
    }

    fn take_out(&self, huge: usize, count: usize) -> Option<Block> {
        let frames = self.tables().capacity();
        let taken = self.tables().take_out_whole(huge, count, true, &());
        taken.then(|| self.touch((huge as u64 * frames, count as u64 * frames)))
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

/// A zone of one huge frame of one row with `bits` free, and two locals.
fn stocked(free: u64) -> Arc<Zone> {
    Zone::new(6, 1, 2).taken(0, !free).shared()
}

const ONE: Order = Order::new(0).unwrap();

/// What may be lost to a stopped thread: taken by nobody, and never handed out again.
fn at_most_lost(zone: &Zone, owned: u64, most: u64) {
    let taken = (0..zone.frames.frames()).filter(|frame| zone.tables().is_taken(*frame)).count();
    let lost = taken as u64 - owned;
    assert!(lost <= most, "{lost} frames lost");
}
