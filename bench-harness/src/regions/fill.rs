//! How much of a region can be used.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Figure, Job, Map, Measured};
use crate::kernel::Random;

/// Random sizes until the first failure.
pub(super) fn fill<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = Heap::<R>::new(ground, job.region)?;
    let mut random = Random::new(job.seed);
    to_failure(&mut heap, job.greatest, &mut random);
    let figures = vec![Figure::percent("first failure", heap.live, job.region)];
    Ok(Measured::Space { figures, maps: Vec::new() })
}

/// Blocks given back after each failure.
const BACK: usize = 20;

/// talc's recipe: random sizes until one fails, 20 random blocks given back, again and again. What
/// is live at a failure, in bytes that were asked for, is the mean over all of them.
pub(super) fn efficiency<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = Heap::<R>::new(ground, job.region)?;
    let mut random = Random::new(job.seed);
    let mut sum = 0;
    for _ in 0..job.failures {
        to_failure(&mut heap, job.greatest, &mut random);
        sum += heap.live;
        for _ in 0..BACK.min(heap.held.len()) {
            heap.give(random.between(0, heap.held.len() as u32 - 1) as usize);
        }
    }
    to_failure(&mut heap, job.greatest, &mut random);
    let maps = vec![Map::of("at-failure", &heap, job.region)];
    let figures = vec![Figure::percent("at failure", sum / job.failures.max(1), job.region)];
    Ok(Measured::Space { figures, maps })
}

fn to_failure<R: RegionSubject>(heap: &mut Heap<'_, R>, greatest: u32, random: &mut Random) {
    while heap.take(random.between(1, greatest) as usize) {}
}
