//! Blocks moved together.

use super::ground::Ground;
use super::heap::Heap;
use super::job::{CANNOT, Figure, Job, Map, Measured};
use super::subject::{Budget, RegionSubject};
use crate::kernel::Random;
use std::time::{Duration, Instant};

/// Compaction in steps of this long.
const STEP: Duration = Duration::from_micros(100);
/// Steps that are timed at least.
const STEPS: usize = 400;
/// The largest block: the promise of a step is about these.
const LARGEST: u32 = 256 << 10;

/// A region with random holes, compacted by bytes to its middle, then whole; what is free lies
/// together then. The same again in steps of 100 µs, each of which is timed.
pub(super) fn run<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = holes::<R>(ground, job, 0, 16 << 10)?;
    let mut maps = vec![Map::of("before", &heap, job.region)];
    let fragmented = external(&heap);
    if heap.subject.compact(Budget::Bytes(heap.live / 4)).is_none() {
        return Err(format!("{CANNOT} move blocks"));
    }
    maps.push(Map::of("during", &heap, job.region));
    let mut calls = 0;
    while heap.subject.compact(Budget::Whole).is_some_and(|did| !did.done) {
        calls += 1;
        if calls > heap.held.len() {
            return Err("compaction without an end".into());
        }
    }
    maps.push(Map::of("after", &heap, job.region));
    kept(&heap)?;
    let together = heap
        .subject
        .free_bytes()
        .map_or(f64::NAN, |free| free.largest as f64 * 100.0 / free.total.max(1) as f64);
    let served = heap.largest(job.region);
    let free = heap.subject.free_bytes().map_or(f64::NAN, |free| free.total as f64);
    let (p99, worst, moved) = steps::<R>(ground, job)?;
    let figures = vec![
        Figure::new("fragmented before, %", fragmented),
        Figure::new("largest ÷ total, %", together),
        Figure::new("largest served ÷ total, %", served as f64 * 100.0 / free),
        Figure::new("step p99, µs", p99),
        Figure::new("step max, µs", worst),
        Figure::new("moved, GB/s", moved),
    ];
    Ok(Measured::Space { figures, maps })
}

/// A region filled with blocks up to `greatest` bytes, a random half of which was given back; each
/// block's first and last byte tells what it is.
fn holes<'g, R: RegionSubject>(
    ground: &'g Ground,
    job: &Job,
    again: u64,
    greatest: u32,
) -> Result<Heap<'g, R>, String> {
    let mut heap = Heap::<R>::new(ground, job.region)?;
    let mut random = Random::new(job.seed + again);
    while heap.take(random.between(greatest / 16, greatest) as usize) {}
    heap.shuffle(&mut random);
    for _ in 0..heap.held.len() / 2 {
        heap.give(heap.held.len() - 1);
    }
    for (mark, held) in heap.held.iter().enumerate() {
        let (start, bytes) = (heap.subject.start(held.block), held.bytes as usize);
        heap.ground.write(start, bytes, mark as u8);
    }
    Ok(heap)
}

/// 1 − largest/total in percent, as the allocator counts.
fn external<R: RegionSubject>(heap: &Heap<'_, R>) -> f64 {
    heap.subject
        .free_bytes()
        .map_or(f64::NAN, |free| 100.0 - free.largest as f64 * 100.0 / free.total.max(1) as f64)
}

/// Whether every block still holds what it held.
fn kept<R: RegionSubject>(heap: &Heap<'_, R>) -> Result<(), String> {
    for (mark, held) in heap.held.iter().enumerate() {
        let (start, bytes) = (heap.subject.start(held.block), held.bytes as usize);
        if !heap.ground.holds(start, bytes, mark as u8) {
            return Err(format!("a block of {bytes} bytes lost its contents in a move"));
        }
    }
    heap.subject.validate()
}

/// The 99th percentile and the longest of the steps in microseconds, and bytes moved a nanosecond.
fn steps<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<(f64, f64, f64), String> {
    let (mut took, mut moved) = (Vec::new(), 0);
    let largest = LARGEST.min((job.region / 8) as u32);
    let mut again = 1;
    while took.len() < STEPS {
        let mut heap = holes::<R>(ground, job, again, largest)?;
        loop {
            let start = Instant::now();
            let did = heap.subject.compact(Budget::Time(STEP));
            took.push(start.elapsed().as_nanos() as f64 / 1e3);
            let Some(did) = did else { return Err(format!("{CANNOT} move blocks for a time")) };
            moved += did.moved;
            if did.done {
                break;
            }
            if took.len() > 1000 * STEPS {
                return Err("compaction without an end".into());
            }
        }
        kept(&heap)?;
        again += 1;
    }
    let sum: f64 = took.iter().sum();
    took.sort_by(f64::total_cmp);
    let p99 = took[took.len() * 99 / 100];
    Ok((p99, took[took.len() - 1], moved as f64 / (sum * 1e3)))
}
