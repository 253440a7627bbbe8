//! A static pool in a signal handler that interrupts the same pool anywhere.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use strata_pool::{PoolBox, StaticPool};

type Packets = StaticPool<[u64; 4], 130, 3>;
static POOL: Packets = StaticPool::new();
/// What the handler keeps from one call to the next, and how often it came.
static KEPT: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// No more signals are sent.
static OVER: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_signal: libc::c_int) {
    let n = CALLS.fetch_add(1, Ordering::Relaxed);
    let before = KEPT.swap(0, Ordering::Relaxed);
    if before != 0 {
        let place = std::ptr::with_exposed_provenance_mut::<[u64; 4]>(before);
        // SAFETY: 1. left here by a call before, once. 2. nobody else has it.
        let kept: PoolBox<'static, _, _> =
            unsafe { PoolBox::from_raw(std::ptr::NonNull::new_unchecked(place), &POOL) };
        assert!(kept.iter().all(|word| *word == kept[0]), "a slot has one owner");
    }
    if let (Ok(one), Ok(two)) = (POOL.alloc([n as u64; 4]), POOL.alloc([!0; 4])) {
        assert_eq!(*two, [!0; 4]);
        KEPT.store(one.into_raw().as_ptr().expose_provenance(), Ordering::Relaxed);
    }
}

#[test]
fn a_handler_and_what_it_interrupts_share_a_pool() {
    // SAFETY: the handler is async-signal-safe: atomics only.
    let this = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = interrupt as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()), 0);
        libc::pthread_self()
    };
    // Sent to this thread alone: what the handler keeps is for one handler at a time.
    let sender = thread::spawn(move || {
        while !OVER.load(Ordering::Relaxed) {
            // SAFETY: the thread joins this one before it ends.
            assert_eq!(unsafe { libc::pthread_kill(this, libc::SIGALRM) }, 0);
            thread::sleep(Duration::from_micros(20));
        }
    });
    let start = Instant::now();
    let mut held = Vec::with_capacity(200);
    let mut n = 0_u64;
    while start.elapsed() < Duration::from_millis(1500) || CALLS.load(Ordering::Relaxed) < 200 {
        n += 1;
        match POOL.alloc([n; 4]) {
            Ok(value) => held.push((n, value)),
            Err(refused) => {
                assert_eq!(refused.into_value(), [n; 4]);
                assert!(held.len() >= 120, "the handler has a few at most");
                held.truncate(20);
            }
        }
        if n.is_multiple_of(3)
            && let Some((word, value)) = held.pop()
        {
            assert_eq!(*value, [word; 4]);
        }
    }
    OVER.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    assert!(held.iter().all(|(word, value)| **value == [*word; 4]));
    drop(held);
    let kept = usize::from(KEPT.load(Ordering::Relaxed) != 0);
    assert_eq!(POOL.live(), kept, "after {} signals", CALLS.load(Ordering::Relaxed));
}
