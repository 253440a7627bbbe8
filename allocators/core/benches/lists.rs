//! A block put on a list and taken off again, by each kind of list.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use strata_core::list::{IndexStack, Indexed, Lifo, RemoteList};
use strata_core::sync::AtomicU32;

fn lists(c: &mut Criterion) {
    let words = [const { AtomicU32::new(0) }; 64];
    let links = Indexed::new(&words);
    let mut group = c.benchmark_group("push and take");
    group.bench_function("lifo, one thread", |bencher| {
        let mut list = Lifo::<Indexed>::new();
        bencher.iter(|| {
            // SAFETY: 1. block 7 is on no list. 2. always `links`.
            unsafe { list.push(&links, black_box(7)) };
            // SAFETY: 1. always `links`.
            unsafe { list.pop(&links) }
        });
    });
    group.bench_function("index stack", |bencher| {
        let stack = IndexStack::new();
        bencher.iter(|| {
            // SAFETY: 1. block 7 is on no list. 2. always `links`.
            unsafe { stack.push(links, black_box(7)) };
            // SAFETY: 1. always `links`.
            unsafe { stack.pop(links) }
        });
    });
    group.bench_function("remote list", |bencher| {
        let list = RemoteList::<Indexed>::new();
        bencher.iter(|| {
            // SAFETY: 1. block 7 is on no list. 2. always `links`.
            unsafe { list.push(&links, black_box(7)) };
            // SAFETY: 1. always `links`.
            unsafe { list.take_all().pop(&links) }
        });
    });
    group.finish();
}

criterion_group!(benches, lists);
criterion_main!(benches);
