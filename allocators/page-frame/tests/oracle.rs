//! Generated operations against a naive oracle: a set of taken frames.

mod common;

use common::{order, zone};
use proptest::prelude::*;
use strata_core::FrameId;
use strata_page_frame::{ClaimError, FreeError, Geometry, Local, PageFrames};

/// One call. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Call {
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

fn call(orders: u8) -> impl Strategy<Value = Call> {
    let n = 0..=orders;
    prop_oneof![
        8 => (n.clone(), 0..3usize).prop_map(|(order, local)| Call::Alloc { order, local }),
        1 => (0..6000u64, 1..1500u64).prop_map(|(start, frames)| Call::AllocAt { start, frames }),
        1 => (1..1500u64, 0..8u8).prop_map(|(frames, align)| Call::AllocRun { frames, align }),
        1 => (0..3u8, 1..200usize).prop_map(|(order, count)| Call::AllocBulk { order, count }),
        8 => (any::<usize>(), 0..3usize).prop_map(|(which, local)| Call::Free { which, local }),
        2 => (0..6000u64, n, 0..3usize)
            .prop_map(|(frame, order, local)| Call::FreeAny { frame, order, local }),
        1 => (any::<usize>(), 0..9u8).prop_map(|(which, into)| Call::Split { which, into }),
        1 => (0..16u64).prop_map(|huge| Call::Merge { huge }),
        1 => (0..2usize).prop_map(|local| Call::Drain { local }),
        1 => Just(Call::DrainAll),
    ]
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
                let (start, end) = (huge * 512, huge * 512 + 512);
                if end > self.taken.len() as u64 {
                    return;
                }
                let inside = |block: &Block| match *block {
                    Block::Order(at, n) => n < 9 && at.0 >= start && at.0 < end,
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
                if count == 512 {
                    assert_eq!(self.frames.merge(FrameId(start)), Ok(()));
                    self.blocks.retain(|block| !inside(block));
                    self.blocks.push(Block::Order(FrameId(start), 9));
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

fn play(frames: u64, geometry: Geometry, calls: &[Call]) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_call_does_what_the_oracle_says(calls in prop::collection::vec(call(12), 1..120)) {
        play(5000, Geometry::DEFAULT, &calls);
    }

    #[test]
    fn and_so_it_does_with_small_huge_frames(calls in prop::collection::vec(call(9), 1..120)) {
        // Merging speaks of huge frames of 512: they are others here.
        let calls: Vec<_> =
            calls.into_iter().filter(|call| !matches!(call, Call::Merge { .. })).collect();
        play(1000, Geometry::new(6, 4).unwrap(), &calls);
    }
}
