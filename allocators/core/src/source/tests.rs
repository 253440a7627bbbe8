//! Cases of single sources. What every source must do is tested in the workspace's `tests/`.

use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::{ByteCount, Offset};

/// An aligned buffer of `N` bytes.
#[repr(align(4096))]
struct Buffer<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Buffer<N> {
    fn new() -> Self {
        Self([MaybeUninit::uninit(); N])
    }
}

fn release<S: Source>(source: &S, chunk: Chunk<S::Address>) {
    // SAFETY: 1. the tests give chunks to the source they came from. 2. they never use them.
    unsafe { source.release(chunk) }
}

#[test]
fn a_region_serves_its_last_byte_and_takes_all_of_it_back() {
    let mut buffer = Buffer::<4096>::new();
    let region = Region::new(&mut buffer.0);
    let mut chunks: Vec<_> = (0..256).map(|_| region.acquire(1, 1).unwrap()).collect();
    assert_eq!(region.acquire(1, 1).unwrap_err(), Exhausted);
    assert_eq!(region.free_bytes(), ByteCount(0));
    // Every second one first, so that nothing touches, and then the ones between.
    for odd in [true, false] {
        let (now, later) = chunks
            .into_iter()
            .partition::<Vec<_>, _>(|chunk| !odd || (chunk.base().addr().get() / 16) % 2 == 1);
        now.into_iter().for_each(|chunk| release(&region, chunk));
        chunks = later;
    }
    assert_eq!(region.largest_free(), ByteCount(4096));
}

#[test]
fn a_region_over_an_odd_buffer_uses_its_whole_granules() {
    let mut buffer = Buffer::<64>::new();
    let region = Region::new(&mut buffer.0[1..63]);
    assert_eq!(region.free_bytes(), ByteCount(32));
    for short in 0..17 {
        let mut buffer = Buffer::<32>::new();
        let region = Region::new(&mut buffer.0[1..1 + short]);
        assert_eq!(region.acquire(1, 1).unwrap_err(), Exhausted);
    }
}

#[test]
fn an_aligned_chunk_leaves_the_piece_before_it_usable() {
    let mut buffer = Buffer::<8192>::new();
    let region = Region::new(&mut buffer.0);
    let first = region.acquire(16, 1).unwrap();
    let aligned = region.acquire(16, 4096).unwrap();
    assert_eq!(aligned.base().addr().get() % 4096, 0);
    let between = region.acquire(4096 - 16, 1).unwrap();
    assert_eq!(between.base().addr().get(), first.base().addr().get() + 16);
    for chunk in [first, aligned, between] {
        release(&region, chunk);
    }
    assert_eq!(region.largest_free(), ByteCount(8192));
}

#[test]
fn a_region_grows_a_chunk_into_free_memory_only() {
    let mut buffer = Buffer::<1024>::new();
    let region = Region::new(&mut buffer.0);
    let mut low = region.acquire(64, 1).unwrap();
    let high = region.acquire(64, 1).unwrap();
    // SAFETY: 1. `low` is of this region.
    unsafe {
        assert_eq!(region.grow(&mut low, 65), Err(Exhausted));
        release(&region, high);
        assert_eq!(region.grow(&mut low, 200), Ok(()));
        assert_eq!(low.len(), 208);
        assert_eq!(region.grow(&mut low, 1025), Err(Exhausted));
        assert_eq!(region.grow(&mut low, 1024), Ok(()));
    }
    release(&region, low);
    assert_eq!(region.largest_free(), ByteCount(1024));
}

#[test]
fn senseless_requests_are_refused_by_every_source() {
    let mut buffer = Buffer::<1024>::new();
    let counted = Counted::new(Limited::new(Region::new(&mut buffer.0), ByteCount(1024)));
    for (len, align) in [(0, 1), (1, 0), (1, 3), (usize::MAX, 1), (isize::MAX as usize, 1)] {
        assert_eq!(counted.acquire(len, align).unwrap_err(), Exhausted, "{len} at {align}");
    }
    assert_eq!(counted.counts().failed, 5);
    assert_eq!(counted.get_ref().left(), ByteCount(1024));
}

#[test]
fn a_budget_counts_growth_and_comes_back() {
    let mut buffer = Buffer::<4096>::new();
    let limited = Limited::new(Region::new(&mut buffer.0), ByteCount(100));
    let mut chunk = limited.acquire(90, 1).unwrap();
    assert_eq!(limited.left(), ByteCount(4));
    // SAFETY: 1. of this source.
    assert_eq!(unsafe { limited.grow(&mut chunk, 97) }, Err(Exhausted));
    release(&limited, chunk);
    assert_eq!(limited.left(), limited.budget());
    let mut chunk = limited.acquire(10, 1).unwrap();
    // SAFETY: 1. of this source.
    assert_eq!(unsafe { limited.grow(&mut chunk, 80) }, Ok(()));
    assert_eq!(limited.left(), ByteCount(20));
    release(&limited, chunk);
}

