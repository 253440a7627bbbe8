//! A window: so many threads at once, counted while the clock runs.
//!
//! They are threads of this process, or each is the only one of a process of its own: what the first
//! lose against the second they lose by what a process's threads share. The threads themselves read the clock, after every chunk: one that sleeps until it is time would
//! wait for its turn among all those that work, for as long as many windows.
//!
//! ```text
//! every thread: set up, warm up ─ meet ─ work ───────────────────────────────► stop
//! whoever is there first:              │ settled: reads all counters │ again: tells to stop
//!                                      └─────── the window ──────────┘
//! ```

use super::load::Endless;
use super::process::Processes;
use crate::kernel::{Alone, Room, Thread, Work, Zero};
use crate::subject::Subject;
use std::array;
use std::marker::PhantomData;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// Threads at most.
pub(super) const MOST: usize = 64;
/// Chunks before the threads meet: the allocator has seen them all.
const WARM: usize = 16;
/// The part of a window's length for which threads run before they are counted.
const SETTLE: f64 = 0.25;
/// A reading of all counters that takes longer than this was interrupted.
const INTERRUPTED: Duration = Duration::from_micros(50);
/// How often an interrupted reading is tried again.
const TRIES: usize = 8;
/// No mark is due.
const NEVER: u64 = u64::MAX;

/// When, in nanoseconds since the origin, and how many pairs were done by then.
#[derive(Debug, Default)]
struct Mark {
    nanos: AtomicU64,
    done: AtomicU64,
}

// SAFETY: 1: integers.
unsafe impl Zero for Mark {}

/// What the threads of a window share, be they of one process or not: hardly any of it is written in
/// the window.
struct Common {
    /// Threads that are ready.
    ready: Alone<AtomicU64>,
    /// When the next mark is due, in nanoseconds since the origin.
    due: Alone<AtomicU64>,
    /// Whether to stop.
    stop: Alone<AtomicU32>,
    /// The window's two ends; the first one is 0 until it is there.
    marks: Alone<[Mark; 2]>,
    /// Pairs done by each thread.
    done: [Alone<AtomicU64>; MOST],
}

// SAFETY: 1: its fields are such values.
unsafe impl Zero for Common {}

/// A window of time, and those who meet in it.
struct Window {
    threads: usize,
    origin: Instant,
    settle: Duration,
    length: Duration,
    common: Room<Common>,
}

impl Window {
    fn new(threads: usize, length: Duration) -> Self {
        let common = Room::<Common>::new();
        // Relaxed: no thread has started yet.
        common.due.0.store(NEVER, Relaxed);
        Self { threads, origin: Instant::now(), settle: length.mul_f64(SETTLE), length, common }
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// Waits for all threads; the last one has them work from now on.
    fn meet(&self) {
        let Common { ready, due, .. } = &*self.common;
        let all = self.threads as u64;
        // Release pairs with the acquire below: what was set up is there before anybody works.
        if ready.0.fetch_add(1, AcqRel) + 1 == all {
            // Release pairs with the acquire in `mark`.
            due.0.store(self.now() + self.settle.as_nanos() as u64, Release);
        }
        while ready.0.load(Acquire) < all {
            yield_now();
        }
    }

    /// Makes the mark that was due at `due`, where no other thread does.
    #[cold]
    fn mark(&self, due: u64) {
        // Acquire pairs with the release below, so that the second mark's maker sees the first one;
        // release keeps the claim in the same order for whoever fails.
        let common = &*self.common;
        if common.due.0.compare_exchange(due, NEVER, AcqRel, Relaxed).is_err() {
            return;
        }
        let [first, second] = &common.marks.0;
        let (nanos, done) = self.read();
        // Relaxed: published by the release below, or by joining the thread.
        let mark = if first.nanos.load(Relaxed) == 0 { first } else { second };
        mark.nanos.store(nanos, Relaxed);
        mark.done.store(done, Relaxed);
        if std::ptr::eq(mark, first) {
            // Release pairs with the acquire above.
            common.due.0.store(nanos + self.length.as_nanos() as u64, Release);
        } else {
            // Relaxed: the flag is all that is said; joining orders everything else.
            common.stop.0.store(1, Relaxed);
        }
    }

    /// A reading in which the reader lost its processor is tried again: it tells nothing of when
    /// each counter was read.
    fn read(&self) -> (u64, u64) {
        let mut tries = 0;
        loop {
            let before = self.now();
            // Relaxed: counters that order nothing.
            let done = self.common.done.iter().map(|done| done.0.load(Relaxed)).sum();
            tries += 1;
            if self.now() - before < INTERRUPTED.as_nanos() as u64 || tries == TRIES {
                return (before, done);
            }
        }
    }
}

/// One thread's part.
struct Part<'a, S, L> {
    subject: &'a S,
    window: &'a Window,
    index: usize,
    /// The processor to stay on, where threads do not outnumber them.
    processor: Option<usize>,
    load: PhantomData<fn() -> L>,
}

