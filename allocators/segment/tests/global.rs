//! `SegmentAlloc` as the global allocator of this test, in a fixed region too, and every face as a value.

#![cfg(feature = "std")]

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::mpsc;

use strata_core::lock::{RawLock, SpinLock};
use strata_core::source::{self, Counted, Region};
use strata_os::OsSource;
use strata_segment::{
    BestFit, Exclusive, FirstFit, GoodFit, Heap, Locked, Policy, SegmentAlloc, Shared,
};

#[global_allocator]
static GLOBAL: SegmentAlloc = SegmentAlloc::new();

/// A lock of the user's choice, in the terms of lock_api.
struct Raw(SpinLock);

// SAFETY: the promises of `RawLock` are those of `RawMutex`, and more.
unsafe impl lock_api::RawMutex for Raw {
    const INIT: Self = Self(SpinLock::new());
    type GuardMarker = lock_api::GuardSend;

    fn lock(&self) {
        self.0.lock();
    }

    fn try_lock(&self) -> bool {
        self.0.try_lock()
    }

    unsafe fn unlock(&self) {
        // SAFETY: 1. the caller's.
        unsafe { self.0.unlock() }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n
    }
}

/// Random calls beside a map of what is live: no overlap, contents kept, zeroes where asked for.
fn play(alloc: &impl GlobalAlloc, seed: u64, calls: usize, most: usize) {
    let mut random = Random(seed);
    let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
    let mut ranges = BTreeMap::new();
    for call in 0..calls {
        let value = call as u8;
        match random.below(5) {
            0 | 1 => {
                let scale = random.below(most);
                let size = 1 + random.below(1 << scale);
                let layout = Layout::from_size_align(size, 1 << random.below(9)).unwrap();
                let zeroed = random.below(4) == 0;
                // SAFETY: no layout is empty.
                let at = unsafe {
                    if zeroed { alloc.alloc_zeroed(layout) } else { alloc.alloc(layout) }
                };
                if at.is_null() {
                    continue;
                }
                assert_eq!(at.addr() % layout.align(), 0);
                // SAFETY: a live block.
                let bytes = unsafe { std::slice::from_raw_parts_mut(at, layout.size()) };
                assert!(!zeroed || bytes.iter().all(|&byte| byte == 0));
                bytes.fill(value);
                let (start, end) = (at.addr(), at.addr() + size);
                let below = ranges.range(..end).next_back();
                assert!(below.is_none_or(|(_, &before)| before <= start), "overlap");
                ranges.insert(start, end);
                live.push((at, layout, value));
            }
            2 if !live.is_empty() => {
                let place = random.below(live.len());
                let (at, layout, old) = live[place];
                let size = 1 + random.below(2 * layout.size());
                // SAFETY: a live block with its layout; the size is not zero.
                let to = unsafe { alloc.realloc(at, layout, size) };
                if to.is_null() {
                    continue;
                }
                ranges.remove(&at.addr());
                // SAFETY: a live block of that many bytes.
                let bytes = unsafe { std::slice::from_raw_parts_mut(to, size) };
                assert!(bytes.iter().take(layout.size()).all(|&byte| byte == old));
                bytes.fill(value);
                ranges.insert(to.addr(), to.addr() + size);
                live[place] = (to, Layout::from_size_align(size, layout.align()).unwrap(), value);
            }
            _ if !live.is_empty() => {
                let (at, layout, value) = live.swap_remove(random.below(live.len()));
                // SAFETY: a live block, which was filled.
                let bytes = unsafe { std::slice::from_raw_parts(at, layout.size()) };
                assert!(bytes.iter().all(|&byte| byte == value), "contents were kept");
                ranges.remove(&at.addr());
                // SAFETY: a live block with its layout.
                unsafe { alloc.dealloc(at, layout) };
            }
            _ => {}
        }
    }
    for (at, layout, _) in live {
        // SAFETY: as above.
        unsafe { alloc.dealloc(at, layout) };
    }
}

fn buffer(len: usize) -> &'static mut [MaybeUninit<u8>] {
    Box::leak(vec![MaybeUninit::uninit(); len].into())
}

#[test]
fn every_face_serves_any_layout() {
    play(&SegmentAlloc::over(Exclusive::<_>::new(OsSource::new())), 1, 6000, 19);
    play(
        &SegmentAlloc::over(Exclusive::<_, BestFit>::new(Region::new(buffer(1 << 20)))),
        2,
        6000,
        15,
    );
    play(&SegmentAlloc::over(Locked::<Raw, _>::new(OsSource::new())), 3, 6000, 19);
    play(
        &SegmentAlloc::over(Locked::<Raw, _, FirstFit>::new(Region::new(buffer(1 << 19)))),
        4,
        6000,
        14,
    );
    play(&SegmentAlloc::over(Shared::<_>::new(OsSource::new())), 5, 6000, 19);
    play(&GLOBAL, 6, 6000, 19);
}

/// A region in a `static`, and an allocator over it that is made in a constant.
struct Fixed(#[expect(dead_code, reason = "its bytes are reached by address")] [u8; 256 << 10]);
static mut MEMORY: Fixed = Fixed([0; 256 << 10]);
static FIXED: SegmentAlloc<Locked<Raw, Region<'static>>> = SegmentAlloc::over(Locked::new(
    // SAFETY: 1. the static's bytes, for ever. 2. nobody else names it.
    unsafe {
        Region::from_raw_parts(NonNull::new_unchecked((&raw mut MEMORY).cast()), size_of::<Fixed>())
    },
));

