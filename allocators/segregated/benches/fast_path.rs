//! A block taken and given back: at a constant size, at sizes that only run time knows, and a
//! thousand at once. On the process heap, on a heap of its own over the system, and on System.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ptr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strata_core::lock::SpinLock;
use strata_os::OsSource;
use strata_segregated::{Heap, SegregatedAlloc};

static PROCESS: SegregatedAlloc = SegregatedAlloc::new();
static HEAP: Heap<OsSource, SpinLock> = Heap::new(OsSource::new());

/// Blocks of a batch.
const BATCH: usize = 1000;
/// Sizes of a batch, and of the constant pairs.
const SMALL: usize = 64;
const MEDIUM: usize = 1024;

/// A thousand sizes up to 1 KiB in no order, small ones more often.
fn sizes() -> Vec<usize> {
    let mut seed = 1_u32;
    let draw = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (seed >> 16) as usize % (8 << ((seed >> 8) % 8))
    };
    (0..BATCH).map(draw).collect()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("small")
}

/// Takes a block and gives it back.
#[inline(always)]
fn pair(heap: &impl GlobalAlloc, layout: Layout) {
    // SAFETY: not a zero-sized layout; freed once, with its layout.
    unsafe {
        let block = black_box(heap.alloc(layout));
        heap.dealloc(block, layout);
    }
}

fn of(c: &mut Criterion, name: &str, heap: &impl GlobalAlloc) {
    let mut group = c.benchmark_group("pair, constant size");
    group.bench_function(format!("{name}/{SMALL} B"), |bencher| {
        bencher.iter(|| pair(heap, const { Layout::new::<[u64; SMALL / 8]>() }));
    });
    group.bench_function(format!("{name}/{MEDIUM} B"), |bencher| {
        bencher.iter(|| pair(heap, const { Layout::new::<[u64; MEDIUM / 8]>() }));
    });
    group.finish();

    let sizes = sizes();
    let mut group = c.benchmark_group("pair, sizes of run time");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| sizes.iter().for_each(|&size| pair(heap, layout(black_box(size)))));
    });
    group.finish();

    let mut group = c.benchmark_group("batch of 1000");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut blocks = [ptr::null_mut(); BATCH];
    for size in [SMALL, MEDIUM] {
        let layout = layout(size);
        group.bench_function(format!("{name}/{size} B"), |bencher| {
            bencher.iter(|| {
                for block in &mut blocks {
                    // SAFETY: not a zero-sized layout.
                    *block = unsafe { heap.alloc(layout) };
                }
                for &block in black_box(&blocks) {
                    // SAFETY: allocated above with this layout, freed once.
                    unsafe { heap.dealloc(block, layout) };
                }
            });
        });
    }
    group.finish();
}

fn fast_path(c: &mut Criterion) {
    of(c, "process", &PROCESS);
    of(c, "heap", &HEAP);
    of(c, "system", &System);
}

criterion_group!(benches, fast_path);
criterion_main!(benches);
