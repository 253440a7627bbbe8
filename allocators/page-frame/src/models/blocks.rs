//! Blocks inside a huge frame, of one row and of several.

use super::*;

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
fn a_block_may_be_taken_before_its_free_has_ended() {
    explore(|| {
        // The charge is paid by the second row, so that the bits alone hand the block on.
        let zone = Zone::new(7, 1, 0).taken(0, UPPER).shared();
        let block = zone.take(0, 5).unwrap();
        let other = beside(&zone, move |zone| zone.give(block));
        assert!(zone.take(0, 5).is_some());
        other.join().unwrap();
        zone.settle(64);
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
