//! The workloads find what they are for, on allocators with known faults and known answers.

use super::job::{Figure, Found, Job, Measured, Workload, enter};
use super::*;
use crate::subject::Description;
use std::alloc::Layout;
use std::ptr::NonNull;

fn job(workload: Workload) -> Job {
    Job {
        workload,
        region: 1 << 20,
        greatest: 4000,
        live: 500,
        operations: 6000,
        failures: 40,
        seed: 1,
    }
}

fn measured<R: RegionSubject>(workload: Workload) -> Result<Measured, String> {
    let job = job(workload);
    enter::<R>(&Ground::new(job.ground()).unwrap(), &job)
}

fn figures<R: RegionSubject>(workload: Workload) -> Vec<Figure> {
    match measured::<R>(workload) {
        Ok(Measured::Space { figures, .. }) => figures,
        other => panic!("{other:?}"),
    }
}

fn checked<R: RegionSubject>() -> Found {
    match measured::<R>(Workload::Check) {
        Ok(Measured::Check(found)) => found,
        other => panic!("{other:?}"),
    }
}

/// First fit with a fault.
struct Faulty<const FAULT: u8> {
    fit: FirstFit,
    allocated: u32,
    lost: bool,
    base: NonNull<u8>,
}

const OVERLAPS: u8 = 0;
const MISALIGNS: u8 = 1;
const LEAVES: u8 = 2;
const LOSES: u8 = 3;
const WRITES: u8 = 4;
const PANICS: u8 = 5;
const DENIES: u8 = 6;

impl<const FAULT: u8> RegionSubject for Faulty<FAULT> {
    type Block = usize;
    const IN_MEMORY: bool = false;

    fn describe() -> Description {
        Description { name: "faulty".into(), ..Description::default() }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        // SAFETY: the caller's obligations are those of the method called.
        let fit = unsafe { FirstFit::new(region) }?;
        Some(Self { fit, allocated: 0, lost: false, base: region.cast() })
    }

    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        let block = self.fit.allocate(layout)?;
        self.allocated += 1;
        if self.allocated != 500 {
            return Some(block);
        }
        match FAULT {
            OVERLAPS => Some(block & !0xFFF),
            MISALIGNS => Some(block + 4),
            LEAVES => Some(usize::MAX - 7),
            PANICS => panic!("the five hundredth"),
            _ => Some(block),
        }
    }

    unsafe fn free(&mut self, block: usize, layout: Layout) {
        let block = if FAULT == OVERLAPS || FAULT == MISALIGNS { block & !7 } else { block };
        if FAULT == LOSES && self.allocated > 500 && !self.lost {
            self.lost = true;
            return;
        }
        if FAULT == WRITES {
            // SAFETY: a byte of the region, which is this allocator's.
            unsafe { self.base.write(self.allocated as u8) };
        }
        if FAULT != OVERLAPS {
            // SAFETY: the caller's obligations are those of the method called.
            unsafe { self.fit.free(block, layout) };
        }
    }

    fn start(&self, block: usize) -> usize {
        block
    }

    fn validate(&self) -> Result<(), String> {
        if FAULT == DENIES { Err("a table is wrong".into()) } else { Ok(()) }
    }
}

#[test]
fn the_judge_finds_each_fault_and_nothing_else() {
    assert!(checked::<FirstFit>().sound(), "{:?}", checked::<FirstFit>());
    assert!(checked::<Sliding>().sound(), "{:?}", checked::<Sliding>());
    assert!(checked::<Faulty<99>>().sound());
    let overlaps = checked::<Faulty<OVERLAPS>>();
    assert!(overlaps.changed > 0 && !overlaps.sound(), "{overlaps:?}");
    assert!(checked::<Faulty<MISALIGNS>>().misaligned > 0);
    assert_eq!(checked::<Faulty<LEAVES>>().outside, 1);
    assert!(checked::<Faulty<LOSES>>().lost > 0);
    assert!(checked::<Faulty<WRITES>>().written);
    assert_eq!(checked::<Faulty<DENIES>>().words(), "a table is wrong");
    let said = measured::<Faulty<PANICS>>(Workload::Check).unwrap_err();
    assert!(said.contains("the five hundredth"), "{said}");
}

