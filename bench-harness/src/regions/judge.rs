//! The judge: where every block lies, and what it holds.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Found, Job, Measured};
use crate::kernel::Random;
use std::alloc::Layout;

/// Operations between two looks at everything.
const EVERY: usize = 4096;
/// What free bytes hold where the allocator is to leave them alone.
const FREE: u8 = 0xDE;

/// A live block.
struct Piece<B> {
    block: B,
    layout: Layout,
    /// What all its bytes hold.
    mark: u8,
}

struct Judge<'g, R: RegionSubject> {
    heap: Heap<'g, R>,
    region: usize,
    pieces: Vec<Piece<R::Block>>,
    found: Found,
}

/// Blocks of random sizes and alignments taken, made longer and shorter, and given back, in phases
/// that fill the region and empty it by half. Every byte of every block is written and looked at.
pub(super) fn run<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    ground.write(0, job.region, FREE);
    let mut heap = Heap::<R>::new(ground, job.region)?;
    let first = heap.largest(job.region);
    let mut judge = Judge { heap, region: job.region, pieces: Vec::new(), found: Found::default() };
    let mut random = Random::new(job.seed);
    let mut growing = true;
    for operation in 1..=job.operations {
        let dice = random.next() >> 60;
        if dice < 2 && !judge.pieces.is_empty() {
            judge.resize(job.greatest, &mut random);
        } else if (dice < 11) == growing {
            growing &= judge.take(job.greatest, &mut random);
        } else if judge.pieces.is_empty() {
            growing = true;
        } else {
            judge.give(random.between(0, judge.pieces.len() as u32 - 1) as usize);
            growing |= judge.pieces.len() < 64;
        }
        if operation % EVERY == 0 {
            judge.look();
        }
    }
    judge.look();
    while !judge.pieces.is_empty() {
        judge.give(judge.pieces.len() - 1);
    }
    judge.look();
    let last = judge.heap.largest(job.region);
    judge.found.lost = first.saturating_sub(last) as u64;
    judge.found.written = !R::IN_MEMORY && !ground.holds(0, job.region, FREE);
    Ok(Measured::Check(judge.found))
}

impl<R: RegionSubject> Judge<'_, R> {
    /// Takes a block; false where there is no room.
    fn take(&mut self, greatest: u32, random: &mut Random) -> bool {
        let align = match random.next() >> 60 {
            0 => 1 << random.between(4, 12),
            _ => 8,
        };
        // Small ones are frequent.
        let most = greatest >> random.between(0, 6);
        let bytes = random.between(1, most.max(1)) as usize;
        let Ok(layout) = Layout::from_size_align(bytes, align) else { return false };
        let Some(block) = self.heap.subject.allocate(layout) else { return false };
        self.found.blocks += 1;
        let piece = Piece { block, layout, mark: self.found.blocks as u8 };
        if self.placed(&piece) {
            self.heap.ground.write(self.start(&piece), bytes, piece.mark);
            self.pieces.push(piece);
        }
        true
    }

    fn start(&self, piece: &Piece<R::Block>) -> usize {
        self.heap.subject.start(piece.block)
    }

    /// Whether a block lies where it may; one that does not is told and forgotten.
    fn placed(&mut self, piece: &Piece<R::Block>) -> bool {
        let start = self.start(piece);
        let within = start.checked_add(piece.layout.size()).is_some_and(|end| end <= self.region);
        if !within {
            self.found.outside += 1;
            return false;
        }
        if !start.is_multiple_of(piece.layout.align()) {
            self.found.misaligned += 1;
        }
        true
    }

    fn give(&mut self, place: usize) {
        let piece = self.pieces.swap_remove(place);
        self.verify(&piece, piece.layout.size());
        self.heap.ground.write(self.start(&piece), piece.layout.size(), FREE);
        // SAFETY: 1. it is one of the pieces, hence live and answered for this layout.
        unsafe { self.heap.subject.free(piece.block, piece.layout) };
    }

    /// Whether the first bytes of a block hold what was written.
    fn verify(&mut self, piece: &Piece<R::Block>, bytes: usize) {
        let start = self.start(piece);
        if start + bytes > self.region {
            self.found.outside += 1;
        } else if !self.heap.ground.holds(start, bytes, piece.mark) {
            self.found.changed += 1;
        }
    }

    fn resize(&mut self, greatest: u32, random: &mut Random) {
        let place = random.between(0, self.pieces.len() as u32 - 1) as usize;
        let mut piece = self.pieces.swap_remove(place);
        let (old, from) = (piece.layout, self.start(&piece));
        let most = greatest >> random.between(0, 6);
        let bytes = random.between(1, most.max(1)) as usize;
        let Ok(layout) = Layout::from_size_align(bytes, old.align()) else { return };
        let shorter = bytes < old.size();
        if shorter && !R::IN_MEMORY {
            // What falls off is free bytes afterwards, wherever the block is then.
            self.verify(&piece, old.size());
            self.heap.ground.write(from + bytes, old.size() - bytes, FREE);
        }
        // SAFETY: 1. it is one of the pieces, hence live and answered for this layout. 2. one byte at
        // least.
        let answer = unsafe { self.heap.subject.resize(piece.block, old, bytes) };
        match answer {
            Some(block) => {
                (piece.block, piece.layout) = (block, layout);
                if !self.placed(&piece) {
                    return;
                }
                self.moved(&piece, from, old.size(), bytes);
            }
            None if shorter && !R::IN_MEMORY => {
                self.heap.ground.write(from + bytes, old.size() - bytes, piece.mark);
            }
            None => {}
        }
        self.pieces.push(piece);
    }

    /// A block was made longer or shorter: what it held is still there, and all of it is written.
    fn moved(&mut self, piece: &Piece<R::Block>, from: usize, old: usize, bytes: usize) {
        let to = self.start(piece);
        if !R::IN_MEMORY && to != from {
            // Who writes nothing cannot copy either: that is the program's part.
            self.heap.ground.copy(from, to, old.min(bytes));
            let apart = from + old.min(bytes) <= to || to + bytes <= from;
            if apart {
                self.heap.ground.write(from, old.min(bytes), FREE);
            }
        }
        self.verify(piece, old.min(bytes));
        self.heap.ground.write(to, bytes, piece.mark);
    }

    /// Looks at every block's place and contents, and at the allocator's own tables.
    fn look(&mut self) {
        let mut places: Vec<(usize, usize)> = self
            .pieces
            .iter()
            .map(|piece| (self.start(piece), self.start(piece) + piece.layout.size()))
            .collect();
        places.sort_unstable();
        let overlaps = places.windows(2).filter(|pair| pair[1].0 < pair[0].1).count();
        self.found.overlaps += overlaps as u64;
        for place in 0..self.pieces.len() {
            let piece = self.pieces.swap_remove(place);
            self.verify(&piece, piece.layout.size());
            self.pieces.push(piece);
            let last = self.pieces.len() - 1;
            self.pieces.swap(place, last);
        }
        if let Err(how) = self.heap.subject.validate() {
            self.found.invalid.get_or_insert(how);
        }
    }
}
