//! Calls on a zone beside a naive oracle, a set of taken frames: what generated tests and the fuzzer share.

#![allow(unreachable_pub, reason = "included by path")]

use strata_core::FrameId;
use strata_page_frame::{ClaimError, FreeError, Geometry, Local, PageFrames};

use super::common::{order, zone};

/// One call. Numbers choose among what is there.
#[derive(Clone, Debug)]
pub enum Call {
    Alloc { order: u8, local: usize },
    AllocAt { start: u64, frames: u64 },
    AllocRun { frames: u64, align: u8 },
    AllocBulk { order: u8, count: usize },
    Free { which: usize, local: usize },
    FreeAny { frame: u64, order: u8, local: usize },
    Split { which: usize, into: u8 },
    Merge { huge: u64 },
    Drain { local: usize },
    DrainAll,
}

/// The calls that bytes say, five each; orders up to `orders`.
pub fn calls_of(bytes: &[u8], orders: u8) -> Vec<Call> {
    bytes.chunks_exact(5).map(|call| call_of(call, orders)).collect()
}

fn call_of(bytes: &[u8], orders: u8) -> Call {
    let wide = u64::from(u16::from_le_bytes([bytes[1], bytes[2]]));
    let (narrow, local) = (bytes[3], usize::from(bytes[4] % 3));
    let (n, which) = (narrow % (orders + 1), wide as usize);
    match bytes[0] % 25 {
        0..=7 => Call::Alloc { order: n, local },
        8 => Call::AllocAt { start: wide % 6000, frames: 1 + u64::from(narrow) * 6 },
        9 => Call::AllocRun { frames: 1 + wide % 1500, align: narrow % 8 },
        10 => Call::AllocBulk { order: narrow % 3, count: 1 + which % 200 },
        11..=18 => Call::Free { which, local },
        19 | 20 => Call::FreeAny { frame: wide % 6000, order: n, local },
        21 => Call::Split { which, into: narrow % 9 },
        22 => Call::Merge { huge: wide % 16 },
        23 => Call::Drain { local: local % 2 },
        _ => Call::DrainAll,
    }
}

/// What a block is to the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// A power of two.
    Order(FrameId, u8),
    /// A run.
    Run(FrameId, u64),
}

struct Game<'a> {
    frames: &'a PageFrames<'a>,
    locals: Vec<Local<'a>>,
    taken: Vec<bool>,
    blocks: Vec<Block>,
}

