//! Time of one call, order by order, with one thread on a zone of 1 GiB.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::alloc::{alloc_zeroed, dealloc};
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use strata_core::{FrameId, Order};
use strata_page_frame::{Candidate, Geometry, PageFrames};

const FRAMES: u64 = 1 << 18;

/// Calls `work` with a fresh zone of two locals.
fn zone<R>(work: impl FnOnce(&PageFrames<'_>) -> R) -> R {
    let layout = PageFrames::metadata_layout(FRAMES, 2, Geometry::DEFAULT).unwrap();
    // SAFETY: not of no bytes.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    let metadata = NonNull::slice_from_raw_parts(base, layout.size());
    // SAFETY: 1. and 2. allocated for this zone, freed below. 3. zeroed.
    let frames = unsafe { PageFrames::from_zeroed(FRAMES, 2, Geometry::DEFAULT, metadata) };
    let answer = work(&frames.unwrap());
    // SAFETY: allocated above with this layout.
    unsafe { dealloc(base.as_ptr(), layout) };
    answer
}

fn shuffle(frames: &mut [FrameId]) {
    let mut state = 42u64;
    for i in (1..frames.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        frames.swap(i, (state >> 33) as usize % (i + 1));
    }
}

/// Half of the zone is taken and freed in reverse.
fn bulk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bulk");
    group.sample_size(20);
    for n in [0u8, 1, 3, 6, 7, 8, 9, 10] {
        let order = Order::new(n).unwrap();
        let count = ((FRAMES / 2) >> n) as usize;
        group.throughput(Throughput::Elements(count as u64));
        for (name, freeing) in [("get", false), ("put", true)] {
            group.bench_function(BenchmarkId::new(name, n), |bencher| {
                bencher.iter_custom(|rounds| {
                    zone(|frames| {
                        let local = frames.local(0).unwrap();
                        let mut blocks = vec![FrameId(1); count];
                        let mut time = Duration::ZERO;
                        for _ in 0..rounds {
                            let start = Instant::now();
                            for block in &mut blocks {
                                *block = local.alloc(order).unwrap();
                            }
                            let taken = start.elapsed();
                            let start = Instant::now();
                            for block in blocks.iter().rev() {
                                local.free(*block, order).unwrap();
                            }
                            time += if freeing { start.elapsed() } else { taken };
                        }
                        time
                    })
                });
            });
        }
    }
    group.finish();
}

/// One block is taken and freed again, in a zone that is half full.
fn repeat(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("repeat");
    for n in [0u8, 3, 7, 9] {
        let order = Order::new(n).unwrap();
        zone(|frames| {
            let local = frames.local(0).unwrap();
            for _ in 0..(FRAMES / 2) >> n {
                local.alloc(order).unwrap();
            }
            group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
                bencher.iter(|| {
                    let block = black_box(local.alloc(order).unwrap());
                    local.free(block, order).unwrap();
                });
            });
        });
    }
    group.finish();
}

/// Frames are freed in random order, and taken from a zone of which a random half is free.
fn random(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("random");
    group.sample_size(20);
    group.throughput(Throughput::Elements(FRAMES / 2));
    let order = Order::new(0).unwrap();
    for (name, freeing) in [("get", false), ("put", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                zone(|frames| {
                    let local = frames.local(0).unwrap();
                    let mut all = vec![FrameId(1); FRAMES as usize];
                    all.iter_mut().for_each(|frame| *frame = local.alloc(order).unwrap());
                    let mut time = Duration::ZERO;
                    for _ in 0..rounds {
                        shuffle(&mut all);
                        let half = &mut all[..FRAMES as usize / 2];
                        let start = Instant::now();
                        for frame in &*half {
                            local.free(*frame, order).unwrap();
                        }
                        let freed = start.elapsed();
                        let start = Instant::now();
                        half.iter_mut().for_each(|frame| *frame = local.alloc(order).unwrap());
                        time += if freeing { freed } else { start.elapsed() };
                    }
                    time
                })
            });
        });
    }
    group.finish();
}

/// A plan that makes ten huge frames of a half full zone free, its moves made at once.
fn evacuate(criterion: &mut Criterion) {
    let order = Order::new(0).unwrap();
    criterion.bench_function("evacuate ten huge frames", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut time = Duration::ZERO;
            for _ in 0..rounds {
                time += zone(|frames| {
                    let mut all: Vec<_> = (0..FRAMES).map(FrameId).collect();
                    shuffle(&mut all);
                    let half = &all[..FRAMES as usize / 2];
                    half.iter().for_each(|frame| frames.alloc_at(*frame, 1).unwrap());
                    let mut scratch = vec![Candidate::default(); FRAMES as usize / 512];
                    let start = Instant::now();
                    let all = |_| Some(order);
                    frames.plan_evacuation(10, u64::MAX, &mut scratch, all, |step| {
                        frames.free(step.from, step.order).unwrap();
                    });
                    start.elapsed()
                });
            }
            time
        });
    });
}

/// A zone of 1 TiB over zeroed metadata, from nothing to ready.
fn ready(criterion: &mut Criterion) {
    let frames = 1 << 28;
    let layout = PageFrames::metadata_layout(frames, 2, Geometry::DEFAULT).unwrap();
    // SAFETY: not of no bytes.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    let metadata = NonNull::slice_from_raw_parts(base, layout.size());
    criterion.bench_function("1 TiB ready", |bencher| {
        bencher.iter(|| {
            // SAFETY: 1. and 2. allocated for these zones, of which there is one at a time. 3. zeroed,
            // and none of them takes a frame.
            let zone = unsafe { PageFrames::from_zeroed(frames, 2, Geometry::DEFAULT, metadata) };
            black_box(zone.unwrap().frames())
        });
    });
    // SAFETY: allocated above with this layout.
    unsafe { dealloc(base.as_ptr(), layout) };
}

criterion_group!(benches, bulk, repeat, random, evacuate, ready);
criterion_main!(benches);
