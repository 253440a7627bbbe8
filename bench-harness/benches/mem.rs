//! What a reading of a process with ten thousand mappings costs.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use strata_bench::mem::{Depth, Kernel, Report, memory_usage, svg};

const MAPPINGS: usize = 10_000;

/// Pages with rights in turn, which the kernel does not merge, each of them touched.
fn many_mappings() {
    let page = 4096;
    let bytes = MAPPINGS * page;
    // SAFETY: a new private anonymous mapping, kept for ever and touched within its length only.
    unsafe {
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(start, libc::MAP_FAILED);
        std::ptr::write_bytes(start.cast::<u8>(), 1, bytes);
        for index in (0..MAPPINGS).step_by(2) {
            let place = start.byte_add(index * page);
            assert_eq!(libc::mprotect(place, page, libc::PROT_READ), 0);
        }
    }
}

fn refresh(c: &mut Criterion) {
    many_mappings();
    let kernel = Kernel::here();
    let own = std::process::id();
    let report = |depth| Report::of(&kernel, own, depth, None).expect("this process can be read");
    let found = report(Depth::Mappings).mappings.map_or(0, |found| found.len());
    assert!(found > MAPPINGS, "{found} mappings");
    let mut group = c.benchmark_group("mem");
    group.sample_size(30);
    group.bench_function("memory_usage", |bencher| bencher.iter(|| black_box(memory_usage())));
    group.bench_function("summary", |bencher| {
        bencher.iter(|| report(Depth::Summary).to_string());
    });
    group.bench_function("mappings", |bencher| {
        bencher.iter(|| report(Depth::Mappings).to_string());
    });
    let whole = report(Depth::Mappings);
    group.bench_function("picture", |bencher| bencher.iter(|| svg(&whole)));
    group.finish();
}

criterion_group!(benches, refresh);
criterion_main!(benches);
