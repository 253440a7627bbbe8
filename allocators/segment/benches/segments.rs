//! A block taken and given back, and churn among ten thousand live ones, for every policy.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::alloc::Layout;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_os::OsSource;
use strata_segment::{
    BestFit, Buddy, Entry, Face, FirstFit, GoodFit, InBand, NextFit, OutOfBand, Policy, Segments,
    Shared,
};

const REGION: usize = 96 << 20;
const LIVE: usize = 10_000;

/// Numbers in no order, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * n as u64) >> 32) as usize
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("small")
}

/// Calls `work` with segments in a region of their own.
fn with_segments<P: Policy>(work: impl FnOnce(&mut Segments<P, InBand>)) {
    let mut memory = vec![MaybeUninit::<u8>::uninit(); REGION];
    let mut segments = Segments::new();
    let start = NonNull::from(memory.as_mut_slice()).cast();
    // SAFETY: 1. to 3. the memory is used by nobody else, and lives longer than the segments.
    unsafe { segments.add_region(start, REGION) }.expect("long enough");
    work(&mut segments);
}

fn pair<P: Policy>(c: &mut Criterion, name: &str) {
    c.benchmark_group("pair of 64 bytes").bench_function(name, |bencher| {
        with_segments::<P>(|segments| {
            bencher.iter(|| {
                let block = segments.allocate(black_box(layout(64))).expect("room");
                // SAFETY: 1. live, of this layout. 2. unused.
                unsafe { segments.deallocate(black_box(block), layout(64)) };
            });
        });
    });
}

fn churn<P: Policy>(c: &mut Criterion, name: &str, most: usize) {
    let group = format!("free and request among {LIVE} live, up to {most} bytes");
    c.benchmark_group(group).bench_function(name, |bencher| {
        with_segments::<P>(|segments| {
            let mut random = Random(0x9e37_79b9_7f4a_7c15);
            let take = |segments: &mut Segments<P, InBand>, random: &mut Random| {
                let layout = layout(1 + random.below(most));
                (segments.allocate(layout).expect("room"), layout)
            };
            let mut live: Vec<_> = (0..LIVE).map(|_| take(segments, &mut random)).collect();
            bencher.iter(|| {
                let place = random.below(LIVE);
                let (block, layout) = live[place];
                // SAFETY: 1. live, of this layout. 2. unused.
                unsafe { segments.deallocate(block, layout) };
                live[place] = take(segments, &mut random);
            });
        });
    });
}

fn in_band<P: Policy>(c: &mut Criterion, name: &str) {
    pair::<P>(c, name);
    churn::<P>(c, name, 1000);
    churn::<P>(c, name, 10_000);
}

fn policies(c: &mut Criterion) {
    in_band::<GoodFit>(c, "good fit");
    in_band::<GoodFit<0, 0>>(c, "good fit without quick lists");
    in_band::<BestFit>(c, "best fit");
    in_band::<FirstFit>(c, "first fit");
    in_band::<NextFit>(c, "next fit");
    pair::<Buddy>(c, "buddy");
    churn::<Buddy>(c, "buddy", 1000);
}

fn out_of_band(c: &mut Criterion) {
    let mut group = c.benchmark_group("out of band");
    group.bench_function("pair", |bencher| {
        let storage = vec![Entry::EMPTY; 100];
        let mut segments: Segments<GoodFit, _> = Segments::out_of_band(storage, 64);
        segments.add_range(0, 1 << 30).expect("entries");
        bencher.iter(|| {
            let id = segments.allocate_range(black_box(640), 64).expect("room");
            segments.free(black_box(id))
        });
    });
    group.bench_function("churn among live ones", |bencher| {
        let storage = vec![Entry::EMPTY; 4 * LIVE];
        let mut segments: Segments<GoodFit, OutOfBand<_>> = Segments::out_of_band(storage, 64);
        segments.add_range(0, 1 << 30).expect("entries");
        let mut random = Random(1);
        let mut live: Vec<_> = (0..LIVE)
            .map(|_| segments.allocate_range(1 + random.below(10_000) as u64, 1).expect("room"))
            .collect();
        bencher.iter(|| {
            let place = random.below(LIVE);
            let _ = segments.free(live[place]);
            let len = 1 + random.below(10_000) as u64;
            live[place] = segments.allocate_range(len, 1).expect("room");
        });
    });
    group.finish();
}

fn shared(c: &mut Criterion) {
    let heap: Shared<_> = Shared::new(OsSource::new());
    let mut group = c.benchmark_group("shared");
    group.bench_function("pair of 64 bytes", |bencher| {
        bencher.iter(|| {
            let block = heap.allocate(black_box(layout(64))).expect("memory");
            // SAFETY: 1. live, of this layout. 2. unused.
            unsafe { heap.deallocate(black_box(block), layout(64)) };
        });
    });
    group.bench_function("pair of 64 bytes, freed elsewhere", |bencher| {
        bencher.iter(|| {
            let block = heap.allocate_in(1, black_box(layout(64))).expect("memory");
            // SAFETY: as above.
            unsafe { heap.deallocate_in(2, black_box(block), layout(64)) };
        });
    });
    group.finish();
}

criterion_group!(benches, policies, out_of_band, shared);
criterion_main!(benches);