// SAFETY: 1: the subject is asked by the load alone; nothing panics.
unsafe impl<S: Subject, L: Endless<S>> Work for Part<'_, S, L> {
    fn run(&self) {
        crate::child::stay_on(self.processor.map_or(-1, |processor| processor as i32));
        let window = self.window;
        let Common { due, stop, done, .. } = &*window.common;
        let mut load = L::new(self.subject, self.index as u64 + 1);
        (0..WARM).for_each(|_| load.chunk(self.subject));
        window.meet();
        let mut pairs = 0;
        // Relaxed: as in `mark`.
        while stop.0.load(Relaxed) == 0 {
            load.chunk(self.subject);
            pairs += L::PAIRS;
            done[self.index].0.store(pairs, Relaxed);
            // Relaxed: whoever acts on it claims it first.
            let due = due.0.load(Relaxed);
            if window.now() >= due {
                window.mark(due);
            }
        }
        load.end(self.subject);
    }
}

/// Where the threads of a window are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crew {
    /// All in this process.
    Together,
    /// Each in a process of its own, which begins as a copy of this one.
    Apart,
}

/// Pairs a second of `threads` threads together.
///
/// Threads stay on a processor each, as long as there are enough: where the system would have put
/// them is not the allocator's doing. One thread is on each of the two processors in turn that two
/// threads are on, for half the window, with the numbers that the thread there has, and its rate is
/// the mean of both: neither processors nor numbers are alike, and what one of them does less is not
/// lost by sharing.
pub(super) fn window<S: Subject, L: Endless<S>>(
    subject: &S,
    threads: usize,
    length: Duration,
    crew: Crew,
) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if threads > 1 || processors == 1 {
        return counted::<S, L>(subject, 0, threads, length, crew);
    }
    let alone = |place| counted::<S, L>(subject, place, 1, length / 2, crew);
    f64::midpoint(alone(0), alone(1))
}

/// The same of one crew, whose first thread is the one of that place, and on the processor in that
/// place, from the last one on.
fn counted<S: Subject, L: Endless<S>>(
    subject: &S,
    place: usize,
    threads: usize,
    length: Duration,
    crew: Crew,
) -> f64 {
    let threads = threads.clamp(1, MOST);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let window = Window::new(threads, length);
    let parts: [Part<'_, S, L>; MOST] = array::from_fn(|index| {
        let index = (place + index) % MOST;
        Part {
            subject,
            window: &window,
            index,
            // The last processor first: the first one serves interrupts.
            processor: (threads <= processors).then(|| processors - 1 - index % processors),
            load: PhantomData,
        }
    });
    match crew {
        Crew::Together => {
            let crew: [Option<Thread<'_>>; MOST] = array::from_fn(|index| {
                // SAFETY: 1: all are dropped below, before the parts.
                (index < threads).then(|| unsafe { Thread::start(&parts[index]) })
            });
            drop(crew);
        }
        Crew::Apart => {
            let mut crew = Processes::new();
            parts[..threads].iter().for_each(|part| crew.start(part));
            crew.join();
        }
    }
    let [first, second] = &window.common.marks.0;
    // Relaxed: the threads that wrote them were joined, the processes have ended.
    let of = |mark: &Mark| (mark.nanos.load(Relaxed), mark.done.load(Relaxed));
    let ((start, before), (end, after)) = (of(first), of(second));
    (after - before) as f64 * 1e9 / (end - start).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::load::{Control, Pairs};
    use super::*;
    use crate::subject::System;

    #[test]
    fn every_count_of_threads_gets_somewhere() {
        for threads in [1, 2, 5, MOST] {
            let (system, length) = (System::new(), Duration::from_millis(20));
            // Copies of this process would be in the way of other tests in it: end-to-end tests have them.
            let crew = Crew::Together;
            assert!(window::<_, Pairs>(&system, threads, length, crew) > 1e3, "{threads}");
            assert!(window::<_, Control>(&system, threads, length, crew) > 1e3, "{threads}");
        }
    }
}
