//! Memory that the processor does not address: all that is written there is written by the mover.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use strata_core::{Chunk, Offset};
use strata_segment::BestFit;
use strata_segment::table::{
    Budget, Fault, Handle, Mover, NotMoved, OnFull, Permissions, Refused, SegmentTable, TableStore,
};

const RW: Permissions = Permissions::READ_WRITE;
const START: u64 = 0x40_0000_0000;
const LEN: usize = 1 << 16;

/// A device with memory from `START` on, and a fault at a chosen copy.
#[derive(Debug, Default)]
struct Device {
    memory: Vec<u8>,
    copies: usize,
    fails_at: Option<usize>,
    panics: bool,
}

#[derive(Clone, Debug)]
struct Dma(Rc<RefCell<Device>>);

impl Mover for Dma {
    type Place = Offset;

    unsafe fn copy(&mut self, from: Offset, to: Offset, len: usize) -> Result<(), NotMoved> {
        let mut device = self.0.borrow_mut();
        device.copies += 1;
        if device.fails_at == Some(device.copies) {
            assert!(!device.panics, "a mover that panics");
            return Err(NotMoved);
        }
        let at = |place: Offset| (place.0 - START) as usize;
        device.memory.copy_within(at(from)..at(from) + len, at(to));
        Ok(())
    }
}

type Table<'m> = SegmentTable<'m, BestFit, Dma>;

fn fill(table: &Table<'_>, device: &Dma, handle: Handle, byte: u8) {
    let len = table.limit(handle).unwrap();
    let at = (table.translate(handle, RW, 0, len).unwrap().0 - START) as usize;
    device.0.borrow_mut().memory[at..at + len].fill(byte);
}

fn holds(table: &Table<'_>, device: &Dma, handle: Handle, byte: u8) -> bool {
    let len = table.limit(handle).unwrap();
    let at = (table.translate(handle, RW, 0, len).unwrap().0 - START) as usize;
    device.0.borrow().memory[at..at + len].iter().all(|&found| found == byte)
}

fn with_device(f: impl FnOnce(Table<'_>, Dma)) {
    let device = Device { memory: vec![0; LEN], ..Device::default() };
    let dma = Dma(Rc::new(RefCell::new(device)));
    let mut store = TableStore::<64, Offset>::new();
    let mut table = SegmentTable::with_mover(&mut store, 64, dma.clone()).unwrap();
    // SAFETY: 1. the device is this test's own. 2. small. 3. no memory.
    table.add_chunk(unsafe { Chunk::from_raw_parts(Offset(START), LEN) }).unwrap();
    f(table, dma);
}

#[test]
fn device_memory_is_compacted_by_its_mover() {
    with_device(|mut table, dma| {
        let handles: Vec<_> = (0..40).map(|at| table.create(500 + at, RW).unwrap()).collect();
        for (&handle, byte) in handles.iter().zip(1..) {
            fill(&table, &dma, handle, byte);
        }
        handles.iter().step_by(2).for_each(|&handle| table.free(handle).unwrap());
        let mut calls = 0;
        while !table.compact(Budget::Moves(3)).done {
            calls += 1;
        }
        assert!(calls >= 6);
        let kept = handles.iter().zip(1..).skip(1).step_by(2);
        assert!(kept.clone().all(|(&handle, byte)| holds(&table, &dma, handle, byte)));
        assert_eq!(table.stats().holes, 1);
        assert_eq!(dma.0.borrow().copies, 20);
        assert_eq!(table.validate(), Ok(()));
    });
}

#[test]
fn a_mover_that_fails_leaves_its_segment_where_it_was() {
    with_device(|mut table, dma| {
        let handles: Vec<_> = (0..10).map(|_| table.create(6000, RW).unwrap()).collect();
        for (&handle, byte) in handles.iter().zip(1..) {
            fill(&table, &dma, handle, byte);
        }
        handles[..5].iter().for_each(|&handle| table.free(handle).unwrap());
        let all_hold = |table: &Table<'_>| {
            let kept = handles.iter().zip(1..).skip(5);
            table.validate().is_ok() && { kept }
                .all(|(&handle, byte)| holds(table, &dma, handle, byte))
        };
        dma.0.borrow_mut().fails_at = Some(3);
        let progress = table.compact(Budget::ALL);
        assert!(progress.failed && !progress.done && progress.moved_segments == 2);
        assert!(all_hold(&table));

        dma.0.borrow_mut().fails_at = Some(4);
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let free = table.stats().free;
        assert_eq!(table.create(free.get(), RW), Err(Refused::NotMoved));
        dma.0.borrow_mut().fails_at = Some(5);
        assert_eq!(table.relocate(handles[9]), Err(Refused::NotMoved));
        assert_eq!(table.stats().free, free);
        assert!(all_hold(&table));

        dma.0.borrow_mut().fails_at = None;
        assert!(table.compact(Budget::ALL).done && all_hold(&table));
    });
}

