//! Generated programs on tables of every policy that joins, beside an oracle; and the cases that
//! nothing generates.
#![cfg(not(strata_loom))]

mod bytes;
mod device;
mod pins;
mod runner;

use proptest::prelude::*;
use runner::play;
use strata_segment::table::{
    Anchor, Budget, Descriptor, Fault, LONGEST_UNTOLD, OnFull, Permissions, PinWord, Refused,
    SegmentTable, TableStore,
};
use strata_segment::{BestFit, Entry, FirstFit, GoodFit, NextFit};

fn programs() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..1500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn good_fit_and_the_oracle_agree(program in programs()) {
        play::<GoodFit<0, 0>>(&program);
    }

    #[test]
    fn good_fit_with_quick_lists_and_the_oracle_agree(program in programs()) {
        play::<GoodFit<8, 8>>(&program);
    }

    #[test]
    fn best_fit_and_the_oracle_agree(program in programs()) {
        play::<BestFit>(&program);
    }

    #[test]
    fn first_fit_and_the_oracle_agree(program in programs()) {
        play::<FirstFit>(&program);
    }

    #[test]
    fn next_fit_and_the_oracle_agree(program in programs()) {
        play::<NextFit>(&program);
    }
}

type Table<'m> = SegmentTable<'m>;
const RW: Permissions = Permissions::READ_WRITE;

