//! The mutants under the checker: each is reported as its own kind, the base never.

use super::{Fault, Mutant, mutants, unmutated};
use crate::check::drive::{Driver, Program};
use crate::subject::{Subject, System};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Mutex;
use std::thread;

const CALLS: u64 = 6000;

const FAULTS: [Fault; 12] = [
    Fault::Overlap,
    Fault::SameBlockTwice,
    Fault::Misaligned16,
    Fault::Misaligned4096,
    Fault::DirtyZeroed,
    Fault::ReallocOverlap,
    Fault::ReallocTail,
    Fault::ReallocPrefix,
    Fault::UsableSmall,
    Fault::UsableOverlap,
    Fault::NeighbourWritten,
    Fault::OutsideRegion,
];

/// Runs a random program whose calls alternate between threads 1 and 2, the second one a real one
/// of its own, and frees all its blocks in the end. Which thread made which call is `thread_of`.
fn run<S: Subject>(subject: &S, seed: u64) -> Vec<crate::check::Violation> {
    let driver = Driver::new(subject);
    let mut program = Program::new(seed, 0..400);
    for call in 0..CALLS {
        match thread_of(call) {
            1 => program.step(&driver, 1),
            _ => thread::scope(|scope| {
                scope.spawn(|| program.step(&driver, 2)).join().unwrap();
            }),
        }
    }
    program.free_all(&driver, 1);
    driver.finish()
}

fn thread_of(call: u64) -> u32 {
    if call % 7 == 3 { 2 } else { 1 }
}

#[test]
fn each_mutant_is_reported_once_as_its_own_kind_where_it_happened() {
    for fault in FAULTS {
        for seed in 0..3 {
            let mutant = Mutant::new(Some(fault));
            let found = run(&mutant, seed);
            let fired_at = mutant.fired_at().unwrap_or_else(|| panic!("{fault:?} never fired"));
            assert_eq!(found.len(), 1, "{fault:?}, seed {seed}: {found:?}");
            assert_eq!(found[0].kind, fault.kind(), "{fault:?}, seed {seed}: {found:?}");
            assert_eq!(found[0].record, fired_at, "{fault:?}, seed {seed}: {found:?}");
            assert_eq!(found[0].thread, thread_of(fired_at), "{fault:?}, seed {seed}: {found:?}");
        }
    }
}

#[test]
fn a_sound_subject_is_never_accused() {
    for seed in 0..5 {
        assert_eq!(run(&Mutant::new(None), seed), []);
        assert_eq!(run(&System, seed), []);
    }
}

/// Threads that exchange blocks, so that each frees and reallocates what others allocated.
fn stress<S: Subject>(subject: &S) -> Vec<crate::check::Violation> {
    const THREADS: u32 = 4;
    const SLOTS: u32 = 300;
    let driver = Driver::new(subject);
    let exchange = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (driver, exchange) = (&driver, &exchange);
            scope.spawn(move || {
                let mut program = Program::new(thread.into(), thread * SLOTS..(thread + 1) * SLOTS);
                for call in 0..4000 {
                    program.step(driver, thread);
                    if call % 3 == 0 {
                        exchange.lock().unwrap().extend(program.pick());
                    } else if call % 3 == 1 {
                        let held = exchange.lock().unwrap().pop();
                        program.held.extend(held);
                    }
                }
                program.free_all(driver, thread);
            });
        }
    });
    driver.finish()
}

#[test]
fn sound_subjects_on_many_threads_are_never_accused() {
    assert_eq!(stress(&Mutant::new(None)), []);
    assert_eq!(stress(&System), []);
}

#[test]
fn every_mutant_is_an_entry_under_its_name() {
    let entries = mutants();
    assert_eq!(entries.len(), FAULTS.len());
    for ((entry, kind), fault) in entries.into_iter().zip(FAULTS) {
        let description = (entry.describe)();
        assert_eq!(description.name, format!("mutant-{}", fault.name()));
        assert!(description.calibration);
        assert_eq!(kind, fault.kind());
    }
    assert_eq!((unmutated().describe)().name, "mutant-none");
}

#[test]
fn a_block_too_large_for_the_region_is_refused() {
    let subject = Mutant::new(None);
    let layout = Layout::from_size_align(1 << 40, 16).unwrap();
    // SAFETY: the layout is not empty.
    assert!(unsafe { subject.alloc(layout) }.is_null());
}

/// One call of a generated program; numbers choose among the blocks held.
#[derive(Clone, Debug)]
enum Call {
    Allocate { size: usize, align_log2: u32, zeroed: bool },
    Reallocate { which: usize, size: usize },
    Free { which: usize },
}

fn call() -> impl Strategy<Value = Call> {
    let size = || prop_oneof![4 => 1..200usize, 2 => 1..9000usize, 1 => 1..400_000usize];
    prop_oneof![
        (size(), 0..=14u32, any::<bool>()).prop_map(|(size, align_log2, zeroed)| Call::Allocate {
            size,
            align_log2,
            zeroed
        }),
        (any::<usize>(), size()).prop_map(|(which, size)| Call::Reallocate { which, size }),
        any::<usize>().prop_map(|which| Call::Free { which }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_sequence_of_calls_accuses_the_base(calls in prop::collection::vec(call(), 1..250)) {
        let subject = Mutant::new(None);
        let driver = Driver::new(&subject);
        let mut held = Vec::new();
        let mut slots: Vec<u32> = (0..250).collect();
        for call in calls {
            match call {
                Call::Allocate { size, align_log2, zeroed } => {
                    let layout = Layout::from_size_align(size, 1 << align_log2).unwrap();
                    let slot = slots.pop().unwrap();
                    held.push(driver.allocate(1, slot, layout, zeroed));
                }
                Call::Reallocate { which, size } if !held.is_empty() => {
                    let which = which % held.len();
                    driver.reallocate(1, &mut held[which], size);
                }
                Call::Free { which } if !held.is_empty() => {
                    let which = which % held.len();
                    slots.push(driver.free(1, held.swap_remove(which)));
                }
                _ => {}
            }
        }
        prop_assert_eq!(driver.finish(), []);
    }
}
