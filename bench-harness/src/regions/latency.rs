//! Single calls.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::{Heap, Held, layout};
use super::job::{Job, Measured};
use super::time::settle;
use crate::child::clock;
use crate::interleaved::Ticks;
use crate::kernel::Random;
use std::time::{Duration, Instant};

/// Calls for so long at most: some allocators take microseconds each.
const LONGEST: Duration = Duration::from_millis(300);

/// The churn, every call timed.
pub(super) fn run<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let (picos, empty) = clock::calibrate();
    let mut heap = Heap::<R>::new(ground, job.roomy())?;
    let mut random = Random::new(job.seed);
    heap.fill(job.live, job.greatest, &mut random);
    settle(&mut heap, job, &mut random);
    let (mut allocates, mut frees) = (Ticks::new(), Ticks::new());
    let last = heap.held.len() as u32 - 1;
    let begun = Instant::now();
    for call in 0..job.operations {
        if call % 256 == 0 && begun.elapsed() > LONGEST {
            break;
        }
        let place = random.between(0, last) as usize;
        let bytes = random.between(1, job.greatest) as usize;
        let Held { block, bytes: old } = heap.held[place];
        let before = clock::ticks();
        // SAFETY: 1. it is held, hence live, and was taken with this layout.
        unsafe { heap.subject.free(block, layout(old as usize)) };
        let between = clock::ticks();
        let block = heap.subject.allocate(layout(bytes));
        let after = clock::ticks();
        let Some(block) = block else {
            return Err(format!("no room for {bytes} bytes although there must be"));
        };
        heap.touch(block, bytes);
        heap.held[place] = Held { block, bytes: bytes as u32 };
        frees.record(between.saturating_sub(before));
        allocates.record(after.saturating_sub(between));
    }
    let clock = (picos, empty);
    let words = format!("≤ {} B", job.greatest);
    Ok(Measured::Latency {
        bands: vec![
            allocates.band("allocate", words.clone(), clock),
            frees.band("free", words, clock),
        ],
        timer_ns: empty as f64 * picos as f64 / 1e3,
    })
}