#[test]
fn failures_follow_their_rule_and_change_nothing() {
    let calls = |when| {
        let mut buffer = Buffer::<4096>::new();
        let source = Failing::new(Region::new(&mut buffer.0), when);
        let outcome: Vec<_> = (0..6).map(|_| source.acquire(16, 1).is_ok()).collect();
        let served = outcome.iter().filter(|ok| **ok).count();
        assert_eq!(source.failures(), 6 - served);
        assert_eq!(source.get_ref().free_bytes(), ByteCount(4096 - 16 * served));
        outcome
    };
    assert_eq!(calls(FailWhen::Never), vec![true; 6]);
    assert_eq!(calls(FailWhen::Always), vec![false; 6]);
    assert_eq!(calls(FailWhen::Every(3)), [true, true, false, true, true, false]);
    assert_eq!(calls(FailWhen::AfterCalls(2)), [true, true, false, false, false, false]);
    assert_eq!(calls(FailWhen::AfterBytes(50)), [true, true, true, false, false, false]);
    let schedule = &[false, true, false, true];
    assert_eq!(calls(FailWhen::Schedule(schedule)), [true, false, true, false, true, true]);
}

#[test]
fn counts_keep_the_peak() {
    let mut buffer = Buffer::<4096>::new();
    let counted = Counted::new(Region::new(&mut buffer.0));
    let (a, b) = (counted.acquire(100, 1).unwrap(), counted.acquire(50, 1).unwrap());
    release(&counted, a);
    let counts = counted.counts();
    assert_eq!((counts.held, counts.peak), (ByteCount(64), ByteCount(112 + 64)));
    assert_eq!((counts.acquired, counts.released, counts.failed), (2, 1, 0));
    release(&counted, b);
    assert_eq!(counted.counts().held, ByteCount(0));
}

/// The first bytes of a device that the processor does not address: a bump over offsets.
struct Device {
    next: core::cell::Cell<u64>,
    len: u64,
}

// SAFETY: 1. each call gets a range of its own; there is no memory. 2. checked before the change.
// 3. RELEASES is false.
unsafe impl Source for Device {
    type Address = Offset;
    const RELEASES: bool = false;

    fn granule(&self) -> usize {
        256
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<Offset>, Exhausted> {
        let len = rounded_len(len, align, 256)?;
        let at = self.next.get().next_multiple_of(align.max(256) as u64);
        let end = at.checked_add(len as u64).filter(|end| *end <= self.len).ok_or(Exhausted)?;
        self.next.set(end);
        // SAFETY: 1. counted out once. 2. within the device. 3. no memory.
        Ok(unsafe { Chunk::from_raw_parts(Offset(at), len) })
    }

    unsafe fn release(&self, _chunk: Chunk<Offset>) {}
}

#[test]
fn offsets_of_a_device_pass_through_every_decorator() {
    let device = Device { next: core::cell::Cell::new(0), len: 1 << 40 };
    let source = Counted::new(Limited::new(
        Failing::new(Locked::new(device), FailWhen::Every(3)),
        ByteCount::mib(1),
    ));
    let first = source.acquire(1, 1).unwrap();
    let second = source.acquire(1000, 1 << 16).unwrap();
    assert_eq!((first.base(), second.base(), second.len()), (Offset(0), Offset(1 << 16), 1024));
    assert!(source.acquire(1, 1).is_err(), "the third call fails");
    assert!(source.acquire(2 << 20, 1).is_err(), "the budget");
    // SAFETY: 1. and 2. ours. 3. nobody reads a device here.
    assert_eq!(unsafe { source.purge(second.base(), second.len()) }, Contents::Kept);
    const { assert!(!Counted::<Limited<Failing<Locked<Device>>>>::RELEASES) };
    release(&source, first);
    release(&source, second);
    assert_eq!(source.counts().held, ByteCount(0));
}

#[test]
fn a_region_in_a_static_needs_no_constructor_call() {
    static mut BUFFER: Buffer<4096> = Buffer([MaybeUninit::uninit(); 4096]);
    static SHARED: Locked<Region<'static>> = {
        // SAFETY: 1. and 2. the static is named nowhere else.
        let start = unsafe { NonNull::new_unchecked(&raw mut BUFFER) };
        // SAFETY: as above.
        Locked::new(unsafe { Region::from_raw_parts(start.cast(), 4096) })
    };
    let chunk = SHARED.acquire(4096, 1).unwrap();
    assert!(SHARED.acquire(1, 1).is_err());
    release(&SHARED, chunk);
}