impl Game<'_> {
    /// Local 0 and 1; none at 2.
    fn local(&self, index: usize) -> Option<&Local<'_>> {
        self.locals.get(index)
    }

    fn took(&mut self, block: Block) {
        let (start, frames) = match block {
            Block::Order(start, n) => {
                assert!(start.is_aligned(order(n)));
                (start.0, order(n).frames())
            }
            Block::Run(start, frames) => (start.0, frames),
        };
        for frame in start..start + frames {
            assert!(!std::mem::replace(&mut self.taken[frame as usize], true), "{frame} twice");
        }
        self.blocks.push(block);
    }

    fn gave(&mut self, start: FrameId, frames: u64) {
        for frame in start.0..start.0 + frames {
            assert!(std::mem::replace(&mut self.taken[frame as usize], false));
        }
    }

    /// Frees anything as a block, from a local or not.
    fn free(&self, frame: FrameId, n: u8, local: usize) -> Result<(), FreeError> {
        match self.local(local) {
            Some(local) => local.free(frame, order(n)),
            None => self.frames.free(frame, order(n)),
        }
    }

    fn fits(&self, n: u8) -> bool {
        let count = order(n).frames() as usize;
        self.taken.chunks_exact(count).any(|block| block.iter().all(|taken| !taken))
    }

    fn play(&mut self, call: &Call) {
        match *call {
            Call::Alloc { order: n, local } => {
                let taken = match self.local(local) {
                    Some(local) => local.alloc(order(n)),
                    None => self.frames.alloc(order(n)),
                };
                match taken {
                    Ok(frame) => self.took(Block::Order(frame, n)),
                    // What others have in hand nobody else reaches.
                    Err(_) => assert!(!self.fits(n) || self.frames.stats().stocked > 0),
                }
            }
            Call::AllocAt { start, frames } => {
                let result = self.frames.alloc_at(FrameId(start), frames);
                let end = (start + frames) as usize;
                if end > self.taken.len() {
                    assert_eq!(result, Err(ClaimError::OutOfRange));
                } else if let Some(at) = (start as usize..end).find(|at| self.taken[*at]) {
                    // A frame in a stock may come before it.
                    let Err(ClaimError::Busy(frame)) = result else { panic!("{result:?}") };
                    assert!(frame.0 >= start && frame.0 <= at as u64);
                } else if result.is_ok() {
                    self.took(Block::Run(FrameId(start), frames));
                } else {
                    assert!(self.frames.stats().stocked > 0);
                }
            }
            Call::AllocRun { frames, align } => {
                if let Ok(start) = self.frames.alloc_run(frames, order(align)) {
                    assert!(start.is_aligned(order(align)));
                    self.took(Block::Run(start, frames));
                }
            }
            Call::AllocBulk { order: n, count } => {
                let mut out = vec![FrameId(0); count];
                let got = self.frames.alloc_bulk(order(n), &mut out);
                out[..got].iter().for_each(|frame| self.took(Block::Order(*frame, n)));
            }
            Call::Free { which, local } if !self.blocks.is_empty() => {
                let which = which % self.blocks.len();
                match self.blocks.swap_remove(which) {
                    Block::Order(frame, n) => {
                        assert_eq!(self.free(frame, n, local), Ok(()));
                        self.gave(frame, order(n).frames());
                    }
                    Block::Run(start, frames) => {
                        assert_eq!(self.frames.free_run(start, frames), Ok(()));
                        self.gave(start, frames);
                    }
                }
            }
            Call::FreeAny { frame, order: n, local } => {
                let (frame, count) = (FrameId(frame), order(n).frames());
                let end = frame.0 + count;
                if end <= self.taken.len() as u64 && frame.is_aligned(order(n)) {
                    let inside = |at: &u64| self.taken[*at as usize];
                    let exact = self.blocks.contains(&Block::Order(frame, n));
                    if exact || (frame.0..end).any(|at| inside(&at)) {
                        return; // it is somebody's
                    }
                    if self.frames.stats().stocked > 0 {
                        return; // it may be in a stock of another, which is not told
                    }
                    assert_eq!(self.free(frame, n, local), Err(FreeError::DoubleFree));
                } else {
                    let expected = if end > self.taken.len() as u64 {
                        FreeError::OutOfRange
                    } else {
                        FreeError::Misaligned
                    };
                    assert_eq!(self.free(frame, n, local), Err(expected));
                }
            }
            Call::Split { which, into } if !self.blocks.is_empty() => {
                let which = which % self.blocks.len();
                let Block::Order(frame, n) = self.blocks[which] else { return };
                let result = self.frames.split(frame, order(n), order(into));
                if into >= n {
                    assert_eq!(result, Err(FreeError::WrongOrder));
                    return;
                }
                assert_eq!(result, Ok(()));
                self.blocks.swap_remove(which);
                let parts = (0..order(n).frames()).step_by(order(into).frames() as usize);
                self.blocks.extend(parts.map(|at| Block::Order(FrameId(frame.0 + at), into)));
            }
            Call::Merge { huge } => {
                let whole = self.frames.geometry().huge_order();
                let (start, end) = (huge * whole.frames(), (huge + 1) * whole.frames());
                if end > self.taken.len() as u64 {
                    return;
                }
                let inside = |block: &Block| match *block {
                    Block::Order(at, n) => n < whole.get() && at.0 >= start && at.0 < end,
                    Block::Run(..) => false,
                };
                let count: u64 = self
                    .blocks
                    .iter()
                    .filter(|block| inside(block))
                    .map(|b| match b {
                        Block::Order(_, n) => order(*n).frames(),
                        Block::Run(..) => 0,
                    })
                    .sum();
                if count == whole.frames() {
                    assert_eq!(self.frames.merge(FrameId(start)), Ok(()));
                    self.blocks.retain(|block| !inside(block));
                    self.blocks.push(Block::Order(FrameId(start), whole.get()));
                }
            }
            Call::Drain { local } => {
                self.locals[local].drain();
            }
            Call::DrainAll => {
                self.frames.drain();
            }
            Call::Free { .. } | Call::Split { .. } => {}
        }
    }
}

/// Plays calls on a zone of so many frames with two locals, and compares all that can be seen.
pub fn play(frames: u64, geometry: Geometry, calls: &[Call]) {
    zone(frames, 2, geometry, |zone| {
        let locals = vec![zone.local(0).unwrap(), zone.local(1).unwrap()];
        let taken = vec![false; frames as usize];
        let mut game = Game { frames: zone, locals, taken, blocks: Vec::new() };
        for call in calls {
            game.play(call);
            let used = game.taken.iter().filter(|taken| **taken).count() as u64;
            let checked = zone.validate().unwrap_or_else(|broken| panic!("{call:?}: {broken}"));
            assert_eq!((checked.taken, checked.misplaced), (used, 0), "after {call:?}");
        }
        for local in &game.locals {
            local.drain();
        }
        while let Some(block) = game.blocks.pop() {
            match block {
                Block::Order(frame, n) => assert_eq!(zone.free(frame, order(n)), Ok(())),
                Block::Run(start, frames) => assert_eq!(zone.free_run(start, frames), Ok(())),
            }
        }
        assert_eq!(zone.free_frames(), frames);
        assert_eq!(zone.stats().late_double_frees, 0);
    });
}