#[test]
fn a_mover_that_panics_leaves_the_table_in_order() {
    with_device(|mut table, dma| {
        let handles: Vec<_> = (0..10).map(|_| table.create(5000, RW).unwrap()).collect();
        table.free(handles[0]).unwrap();
        let before = table.stats();
        dma.0.borrow_mut().panics = true;
        type Call = fn(&mut Table<'_>, Handle);
        let calls: [Call; 3] = [
            |table, _| assert!(table.compact(Budget::ALL).failed),
            |table, handle| assert!(table.relocate(handle).is_err()),
            |table, handle| assert!(table.resize(handle, 5100).is_err()),
        ];
        for call in calls {
            let copies = dma.0.borrow().copies;
            dma.0.borrow_mut().fails_at = Some(copies + 1);
            let caught = panic::catch_unwind(AssertUnwindSafe(|| call(&mut table, handles[1])));
            assert!(caught.is_err());
            assert_eq!(table.validate(), Ok(()));
            assert_eq!(table.stats(), before);
        }
        dma.0.borrow_mut().fails_at = None;
        assert!(table.compact(Budget::ALL).done);
    });
}

#[test]
fn the_unit_is_the_callers() {
    with_device(|mut table, _| {
        let before = table.stats().free.get();
        table.create(1, RW).unwrap();
        assert_eq!(table.stats().free.get(), before - 64);
    });
}

/// Copies nothing, of memory that nobody has.
struct Nowhere;

impl Mover for Nowhere {
    type Place = Offset;

    unsafe fn copy(&mut self, _: Offset, _: Offset, _: usize) -> Result<(), NotMoved> {
        Ok(())
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn segments_longer_than_32_bits_can_say_are_reached_to_their_end() {
    const UNIT: usize = 1 << 16;
    const LONG: usize = (5 << 30) + 3;
    let mut store = TableStore::<4, Offset>::new();
    let mut table: SegmentTable<'_, BestFit, Nowhere> =
        SegmentTable::with_mover(&mut store, UNIT, Nowhere).unwrap();
    // SAFETY: 1. nothing else has offsets of nothing.
    let chunk = unsafe { Chunk::from_raw_parts(Offset(START), 16 << 30) };
    table.add_chunk(chunk).unwrap();
    let low = table.create(UNIT, RW).unwrap();
    let long = table.create(LONG, RW).unwrap();
    let check = |table: &SegmentTable<'_, BestFit, Nowhere>, base: u64, limit: usize| {
        assert_eq!(table.limit(long), Ok(limit));
        for offset in [0, 1, (1 << 30) + 2, (1 << 30) + 3, (1 << 32) - 1, 1 << 32, limit - 1] {
            let there = table.translate(long, RW, offset, 1);
            assert_eq!(there, Ok(Offset(base + offset as u64)), "{offset}");
            assert!(table.translate(long, RW, offset, limit - offset).is_ok());
            let past = Fault::Limit { end: limit + 1, limit };
            assert_eq!(table.translate(long, RW, offset, limit - offset + 1), Err(past));
        }
        let past = Fault::Limit { end: usize::MAX, limit };
        assert_eq!(table.translate(long, RW, 1, usize::MAX), Err(past));
        assert_eq!(table.validate(), Ok(()));
    };
    check(&table, START + UNIT as u64, LONG);
    table.free(low).unwrap();
    assert!(table.compact(Budget::Bytes(LONG)).done);
    check(&table, START, LONG);
    table.resize(long, (9 << 30) + 5).unwrap();
    check(&table, START, (9 << 30) + 5);
    table.resize(long, 100).unwrap();
    let past = Fault::Limit { end: 1 << 32, limit: 100 };
    assert_eq!(
        table.translate(long, RW, 0, 1 << 32),
        Err(past),
        "nothing of the upper half is left"
    );
}
