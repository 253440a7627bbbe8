//! Handles turned into addresses, beside the same loop on a slot map.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{CANNOT, Job, Measured};
use super::time::WINDOWS;
use crate::interleaved::Phase;
use crate::kernel::Random;
use crate::results::statistics::median;
use std::hint::black_box;
use std::time::Instant;

/// Bytes of a block.
const BYTES: usize = 64;
/// Bytes asked for of it.
const PART: usize = 8;

/// The region that the blocks need, with room for headers.
pub(super) fn region(job: &Job) -> usize {
    (job.live * (BYTES + 64)).next_power_of_two().max(1 << 16)
}

/// The name of the slot map's loop.
pub(super) const PEER: &str = "slotmap get";

/// Random live blocks by handle, a random word of each; the windows of the two loops take turns.
pub(super) fn run<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = Heap::<R>::new(ground, region(job))?;
    let mut random = Random::new(job.seed);
    for _ in 0..job.live {
        if !heap.take(BYTES) {
            return Err(format!("no room for {} blocks", job.live));
        }
    }
    let first = heap.held[0].block;
    if heap.subject.translate(first, 0, PART).is_none() {
        return Err(format!("{CANNOT} look up handles"));
    }
    heap.shuffle(&mut random);
    let last = job.live as u32 - 1;
    let order: Vec<u32> = (0..1 << 16).map(|_| random.between(0, last)).collect();
    let own = |calls: usize| {
        for &place in order.iter().cycle().take(calls) {
            let offset = (place as usize % (BYTES / PART)) * PART;
            let found =
                heap.subject.translate(heap.held[place as usize].block, offset, black_box(PART));
            // SAFETY: the allocator answered with so many bytes of a live block, each of which the
            // ground wrote once at least.
            black_box(found.map(|place| unsafe { place.as_ptr().read() }));
        }
    };
    let rival = Rival::new(job.live, &mut random);
    let (mut owns, mut rivals) = (Vec::new(), Vec::new());
    let calls = job.operations.div_ceil(WINDOWS);
    for window in 0..=WINDOWS {
        let (mine, other) = (clock(&own, calls), clock(&|calls| rival.gets(&order, calls), calls));
        // The windows before the first touch all that is touched later.
        if window > 0 {
            owns.push(mine);
            if cfg!(feature = "slotmap") {
                rivals.push(other);
            }
        }
    }
    let phase =
        |name: &str, nanos: Vec<f64>| median(nanos).map(|nanos| Phase { name: name.into(), nanos });
    let nanos = [phase("translate", owns), phase(PEER, rivals)].into_iter().flatten().collect();
    Ok(Measured::Time { nanos })
}

fn clock(work: &dyn Fn(usize), calls: usize) -> f64 {
    let start = Instant::now();
    work(calls);
    start.elapsed().as_nanos() as f64 / calls.max(1) as f64
}

/// The crate `slotmap`, which checks a handle's version and knows no length.
#[cfg(feature = "slotmap")]
struct Rival {
    map: slotmap::SlotMap<slotmap::DefaultKey, [u8; BYTES]>,
    keys: Vec<slotmap::DefaultKey>,
}

#[cfg(feature = "slotmap")]
impl Rival {
    fn new(live: usize, random: &mut Random) -> Self {
        let mut map = slotmap::SlotMap::with_capacity(live);
        let mut keys: Vec<_> = (0..live).map(|index| map.insert([index as u8; BYTES])).collect();
        for index in (1..keys.len()).rev() {
            keys.swap(index, random.between(0, index as u32) as usize);
        }
        Self { map, keys }
    }

    fn gets(&self, order: &[u32], calls: usize) {
        for &place in order.iter().cycle().take(calls) {
            let offset = (place as usize % (BYTES / PART)) * PART;
            black_box(self.map.get(self.keys[place as usize]).map(|bytes| bytes[offset]));
        }
    }
}

#[cfg(not(feature = "slotmap"))]
struct Rival;

#[cfg(not(feature = "slotmap"))]
impl Rival {
    fn new(_live: usize, _random: &mut Random) -> Self {
        Self
    }

    /// There is none, so that its time is not kept.
    fn gets(&self, _order: &[u32], _calls: usize) {}
}
