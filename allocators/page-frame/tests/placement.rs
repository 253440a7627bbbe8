//! Where frames come from, and which moves win huge frames.

mod common;

use std::collections::HashMap;

use common::{Random, order, zone};
use strata_core::{FrameId, Order};
use strata_page_frame::{Candidate, Class, Fit, Geometry, PageFrames};

const HUGE: u64 = 32;
const FRAMES: u64 = HUGE * 512;

/// Takes random frames until `percent` of the zone are taken.
fn scatter(frames: &PageFrames<'_>, percent: u64, random: &mut Random) -> Vec<FrameId> {
    let mut all: Vec<_> = (0..FRAMES).map(FrameId).collect();
    random.shuffle(&mut all);
    all.truncate((FRAMES * percent / 100) as usize);
    all.iter().for_each(|frame| frames.alloc_at(*frame, 1).unwrap());
    all
}

/// Taken frames of each huge frame.
fn used(frames: &PageFrames<'_>) -> Vec<u64> {
    let mut used = vec![512; HUGE as usize];
    frames.walk(|start, count, state| {
        if state == strata_page_frame::FrameState::Free {
            (start.0..start.0 + count).for_each(|frame| used[frame as usize / 512] -= 1);
        }
    });
    used
}

#[test]
fn the_fullest_huge_frame_is_filled_first() {
    zone(FRAMES, 1, Geometry::DEFAULT, |frames| {
        scatter(frames, 50, &mut Random(1));
        let before = used(frames);
        // Of those that a search compares; of what is equally full any.
        let fullest = before[..16].iter().max().unwrap();
        let local = frames.local(0).unwrap();
        let first = local.alloc(order(0)).unwrap();
        assert!(before[first.0 as usize / 512] >= *fullest);
        for _ in 1..512 - before[first.0 as usize / 512] {
            assert_eq!(local.alloc(order(0)).unwrap().0 / 512, first.0 / 512);
        }
        assert_ne!(local.alloc(order(0)).unwrap().0 / 512, first.0 / 512);
    });
}

#[test]
fn what_was_freed_last_is_taken_again_only_where_it_is_the_fullest() {
    zone(FRAMES, 1, Geometry::DEFAULT, |frames| {
        let local = frames.local(0).unwrap();
        let next = || local.alloc(order(0)).unwrap().0;
        // Its fourth frame is a block of its own.
        let huge = |n: u64, used: u64| {
            for (start, end) in [(0, 3), (3, 4), (4, used)] {
                frames.alloc_at(FrameId(n * 512 + start), end - start).unwrap();
            }
        };
        huge(0, 511);
        huge(2, 448);
        huge(4, 200);
        huge(6, 100);
        assert_eq!(next(), 511);
        let row: Vec<_> = (0..64).map(|_| next()).collect();
        assert!(row.iter().all(|frame| frame / 512 == 2));
        // Huge frames 0 and 2 are full.
        local.free(FrameId(3), order(0)).unwrap();
        assert_eq!(next(), 3);
        local.free(FrameId(6 * 512 + 3), order(0)).unwrap();
        assert_eq!(next() / 512, 4);
        local.drain();
        assert!(frames.validate().is_ok());
    });
}

#[test]
fn moves_are_the_provable_minimum_for_single_frames() {
    for percent in [10, 50, 90] {
        for target in [1, 5, 20, HUGE] {
            zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
                scatter(frames, percent, &mut Random(percent));
                let free: u64 = used(frames).iter().map(|used| 512 - used).sum();
                let can = target.min(free / 512);
                // Each frame of each huge frame that is won moves at least once.
                let mut cheapest = used(frames);
                cheapest.sort_unstable();
                let least: u64 = cheapest.iter().take(can as usize).sum();
                let mut scratch = vec![Candidate::default(); HUGE as usize];
                let all = |_| Some(order(0));
                let mut moved = HashMap::new();
                let plan = frames.plan_evacuation(target, u64::MAX, &mut scratch, all, |step| {
                    assert!(moved.insert(step.from, step.to).is_none());
                    frames.free(step.from, step.order).unwrap();
                });
                assert_eq!((plan.huge, plan.moves), (can, least));
                assert_eq!(moved.len() as u64, least);
                assert_eq!(frames.stats().free_huge, can);
                assert_eq!(frames.validate().unwrap().taken, FRAMES * percent / 100);
            });
        }
    }
}

#[test]
fn a_budget_is_not_exceeded() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        scatter(frames, 50, &mut Random(9));
        let mut scratch = vec![Candidate::default(); HUGE as usize];
        let mut moves = 0;
        let plan = frames.plan_evacuation(
            HUGE,
            1000,
            &mut scratch,
            |_| Some(order(0)),
            |step| {
                moves += 1;
                frames.free(step.from, step.order).unwrap();
            },
        );
        assert!(moves <= 1000 && plan.moves == moves && plan.huge >= 3);
        assert_eq!(frames.stats().free_huge, plan.huge);
    });
}