/// Runs `f` on a table of one region of so many bytes.
fn with_table(len: usize, f: impl FnOnce(Table<'_>)) {
    let (mut store, mut memory) = (TableStore::<64>::new(), vec![0_u8; len]);
    let mut table = SegmentTable::new(&mut store);
    table.add_slice(&mut memory).unwrap();
    f(table);
}

#[test]
fn wrong_requests_are_named_and_change_nothing() {
    with_table(4096, |mut table| {
        let before = table.stats();
        assert_eq!(table.create(0, RW), Err(Refused::ZeroLength));
        assert_eq!(table.create_aligned(1, 0, RW), Err(Refused::Alignment(0)));
        assert_eq!(table.create_aligned(1, 24, RW), Err(Refused::Alignment(24)));
        let huge = table.create_aligned(1, 1 << (usize::BITS - 1), RW);
        assert!(matches!(huge, Err(Refused::Alignment(_) | Refused::Exhausted)), "{huge:?}");
        for len in [4097, usize::MAX, usize::MAX - 15, isize::MAX as usize] {
            assert_eq!(table.create(len, RW), Err(Refused::Exhausted));
        }
        assert_eq!(table.stats(), before);
        let handle = table.create(100, RW).unwrap();
        let before = table.stats();
        assert_eq!(table.resize(handle, 0), Err(Refused::ZeroLength));
        for len in [4097, usize::MAX, isize::MAX as usize] {
            assert_eq!(table.resize(handle, len), Err(Refused::Exhausted));
        }
        assert_eq!(table.stats(), before);
    });
}

#[test]
fn overlapping_and_tiny_regions_are_refused() {
    let mut store = TableStore::<4>::new();
    let mut memory = [0_u8; 64];
    let mut table: Table<'_> = SegmentTable::new(&mut store);
    assert!(table.add_slice(&mut []).is_err());
    assert!(table.add_slice(&mut memory[..1]).is_err());
    assert_eq!(table.create(1, RW), Err(Refused::Exhausted), "there is no region");
    assert!(table.compact(Budget::ALL).done);
}

#[test]
fn all_rows_in_use_is_not_exhaustion() {
    with_table(1 << 16, |mut table| {
        let handles: Vec<_> = core::iter::from_fn(|| table.create(16, RW).ok()).collect();
        assert_eq!(handles.len(), 64);
        assert_eq!(table.create(16, RW), Err(Refused::TableFull));
        table.free(handles[7]).unwrap();
        assert!(table.create(16, RW).is_ok());
    });
}

#[test]
fn rows_may_be_slices_of_any_length() {
    let count: usize = 10;
    let mut entries = vec![Entry::EMPTY; 3 * count];
    let mut descriptors = vec![Descriptor::EMPTY; count];
    let mut anchors = vec![Anchor::EMPTY; count];
    let mut pins: Vec<_> = (0..count).map(|_| PinWord::new()).collect();
    let mut memory = vec![0_u8; 4096];
    let mut table: Table<'_> =
        SegmentTable::from_rows(&mut entries, &mut descriptors, &mut anchors, &mut pins);
    table.add_slice(&mut memory).unwrap();
    assert_eq!(table.stats().capacity, count);
    assert_eq!((0..).take_while(|_| table.create(100, RW).is_ok()).count(), count);
}

#[test]
fn compaction_leaves_one_hole_in_each_region() {
    let (mut store, mut memory) = (TableStore::<256>::new(), vec![0_u8; 3 << 14]);
    let mut table: Table<'_> = SegmentTable::new(&mut store);
    for (at, region) in memory.chunks_mut(1 << 14).enumerate() {
        table.add_slice(&mut region[..(1 << 14) - 64 * at]).unwrap();
    }
    let handles: Vec<_> = (0..200).map_while(|at| table.create(100 + at, RW).ok()).collect();
    for &handle in handles.iter().step_by(2) {
        table.free(handle).unwrap();
    }
    assert!(table.stats().holes > 50);
    let progress = table.compact(Budget::ALL);
    assert!(progress.done);
    assert!(table.stats().holes <= 3, "{}", table.stats());
    assert_eq!(table.compact(Budget::ALL).moved_segments, 0);
}

#[test]
fn a_segment_longer_than_a_budget_stays_and_is_told() {
    with_table(2 << 20, |mut table| {
        let low = table.create(100, RW).unwrap();
        let long = table.create(LONGEST_UNTOLD + 1, RW).unwrap();
        let high = table.create(100, RW).unwrap();
        table.free(low).unwrap();
        let clock = || 0;
        for budget in [Budget::Moves(9), Budget::Time { ticks: 9, clock: &clock }] {
            let progress = table.compact(budget);
            assert!(!progress.done && progress.moved_segments == 0, "{progress:?}");
            assert_eq!(progress.needs, LONGEST_UNTOLD + 1);
        }
        let all = table.stats().requested.get();
        let progress = table.compact(Budget::Bytes(all));
        assert!(progress.done && progress.moved_segments == 2, "{progress:?}");
        assert!(table.free(long).is_ok() && table.free(high).is_ok());
    });
}

#[test]
fn growth_finds_room_on_all_sides() {
    with_table(1024, |mut table| {
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let parts: Vec<_> = (0..4).map(|_| table.create(256, RW).unwrap()).collect();
        table.write(parts[1], 0, 256).unwrap().fill(7);
        table.free(parts[0]).unwrap();
        table.free(parts[2]).unwrap();
        // Over the hole below it and the one above it: there is no other room.
        table.resize(parts[1], 768).unwrap();
        assert!(table.read(parts[1], 0, 256).unwrap().iter().all(|&byte| byte == 7));
        // With the last one's bytes the region is full.
        assert_eq!(table.resize(parts[1], 769), Err(Refused::Exhausted));
        table.resize(parts[1], 16).unwrap();
        // The last one grows once all below it has sunk.
        table.resize(parts[3], 1008).unwrap();
        assert_eq!(table.stats().free.get(), 0);
    });
}

#[test]
fn growth_parts_its_neighbours_where_that_copies_least() {
    with_table(4096, |mut table| {
        // 1024 │ hole 256 │ 1024 │ 64 │ hole 192 │ 512 │ hole 1024
        let lens = [1024, 256, 1024, 64, 192, 512, 1024];
        let parts: Vec<_> = lens.iter().map(|&len| table.create(len, RW).unwrap()).collect();
        for (at, &part) in parts.iter().enumerate() {
            table.write(part, 0, lens[at]).unwrap().fill(at as u8);
        }
        [1, 4, 6].iter().for_each(|&at| table.free(parts[at]).unwrap());
        let kept = |table: &Table<'_>, at: usize| {
            table.read(parts[at], 0, lens[at]).unwrap().iter().all(|&byte| byte == at as u8)
        };
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        // The segment of 64 goes up; the growing one would have been 1024 to copy.
        table.resize(parts[2], 1024 + 192).unwrap();
        assert_eq!(table.stats().moved_bytes, 64);
        let pinned = table.pin(parts[3]).unwrap();
        assert_eq!(table.resize(parts[2], 2048), Err(Refused::Exhausted), "a pin is in the way");
        drop(pinned);
        // The 64 and the 512 go up, which is less than 1024.
        table.resize(parts[2], 2048).unwrap();
        assert_eq!(table.stats().moved_bytes, 64 + 576);
        // Everything else: the hole below too, and all that is free is used then.
        table.resize(parts[2], 2496).unwrap();
        assert_eq!(table.stats().free.get(), 0);
        assert!([0, 2, 3, 5].iter().all(|&at| kept(&table, at)));
        assert_eq!(table.validate(), Ok(()));
        assert_eq!(table.resize(parts[2], 2497), Err(Refused::Exhausted));
        // What compaction went past and rose again slides down again.
        table.resize(parts[2], 16).unwrap();
        assert!(table.compact(Budget::ALL).done);
        assert_eq!(table.stats().holes, 1);
    });
}