#[test]
fn the_linked_ones_are_sound() {
    for entry in linked().into_iter().filter(|entry| (entry.describe)().name != "fixed-slots") {
        let (name, job) = ((entry.describe)().name, job(Workload::Check));
        match (entry.enter)(&Ground::new(job.ground()).unwrap(), &job) {
            Ok(Measured::Check(found)) => assert!(found.sound(), "{name}: {found:?}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn every_linked_one_ends_every_timed_workload() {
    for entry in linked() {
        for workload in [Workload::Pair, Workload::Churn, Workload::Latency] {
            let (name, job) = ((entry.describe)().name, job(workload));
            match (entry.enter)(&Ground::new(job.ground()).unwrap(), &job) {
                Ok(Measured::Time { nanos }) => {
                    assert!(nanos.iter().all(|phase| phase.nanos > 0.0), "{name}: {nanos:?}");
                }
                Ok(Measured::Latency { bands, .. }) => {
                    assert!(bands.iter().all(|band| band.samples > 200), "{name}: {bands:?}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

/// A boundary that only moves up, with 64 bytes before each block.
struct Headers(usize, usize);

impl RegionSubject for Headers {
    type Block = usize;

    fn describe() -> Description {
        Description { name: "headers".into(), ..Description::default() }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        Some(Self(0, region.len()))
    }

    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        let start = self.0 + 64;
        let end = (start + layout.size()).next_multiple_of(8);
        (end <= self.1).then(|| self.0 = end).map(|()| start)
    }

    unsafe fn free(&mut self, _block: usize, _layout: Layout) {}

    fn start(&self, block: usize) -> usize {
        block
    }
}

#[test]
fn overhead_is_what_lies_between_neighbours() {
    let values = |figures: Vec<Figure>| figures.iter().map(|one| one.value).collect::<Vec<_>>();
    assert_eq!(values(figures::<Headers>(Workload::Overhead)), [64.0, 64.0, 68.0, 64.0]);
    assert_eq!(values(figures::<FirstFit>(Workload::Overhead)), [0.0, 0.0, 4.0, 0.0]);
}

#[test]
fn what_moves_uses_everything_and_what_does_not_leaves_holes() {
    // Of ideal compaction only rounding to 8 and the last gap are missing.
    let [sliding, first_fit] =
        [figures::<Sliding>, figures::<FirstFit>].map(|run| run(Workload::Efficiency)[0].value);
    assert!(sliding > 99.5, "{sliding}");
    assert!((88.0..99.0).contains(&first_fit), "{first_fit}");
    // Nothing of twice the size fits between blocks that stay where they are.
    let served = |figures: Vec<Figure>| (figures[0].value, figures[1].value);
    assert_eq!(served(figures::<FirstFit>(Workload::Checkerboard)), (0.0, 100.0));
    let (moved, again) = served(figures::<Sliding>(Workload::Checkerboard));
    assert!(moved > 99.0 && again == 100.0, "{moved} {again}");
    // The boundary serves hardly anything again.
    let (none, again) = served(figures::<Headers>(Workload::Checkerboard));
    assert!(none == 0.0 && again < 1.0, "{none} {again}");
    let phase = figures::<Sliding>(Workload::Phase);
    assert!(phase.iter().all(|figure| figure.value > 97.0), "{phase:?}");
}

#[test]
fn the_adversary_keeps_who_cannot_move_above_the_bound_and_nobody_else() {
    let needed = |figures: Vec<Figure>| figures[0].value;
    let first_fit = needed(figures::<FirstFit>(Workload::Robson));
    // Robson's bound for any allocator, and his for first fit, M H(n) / ln 2.
    assert!((robson::GAME.bound()..9.0).contains(&first_fit), "{first_fit}");
    assert_eq!(needed(figures::<Sliding>(Workload::Robson)), 1.0);
}

#[test]
fn the_adversary_costs_first_fit_and_buddies_what_theory_says_it_does() {
    let ground = Ground::new(job(Workload::Robson).ground()).unwrap();
    let games = [2, 4, 6, 8].map(|steps| robson::Game { steps, ..robson::GAME });
    // What is tried are multiples of a 64th of what is live.
    let step = 1.0 / 64.0;
    let first_fit = games.map(|game| robson::needed::<FirstFit>(&ground, game).unwrap());
    let buddies = games.map(|game| robson::needed::<Buddies>(&ground, game).unwrap());
    for (index, game) in games.iter().enumerate() {
        let least = game.bound();
        let (found, most) = (first_fit[index], game.first_fit_does_with());
        assert!((least..=most + step).contains(&found), "first fit {least} {found} {most}");
        let (found, most) = (buddies[index], game.buddies_do_with());
        assert!((least..=most + step).contains(&found), "buddies {least} {found} {most}");
    }
    // Two powers more cost about as much as is live, whatever there was before.
    for found in [first_fit, buddies] {
        assert!(found.windows(2).all(|two| (0.9..1.5).contains(&(two[1] - two[0]))), "{found:?}");
    }
}

#[test]
fn compaction_is_mapped_and_its_end_is_seen() {
    let Ok(Measured::Space { figures, maps }) = measured::<Sliding>(Workload::Compact) else {
        panic!()
    };
    let points: Vec<_> = maps.iter().map(|map| map.point.as_str()).collect();
    assert_eq!(points, ["before", "during", "after"]);
    let free = |map: &job::Map| map.used.iter().rev().take_while(|&&used| used == 0).count();
    assert!(free(&maps[0]) < free(&maps[2]), "{} {}", free(&maps[0]), free(&maps[2]));
    assert_eq!(figures[1].value, 100.0);
    assert!(figures[0].value > 50.0 && figures[3].value > 0.0, "{figures:?}");
    let said = measured::<FirstFit>(Workload::Compact).unwrap_err();
    assert!(said.starts_with(job::CANNOT), "{said}");
}
