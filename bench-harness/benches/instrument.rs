//! What the instrument itself costs: decoding a trace, making it into a script, judging.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use strata_bench::results::Threads;
use strata_bench::script::{Builder, CheckpointPlan, Options};
use strata_bench::trace::{Event, shipped};

fn events(name: &str) -> Vec<Event> {
    let trace = shipped().into_iter().find(|trace| trace.name == name).expect("a shipped trace");
    let reader = trace.open().expect("shipped traces open");
    reader.map(|event| event.expect("shipped traces are whole")).collect()
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for trace in shipped() {
        let count = trace.open().expect("shipped traces open").count() as u64;
        group.throughput(Throughput::Elements(count)).sample_size(10);
        group.bench_function(trace.name, |bencher| {
            bencher.iter(|| trace.open().expect("shipped traces open").map(black_box).count());
        });
    }
    group.finish();
}

fn script(c: &mut Criterion) {
    let events = events("git-index-pack-2t");
    let mut group = c.benchmark_group("script");
    group.throughput(Throughput::Elements(events.len() as u64)).sample_size(10);
    for (name, threads) in [("serial", Threads::Serial), ("recorded", Threads::Recorded)] {
        group.bench_function(name, |bencher| {
            let options = || Options { threads, checkpoints: CheckpointPlan::default() };
            bencher.iter_batched(
                || Builder::new(options()).expect("a temporary file"),
                |mut builder| {
                    for event in &events {
                        builder.push(event).expect("a writable temporary file");
                    }
                    builder.finish()
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decode, script);
criterion_main!(benches);
