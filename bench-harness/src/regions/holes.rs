//! Whether what was given back serves other sizes.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Figure, Job, Measured};
use crate::kernel::Random;

/// Small blocks fill the region, a random part of them is given back, and large ones are asked for:
/// requested bytes of the large ones over those given back.
pub(super) fn phase<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut figures = Vec::new();
    for percent in [50, 90, 99] {
        let mut heap = Heap::<R>::new(ground, job.region)?;
        let mut random = Random::new(job.seed);
        while heap.take(random.between(16, 256) as usize) {}
        heap.shuffle(&mut random);
        let kept = heap.held.len() * (100 - percent) / 100;
        let full = heap.live;
        while heap.held.len() > kept {
            heap.give(heap.held.len() - 1);
        }
        let (freed, before) = (full - heap.live, heap.live);
        while heap.take(random.between(1024, 4096) as usize) {}
        figures.push(Figure::percent(format!("{percent}% given back"), heap.live - before, freed));
    }
    Ok(Measured::Space { figures, maps: Vec::new() })
}

/// Every second block in address order is given back, and blocks of twice the size are asked for.
/// Then everything is given back, and the largest block to be had is held against the first one's.
pub(super) fn checkerboard<R: RegionSubject>(
    ground: &Ground,
    job: &Job,
) -> Result<Measured, String> {
    const BYTES: usize = 1024;
    let mut heap = Heap::<R>::new(ground, job.region)?;
    let first = heap.largest(job.region);
    while heap.take(BYTES) {}
    let subject = &heap.subject;
    heap.held.sort_by_key(|held| subject.start(held.block));
    let full = heap.live;
    // From the end, so that the one that takes a place was looked at before.
    for place in (0..heap.held.len()).rev().filter(|place| place % 2 == 1) {
        heap.give(place);
    }
    let (freed, before) = (full - heap.live, heap.live);
    while heap.take(2 * BYTES) {}
    let served = Figure::percent("served", heap.live - before, freed);
    heap.clear();
    let back = Figure::percent("largest again", heap.largest(job.region), first);
    Ok(Measured::Space { figures: vec![served, back], maps: Vec::new() })
}
