//! Pins hold a segment where it is, from any thread, while the table goes on.

use std::thread;

use strata_segment::table::{Budget, Fault, OnFull, Permissions, Refused};

use crate::with_table;

const RW: Permissions = Permissions::READ_WRITE;

#[test]
fn nothing_about_a_pinned_segment_changes() {
    with_table(4096, |mut table| {
        let low = table.create(256, RW).unwrap();
        let handle = table.create(256, RW).unwrap();
        let guard = table.pin(handle).unwrap();
        table.free(low).unwrap();
        let place = table.translate(handle, RW, 0, 1);
        assert!(table.compact(Budget::ALL).done);
        assert_eq!(table.translate(handle, RW, 0, 1), place);
        let pinned = Refused::Fault(Fault::Pinned);
        for len in [1, 256, 300] {
            assert_eq!(table.resize(handle, len), Err(pinned));
        }
        assert_eq!(table.relocate(handle), Err(pinned));
        assert_eq!(table.free(handle), Err(Fault::Pinned));
        assert_eq!(table.protect(handle, Permissions::NONE), Err(Fault::Pinned));
        assert_eq!(table.write(handle, 0, 1), Err(Fault::Pinned));
        assert!(table.read(handle, 0, 256).is_ok(), "many may read");
        drop(guard);
        assert_eq!(table.compact(Budget::ALL).moved_segments, 1);
        assert_ne!(table.translate(handle, RW, 0, 1), place);
    });
}

#[test]
fn one_that_writes_is_alone() {
    with_table(4096, |mut table| {
        let handle = table.create(64, RW).unwrap();
        let mut guard = table.pin_mut(handle).unwrap();
        guard.fill(9);
        assert_eq!(table.read(handle, 0, 64), Err(Fault::Pinned));
        assert_eq!(table.pin(handle).err(), Some(Fault::Pinned));
        assert_eq!(table.pin_mut(handle).err(), Some(Fault::Pinned));
        drop(guard);
        assert_eq!(table.read(handle, 0, 64), Ok(&[9; 64][..]));
    });
}

#[test]
fn a_forgotten_guard_pins_for_ever() {
    with_table(4096, |mut table| {
        let handle = table.create(64, RW).unwrap();
        std::mem::forget(table.pin(handle));
        assert_eq!(table.free(handle), Err(Fault::Pinned));
        assert_eq!(table.is_pinned(handle), Ok(true));
    });
}

#[test]
fn room_is_made_on_either_side_of_a_pin() {
    with_table(1024, |mut table| {
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let parts: Vec<_> = (0..8).map(|_| table.create(128, RW).unwrap()).collect();
        let guard = table.pin(parts[4]).unwrap();
        [0, 2, 5, 7].iter().for_each(|&at| table.free(parts[at]).unwrap());
        assert_eq!(table.create(257, RW), Err(Refused::Exhausted), "256 on each side");
        assert!(table.create(256, RW).is_ok() && table.create(256, RW).is_ok());
        drop(guard);
    });
}

#[test]
fn other_threads_write_through_pins_while_the_table_compacts() {
    with_table(1 << 16, |mut table| {
        let handles: Vec<_> = (0..60).map(|_| table.create(512, RW).unwrap()).collect();
        thread::scope(|scope| {
            for round in 0..50_u8 {
                let at = usize::from(round) % handles.len();
                let mut guard = loop {
                    match table.pin_mut(handles[at]) {
                        Ok(guard) => break guard,
                        Err(fault) => assert_eq!(fault, Fault::Pinned),
                    }
                };
                scope.spawn(move || {
                    let before = guard.as_ptr();
                    guard.fill(round);
                    thread::yield_now();
                    assert!(guard.iter().all(|&byte| byte == round) && guard.as_ptr() == before);
                });
                // Holes come and go below the pinned ones.
                let low = handles[usize::from(round) * 7 % handles.len()];
                if table.resize(low, 256).is_ok() {
                    table.compact(Budget::Moves(20));
                    let _ = table.resize(low, 512);
                }
            }
        });
        let readable = handles.iter().all(|&handle| table.read(handle, 0, 256).is_ok());
        assert!(readable && table.validate().is_ok());
    });
}
