//! What a page table's operations cost.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;
use std::mem::MaybeUninit;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_core::source::Region;
use strata_page_frame::paging::{PageSpace, PageTable};
use strata_page_frame::{Geometry, PageFrames};

const ZONE: u64 = 1 << 16;
const PAGES: u64 = 4000;

type Space<'a> = PageSpace<&'a PageFrames<'a>, &'a Region<'a>>;

/// Calls `work` with a space and a table of [`PAGES`] pages in it.
fn with_table(work: impl FnOnce(Space<'_>, PageTable)) {
    let layout = PageFrames::metadata_layout(ZONE, 0, Geometry::DEFAULT).expect("a small zone");
    let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
    let frames = PageFrames::new(ZONE, 0, Geometry::DEFAULT, &mut metadata).expect("enough of it");
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); 8 << 20];
    let region = Region::new(&mut buffer);
    let mut space = PageSpace::new(&frames, ZONE, &region).expect("room for counts");
    let mut table = space.table();
    space.extend(&mut table, PAGES).expect("room for the table");
    work(space, table);
}

fn paging(c: &mut Criterion) {
    let mut group = c.benchmark_group("paging");
    group.bench_function("translate", |b| {
        with_table(|space, table| {
            let mut page = 0;
            b.iter(|| {
                page = (page + 997) % PAGES;
                space.translate(black_box(&table), page)
            });
        });
    });
    group.bench_function("fork and release", |b| {
        with_table(|mut space, table| {
            b.iter(|| {
                let fork = space.fork(&table).expect("no node is needed");
                space.release(fork);
            });
        });
    });
    group.bench_function("fork of a prefix and release", |b| {
        with_table(|mut space, table| {
            b.iter(|| {
                let fork = space.fork_prefix(&table, black_box(1900)).expect("room for nodes");
                space.release(fork);
            });
        });
    });
    group.bench_function("write to a page of its own", |b| {
        with_table(|mut space, mut table| {
            let mut page = 0;
            b.iter(|| {
                page = (page + 997) % PAGES;
                space.write(&mut table, page)
            });
        });
    });
    group.bench_function("fork, first write, release", |b| {
        with_table(|mut space, table| {
            b.iter(|| {
                let mut fork = space.fork(&table).expect("no node is needed");
                let _ = black_box(space.write(&mut fork, 1900));
                space.release(fork);
            });
        });
    });
    group.bench_function("push 64 pages and take them off", |b| {
        with_table(|mut space, mut table| {
            b.iter(|| {
                space.extend(&mut table, 64).expect("room for 64 pages");
                space.truncate(&mut table, PAGES).expect("its own nodes");
            });
        });
    });
    group.finish();
}

criterion_group!(benches, paging);
criterion_main!(benches);
