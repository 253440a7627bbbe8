//! Huge frames from whole to parts and back, and ranges over several.

use super::*;
use crate::entry::HUGE;

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

/// A zone of one huge frame that was taken whole and freed: free, with full rows.
fn stale() -> Arc<Zone> {
    let zone = Zone::new(7, 1, 0);
    let whole = zone.claim(0, 128).unwrap();
    zone.give_range(whole);
    assert!(zone.tables().entry(0).is_stale());
    zone.held().shared()
}

#[test]
fn a_stale_huge_frame_is_taken_whole_or_in_parts() {
    explore(|| {
        let zone = stale();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.take_out(0, 1);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() || theirs.is_none());
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
    });
}

#[test]
fn two_threads_take_parts_of_a_stale_huge_frame() {
    explore(|| {
        let zone = stale();
        let other = beside(&zone, |zone| zone.take(0, 5));
        let mine = zone.take(0, 6);
        let theirs = other.join().unwrap();
        // Whoever clears its rows is in the way of the other for that time.
        assert!(mine.is_some() || theirs.is_some());
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
    });
}

#[test]
fn a_whole_huge_frame_is_freed_while_a_part_and_the_whole_are_asked_for() {
    explore(|| {
        let zone = stale();
        let whole = zone.take_out(0, 1).unwrap();
        let other = beside(&zone, move |zone| {
            zone.touch(whole);
            assert_eq!(zone.tables().give_whole(0, 1), Ok(()));
            zone.take(0, 5)
        });
        let mine = zone.take_out(0, 1);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() || theirs.is_none());
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
    });
}

#[test]
fn neighbours_of_which_one_is_stale_are_handed_out_full() {
    explore(|| {
        let zone = Zone::new(6, 2, 0).shared();
        let first = zone.claim(0, 64).unwrap();
        zone.give_range(first);
        let other = beside(&zone, |zone| zone.take(1, 5));
        let mine = zone.take_out(0, 2);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() != theirs.is_none());
        zone.settle(if mine.is_some() { 128 } else { 32 });
    });
}

#[test]
fn one_who_stops_while_clearing_a_stale_huge_frame_loses_at_most_that() {
    at_each_step(12, |steps| {
        let zone = stale();
        let other = beside(&zone, move |zone| stopped_after(steps, || zone.take(0, 5)).flatten());
        // Orders of two such at once are those of the models above.
        let theirs = other.join().unwrap();
        let mine = zone.take(0, 5);
        let owned = [mine, theirs].into_iter().flatten().map(|block| block.1).sum();
        at_most_lost(&zone, owned, 128);
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

#[test]
fn a_range_with_a_part_crosses_a_block_at_its_end() {
    explore(|| {
        let zone = Zone::new(6, 2, 0).held().shared();
        let other = beside(&zone, |zone| zone.take(1, 5));
        let mine = zone.claim(0, 96);
        let theirs = other.join().unwrap();
        assert!(theirs.is_some(), "a single word is neither delayed nor failed");
        let all = [mine, theirs];
        zone.settle(all.into_iter().flatten().map(|block| block.1).sum());
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
fn marks_of_whole_huge_frames_are_read_back() {
    explore(|| {
        let zone = Zone::new(6, 2, 0);
        let _ = zone.claim(64, 64).unwrap();
        let word = zone.words.quads[0].load(Ordering::Relaxed);
        assert_eq!(word >> shift(1) & 0xffff, u64::from(HUGE | 64));
    });
}