#[test]
fn a_fixed_region_in_a_static_serves_until_it_is_full_and_again() {
    play(&FIXED, 7, 8000, 14);
    let layout = Layout::from_size_align(1000, 8).unwrap();
    let mut blocks = Vec::new();
    loop {
        // SAFETY: not empty.
        let block = unsafe { FIXED.alloc(layout) };
        if block.is_null() {
            break;
        }
        blocks.push(block);
    }
    // The region begins wherever the linker lets it, and grows by chunks: a block is lost at an end.
    assert!(blocks.len() >= (256 << 10) / 1040, "{} blocks of 1008 bytes", blocks.len());
    for block in blocks {
        // SAFETY: live, of this layout.
        unsafe { FIXED.dealloc(block, layout) };
    }
    FIXED.face().with(|heap| {
        heap.validate().unwrap();
        assert_eq!(heap.segments().stats().used, 0);
    });
}

#[test]
fn threads_that_hand_blocks_on_lose_none() {
    let alloc = SegmentAlloc::over(Shared::<_, SpinLock, GoodFit, 3>::new(OsSource::new()));
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<(usize, Layout)>();
        for seed in 0..3 {
            let (alloc, sender) = (&alloc, sender.clone());
            scope.spawn(move || {
                let mut random = Random(seed + 77);
                for _ in 0..5000 {
                    let layout = Layout::from_size_align(1 + random.below(3000), 8).unwrap();
                    // SAFETY: not empty.
                    let block = unsafe { alloc.alloc(layout) };
                    sender.send((block.expose_provenance(), layout)).unwrap();
                }
            });
            scope.spawn(move || play(alloc, seed + 99, 3000, 16));
        }
        drop(sender);
        for (block, layout) in receiver {
            // SAFETY: a live block of this layout, which its thread handed on.
            unsafe { alloc.dealloc(std::ptr::with_exposed_provenance_mut(block), layout) };
        }
    });
    alloc.face().validate().unwrap();
    alloc.face().each_shard(|segments| assert_eq!(segments.stats().used, 0));
    alloc.face().trim();
    alloc.face().each_shard(|segments| assert_eq!(segments.region_ids().count(), 0));
}

fn gives_back<P: Policy>() {
    let source = Counted::new(OsSource::new());
    let layout = Layout::from_size_align(3000, 8).unwrap();
    let mut heap: Heap<_, P> = Heap::new(&source);
    let blocks: Vec<_> = (0..4000).map(|_| heap.allocate(layout).unwrap()).collect();
    let most = source.counts().held;
    assert!(most.get() >= 4000 * 3000);
    assert!(source.counts().acquired < 100, "few chunks: {:?}", source.counts());
    for block in blocks {
        // SAFETY: 1. live, of this layout. 2. unused.
        unsafe { heap.deallocate(block, layout) };
    }
    heap.validate().unwrap();
    assert!(source.counts().held.get() < most.get() / 4, "most went back by itself");
    // About the same again and again: what is kept serves it.
    let block = heap.allocate(layout).unwrap();
    let calls = source.counts();
    for _ in 0..100 {
        let more: Vec<_> = (0..20).map(|_| heap.allocate(layout).unwrap()).collect();
        for block in more {
            // SAFETY: as above.
            unsafe { heap.deallocate(block, layout) };
        }
    }
    let (before, after) = (calls.acquired + calls.released, source.counts());
    assert!(after.acquired + after.released <= before + 2, "hysteresis");
    // SAFETY: as above.
    unsafe { heap.deallocate(block, layout) };
    heap.trim();
    assert_eq!(source.counts().held.get(), 0);
    let _ = heap.allocate(layout).unwrap();
    drop(heap);
    assert_eq!(source.counts().held.get(), 0, "the drop releases everything");
}

#[test]
fn memory_goes_back_to_the_source_and_not_to_and_fro() {
    gives_back::<GoodFit>();
    gives_back::<BestFit>();
}

#[cfg(feature = "allocator-api2")]
#[test]
fn collections_of_allocator_api2_live_in_it() {
    let alloc = SegmentAlloc::over(Exclusive::<_>::new(Region::new(buffer(1 << 20))));
    let mut numbers = allocator_api2::vec::Vec::new_in(&alloc);
    numbers.extend(0..10_000_u64);
    numbers.shrink_to_fit();
    assert!(numbers.iter().enumerate().all(|(place, &number)| place as u64 == number));
    let nothing: allocator_api2::vec::Vec<(), _> = allocator_api2::vec::Vec::new_in(&alloc);
    drop((numbers, nothing));
    let mut alloc = alloc;
    assert_eq!(alloc.face_mut().get_mut().segments().stats().used, 0);
}

#[test]
fn what_is_free_in_one_shard_serves_another_before_a_request_fails() {
    const BYTES: usize = 1 << 20;
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); BYTES];
    let heap =
        Shared::<_, SpinLock, GoodFit, 3>::new(source::Locked::new(Region::new(&mut buffer)));
    let small = Layout::from_size_align(5000, 8).unwrap();
    let large = Layout::from_size_align(BYTES / 16 * 15, 8).unwrap();
    for shard in 0..3 {
        // One shard takes everything, and as it was freed it keeps a part of it.
        let blocks: Vec<_> = core::iter::from_fn(|| heap.allocate_in(shard, small).ok()).collect();
        assert!(blocks.len() > BYTES / 6000);
        assert!(heap.allocate_in(shard + 1, large).is_err());
        // Two blocks in three are its own to free, the others come from elsewhere.
        for (at, block) in blocks.into_iter().enumerate() {
            // SAFETY: 1. allocated above with this layout, freed once. 2. unused.
            unsafe { heap.deallocate_in(shard + at % 3 / 2, block, small) };
        }
        // The free memory of all is needed, whoever has it.
        let block = heap.allocate_in(shard + 1, large).unwrap();
        // SAFETY: as above.
        unsafe { heap.deallocate_in(shard + 2, block, large) };
        assert_eq!(heap.validate(), Ok(()));
    }
}
