//! Blocks moved together.

use super::ground::Ground;
use super::heap::Heap;
use super::job::{CANNOT, Figure, Job, Map, Measured};
use super::subject::{Budget, RegionSubject};
use crate::kernel::Random;
use std::time::{Duration, Instant};

/// Compaction in steps of this long.
const STEP: Duration = Duration::from_micros(100);
/// One step at least is timed for so many operations of the job: 2048 as a rule, so that twenty lie
/// above the 99th percentile.
const OPERATIONS: usize = 128;
/// The largest block: the promise of a step is about these.
const LARGEST: u32 = 256 << 10;

/// A region with random holes, compacted by bytes to its middle, then whole; what is free lies
/// together then. The same again in steps of 100 µs, each of which is timed, beside what the machine
/// makes of a spin and of a copy.
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
    let steps = Steps::of::<R>(ground, job)?;
    let moved = steps.moved as f64 / (steps.took.iter().sum::<f64>() * 1e3);
    let mut figures = vec![
        Figure::new("fragmented before, %", fragmented),
        Figure::new("largest ÷ total, %", together),
        Figure::new("largest served ÷ total, %", served as f64 * 100.0 / free),
        Figure::new("moved, GB/s", moved),
    ];
    figures.extend(tail("step", steps.took));
    figures.extend(tail("spin", steps.spins));
    figures.extend(tail("copy", steps.copies));
    Ok(Measured::Space { figures, maps })
}

/// A region filled with blocks up to `greatest` bytes, a random half of which was given back; each
/// block's bytes tell which it is.
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

/// The 99th percentile and the longest.
fn tail(name: &str, mut took: Vec<f64>) -> [Figure; 2] {
    took.sort_by(f64::total_cmp);
    let at = |place: usize| took.get(place).copied().unwrap_or(f64::NAN);
    [
        Figure::new(format!("{name} p99, µs"), at(took.len() * 99 / 100)),
        Figure::new(format!("{name} max, µs"), at(took.len().wrapping_sub(1))),
    ]
}

/// Microseconds of steps, and of two things that took turns with them and are no allocator's: what
/// the machine alone does to either.
#[derive(Default)]
struct Steps {
    took: Vec<f64>,
    /// Bytes that the steps moved.
    moved: usize,
    /// As long as a step, with nothing to do but to look at the clock.
    spins: Vec<f64>,
    /// One copy of the largest block, which a step may have to begin with.
    copies: Vec<f64>,
}

impl Steps {
    fn of<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Self, String> {
        let mut steps = Self::default();
        let largest = LARGEST.min((job.region / 8) as u32);
        let mut random = Random::new(job.seed);
        let (mut again, least) = (1, job.operations.div_ceil(OPERATIONS));
        while steps.took.len() < least {
            let mut heap = holes::<R>(ground, job, again, largest)?;
            let before = steps.took.len();
            while !steps.once(&mut heap)? {
                if steps.took.len() - before > job.region {
                    return Err("compaction without an end".into());
                }
            }
            kept(&heap)?;
            drop(heap);
            for _ in before..steps.took.len() {
                steps.spins.push(micros(|| {
                    let start = Instant::now();
                    while start.elapsed() < STEP {}
                }));
                let most = job.region as u32 - 2 * largest;
                let to = random.between(0, most) as usize;
                let bytes = largest as usize;
                steps.copies.push(micros(|| ground.copy(to + bytes, to, bytes)));
            }
            again += 1;
        }
        Ok(steps)
    }

    /// Whether it was the last step.
    fn once<R: RegionSubject>(&mut self, heap: &mut Heap<'_, R>) -> Result<bool, String> {
        let mut did = None;
        self.took.push(micros(|| did = heap.subject.compact(Budget::Time(STEP))));
        let Some(did) = did else { return Err(format!("{CANNOT} move blocks for a time")) };
        self.moved += did.moved;
        Ok(did.done)
    }
}

fn micros(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / 1e3
}
