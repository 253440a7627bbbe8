//! What a handle costs beside a key of slotmap, and how fast compaction copies.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slotmap::{DefaultKey, SlotMap};
use strata_segment::Entry;
use strata_segment::table::{
    Anchor, Budget, Descriptor, Handle, OnFull, Permissions, PinWord, SegmentTable,
};

const RW: Permissions = Permissions::READ_WRITE;
/// Bytes of a segment that is translated.
const LEN: usize = 64;

/// Rows of any number, and memory of any length.
struct Rows {
    entries: Vec<Entry>,
    descriptors: Vec<Descriptor>,
    anchors: Vec<Anchor>,
    pins: Vec<PinWord>,
    memory: Vec<u8>,
}

impl Rows {
    fn new(segments: usize, bytes: usize) -> Self {
        Self {
            entries: vec![Entry::EMPTY; 2 * segments + 8],
            descriptors: vec![Descriptor::EMPTY; segments],
            anchors: vec![Anchor::EMPTY; segments],
            pins: (0..segments).map(|_| PinWord::new()).collect(),
            memory: vec![0; bytes],
        }
    }

    fn table(&mut self) -> SegmentTable<'_> {
        let Self { entries, descriptors, anchors, pins, memory } = self;
        let mut table = SegmentTable::from_rows(entries, descriptors, anchors, pins);
        table.add_slice(memory).expect("long enough");
        table
    }
}

/// A generator of numbers without a pattern that matters here.
fn draw(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

fn shuffle<T>(items: &mut [T]) {
    let mut seed = 7;
    for at in (1..items.len()).rev() {
        items.swap(at, draw(&mut seed) % (at + 1));
    }
}

/// What slotmap holds in place of a descriptor: an address and a length.
#[derive(Clone, Copy)]
struct Place {
    base: *const u8,
    len: usize,
}

/// A key or a handle that is looked up, as many times as there are.
fn translate(c: &mut Criterion) {
    let mut group = c.benchmark_group("translate");
    for count in [1000, 100_000] {
        group.throughput(Throughput::Elements(count as u64));
        let mut rows = Rows::new(count, count * LEN + 64);
        let mut table = rows.table();
        let mut handles: Vec<Handle> =
            (0..count).map(|_| table.create(LEN, RW).expect("room")).collect();
        shuffle(&mut handles);
        let mut map = SlotMap::<DefaultKey, Place>::new();
        let memory = vec![0_u8; count * LEN];
        let mut keys: Vec<DefaultKey> = memory
            .chunks(LEN)
            .map(|chunk| map.insert(Place { base: chunk.as_ptr(), len: LEN }))
            .collect();
        shuffle(&mut keys);

        group.bench_function(BenchmarkId::new("slotmap get", count), |bencher| {
            bencher.iter(|| {
                for &key in &keys {
                    black_box(map.get(black_box(key)));
                }
            });
        });
        group.bench_function(BenchmarkId::new("table translate", count), |bencher| {
            bencher.iter(|| {
                let offset = black_box(8);
                for &handle in &handles {
                    let at = table.translate(black_box(handle), Permissions::READ, offset, 8);
                    black_box(at.ok());
                }
            });
        });
        // With the cause of a fault kept in memory beside the answer, which no caller does that
        // looks at it at once.
        group.bench_function(BenchmarkId::new("table translate, Result", count), |bencher| {
            bencher.iter(|| {
                let offset = black_box(8);
                for &handle in &handles {
                    let at = table.translate(black_box(handle), Permissions::READ, offset, 8);
                    let _ = black_box(at);
                }
            });
        });
        // The same as far as a byte that is read: what get's answer is for.
        group.bench_function(BenchmarkId::new("slotmap get, and load", count), |bencher| {
            bencher.iter(|| {
                let (offset, mut sum) = (black_box(8), 0);
                for &key in &keys {
                    let place = map.get(black_box(key)).expect("live");
                    assert!(offset + 8 <= place.len);
                    // SAFETY: the offset is below the length, and `memory` is alive.
                    sum += u64::from(unsafe { *place.base.add(offset) });
                }
                sum
            });
        });
        group.bench_function(BenchmarkId::new("table read, and load", count), |bencher| {
            bencher.iter(|| {
                let (offset, mut sum) = (black_box(8), 0);
                for &handle in &handles {
                    let bytes = table.read(black_box(handle), offset, 8).expect("granted");
                    sum += u64::from(bytes[0]);
                }
                sum
            });
        });
    }
    group.finish();
}

/// A full table of which every second segment was freed.
fn checkerboard(table: &mut SegmentTable<'_>, len: usize) {
    let handles: Vec<Handle> = core::iter::from_fn(|| table.create(len, RW).ok()).collect();
    for &handle in handles.iter().step_by(2) {
        table.free(handle).expect("live");
    }
}

/// All of a checkerboard slides together: half of the region is copied.
fn compact(c: &mut Criterion) {
    const REGION: usize = 8 << 20;
    let mut group = c.benchmark_group("compact a checkerboard of 8 MiB");
    group.sample_size(20);
    for len in [64, 1024, 16 << 10, 256 << 10] {
        let count = REGION / len;
        let mut rows = Rows::new(count, REGION);
        group.throughput(Throughput::Bytes((REGION / 2) as u64));
        group.bench_function(BenchmarkId::new("segments of", len), |bencher| {
            bencher.iter_custom(|times| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..times {
                    let mut table = rows.table();
                    checkerboard(&mut table, len);
                    let start = std::time::Instant::now();
                    black_box(table.compact(Budget::ALL));
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.bench_function("memmove of half of it", |bencher| {
        let mut memory = vec![1_u8; REGION];
        bencher.iter(|| black_box(&mut memory).copy_within(REGION / 2 - 64..REGION - 64, 0));
    });
    group.finish();
}

/// A segment made and freed; and one that needs room made first.
fn create(c: &mut Criterion) {
    let mut group = c.benchmark_group("create and free");
    let mut rows = Rows::new(4096, 8 << 20);
    let mut table = rows.table();
    group.bench_function("64 bytes", |bencher| {
        bencher.iter(|| {
            let handle = table.create(black_box(64), RW).expect("room");
            table.free(handle)
        });
    });
    // As full as it gets, with lengths up to 10 kB: most requests have to make room.
    let mut rows = Rows::new(4096, 8 << 20);
    let mut table = rows.table();
    table.set_on_full(OnFull::Compact { at_most: usize::MAX });
    let (mut handles, mut seed) = (Vec::new(), 1);
    group.bench_function("up to 10 kB, on a full table that makes room", |bencher| {
        bencher.iter(|| {
            while let Ok(handle) = table.create(1 + draw(&mut seed) % 10_000, RW) {
                handles.push(handle);
            }
            let at = draw(&mut seed) % handles.len();
            table.free(handles.swap_remove(at)).expect("live");
        });
    });
    group.finish();
}

criterion_group!(benches, translate, compact, create);
criterion_main!(benches);