#[test]
fn compaction_sees_what_rose_behind_it() {
    with_table(4096, |mut table| {
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let lens = [256, 256, 64, 256, 256, 256];
        let parts: Vec<_> = lens.iter().map(|&len| table.create(len, RW).unwrap()).collect();
        table.free(parts[0]).unwrap();
        table.free(parts[3]).unwrap();
        // 1, 2 and 4 have sunk; the pass rests above 4.
        let progress = table.compact(Budget::Moves(3));
        assert_eq!((progress.moved_segments, progress.done), (3, false));
        // 2 and 4 rise, and sink again when 1 is short.
        table.resize(parts[1], 512).unwrap();
        table.resize(parts[1], 16).unwrap();
        assert!(table.compact(Budget::ALL).done);
        assert_eq!(table.stats().holes, 1);
    });
}

#[test]
fn a_request_moves_no_more_than_it_may() {
    with_table(1024, |mut table| {
        let parts: Vec<_> = (0..4).map(|_| table.create(256, RW).unwrap()).collect();
        table.free(parts[0]).unwrap();
        table.free(parts[2]).unwrap();
        assert_eq!(table.create(512, RW), Err(Refused::Exhausted));
        table.set_on_full(OnFull::Compact { at_most: 255 });
        assert_eq!(table.create(512, RW), Err(Refused::Exhausted));
        table.set_on_full(OnFull::Compact { at_most: 256 });
        assert!(table.create(512, RW).is_ok());
        assert_eq!(table.stats().moved_bytes, 256);
    });
}

#[test]
fn the_cheapest_run_makes_room() {
    with_table(4096, |mut table| {
        // 1024 │ hole 256 │ 512 │ hole 256 │ 64 │ hole 256 │ ...: the two holes around 64 are enough.
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let lens = [1024, 256, 512, 256, 64, 256, 1728];
        let parts: Vec<_> = lens.iter().map(|&len| table.create(len, RW).unwrap()).collect();
        assert_eq!(table.stats().free.get(), 0);
        [1, 3, 5].iter().for_each(|&at| table.free(parts[at]).unwrap());
        table.create(512, RW).unwrap();
        assert_eq!(table.stats().moved_bytes, 64);
    });
}

#[test]
fn a_missing_right_is_named() {
    with_table(4096, |mut table| {
        let handle = table.create(64, Permissions::READ).unwrap();
        let refused = |wanted| Fault::Permission { wanted, held: Permissions::READ };
        assert!(table.read(handle, 0, 64).is_ok());
        assert_eq!(table.write(handle, 0, 1), Err(refused(RW)));
        assert_eq!(table.store(handle, 0, &[1]), Err(refused(Permissions::WRITE)));
        assert_eq!(table.pin_mut(handle).err(), Some(refused(RW)));
        let run = Permissions::EXECUTE;
        assert_eq!(table.translate(handle, run, 0, 1), Err(refused(run)));
        table.protect(handle, Permissions::WRITE).unwrap();
        assert!(table.store(handle, 63, &[1]).is_ok());
        assert!(table.read(handle, 0, 1).is_err() && table.pin(handle).is_err());
    });
}

#[test]
fn an_access_past_the_limit_is_named() {
    with_table(4096, |mut table| {
        let handle = table.create(100, RW).unwrap();
        let past = |end| Err(Fault::Limit { end, limit: 100 });
        assert!(table.read(handle, 100, 0).is_ok() && table.read(handle, 0, 100).is_ok());
        assert_eq!(table.read(handle, 101, 0), past(101));
        assert_eq!(table.read(handle, 99, 2), past(101));
        assert_eq!(table.read(handle, usize::MAX, 2), past(usize::MAX));
        assert_eq!(table.read(handle, 1, usize::MAX), past(usize::MAX));
        let rounding = table.translate(handle, RW, 112, 0).map(drop);
        assert_eq!(rounding, past(112).map(drop), "the rounding is not the program's");
    });
}
