//! Blocks on their way from one thread to another.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Values handed over at once, so that what is measured is the blocks' way and not the counters'.
pub(super) const ROUND: usize = 64;
const PLACES: usize = 1024;

/// A word on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Alone(AtomicUsize);

/// A ring between one sender and one receiver.
///
/// # Invariants
///
/// 1. Places from `received` to `sent`, both counted without end, hold values; the receiver alone
///    reads them. All others are the sender's.
pub(super) struct Ring<T> {
    sent: Alone,
    received: Alone,
    places: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a value is reached by one thread at a time (invariant 1).
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(super) fn new() -> Self {
        let places = (0..PLACES).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Self { sent: Alone::default(), received: Alone::default(), places }
    }

    /// Sends a round of values that `make` makes; `stop` ends the wait for room.
    ///
    /// # Safety
    ///
    /// 1. One thread sends.
    pub(super) unsafe fn send(&self, mut make: impl FnMut() -> T, stop: impl Fn() -> bool) {
        // Relaxed: this thread is the counter's only writer (1.).
        let sent = self.sent.0.load(Ordering::Relaxed);
        // Acquire pairs with the release in `receive`: the places were read.
        wait(|| sent + ROUND - self.received.0.load(Ordering::Acquire) <= PLACES, &stop);
        for place in sent..sent + ROUND {
            let value = make();
            // SAFETY: there is room, so that the place is the sender's (invariant 1).
            unsafe { (*self.places[place % PLACES].get()).write(value) };
        }
        // Release pairs with the acquire in `receive`: the places are filled.
        self.sent.0.store(sent + ROUND, Ordering::Release);
    }

    /// Receives a round of values; `stop` ends the wait for them, false then.
    ///
    /// # Safety
    ///
    /// 1. One thread receives.
    pub(super) unsafe fn receive(&self, mut to: impl FnMut(T), stop: impl Fn() -> bool) -> bool {
        // Relaxed: this thread is the counter's only writer (1.).
        let received = self.received.0.load(Ordering::Relaxed);
        // Acquire pairs with the release in `send`: the places are filled.
        if !wait(|| self.sent.0.load(Ordering::Acquire) > received, &stop) {
            return false;
        }
        for place in received..received + ROUND {
            // SAFETY: rounds are sent as a whole, so that the place holds a value, which is read once
            // (invariant 1).
            to(unsafe { (*self.places[place % PLACES].get()).assume_init_read() });
        }
        // Release pairs with the acquire in `send`: the places were read.
        self.received.0.store(received + ROUND, Ordering::Release);
        true
    }
}

/// Waits until `ready`, spinning first, then letting others run; false where `stop` came first.
fn wait(ready: impl Fn() -> bool, stop: &impl Fn() -> bool) -> bool {
    let mut looks = 0_u32;
    while !ready() {
        looks += 1;
        if looks.is_multiple_of(256) {
            if stop() {
                return ready();
            }
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_order_and_none_is_lost() {
        let ring = Ring::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut next = 0..100 * ROUND;
                for _ in 0..100 {
                    // SAFETY: 1. this thread alone.
                    unsafe { ring.send(|| next.next().unwrap(), || false) };
                }
            });
            let mut got = Vec::new();
            for _ in 0..100 {
                // SAFETY: 1. this thread alone.
                assert!(unsafe { ring.receive(|value| got.push(value), || false) });
            }
            assert!(got.into_iter().eq(0..100 * ROUND));
            // SAFETY: 1. as above.
            assert!(!unsafe { ring.receive(|_| (), || true) });
        });
    }
}
