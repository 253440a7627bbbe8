//! The heap of sampled small blocks: a second one, at low addresses.
//!
//! A block that goes through stocks is known by its address alone. So sampled ones come from a heap of their
//! own, whose territories lie below all that the system places itself; a stock that hands one out again, or
//! gives it back, sees it by a comparison with a constant (`stocks/sampling.rs`). Where there is no room at low
//! addresses a sampled request gets an ordinary block, which is in the allocated view alone.

use core::ptr::NonNull;

use strata_core::source::rounded_len;
use strata_core::sync::Ordering;
use strata_core::{Chunk, Contents, Exhausted, Source};
use strata_os::memory;

use super::table::TABLE;
use super::{LARGE, LOW};
use crate::central::Central;
use crate::process::{HEAP, Process, ProcessMemory};
use crate::region::Use;
use crate::wishes;

/// The blocks of spans that are samples.
pub(crate) static SAMPLED: Central<LowMemory, Process> = Central::new(LowMemory);

/// The process heap's memory, at low addresses.
#[derive(Debug)]
pub(crate) struct LowMemory;

// SAFETY: 1. to 3. those of `ProcessMemory`, whose reservations these are but for their place.
unsafe impl Source for LowMemory {
    type Address = NonNull<u8>;
    const SPLITS: bool = ProcessMemory::SPLITS;
    const ZEROED: bool = ProcessMemory::ZEROED;
    const COMMITS: bool = ProcessMemory::COMMITS;
    const PURGES: bool = ProcessMemory::PURGES;

    fn granule(&self) -> usize {
        ProcessMemory.granule()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, self.granule())?;
        let at = memory::reserve_within(0..LOW, len, align).map_err(|_| Exhausted)?;
        // SAFETY: 1. just reserved.
        unsafe { wishes::apply(at, len) };
        // SAFETY: 1. fresh. 2. rounded, and reservations do not wrap. 3. the reservation.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { ProcessMemory.release(chunk) }
    }

    unsafe fn commit(&self, at: NonNull<u8>, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { ProcessMemory.commit(at, len) }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { ProcessMemory.purge(at, len) }
    }
}

/// Reserves memory of the process heap's own where it is not taken for samples, in place of a reservation at low
/// addresses: those that Valgrind gives.
pub(crate) fn above(chunk: Chunk, align: usize) -> Chunk {
    if chunk.base().addr().get() > LOW || LOW == 0 {
        return chunk;
    }
    // What x86-64 and aarch64 give programs at the least; less is there on small systems, where low addresses
    // are looked at twice then.
    const MOST: usize = usize::MAX >> (usize::BITS / 4);
    match memory::reserve_within(LOW + 1..MOST >> 1, chunk.len(), align) {
        Ok(at) => {
            let len = chunk.len();
            // SAFETY: 1. just acquired. 2. nobody knows it.
            unsafe { ProcessMemory.release(chunk) };
            // SAFETY: 1. fresh. 2. as long as the other, and reservations do not wrap. 3. the reservation.
            unsafe { Chunk::from_raw_parts(at, len) }
        }
        Err(_) => chunk,
    }
}

/// Whether an address is one of a sampled small block.
#[inline]
pub(crate) fn holds(block: *mut u8) -> bool {
    block.addr() <= LOW && SAMPLED.territories.locate(block.addr()).is_some()
}

/// The class of the sampled small block at an address, if there is one.
pub(crate) fn class_at(address: usize) -> Option<usize> {
    let (territory, frame) = SAMPLED.territories.locate(address)?;
    // SAFETY: 1. a block was said to be here; where its region was never used this faults, which stops the
    // process too. 2. this heap does not end.
    match unsafe { SAMPLED.territories.get(territory).tenant(frame) }.get() {
        Use::Span { class, .. } => Some(class.into()),
        _ => None,
    }
}

/// Takes a sampled small block back that was freed. Stops the process where it is none of `class`.
#[cold]
pub(crate) fn put(class: usize, block: *mut u8) {
    // First, for then the address may be another sample's.
    TABLE.with(|table| table.forget(block.addr()));
    SAMPLED.flush(class, &[block]);
}

/// Gives blocks of a stock back to the heaps that they are from. Answers whether so much is kept that some
/// was purged.
pub(crate) fn flush(class: usize, blocks: &[*mut u8]) -> bool {
    if blocks.iter().all(|block| block.addr() > LOW) {
        return HEAP.flush(class, blocks);
    }
    let mut purged = false;
    for plain in blocks.split(|block| holds(*block)).filter(|plain| !plain.is_empty()) {
        purged |= HEAP.flush(class, plain);
    }
    blocks.iter().filter(|block| holds(**block)).for_each(|block| put(class, *block));
    purged
}

/// Takes the sampled ones out of `blocks`, which come from a stock, and frees them. Answers how many are left,
/// in front.
pub(crate) fn sift(class: usize, blocks: &mut [*mut u8]) -> usize {
    let mut kept = 0;
    for at in 0..blocks.len() {
        if holds(blocks[at]) {
            put(class, blocks[at]);
        } else {
            blocks[kept] = blocks[at];
            kept += 1;
        }
    }
    kept
}

/// Notes that a large block is freed, or is about to be another: before anybody else can have its address.
#[inline]
pub(crate) fn forget_large(block: NonNull<u8>) {
    // Relaxed: whoever frees a sampled block was given it after it was counted.
    if LARGE.load(Ordering::Relaxed) != 0 {
        forget_large_slow(block);
    }
}

#[cold]
#[inline(never)]
fn forget_large_slow(block: NonNull<u8>) {
    if TABLE.with(|table| table.forget(block.addr().get())) {
        LARGE.fetch_sub(1, Ordering::Relaxed);
    }
}
