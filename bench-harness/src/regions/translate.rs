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
use std::ptr::NonNull;
use std::time::Instant;

/// Bytes of a block.
const BYTES: usize = 64;
/// Bytes asked for of it.
const PART: usize = 8;

/// The region that the blocks need, with room for headers.
pub(super) fn region(job: &Job) -> usize {
    (job.live * (BYTES + 64)).next_power_of_two().max(1 << 16)
}

/// The name of the slot map's loop, by which the handles are judged.
pub(super) const PEER: &str = "slotmap get";
/// A slot map that holds the blocks themselves, as it can where all have one length: one load less.
const INLINE: &str = "slotmap get, inline";

/// Random live blocks by handle, and a byte of each; the windows of the loops take turns.
///
/// The two that are compared read the same bytes of the same blocks in the same order. The one has
/// what an allocator of handles checks; the other a slot map's version, and the slice that it holds.
pub(super) fn run<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    let mut heap = Heap::<R>::new(ground, region(job))?;
    let mut random = Random::new(job.seed);
    for _ in 0..job.live {
        if !heap.take(BYTES) {
            return Err(format!("no room for {} blocks", job.live));
        }
    }
    heap.shuffle(&mut random);
    // Nothing but handles, as a program has them: what the heap knows of each block is not theirs.
    let blocks: Vec<R::Block> = heap.held.iter().map(|held| held.block).collect();
    let places = blocks.iter().map(|&block| heap.subject.translate(block, 0, BYTES));
    let Some(places) = places.collect::<Option<Vec<NonNull<u8>>>>() else {
        return Err(format!("{CANNOT} look up handles"));
    };
    let last = job.live as u32 - 1;
    let order: Vec<Access> = (0..1 << 15).map(|_| Access::new(random.between(0, last))).collect();
    let own = |calls: usize| {
        let part = black_box(PART);
        for access in order.iter().cycle().take(calls) {
            let (block, offset) = (blocks[access.place as usize], access.offset as usize);
            let found = heap.subject.translate(block, offset, part);
            // SAFETY: the allocator answered with so many bytes of a live block, each of which the
            // ground wrote once at least.
            black_box(found.map(|place| unsafe { place.as_ptr().read() }));
        }
    };
    let rival = Rival::new(&places);
    let gets = |calls: usize| rival.gets(&order, calls);
    let inline_gets = |calls: usize| rival.inline_gets(&order, calls);
    let mut loops: Vec<(&str, &dyn Fn(usize))> = vec![("translate", &own)];
    if cfg!(feature = "slotmap") {
        loops.extend([(PEER, &gets as &dyn Fn(usize)), (INLINE, &inline_gets)]);
    }
    let calls = job.operations.div_ceil(WINDOWS);
    let mut nanos = vec![Vec::new(); loops.len()];
    for _ in 0..WINDOWS {
        for ((_, work), nanos) in loops.iter().zip(&mut nanos) {
            // The same accesses before: each finds the caches as itself left them, not as another did,
            // which may have read the same blocks.
            work(calls);
            nanos.push(clock(work, calls));
        }
    }
    let phase = |(&(name, _), nanos): (&(&str, _), _)| {
        Some(Phase { name: name.into(), nanos: median(nanos)? })
    };
    Ok(Measured::Time { nanos: loops.iter().zip(nanos).filter_map(phase).collect() })
}

fn clock(work: &dyn Fn(usize), calls: usize) -> f64 {
    let start = Instant::now();
    work(calls);
    start.elapsed().as_nanos() as f64 / calls.max(1) as f64
}

/// Which block, and which byte of it.
struct Access {
    place: u32,
    offset: u32,
}

impl Access {
    fn new(place: u32) -> Self {
        Self { place, offset: place % (BYTES / PART) as u32 * PART as u32 }
    }
}

/// The crate `slotmap`, which checks a handle's version.
#[cfg(feature = "slotmap")]
struct Rival {
    /// The same blocks as the allocator's.
    slices: Filled<NonNull<[u8]>>,
    inline: Filled<[u8; BYTES]>,
}

#[cfg(feature = "slotmap")]
struct Filled<T> {
    map: slotmap::SlotMap<slotmap::DefaultKey, T>,
    keys: Vec<slotmap::DefaultKey>,
}

#[cfg(feature = "slotmap")]
impl<T> Filled<T> {
    /// In each place of the keys the value of that place; slots follow each other as `index` says.
    fn new(index: &[usize], value: impl Fn(usize) -> T) -> Self {
        let mut map = slotmap::SlotMap::with_capacity(index.len());
        let mut keys = vec![slotmap::DefaultKey::default(); index.len()];
        for &place in index {
            keys[place] = map.insert(value(place));
        }
        Self { map, keys }
    }
}

#[cfg(feature = "slotmap")]
impl Rival {
    fn new(places: &[NonNull<u8>]) -> Self {
        // In the order of the blocks, as the allocator's own table is.
        let mut index: Vec<usize> = (0..places.len()).collect();
        index.sort_unstable_by_key(|&place| places[place]);
        let slice = |place: usize| NonNull::slice_from_raw_parts(places[place], BYTES);
        Self {
            slices: Filled::new(&index, slice),
            inline: Filled::new(&index, |place| [place as u8; BYTES]),
        }
    }

    fn gets(&self, order: &[Access], calls: usize) {
        let (Filled { map, keys }, part) = (&self.slices, black_box(PART));
        for access in order.iter().cycle().take(calls) {
            let found = map.get(keys[access.place as usize]).and_then(|slice| {
                // SAFETY: a live block, each of whose bytes the ground wrote once at least, and to
                // which nobody writes while the windows take turns.
                let slice = unsafe { slice.as_ref() };
                let offset = access.offset as usize;
                slice.get(offset..offset.checked_add(part)?)?.first().copied()
            });
            black_box(found);
        }
    }

    fn inline_gets(&self, order: &[Access], calls: usize) {
        let Filled { map, keys } = &self.inline;
        for access in order.iter().cycle().take(calls) {
            let found = map.get(keys[access.place as usize]);
            black_box(found.and_then(|bytes| bytes.get(access.offset as usize).copied()));
        }
    }
}

#[cfg(not(feature = "slotmap"))]
struct Rival;

#[cfg(not(feature = "slotmap"))]
impl Rival {
    fn new(_places: &[NonNull<u8>]) -> Self {
        Self
    }

    /// There is none, so that it is not run.
    fn gets(&self, _order: &[Access], _calls: usize) {}

    /// As above.
    fn inline_gets(&self, _order: &[Access], _calls: usize) {}
}
