//! What the process heap holds stays bounded, however blocks flow between threads: a
//! thread that only frees (microsoft/mimalloc, issue 1364), pools that sleep on what they freed, and
//! chains of producers and consumers.
#![cfg(target_os = "linux")]

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use strata_segregated::SegregatedAlloc;

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

const MIB: usize = 1 << 20;

/// The tests here look at figures of the whole process, so they take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    ALLOC.flush_thread_cache();
    ALLOC.purge();
    turn
}

/// Bytes that the system backs: blocks, and what is free, in stocks, in tables.
fn held() -> usize {
    ALLOC.stats().committed.expect("always counted").0
}

/// Blocks of 16 B to 2 KiB, as in many programs.
fn batch(seed: usize, blocks: usize) -> Vec<Vec<u8>> {
    let mut number = seed as u64 * 2 + 1;
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number as usize
    };
    (0..blocks)
        .map(|_| {
            let power = 16 << (next() % 7);
            vec![1; power + next() % power]
        })
        .collect()
}

type Batch = Vec<Vec<u8>>;

/// Makes `rounds` batches, and looks after each at what is held; what it was at most, in the second
/// quarter and in the last one. What warms up in the first quarter is not looked at.
fn made(rounds: usize, to: SyncSender<Batch>) -> [usize; 2] {
    let mut most = [0; 2];
    for round in 0..rounds {
        to.send(batch(round, 1000)).expect("somebody takes it");
        let quarter = 4 * round / rounds;
        let place = match quarter {
            1 => 0,
            3 => 1,
            _ => continue,
        };
        most[place] = held().max(most[place]);
    }
    most
}

/// No more at the end than before, but for what a few batches under way make out, of which there are
/// more or fewer; some hundred megabytes have passed.
fn assert_bounded(what: &str, [before, after]: [usize; 2]) {
    assert!(after <= before + before / 2 + 4 * MIB, "{what}: {before} bytes held, then {after}");
    assert!(after < 64 * MIB, "{what}: {after} bytes held");
    ALLOC.validate().expect("valid");
    assert_eq!(ALLOC.stats().check_laws(), Ok(()));
}

/// Frees all that comes, and allocates nothing.
fn free(from: &Receiver<Batch>) {
    // The frees alone happen here: the batches' own buffers are allocated by who makes them, too.
    from.iter().for_each(drop);
}

#[test]
fn a_thread_that_only_frees_holds_on_to_little() {
    let _turn = turn();
    let (to, from) = sync_channel(4);
    let freeing = thread::spawn(move || free(&from));
    let most = made(800, to);
    freeing.join().expect("freed");
    assert_bounded("a thread that only frees", most);
}

#[test]
fn many_threads_that_only_free_hold_on_to_little() {
    let _turn = turn();
    let (to, from): (Vec<_>, Vec<_>) = (0..16).map(|_| sync_channel(1)).unzip();
    let freeing: Vec<_> = from.into_iter().map(|from| thread::spawn(move || free(&from))).collect();
    let mut most = [0; 2];
    for round in 0..1600 {
        to[round % 16].send(batch(round, 300)).expect("somebody takes it");
        match round {
            400..800 => most[0] = held().max(most[0]),
            1200.. => most[1] = held().max(most[1]),
            _ => {}
        }
    }
    drop(to);
    freeing.into_iter().for_each(|thread| thread.join().expect("freed"));
    assert_bounded("threads that only free", most);
}

#[test]
fn a_chain_of_threads_holds_on_to_little() {
    let _turn = turn();
    let (to, mut from) = sync_channel::<Batch>(4);
    let mut chain = Vec::new();
    for _ in 0..4 {
        let (next, after) = sync_channel(4);
        let before = std::mem::replace(&mut from, after);
        chain.push(thread::spawn(move || {
            for mut batch in before {
                // Some blocks end on the way, and others take their place.
                batch.drain(..batch.len() / 4);
                batch.extend((0..250).map(|n| vec![2; 16 + 7 * n]));
                if next.send(batch).is_err() {
                    return;
                }
            }
        }));
    }
    let freeing = thread::spawn(move || free(&from));
    let most = made(600, to);
    chain.push(freeing);
    chain.into_iter().for_each(|thread| thread.join().expect("handed on"));
    assert_bounded("a chain", most);
}

#[test]
fn pools_that_sleep_hold_a_bounded_stock_each_and_give_it_back_when_they_flush() {
    const POOLS: usize = 32;
    /// More than a thread's stocks hold at most: bounded in blocks and in bytes.
    const EACH: usize = 3 * MIB;
    let _turn = turn();
    let before = held();
    let steps = Arc::new(Barrier::new(POOLS + 1));
    let pools: Vec<_> = (0..POOLS)
        .map(|n| {
            let steps = Arc::clone(&steps);
            thread::spawn(move || {
                for round in 0..20 {
                    drop(batch(n * 100 + round, 4000));
                }
                steps.wait();
                // Asleep, and looked at.
                steps.wait();
                ALLOC.flush_thread_cache();
                steps.wait();
                steps.wait();
            })
        })
        .collect();
    steps.wait();
    let asleep = held();
    steps.wait();
    steps.wait();
    ALLOC.flush_thread_cache();
    ALLOC.purge();
    let flushed = held();
    steps.wait();
    pools.into_iter().for_each(|pool| pool.join().expect("slept"));
    assert!(asleep <= before + POOLS * EACH, "{asleep} bytes held, {before} before");
    assert!(flushed <= before + 4 * MIB, "{flushed} bytes after flushes, {before} before");
    ALLOC.validate().expect("valid");
    println!("{POOLS} pools: {asleep} bytes asleep, {flushed} when they had flushed");
}

#[test]
fn threads_that_ended_hold_nothing() {
    let _turn = turn();
    let mut most = [0; 2];
    for round in 0..60 {
        let threads: Vec<_> =
            (0..8).map(|n| thread::spawn(move || batch(round * 8 + n, 1500).len())).collect();
        threads.into_iter().for_each(|thread| {
            thread.join().expect("freed");
        });
        let half = usize::from(round >= 30);
        most[half] = held().max(most[half]);
    }
    assert_bounded("threads that ended", most);
}
