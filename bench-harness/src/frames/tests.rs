//! The workloads find what they are for, on allocators with known faults.

use super::job::{Job, Measured, Workload, enter};
use super::*;
use crate::subject::Description;
use std::sync::atomic::{AtomicUsize, Ordering};

fn job(workload: Workload, order: u8, threads: usize) -> Job {
    Job {
        workload,
        frames: 16 * HUGE,
        threads,
        order,
        other: order,
        operations: 3000,
        handed: 100_000,
        rounds: 60,
        maps: vec![0, 60],
        seed: 1,
    }
}

/// A bitmap with a fault.
struct Faulty<const FAULT: u8>(LockedBitmap, AtomicUsize);

const HANDS_OUT_TWICE: u8 = 0;
const MISPLACES: u8 = 1;
const REFUSES: u8 = 2;
const LOSES_COUNT: u8 = 3;
const PANICS: u8 = 4;

impl<const FAULT: u8> FrameSubject for Faulty<FAULT> {
    type Local<'a> = ();

    fn describe() -> Description {
        Description { name: "faulty".into(), ..Description::default() }
    }

    fn new(frames: usize, locals: usize) -> Option<Self> {
        Some(Self(LockedBitmap::new(frames, locals)?, AtomicUsize::new(0)))
    }

    fn max_order(&self) -> u8 {
        9
    }

    fn local(&self, _index: usize) {}

    fn get(&self, (): &mut (), order: u8) -> Option<usize> {
        let frame = self.0.get(&mut (), order)?;
        let now = FAULT != REFUSES && self.1.fetch_add(1, Ordering::Relaxed) == 500;
        match FAULT {
            HANDS_OUT_TWICE if now => {
                self.0.put(&mut (), frame, order);
                Some(frame)
            }
            MISPLACES if now && order > 0 => Some(frame + 1),
            PANICS if now => panic!("the five hundredth"),
            _ => Some(frame),
        }
    }

    fn put(&self, (): &mut (), frame: usize, order: u8) -> bool {
        let refuses = FAULT == REFUSES && self.1.fetch_add(1, Ordering::Relaxed) == 500;
        self.0.put(&mut (), frame, order) && !refuses
    }

    fn free_frames(&self) -> Option<usize> {
        Some(self.0.free_frames()? - usize::from(FAULT == LOSES_COUNT))
    }
}

fn judged<F: FrameSubject>(order: u8, threads: usize) -> job::Overlap {
    match enter::<F>(&job(Workload::Overlap, order, threads)) {
        Ok(Measured::Overlap(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_oracle_finds_each_fault_and_nothing_else() {
    for order in [0, 2, 9] {
        assert!(judged::<LockedBitmap>(order, 2).exact());
        assert!(judged::<PrivateArrays>(order, 2).exact());
    }
    let twice = judged::<Faulty<HANDS_OUT_TWICE>>(0, 2);
    assert!(twice.overlaps > 0 && !twice.exact(), "{twice:?}");
    assert_eq!(judged::<Faulty<MISPLACES>>(2, 1).misplaced, 1);
    assert_eq!(judged::<Faulty<REFUSES>>(0, 2).refused, 1);
    assert_eq!(judged::<Faulty<LOSES_COUNT>>(0, 1).frames_off, Some(-1));
    let said = enter::<Faulty<PANICS>>(&job(Workload::Overlap, 0, 2)).unwrap_err();
    assert!(said.contains("the five hundredth"), "{said}");
}

#[cfg(feature = "strata-page-frame")]
#[test]
fn the_suite_s_own_is_exact_under_every_pair_of_orders() {
    const ORDERS: [u8; 9] = [0, 3, 6, 7, 8, 9, 10, 11, 12];
    for (place, &order) in ORDERS.iter().enumerate() {
        for &other in &ORDERS[place..] {
            let frames = (16 * HUGE).max(4 << other);
            let job = Job { other, frames, ..job(Workload::Overlap, order, 2) };
            match enter::<StrataPageFrame>(&job) {
                Ok(Measured::Overlap(found)) => assert!(found.exact(), "{order} {other} {found:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[cfg(feature = "buddy_system_allocator")]
#[test]
fn the_published_buddy_is_exact() {
    for order in [0, 3, 9] {
        assert!(judged::<Buddy>(order, 2).exact());
    }
}

#[test]
fn enough_frames_are_handed_out_whatever_the_orders() {
    for (order, other) in [(0, 9), (9, 0), (3, 3)] {
        let job = Job { other, ..job(Workload::Overlap, order, 2) };
        let Ok(Measured::Overlap(found)) = enter::<LockedBitmap>(&job) else { panic!() };
        assert!(found.exact() && found.handed >= job.handed, "{found:?}");
    }
}

#[test]
fn every_timed_workload_gives_back_what_it_takes() {
    for workload in [Workload::Bulk, Workload::Repeat, Workload::Random] {
        for (order, threads) in [(0, 1), (3, 2), (6, 3)] {
            let job = job(workload, order, threads);
            for outcome in [enter::<LockedBitmap>(&job), enter::<PrivateArrays>(&job)] {
                let Ok(Measured::Time { nanos }) = outcome else { panic!("{outcome:?}") };
                assert!(nanos.iter().all(|phase| phase.nanos > 0.0), "{nanos:?}");
            }
        }
    }
    let Ok(Measured::Latency { bands, .. }) = enter::<LockedBitmap>(&job(Workload::Latency, 0, 2))
    else {
        panic!()
    };
    assert!(bands.iter().all(|band| band.samples == 6000 && band.p50 <= band.p999));
}

#[test]
fn lowest_first_wins_whole_huge_frames_and_the_map_shows_them() {
    let Ok(Measured::Fragment { free_huge, huge, ideal, maps, indexes }) =
        enter::<LowestFirst>(&job(Workload::Fragment, 0, 1))
    else {
        panic!()
    };
    assert_eq!((huge, ideal, free_huge.len()), (16, 8, 61));
    assert_eq!(free_huge[0], 0);
    assert!(free_huge[60] >= 3, "{free_huge:?}");
    assert_eq!(maps.len(), 2);
    // What is free in whole huge frames is usable at their order.
    let whole = free_huge[60] as f64 / 8.0;
    assert!((indexes.unusable[9] - (1.0 - whole)).abs() < 1e-9, "{indexes:?}");
    let used: usize = maps[1].used.iter().map(|&used| used as usize).sum();
    assert_eq!(used, 8 * HUGE);
    assert_eq!(maps[1].used.iter().filter(|&&used| used == 0).count(), free_huge[60]);
}

/// The lowest free frame: near the best that placement can do.
struct LowestFirst(std::sync::Mutex<std::collections::BTreeSet<usize>>);

impl FrameSubject for LowestFirst {
    type Local<'a> = ();

    fn describe() -> Description {
        Description { name: "lowest-first".into(), ..Description::default() }
    }

    fn new(frames: usize, _locals: usize) -> Option<Self> {
        Some(Self(std::sync::Mutex::new((0..frames).collect())))
    }

    fn max_order(&self) -> u8 {
        0
    }

    fn local(&self, _index: usize) {}

    fn get(&self, (): &mut (), _order: u8) -> Option<usize> {
        self.0.lock().unwrap().pop_first()
    }

    fn put(&self, (): &mut (), frame: usize, _order: u8) -> bool {
        self.0.lock().unwrap().insert(frame)
    }
}

#[test]
fn an_order_too_great_is_absent_and_no_failure() {
    let said = enter::<LowestFirst>(&job(Workload::Bulk, 3, 1)).unwrap_err();
    assert!(said.starts_with(job::NO_ORDER), "{said}");
}
