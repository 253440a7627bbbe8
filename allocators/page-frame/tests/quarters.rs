//! Quarters and halves of huge frames, of which no row tells until somebody asks for less.

mod common;

use common::{order, zone};
use strata_core::FrameId;
use strata_page_frame::FrameState::{Free, Taken};
use strata_page_frame::{ClaimError, FreeError, Geometry, PageFrames};

/// Huge frames in which orders `huge - 2` and `huge - 1` are quarters and halves.
const GEOMETRIES: [u8; 3] = [8, 9, 10];

fn each(work: impl Fn(&PageFrames<'_>, u64, u8)) {
    for huge in GEOMETRIES {
        let geometry = Geometry::new(huge, 4).unwrap();
        zone(8 << huge, 1, geometry, |frames| work(frames, 1 << (huge - 2), huge));
    }
}

fn runs(frames: &PageFrames<'_>) -> Vec<(u64, u64, bool)> {
    let mut runs = Vec::new();
    frames.walk(|start, count, state| {
        assert!(state == Free || state == Taken);
        runs.push((start.0, count, state == Taken));
    });
    runs
}

#[test]
fn quarters_are_counted_walked_and_looked_at_like_any_block() {
    each(|frames, quarter, huge| {
        let first = frames.alloc(order(huge - 2)).unwrap().0;
        let half = frames.alloc(order(huge - 1)).unwrap().0;
        assert_eq!(
            (first, half),
            (0, 2 * quarter),
            "in one huge frame, the half where it is aligned"
        );
        assert_eq!(frames.free_frames(), 29 * quarter);
        let rest = 28 * quarter;
        let all = [
            (0, quarter, true),
            (quarter, quarter, false),
            (half, 2 * quarter, true),
            (4 * quarter, rest, false),
        ];
        assert_eq!(runs(frames), all);
        let stats = frames.stats();
        assert_eq!((stats.taken, stats.free_huge), (3 * quarter, 7));
        assert_eq!(stats.free_blocks(order(huge - 2)), 1);
        assert_eq!(frames.validate().unwrap().taken, 3 * quarter);
        assert_eq!(frames.alloc(order(huge - 2)).unwrap().0, quarter, "the last one");
        for (start, n) in [(0, huge - 2), (half, huge - 1), (quarter, huge - 2)] {
            assert_eq!(frames.free(FrameId(start), order(n)), Ok(()));
            assert_eq!(frames.free(FrameId(start), order(n)), Err(FreeError::DoubleFree));
        }
        assert_eq!(frames.validate().unwrap().taken, 0);
        assert_eq!(frames.stats().free_huge, 8);
    });
}

#[test]
fn a_wrong_free_of_a_quarter_says_what_is_wrong() {
    each(|frames, quarter, huge| {
        let _ = frames.alloc(order(huge - 2)).unwrap();
        let free = |start: u64, n: u8| frames.free(FrameId(start), order(n));
        assert_eq!(free(0, huge), Err(FreeError::WrongOrder));
        assert_eq!(free(0, huge - 1), Err(FreeError::WrongOrder));
        assert_eq!(free(2 * quarter, huge - 1), Err(FreeError::DoubleFree));
        for n in [0, 5, huge - 2] {
            assert_eq!(free(quarter, n), Err(FreeError::DoubleFree), "order {n}");
        }
        assert_eq!(frames.free_run(FrameId(0), 2 * quarter), Err(FreeError::WrongOrder));
        assert_eq!(frames.free_run(FrameId(quarter), 3), Err(FreeError::DoubleFree));
        let local = frames.local(0).unwrap();
        assert_eq!(local.free(FrameId(quarter), order(0)), Err(FreeError::DoubleFree));
        drop(local);
        assert_eq!(frames.merge(FrameId(0)), Err(FreeError::DoubleFree));
        assert_eq!(frames.validate().unwrap().taken, quarter);
    });
}

#[test]
fn less_than_a_quarter_is_taken_from_the_rest_and_given_back_from_a_quarter() {
    each(|frames, quarter, huge| {
        let block = frames.alloc(order(huge - 2)).unwrap();
        let row = frames.alloc(order(5)).unwrap();
        assert_eq!(row.0, quarter, "beside it");
        assert_eq!(frames.validate().unwrap().taken, quarter + 32);
        // A second one, of a huge frame in parts.
        let second = frames.alloc(order(huge - 2)).unwrap();
        assert_eq!(second.0, 2 * quarter);
        assert_eq!(frames.free(row, order(5)), Ok(()));
        for block in [block, second] {
            assert_eq!(frames.free(block, order(huge - 2)), Ok(()));
        }
        assert_eq!(frames.stats().free_huge, 8);
        let block = frames.alloc(order(huge - 1)).unwrap();
        frames.split(block, order(huge - 1), order(4)).unwrap();
        for start in (block.0..block.0 + 2 * quarter).step_by(16) {
            assert_eq!(frames.free(FrameId(start), order(4)), Ok(()));
        }
        assert_eq!(frames.validate().unwrap().taken, 0);
    });
}

#[test]
fn frames_of_a_quarter_go_through_a_stock() {
    each(|frames, quarter, huge| {
        let local = frames.local(0).unwrap();
        let block = local.alloc(order(huge - 2)).unwrap();
        frames.split(block, order(huge - 2), order(0)).unwrap();
        for start in block.0..block.0 + quarter {
            assert_eq!(local.free(FrameId(start), order(0)), Ok(()));
        }
        drop(local);
        assert_eq!(frames.validate().unwrap().taken, 0);
        assert_eq!(frames.free_frames(), frames.frames());
    });
}

#[test]
fn ranges_and_runs_go_around_taken_quarters() {
    each(|frames, quarter, huge| {
        let _ = frames.alloc(order(huge - 2)).unwrap();
        let busy = Err(ClaimError::Busy(FrameId(quarter - 1)));
        assert_eq!(frames.alloc_at(FrameId(quarter - 1), 2), busy);
        assert_eq!(frames.alloc_run(5 * quarter, order(0)).unwrap().0, quarter);
        assert_eq!(frames.alloc_at(FrameId(6 * quarter + 3), quarter), Ok(()));
        assert_eq!(frames.validate().unwrap().taken, 7 * quarter);
        frames.free_run(FrameId(quarter), 5 * quarter).unwrap();
        frames.free_run(FrameId(6 * quarter + 3), quarter).unwrap();
        frames.free_run(FrameId(0), quarter).unwrap();
        assert_eq!(frames.validate().unwrap().taken, 0);
    });
}

#[test]
fn four_quarters_are_merged_and_a_huge_frame_with_one_is_emptied() {
    each(|frames, quarter, huge| {
        for _ in 0..4 {
            let _ = frames.alloc(order(huge - 2)).unwrap();
        }
        assert_eq!(frames.free(FrameId(0), order(huge)), Err(FreeError::WrongOrder));
        assert_eq!(frames.merge(FrameId(0)), Ok(()));
        assert_eq!(frames.free(FrameId(0), order(huge)), Ok(()));
        for start in [0, 1, 4, 5, 6] {
            frames.alloc_at(FrameId(start * quarter), quarter).unwrap();
        }
        frames.free_run(FrameId(0), quarter).unwrap();
        let mut scratch = [strata_page_frame::Candidate::default(); 8];
        let plan = frames.plan_evacuation(
            1,
            9,
            &mut scratch,
            |_| Some(order(huge - 2)),
            |step| frames.free(step.from, step.order).unwrap(),
        );
        assert_eq!((plan.huge, plan.moves, frames.stats().free_huge), (1, 1, 7));
    });
}

#[test]
fn recovery_keeps_taken_quarters_and_frees_the_others() {
    for huge in GEOMETRIES {
        let geometry = Geometry::new(huge, 4).unwrap();
        let (count, quarter) = (8 << huge, 1 << (huge - 2));
        let metadata = common::Metadata::new(count, 1, geometry);
        // SAFETY: 1. and 2. this test's alone, and outlives it. 3. zeroed.
        let frames =
            unsafe { PageFrames::from_zeroed(count, 1, geometry, metadata.bytes()) }.unwrap();
        let blocks = [(); 3].map(|()| frames.alloc(order(huge - 2)).unwrap());
        frames.free(blocks[1], order(huge - 2)).unwrap();
        // SAFETY: 1. and 2. as above, the first one is not used again. 3. it was the same.
        let recovered =
            unsafe { PageFrames::recover(count, 1, geometry, metadata.bytes(), |_| true) };
        let (frames, _) = recovered.unwrap();
        assert_eq!(frames.validate().unwrap().taken, 2 * quarter);
        assert_eq!(frames.alloc_at(blocks[1], quarter), Ok(()));
        frames.free(blocks[0], order(huge - 2)).unwrap();
        frames.free(blocks[2], order(huge - 2)).unwrap();
        assert_eq!(frames.free_frames(), count - quarter);
    }
}
