//! One thread allocates, another frees.
//!
//! ```text
//! allocating thread: ──► wait for room ─ fill a round of places ─ published += ROUND ──► …
//!                          ▲                                          │
//!                          │          1024 places, in turn            ▼
//! freeing thread:    … ◄── freed += ROUND ─ free a round of blocks ─ wait for blocks ◄──
//! ```
//!
//! The two counters are written once a round, so that what is measured is the blocks' way between
//! the threads and not the counters'. Between windows the freeing thread sleeps: others are measured
//! then.

use super::room::{Alone, Room, Zero};
use super::thread::{Thread, Work};
use super::window::{Window, give, layout, take};
use crate::subject::Subject;
use std::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Condvar, Mutex, PoisonError};

/// Blocks handed over at once.
pub(super) const ROUND: u64 = 64;

const PLACES: usize = 1024;

#[repr(C)]
struct Ring {
    /// Blocks handed over so far; only the allocating thread writes it.
    published: Alone<AtomicU64>,
    /// Blocks freed so far; only the freeing thread writes it.
    freed: Alone<AtomicU64>,
    /// 1 when no more blocks will come.
    closed: Alone<AtomicU32>,
    /// 1 when the freeing thread may sleep; and when it is about to.
    rest: Alone<AtomicU32>,
    asleep: AtomicU32,
    places: Alone<[AtomicPtr<u8>; PLACES]>,
}

// SAFETY: 1: counters and pointers, all zero.
unsafe impl Zero for Ring {}

/// The freeing thread's part.
struct Consumer<'a, S, const BYTES: usize> {
    subject: &'a S,
    ring: &'a Ring,
    bed: &'a Bed,
}

/// Where the freeing thread sleeps; what is said is the ring's.
#[derive(Default)]
struct Bed {
    lock: Mutex<()>,
    call: Condvar,
}

impl Bed {
    /// Sleeps while the ring rests.
    #[cold]
    fn sleep(&self, ring: &Ring) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Release pairs with the acquire in `wake`: whoever sees 0 again sees who is awake.
        ring.asleep.store(1, Release);
        // Acquire pairs with the release in `wake`.
        while ring.rest.0.load(Acquire) == 1 {
            lock = self.call.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        // Release as above.
        ring.asleep.store(0, Release);
    }

    /// Lets the freeing thread sleep, or wakes it and waits until it runs.
    fn set(&self, ring: &Ring, awake: bool) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Release pairs with the acquires in `sleep` and `run`.
        ring.rest.0.store(u32::from(!awake), Release);
        drop(lock);
        self.call.notify_one();
        let mut patience = Patience::default();
        // Acquire pairs with the releases in `sleep`.
        while awake && ring.asleep.load(Acquire) == 1 {
            patience.wait();
        }
    }
}

// SAFETY: 1: frees blocks of the subject and touches the ring; nothing panics.
unsafe impl<S: Subject, const BYTES: usize> Work for Consumer<'_, S, BYTES> {
    fn run(&self) {
        crate::child::move_beside();
        let mut done = 0;
        loop {
            let mut patience = Patience::default();
            // Acquire pairs with the release in `rounds`: the places are filled, and what was
            // written into the blocks is seen by their allocator.
            while self.ring.published.0.load(Acquire) == done {
                // Acquire pairs with the release in `constant`: all that was published is freed,
                // since the counter did not change before this was seen.
                if self.ring.closed.0.load(Acquire) == 1 {
                    return;
                }
                // Acquire pairs with the release in `set`: nothing comes until it is 0 again.
                if self.ring.rest.0.load(Acquire) == 1 {
                    self.bed.sleep(self.ring);
                }
                patience.wait();
            }
            for _ in 0..ROUND {
                let block = self.ring.places.0[done as usize % PLACES].load(Relaxed);
                // SAFETY: 1: published, hence taken with this layout, and each place is read once.
                unsafe { give(self.subject, block, const { layout(BYTES, 8) }) };
                done += 1;
            }
            // Release pairs with the acquire in `rounds`: the places may be filled again.
            self.ring.freed.0.store(done, Release);
        }
    }
}

/// Blocks of a constant size.
pub(super) fn constant<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    /// Hands over `rounds` rounds of blocks, and waits until all of them are freed.
    #[inline(never)]
    fn rounds<S: Subject, const BYTES: usize>(subject: &S, ring: &Ring, rounds: u64) {
        // Relaxed: this thread is the counter's only writer.
        let mut done = ring.published.0.load(Relaxed);
        for _ in 0..rounds {
            wait_until(ring, |freed| done + ROUND - freed <= PLACES as u64);
            for _ in 0..ROUND {
                let block = take(subject, const { layout(BYTES, 8) });
                // Relaxed: published by the release below.
                ring.places.0[done as usize % PLACES].store(block, Relaxed);
                done += 1;
            }
            // Release pairs with the acquire in `run`.
            ring.published.0.store(done, Release);
        }
        wait_until(ring, |freed| freed == done);
    }
    let ring = Room::<Ring>::new();
    let bed = Bed::default();
    let consumer = Consumer::<S, BYTES> { subject, ring: &ring, bed: &bed };
    // SAFETY: 1: dropped below, while the ring and the consumer live.
    let thread = unsafe { Thread::start(&consumer) };
    window
        .run_with(|awake| bed.set(&ring, awake), |count| rounds::<S, BYTES>(subject, &ring, count));
    bed.set(&ring, true);
    // Release pairs with the acquire in `run`.
    ring.closed.0.store(1, Release);
    drop(thread);
}

fn wait_until(ring: &Ring, enough: impl Fn(u64) -> bool) {
    let mut patience = Patience::default();
    // Acquire pairs with the release in `run`: the places that were freed are read no more.
    while !enough(ring.freed.0.load(Acquire)) {
        patience.wait();
    }
}

/// Spins for a while, then lets others run: there may be one processor only.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    fn wait(&mut self) {
        self.0 += 1;
        if self.0 < 256 {
            std::hint::spin_loop();
        } else {
            self.0 = 0;
            std::thread::yield_now();
        }
    }
}
