//! What a block costs beyond its bytes.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Figure, Job, Measured};
use std::collections::HashMap;

/// Sizes that are looked at.
pub(super) const SIZES: [usize; 4] = [24, 64, 100, 1000];

const BLOCKS: usize = 1000;

/// Neighbours of one size in a fresh region: the most frequent distance, less the size.
pub(super) fn run<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut figures = Vec::new();
    for bytes in SIZES {
        let mut heap = Heap::<R>::new(ground, job.region)?;
        let Some(usual) = usual_distance(&mut heap, bytes) else {
            return Err(format!("fewer than two blocks of {bytes} bytes"));
        };
        figures.push(Figure::new(format!("{bytes} B"), usual as f64 - bytes as f64));
    }
    Ok(Measured::Space { figures, maps: Vec::new() })
}

/// The most frequent distance of neighbours of one size; `None` of fewer than two.
pub(super) fn usual_distance<R: RegionSubject>(
    heap: &mut Heap<'_, R>,
    bytes: usize,
) -> Option<usize> {
    while heap.held.len() < BLOCKS && heap.take(bytes) {}
    let subject = &heap.subject;
    let mut starts: Vec<usize> = heap.held.iter().map(|held| subject.start(held.block)).collect();
    starts.sort_unstable();
    let mut distances = HashMap::new();
    for pair in starts.windows(2) {
        *distances.entry(pair[1] - pair[0]).or_insert(0) += 1;
    }
    let usual = distances.into_iter().max_by_key(|&(distance, count)| (count, distance));
    usual.map(|(distance, _)| distance)
}
