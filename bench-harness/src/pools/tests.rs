//! The workloads find what they are for, on pools with known faults and known answers.

use super::job::{Found, Job, Measured, Workload, enter, enter_shared};
use super::*;
use crate::subject::Description;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

fn job(workload: Workload, threads: usize) -> Job {
    Job { workload, threads, operations: 20_000, burst: 4096, seed: 1 }
}

/// Boxes in a vector under a lock, with a fault.
#[derive(Default)]
struct Faulty<const FAULT: u8> {
    free: Mutex<Vec<Place>>,
    calls: AtomicU32,
}

const TWICE: u8 = 0;
const CHANGES: u8 = 1;
const DENIES: u8 = 2;
const PANICS: u8 = 3;

/// What a faulty pool hands out: where the block is.
struct Place(*mut Payload);

// SAFETY: a block belongs to no thread.
unsafe impl Send for Place {}

impl<const FAULT: u8> PoolSubject for Faulty<FAULT> {
    type Local<'a> = &'a Self;

    fn describe() -> Description {
        Description { name: "faulty".into(), ..Description::default() }
    }

    fn new(_capacity: usize) -> Option<Self> {
        Some(Self::default())
    }

    fn local(&self) -> &Self {
        self
    }
}

impl<const FAULT: u8> PoolLocal for &Faulty<FAULT> {
    type Held = Place;

    fn take(&mut self, word: u64) -> Option<Place> {
        // Leaked: a test has few of them.
        let fresh = || Place(Box::into_raw(Box::new(Payload::new(0))));
        let Place(place) = self.free.lock().unwrap().pop().unwrap_or_else(fresh);
        let now = self.calls.fetch_add(1, Ordering::Relaxed) == 500;
        assert!(FAULT != PANICS || !now, "the five hundredth");
        // SAFETY: nobody has it, but for the fault that the test is about.
        unsafe { place.write(Payload::new(word + u64::from(FAULT == CHANGES && now))) };
        if FAULT == TWICE && now {
            self.free.lock().unwrap().push(Place(place));
        }
        Some(Place(place))
    }

    fn give(&mut self, held: Place) {
        self.free.lock().unwrap().push(held);
    }

    fn value<'b>(&'b self, held: &'b Place) -> &'b Payload {
        // SAFETY: it is out.
        unsafe { &*held.0 }
    }

    fn validate(&self) -> Result<(), String> {
        if FAULT == DENIES { Err("a table is wrong".into()) } else { Ok(()) }
    }
}

fn checked<const FAULT: u8>(shared: bool) -> Found {
    let job = job(Workload::Check, 1);
    let enter = if shared { enter_shared::<Faulty<FAULT>> } else { enter::<Faulty<FAULT>> };
    match enter(&job) {
        Ok(Measured::Check(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_judge_finds_each_fault_and_nothing_else() {
    for shared in [false, true] {
        assert!(checked::<99>(shared).sound(), "{:?}", checked::<99>(shared));
        let twice = checked::<TWICE>(shared);
        assert!(twice.twice > 0, "{twice:?}");
        assert_eq!(checked::<CHANGES>(shared).changed, 1);
        assert_eq!(checked::<DENIES>(shared).words(), "a table is wrong");
    }
    let said = enter_shared::<Faulty<PANICS>>(&job(Workload::Check, 2)).unwrap_err();
    assert!(said.contains("the five hundredth"), "{said}");
}

#[test]
fn the_linked_ones_are_sound_and_end_every_timed_workload() {
    for entry in linked() {
        let name = (entry.describe)().name;
        for workload in [Workload::Check, Workload::Pair, Workload::Held, Workload::Batch] {
            match (entry.enter)(&job(workload, 1)) {
                Ok(Measured::Check(found)) => assert!(found.sound(), "{name}: {found:?}"),
                Ok(Measured::Time { nanos }) => {
                    assert!(nanos.iter().all(|phase| phase.nanos > 0.0), "{name}: {nanos:?}");
                }
                Err(how) => assert!(how.starts_with(job::CANNOT), "{name}: {how}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        for (workload, threads) in [(Workload::Cross, 1), (Workload::Pair, 2), (Workload::Held, 2)]
        {
            match (entry.enter)(&job(workload, threads)) {
                Ok(Measured::Time { nanos }) => assert!(entry.shared && nanos[0].nanos > 0.0),
                Err(how) => assert!(!entry.shared && how.starts_with(job::CANNOT), "{how}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
