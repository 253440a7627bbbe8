//! Threads that come and go, pass values on, and end in the middle.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::mpsc::sync_channel;
use std::thread;

use strata_pool::{Config, Counted, Pool, PoolArc, StaticPool};

#[test]
fn threads_that_come_and_go_leave_nothing_behind() {
    let mut pool = Pool::<[u64; 8]>::new().unwrap();
    for round in 0..60 {
        thread::scope(|scope| {
            for thread in 0..4 {
                let pool = &pool;
                scope.spawn(move || {
                    let word = round * 4 + thread;
                    let blocks: Vec<_> = (0..500).map(|_| pool.alloc([word; 8]).unwrap()).collect();
                    assert!(blocks.iter().all(|block| **block == [word; 8]));
                });
            }
        });
    }
    let stats = pool.stats();
    assert_eq!(stats.live, 0);
    assert!(stats.capacity <= 16 << 10, "it does not grow with the threads that were: {stats:?}");
    pool.validate_all().unwrap();
    pool.trim(0);
    assert_eq!(pool.stats().capacity, 0);
}

#[test]
fn values_cross_threads_and_their_blocks_come_round_again() {
    let pool = Pool::<usize>::new().unwrap();
    thread::scope(|scope| {
        let (send, receive) = sync_channel(64);
        scope.spawn(|| {
            for (n, value) in receive.into_iter().enumerate() {
                let value: strata_pool::PoolBox<'_, usize, Pool<usize>> = value;
                assert_eq!(*value, n);
            }
        });
        let pool = &pool;
        scope.spawn(move || {
            for n in 0..100_000 {
                send.send(pool.alloc(n).unwrap()).unwrap();
            }
        });
    });
    let stats = pool.stats();
    assert_eq!(stats.live, 0);
    assert!(stats.capacity < 10_000, "blocks went round: {stats:?}");
    pool.validate().unwrap();
}

#[test]
fn a_value_is_shared_by_threads_and_dropped_once() {
    let pool = Pool::<Counted<HashSet<u32>>>::new().unwrap();
    for _ in 0..200 {
        let shared = PoolArc::new(HashSet::from([1, 2, 3]), &pool).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                let shared = shared.clone();
                scope.spawn(move || assert!(shared.contains(&2)));
            }
        });
    }
    assert_eq!(pool.stats().live, 0);
}

#[test]
fn a_bound_on_what_is_hoarded_holds() {
    const HOARD: usize = 200;
    let config = Config::new().hoard(HOARD).magazine(16);
    let pool = Pool::<u64>::with_config(config).unwrap();
    let barrier = Barrier::new(12);
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let all: Vec<_> = (0..1000).map(|n| pool.alloc(n).unwrap()).collect();
                drop(all);
                barrier.wait();
                let stats = pool.stats();
                assert!(stats.cached <= HOARD, "{stats:?}");
                barrier.wait();
            });
        }
    });
    pool.validate().unwrap();
}

#[test]
fn a_static_pool_never_gives_a_slot_to_two_threads() {
    static POOL: StaticPool<u64, 100, 2> = StaticPool::new();
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                let mut held = Vec::new();
                for n in 0..20_000_u64 {
                    match POOL.alloc(thread << 32 | n) {
                        Ok(value) => held.push((thread << 32 | n, value)),
                        Err(_) => held.truncate(held.len() / 2),
                    }
                    if n % 3 == 0 {
                        held.pop();
                    }
                    if let Some((word, value)) = held.last() {
                        assert_eq!(**value, *word);
                    }
                }
                assert!(held.iter().all(|(word, value)| **value == *word));
            });
        }
    });
    assert_eq!(POOL.live(), 0);
    let all: Vec<_> = (0..100).map(|n| POOL.alloc(n).unwrap()).collect();
    assert!(POOL.alloc(0).is_err());
    drop(all);
}

#[test]
fn a_pool_may_end_before_threads_that_used_it() {
    for _ in 0..20 {
        let (go, wait) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let pool = std::sync::Arc::new(Pool::<u64>::new().unwrap());
            let theirs = std::sync::Arc::clone(&pool);
            let (go, wait) = (&go, &wait);
            scope.spawn(move || {
                drop(theirs.alloc(1).unwrap());
                drop(theirs);
                go.wait();
                // The pool is gone; another one may lie where it was.
                wait.wait();
                let next = Pool::<u64>::new().unwrap();
                drop(next.alloc(2).unwrap());
            });
            go.wait();
            drop(pool);
            wait.wait();
        });
    }
}

#[test]
fn a_pool_that_moves_finds_what_its_threads_have() {
    let pool = Pool::<u64>::new().unwrap();
    drop(pool.alloc(1).unwrap());
    let moved = Box::new(pool);
    drop(moved.alloc(2).unwrap());
    let pool = *moved;
    thread::scope(|scope| drop(scope.spawn(|| drop(pool.alloc(3).unwrap()))));
    pool.trim(0);
    assert_eq!(pool.stats().live, 0);
}
