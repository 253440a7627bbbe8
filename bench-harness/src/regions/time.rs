//! What calls cost.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::{Heap, layout};
use super::job::{Job, Measured};
use crate::interleaved::Phase;
use crate::kernel::Random;
use crate::results::statistics::median;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Windows of one job; the median of them counts, so that one disturbed window changes nothing.
pub(super) const WINDOWS: usize = 9;

/// A window is no longer than this: some allocators take microseconds a call.
const LONGEST: Duration = Duration::from_millis(40);

/// Nanoseconds of one of about `operations` calls of `work`, which is told how many to do.
pub(super) fn clocked(name: &str, operations: usize, mut work: impl FnMut(usize)) -> Phase {
    let calls = bounded(operations.div_ceil(WINDOWS), LONGEST, &mut work);
    let window = |_| {
        let start = Instant::now();
        work(calls);
        start.elapsed().as_nanos() as f64 / calls as f64
    };
    let nanos = median((0..WINDOWS).map(window).collect()).unwrap_or(f64::NAN);
    Phase { name: name.into(), nanos }
}

/// Warms up with calls of `work`, at most `calls` and for about `longest`; how many it did.
pub(super) fn bounded(calls: usize, longest: Duration, mut work: impl FnMut(usize)) -> usize {
    const PARTS: usize = 32;
    let part = calls.div_ceil(PARTS).max(1);
    let (start, mut done) = (Instant::now(), 0);
    while done < calls && start.elapsed() < longest {
        work(part);
        done += part;
    }
    done
}

/// Bytes of the block of `pair`.
const PAIR: usize = 64;

/// One block at a time, in a fresh region and among the live set of a churn.
pub(super) fn pair<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = Heap::<R>::new(ground, job.roomy())?;
    let alone = clocked("alone", job.operations, |calls| pairs(&mut heap, calls));
    let mut random = Random::new(job.seed);
    heap.fill(job.live, job.greatest, &mut random);
    settle(&mut heap, job, &mut random);
    let among = clocked("among", job.operations, |calls| pairs(&mut heap, calls));
    Ok(Measured::Time { nanos: vec![alone, among] })
}

fn pairs<R: RegionSubject>(heap: &mut Heap<'_, R>, calls: usize) {
    for _ in 0..calls {
        let Some(block) = heap.subject.allocate(layout(PAIR)) else { no_pair() };
        heap.touch(block, PAIR);
        // SAFETY: 1. just taken with this layout.
        unsafe { heap.subject.free(black_box(block), layout(PAIR)) };
    }
}

#[cold]
#[inline(never)]
fn no_pair() -> ! {
    panic!("no room for one block of {PAIR} bytes")
}

/// A live set of random sizes, of which a random one is replaced.
pub(super) fn churn<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = Heap::<R>::new(ground, job.roomy())?;
    let mut random = Random::new(job.seed);
    heap.fill(job.live, job.greatest, &mut random);
    settle(&mut heap, job, &mut random);
    let pair = clocked("pair", job.operations, |calls| {
        churned(&mut heap, job.greatest, calls, &mut random);
    });
    Ok(Measured::Time { nanos: vec![pair] })
}

/// Every block is replaced twice on average before the clock runs, or for as long as is bearable.
pub(super) fn settle<R: RegionSubject>(heap: &mut Heap<'_, R>, job: &Job, random: &mut Random) {
    bounded(2 * job.live, 16 * LONGEST, |calls| churned(heap, job.greatest, calls, random));
}

fn churned<R: RegionSubject>(
    heap: &mut Heap<'_, R>,
    greatest: u32,
    calls: usize,
    random: &mut Random,
) {
    let last = heap.held.len() as u32 - 1;
    for _ in 0..calls {
        let place = random.between(0, last) as usize;
        let bytes = random.between(1, greatest) as usize;
        heap.replace(place, bytes);
    }
}
