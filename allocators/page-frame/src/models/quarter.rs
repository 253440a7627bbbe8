//! Quarters and halves of huge frames, which no row tells, beside what is in rows.

use super::*;

/// A free huge frame of four rows.
fn free() -> Arc<Zone> {
    Zone::new(8, 1, 0).held().shared()
}

/// The same of which quarters are taken, and those blocks.
fn quartered(taken: usize) -> (Arc<Zone>, Vec<Block>) {
    let zone = free();
    let blocks: Vec<_> = (0..taken).map(|_| zone.take(0, 6).unwrap()).collect();
    assert!(zone.tables().entry(0).is_quartered());
    (zone, blocks)
}

/// The frames of blocks.
fn sum<const N: usize>(blocks: [Option<Block>; N]) -> u64 {
    blocks.into_iter().flatten().map(|block| block.1).sum()
}

#[test]
fn two_threads_take_the_last_quarter_once() {
    explore(|| {
        let (zone, _) = quartered(3);
        let other = beside(&zone, |zone| zone.take(0, 6));
        let mine = zone.take(0, 6);
        assert!(mine.is_some() != other.join().unwrap().is_some());
        zone.settle(256);
    });
}

#[test]
fn two_threads_cut_a_free_huge_frame() {
    explore(|| {
        let zone = free();
        let other = beside(&zone, |zone| zone.take(0, 6));
        let mine = zone.take(0, 7);
        let theirs = other.join().unwrap();
        // Whoever fills its rows is in the way of the other for that time.
        assert!(mine.is_some() || theirs.is_some());
        zone.settle(sum([mine, theirs]));
    });
}

#[test]
fn a_quarter_and_a_part_are_asked_of_a_free_huge_frame() {
    explore(|| {
        let zone = free();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.take(0, 6);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() || theirs.is_some());
        zone.settle(sum([mine, theirs]));
    });
}

#[test]
fn a_freed_quarter_comes_with_what_its_owner_did() {
    explore(|| {
        let (zone, mut blocks) = quartered(4);
        let block = blocks.pop().unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.take(0, 6);
        other.join().unwrap();
        zone.settle(192 + sum([mine]));
    });
}

#[test]
fn of_two_frees_of_one_quarter_one_is_refused() {
    explore(|| {
        let (zone, _) = quartered(2);
        let free = |zone: &Zone| zone.tables().free_block(FrameId(0), 6, &()).is_ok();
        let other = beside(&zone, free);
        let mine = free(&zone);
        assert!(mine != other.join().unwrap());
        zone.settle(64);
    });
}

#[test]
fn a_quarter_is_given_while_a_part_is_asked_for() {
    explore(|| {
        let (zone, mut blocks) = quartered(3);
        let block = blocks.pop().unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.take(0, 5);
        other.join().unwrap();
        assert!(mine.is_some(), "one quarter was free all the time");
        zone.settle(128 + sum([mine]));
    });
}

#[test]
fn a_quarter_is_taken_while_a_part_is_asked_for() {
    explore(|| {
        let (zone, _) = quartered(2);
        let other = beside(&zone, |zone| zone.take(0, 6));
        let mine = zone.take(0, 5);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() || theirs.is_some());
        zone.settle(128 + sum([mine, theirs]));
    });
}

#[test]
fn the_last_quarter_is_given_while_a_part_is_asked_for() {
    explore(|| {
        let (zone, mut blocks) = quartered(1);
        let block = blocks.pop().unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.take(0, 5);
        other.join().unwrap();
        zone.settle(sum([mine]));
    });
}

#[test]
fn the_last_quarter_is_given_while_the_whole_is_asked_for() {
    explore(|| {
        let (zone, mut blocks) = quartered(1);
        let block = blocks.pop().unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.take_out(0, 1);
        other.join().unwrap();
        zone.settle(sum([mine]));
    });
}

#[test]
fn parts_of_two_quarters_are_given_by_two_threads() {
    explore(|| {
        let (zone, _) = quartered(4);
        let other = beside(&zone, |zone| zone.give((0, 32)));
        zone.give((64, 32));
        other.join().unwrap();
        assert!(zone.take(0, 5).is_some());
        zone.settle(224);
    });
}

#[test]
fn a_part_of_a_quarter_and_the_next_quarter_are_given_at_once() {
    explore(|| {
        let (zone, _) = quartered(2);
        let other = beside(&zone, |zone| zone.give((0, 32)));
        zone.give((64, 64));
        other.join().unwrap();
        zone.settle(32);
    });
}

#[test]
fn a_range_crosses_quarters() {
    explore(|| {
        let (zone, mut blocks) = quartered(1);
        let block = blocks.pop().unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        let mine = zone.claim(96, 64);
        other.join().unwrap();
        assert!(mine.is_some(), "it was free all the time");
        zone.settle(64);
    });
}

#[test]
fn one_who_stops_while_making_rows_of_quarters_stops_nobody() {
    at_each_step(12, |steps| {
        let (zone, mut blocks) = quartered(3);
        let other = beside(&zone, move |zone| stopped_after(steps, || zone.take(0, 5)).flatten());
        // What is taken is given back, in whatever state the others are.
        zone.give(blocks.pop().unwrap());
        let theirs = other.join().unwrap();
        let mine = zone.take(0, 5);
        at_most_lost(&zone, 128 + sum([mine, theirs]), 128);
    });
}

#[test]
fn one_who_stops_while_cutting_a_huge_frame_loses_at_most_that() {
    at_each_step(10, |steps| {
        let zone = free();
        let other = beside(&zone, move |zone| {
            let work = || {
                let block = zone.take(0, 6)?;
                zone.give(block);
                zone.take(0, 7)
            };
            stopped_after(steps, work).flatten()
        });
        let theirs = other.join().unwrap();
        let mine = zone.take(0, 6);
        at_most_lost(&zone, sum([mine, theirs]), 256);
    });
}
