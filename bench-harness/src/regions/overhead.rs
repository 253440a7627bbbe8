//! What a block costs beyond its bytes.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Figure, Job, Measured};
use crate::adversary::usual_distance;

/// Sizes that are looked at.
pub(super) const SIZES: [usize; 4] = [24, 64, 100, 1000];

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
