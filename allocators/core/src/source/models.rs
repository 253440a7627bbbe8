//! Loom explores the decorators that count with atomics.

use std::sync::Arc;

use super::*;
use crate::sync::{AtomicU64, Ordering, model, thread};
use crate::{ByteCount, Offset};

/// Numbers without end.
struct Endless(AtomicU64);

// SAFETY: 1. each call gets a range of its own; there is no memory. 2. no error. 3. no claims.
unsafe impl Source for Endless {
    type Address = Offset;

    fn granule(&self) -> usize {
        16
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<Offset>, Exhausted> {
        let len = rounded_len(len, align, 16)?;
        // Relaxed: numbers only.
        let at = self.0.fetch_add(len as u64, Ordering::Relaxed);
        // SAFETY: 1. counted out once. 2. small. 3. no memory.
        Ok(unsafe { Chunk::from_raw_parts(Offset(at), len) })
    }

    unsafe fn release(&self, _chunk: Chunk<Offset>) {}
}

#[test]
fn two_requests_that_each_fit_the_budget_do_not_overrun_it_together() {
    model(|| {
        let source = Arc::new(Limited::new(Endless(AtomicU64::new(0)), ByteCount(48)));
        let other = Arc::clone(&source);
        let thread = thread::spawn(move || other.acquire(32, 1).is_ok());
        let mine = source.acquire(32, 1);
        let theirs = thread.join().unwrap();
        assert!(mine.is_ok() != theirs, "one of two, whoever comes first");
        assert_eq!(source.left(), ByteCount(16));
    });
}

#[test]
fn what_one_thread_gives_back_to_the_budget_another_can_take() {
    model(|| {
        let source = Arc::new(Limited::new(Endless(AtomicU64::new(0)), ByteCount(32)));
        let held = source.acquire(32, 1).unwrap();
        let other = Arc::clone(&source);
        let thread = thread::spawn(move || {
            // SAFETY: 1. from this source. 2. unused.
            unsafe { other.release(held) };
        });
        let early = source.acquire(16, 1);
        thread.join().unwrap();
        assert!(early.is_ok() || source.acquire(32, 1).is_ok());
    });
}

#[test]
fn counts_of_two_threads_add_up_and_the_peak_is_not_missed() {
    model(|| {
        let source = Arc::new(Counted::new(Endless(AtomicU64::new(0))));
        let other = Arc::clone(&source);
        let thread = thread::spawn(move || drop(other.acquire(16, 1)));
        let chunk = source.acquire(32, 1).unwrap();
        // SAFETY: 1. from this source. 2. unused.
        unsafe { source.release(chunk) };
        thread.join().unwrap();
        let counts = source.counts();
        assert_eq!((counts.acquired, counts.released, counts.held), (2, 1, ByteCount(16)));
        assert!(counts.peak == ByteCount(32) || counts.peak == ByteCount(48));
    });
}
