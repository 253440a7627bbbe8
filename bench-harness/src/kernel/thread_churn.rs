//! Threads that come and go: each allocates and frees blocks, and leaves a few behind.

use super::live::Slot;
use super::random::{Random, by_powers};
use super::room::Room;
use super::thread::{Thread, Work};
use super::window::Window;
use crate::subject::Subject;
use std::array;
use std::cell::UnsafeCell;

/// Threads of a round.
const THREADS: usize = 8;
/// Blocks of a thread.
const BLOCKS: usize = 2000;
/// One block in so many is freed after its thread has ended.
const KEPT: usize = 50;

/// Pairs of a round.
pub(super) const PAIRS: u64 = (THREADS * BLOCKS) as u64;

type Slots = [[Slot; BLOCKS]; THREADS];

/// One thread's part of a round.
struct Part<'a, S> {
    subject: &'a S,
    seed: u64,
    /// This thread's own while it runs, the main thread's afterwards.
    slots: UnsafeCell<&'a mut [Slot; BLOCKS]>,
}

// SAFETY: `slots` is used by the thread that the part was made for, and by whoever joined it.
unsafe impl<S: Sync> Sync for Part<'_, S> {}

// SAFETY: 1: calls the subject and writes into the slots; nothing panics.
unsafe impl<S: Subject> Work for Part<'_, S> {
    fn run(&self) {
        // SAFETY: one thread runs the part, and the main one has not joined it yet.
        let slots = unsafe { &mut **self.slots.get() };
        let mut random = Random::new(self.seed);
        for slot in slots.iter_mut() {
            slot.fill(self.subject, by_powers(random.next()));
        }
        for (index, slot) in slots.iter().enumerate() {
            if index % KEPT != 0 {
                // SAFETY: 1: taken above; those left out are freed by `round`.
                unsafe { slot.free(self.subject) };
            }
        }
    }
}

fn round<S: Subject>(subject: &S, slots: &mut Slots, round: u64) {
    let mut all = slots.iter_mut().enumerate();
    let parts: [Option<Part<'_, S>>; THREADS] = array::from_fn(|_| {
        let (index, slots) = all.next()?;
        let seed = round * THREADS as u64 + index as u64;
        Some(Part { subject, seed, slots: UnsafeCell::new(slots) })
    });
    // SAFETY: 1: all are dropped on the next line, before the parts.
    let threads = parts.each_ref().map(|part| part.as_ref().map(|p| unsafe { Thread::start(p) }));
    drop(threads);
    for slots in &*slots {
        for slot in slots.iter().step_by(KEPT) {
            // SAFETY: 1: its thread took it and left it; it has ended.
            unsafe { slot.free(subject) };
        }
    }
}

/// Rounds of threads.
pub(super) fn run<S: Subject>(subject: &S, window: &mut Window) {
    let mut slots = Room::<Slots>::new();
    let mut done = 0;
    window.run(|count| {
        for _ in 0..count {
            round(subject, &mut slots, done);
            done += 1;
        }
    });
}
