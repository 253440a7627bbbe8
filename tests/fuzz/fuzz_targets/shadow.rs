//! Sequences of operations on heaps of every kind, beside the shadow that the tests have.
//!
//! The first byte chooses the heap, its ground, its give-back and when its source fails; the others
//! are the program.
#![no_main]

#[path = "../../../allocators/segregated/tests/shadow/laws.rs"]
mod laws;
#[path = "../../../allocators/segregated/tests/shadow/poison.rs"]
mod poison;
#[path = "../../../allocators/segregated/tests/shadow/runner.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod runner;
#[path = "../../../allocators/segregated/tests/shadow/subjects.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod subjects;

use core::mem::MaybeUninit;
use libfuzzer_sys::fuzz_target;
use runner::play;
use strata_core::source::{FailWhen, Failing, Locked, Region};
use strata_os::{OsReserve, OsSource};
use strata_segregated::{GiveBack, SegregatedAlloc};
use subjects::{BUFFER, MAPPED, ProcessHeap, buffer, play_over};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, program)) = bytes.split_first() else { return };
    let modes =
        [GiveBack::Budget, GiveBack::AfterPeaks, GiveBack::Eager, GiveBack::Lazy, GiveBack::Never];
    let mode = modes[usize::from(first >> 3) % modes.len()];
    let rule = FailWhen::Every(2 + usize::from(first >> 5));
    match first % 8 {
        0 | 1 => {
            SegregatedAlloc.set_give_back(mode);
            assert_eq!(play(&ProcessHeap, MAPPED, program), 0);
        }
        2 => drop(play_over(OsSource::new(), mode, MAPPED, program)),
        3 => drop(play_over(OsReserve, mode, MAPPED, program)),
        4 => drop(play_over(Failing::new(OsSource::new(), rule), mode, MAPPED, program)),
        5 => drop(play_over(Failing::new(OsReserve, rule), mode, MAPPED, program)),
        other => {
            let mut buffer: Vec<MaybeUninit<u8>> = buffer();
            let region = Locked::new(Region::new(&mut buffer));
            match other {
                6 => drop(play_over(region, mode, BUFFER, program)),
                _ => drop(play_over(Failing::new(region, rule), mode, BUFFER, program)),
            }
        }
    }
});
