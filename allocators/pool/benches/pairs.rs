//! A value put into a block and dropped again, beside a raw intrusive list and the public pools.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_pool::{LocalPool, Pool, StaticPool};

/// The payload of every subject: 64 bytes, of which the first word is written. (A union: an unwritten
/// part of a structure is written too, as zeros, in some subjects.)
#[derive(Clone, Copy)]
pub union Payload {
    word: u64,
    _whole: [MaybeUninit<u64>; 8],
}

#[inline(always)]
fn payload() -> Payload {
    Payload { word: 7 }
}

/// Lets the compiler know nothing of a value, and drops it.
#[inline(always)]
fn seen(mut value: impl std::ops::DerefMut<Target = Payload>) {
    black_box(&raw mut *value);
    drop(value);
}

/// The lower bound: a last-in, first-out list through the blocks, and nothing else.
struct Raw {
    head: *mut Node,
}

union Node {
    next: *mut Node,
    value: Payload,
}

impl Raw {
    fn new(blocks: usize) -> Self {
        let mut list = Self { head: ptr::null_mut() };
        for _ in 0..blocks {
            list.put(Box::into_raw(Box::new(Node { value: payload() })));
        }
        list
    }

    #[inline(always)]
    fn take(&mut self, value: Payload) -> *mut Node {
        let node = self.head;
        if node.is_null() {
            return node;
        }
        // SAFETY: a node of the list, which is the caller's from now on.
        unsafe {
            self.head = (*node).next;
            (*node).value = value;
        }
        node
    }

    #[inline(always)]
    fn put(&mut self, node: *mut Node) {
        // SAFETY: the caller's node.
        unsafe { (*node).next = self.head };
        self.head = node;
    }
}

static STATIC: StaticPool<Payload, 1024, 16> = StaticPool::new();
heapless::box_pool!(HeaplessPool: Payload);

fn local(c: &mut Criterion) {
    let mut group = c.benchmark_group("pair, one thread");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(900));
    let mut raw = Raw::new(100);
    // Known to others, as far as the compiler does: its head is no register from pair to pair.
    let raw: *mut Raw = black_box(&mut raw);
    group.bench_function("raw intrusive list", |b| {
        b.iter(|| {
            // SAFETY: nobody else has it at this moment.
            let node = black_box(unsafe { (*raw).take(payload()) });
            // SAFETY: as above.
            unsafe { (*raw).put(node) };
        });
    });
    let pool = LocalPool::<Payload>::new().unwrap();
    group.bench_function("LocalPool", |b| b.iter(|| seen(pool.alloc(payload()).unwrap())));
    let shared = Pool::<Payload>::new().unwrap();
    group.bench_function("Pool", |b| b.iter(|| seen(shared.alloc(payload()).unwrap())));
    let cache = shared.thread_cache();
    group.bench_function("PoolCache", |b| b.iter(|| seen(cache.alloc(payload()).unwrap())));
    group.bench_function("StaticPool", |b| b.iter(|| seen(STATIC.alloc(payload()).unwrap())));
    group.bench_function("System Box", |b| b.iter(|| seen(Box::new(payload()))));

    let mut slab = slab::Slab::with_capacity(1024);
    group.bench_function("slab", |b| {
        b.iter(|| {
            let key = black_box(slab.insert(payload()));
            black_box(slab.remove(key));
        });
    });
    let mut slots = slotmap::SlotMap::with_capacity(1024);
    group.bench_function("slotmap", |b| {
        b.iter(|| {
            let key: slotmap::DefaultKey = black_box(slots.insert(payload()));
            black_box(slots.remove(key));
        });
    });
    let blocks: &'static mut [heapless::pool::boxed::BoxBlock<Payload>] = Box::leak(
        (0..1024).map(|_| heapless::pool::boxed::BoxBlock::new()).collect::<Vec<_>>().into(),
    );
    for block in blocks {
        HeaplessPool.manage(block);
    }
    group.bench_function("heapless", |b| {
        b.iter(|| seen(HeaplessPool.alloc(payload()).ok().unwrap()));
    });
    let linear = lockfree_object_pool::LinearObjectPool::new(payload, |_: &mut Payload| ());
    group.bench_function("lockfree-object-pool, linear", |b| {
        b.iter(|| {
            let mut value = linear.pull();
            *value = payload();
            seen(value);
        });
    });
    let objects = object_pool::Pool::<Payload>::new(1024, payload);
    group.bench_function("object-pool", |b| {
        b.iter(|| {
            let mut value = objects.try_pull().unwrap();
            *value = payload();
            seen(value);
        });
    });
    struct Zeroes;
    impl opool::PoolAllocator<Payload> for Zeroes {
        fn allocate(&self) -> Payload {
            payload()
        }
    }
    let opool = opool::Pool::new(1024, Zeroes);
    group.bench_function("opool", |b| {
        b.iter(|| {
            let mut value = opool.get();
            *value = payload();
            seen(value);
        });
    });
    let sharded = sharded_slab::Slab::<Payload>::new();
    group.bench_function("sharded-slab", |b| {
        b.iter(|| {
            let key = black_box(sharded.insert(payload()).unwrap());
            sharded.remove(key);
        });
    });
    group.finish();
}

criterion_group!(benches, local);
criterion_main!(benches);