/// Blocks of orders 0 to 3, one of a hundred of which stays where it is.
fn mixed(frames: &PageFrames<'_>) -> HashMap<FrameId, Option<Order>> {
    let mut random = Random(5);
    let mut blocks = Vec::new();
    while let Ok(block) = frames.alloc(order(random.below(4) as u8)) {
        blocks.push(block);
    }
    // Nobody told the orders: the walk over the zone's blocks does.
    let mut random = Random(5);
    let mut known: Vec<_> = blocks.into_iter().map(|b| (b, order(random.below(4) as u8))).collect();
    random.shuffle(&mut known);
    let half = known.len() / 2;
    for (block, n) in known.drain(..half) {
        frames.free(block, n).unwrap();
    }
    known.into_iter().map(|(block, n)| (block, (random.below(100) > 0).then_some(n))).collect()
}

/// Emptiest by frames first, as one does who does not look at orders.
fn order_blind(frames: &PageFrames<'_>, blocks: &HashMap<FrameId, Option<Order>>) -> f64 {
    let mut huge: Vec<_> = (0..HUGE).map(|huge| (used(frames)[huge as usize], huge)).collect();
    huge.sort_unstable();
    let (mut won, mut moves) = (0, 0);
    for (_, huge) in huge {
        let inside = blocks.iter().filter(|(block, _)| block.0 / 512 == huge);
        let movable = inside.clone().filter(|(_, order)| order.is_some()).count();
        // A block that stays is met when it is its turn; what was moved before was in vain.
        if movable == inside.count() {
            won += 1;
        }
        moves += movable;
        if moves >= 1000 {
            break;
        }
    }
    f64::from(won) * 1000.0 / moves as f64
}

#[test]
fn with_mixed_orders_and_some_that_stay_a_plan_wins_more_than_emptiest_first() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        let mut blocks = mixed(frames);
        let blind = order_blind(frames, &blocks);
        let before = frames.stats().free_huge;
        let mut scratch = vec![Candidate::default(); HUGE as usize];
        let mut moved = Vec::new();
        let asked = |frame: FrameId| blocks.get(&frame).copied().flatten();
        let plan = frames.plan_evacuation(HUGE, 1000, &mut scratch, asked, |step| {
            frames.free(step.from, step.order).unwrap();
            moved.push(step);
        });
        for step in moved {
            blocks.remove(&step.from);
            blocks.insert(step.to, Some(step.order));
        }
        assert_eq!(frames.stats().free_huge, before + plan.huge);
        let aware = plan.huge as f64 * 1000.0 / plan.moves as f64;
        assert!(aware > blind, "{aware} huge frames for 1000 moves, {blind} order-blind");
        for (block, n) in blocks {
            if let Some(n) = n {
                frames.free(block, n).unwrap();
            }
        }
    });
}

#[test]
fn classes_keep_to_trees_of_their_own_until_there_is_no_other() {
    zone(FRAMES, 2, Geometry::DEFAULT, |frames| {
        let movable = frames.local(0).unwrap();
        let stays = frames.local(1).unwrap().with_class(Class::IMMOVABLE);
        let tree = |frame: FrameId| frame.0 / 4096;
        let mut trees = [Vec::new(), Vec::new()];
        for _ in 0..6000 {
            trees[0].push(tree(movable.alloc(order(0)).unwrap()));
            trees[1].push(tree(stays.alloc(order(0)).unwrap()));
        }
        assert!(trees[0].iter().all(|tree| !trees[1].contains(tree)));
        // The rest goes to whoever asks.
        let mut rest = 0;
        while stays.alloc(order(0)).is_ok() {
            rest += 1;
        }
        movable.drain();
        while stays.alloc(order(0)).is_ok() {
            rest += 1;
        }
        assert_eq!(rest, FRAMES - 12_000);
    });
}

#[test]
fn huge_frames_give_their_class_to_free_trees() {
    zone(FRAMES, 2, Geometry::DEFAULT, |frames| {
        let movable = frames.local(0).unwrap();
        let stays = frames.local(1).unwrap().with_class(Class::IMMOVABLE);
        let tree = |frame: FrameId| frame.0 / 4096;
        let huge = tree(stays.alloc(order(9)).unwrap());
        let run = tree(stays.alloc(order(11)).unwrap());
        // The two trees have room for 6 and 4 huge frames more.
        for _ in 0..FRAMES / 512 - 16 {
            let other = tree(movable.alloc(order(9)).unwrap());
            assert!(other != huge && other != run);
        }
        assert!(movable.alloc(order(9)).is_ok(), "at last it goes where others are");
    });
}

#[test]
fn a_policy_may_refuse() {
    fn strict(request: Class, tree: Class) -> Fit {
        if request == tree { Fit::Match } else { Fit::Never }
    }
    let metadata = common::Metadata::new(4096, 0, Geometry::DEFAULT);
    // SAFETY: 1. and 2. this zone's alone. 3. zeroed.
    let frames =
        unsafe { PageFrames::from_zeroed(4096, 0, Geometry::DEFAULT, metadata.bytes()).unwrap() };
    let frames = frames.with_policy(strict);
    let block = frames.alloc_as(order(0), Class::IMMOVABLE).unwrap();
    // The only tree is another's now.
    assert!(frames.alloc_as(order(0), Class::MOVABLE).is_err());
    frames.free(block, order(0)).unwrap();
    assert!(frames.alloc_as(order(0), Class::MOVABLE).is_ok());
}
