//! A window: so many threads at once, counted while the clock runs.
//!
//! The threads themselves read the clock, after every chunk: one that sleeps until it is time would
//! wait for its turn among all those that work, for as long as many windows.
//!
//! ```text
//! every thread: set up, warm up ─ meet ─ work ───────────────────────────────► stop
//! whoever is there first:              │ settled: reads all counters │ again: tells to stop
//!                                      └─────── the window ──────────┘
//! ```

use super::load::Endless;
use crate::kernel::{Alone, Room, Thread, Work};
use crate::subject::Subject;
use std::array;
use std::marker::PhantomData;
use std::sync::Barrier;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{AcqRel, Relaxed, Release},
};
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

/// What the threads of a window share: hardly any of it is written in the window.
struct Common {
    meet: Barrier,
    origin: Instant,
    settle: Duration,
    length: Duration,
    /// When the next mark is due, in nanoseconds since the origin.
    due: Alone<AtomicU64>,
    stop: Alone<AtomicBool>,
    /// The window's two ends; the first one is 0 until it is there.
    marks: Alone<[Mark; 2]>,
    /// Pairs done by each thread.
    done: Room<[Alone<AtomicU64>; MOST]>,
}

impl Common {
    fn new(threads: usize, length: Duration) -> Self {
        Self {
            meet: Barrier::new(threads),
            origin: Instant::now(),
            settle: length.mul_f64(SETTLE),
            length,
            due: Alone(AtomicU64::new(NEVER)),
            stop: Alone(AtomicBool::new(false)),
            marks: Alone(array::from_fn(|_| Mark::default())),
            done: Room::new(),
        }
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// All threads work from now on.
    fn begin(&self) {
        // Release pairs with the acquire in `mark`.
        self.due.0.store(self.now() + self.settle.as_nanos() as u64, Release);
    }

    /// Makes the mark that was due at `due`, where no other thread does.
    #[cold]
    fn mark(&self, due: u64) {
        // Acquire pairs with the release below, so that the second mark's maker sees the first one;
        // release keeps the claim in the same order for whoever fails.
        if self.due.0.compare_exchange(due, NEVER, AcqRel, Relaxed).is_err() {
            return;
        }
        let [first, second] = &self.marks.0;
        let (nanos, done) = self.read();
        // Relaxed: published by the release below, or by joining the thread.
        let mark = if first.nanos.load(Relaxed) == 0 { first } else { second };
        mark.nanos.store(nanos, Relaxed);
        mark.done.store(done, Relaxed);
        if std::ptr::eq(mark, first) {
            // Release pairs with the acquire above.
            self.due.0.store(nanos + self.length.as_nanos() as u64, Release);
        } else {
            // Relaxed: the flag is all that is said; joining orders everything else.
            self.stop.0.store(true, Relaxed);
        }
    }

    /// A reading in which the reader lost its processor is tried again: it tells nothing of when
    /// each counter was read.
    fn read(&self) -> (u64, u64) {
        let mut tries = 0;
        loop {
            let before = self.now();
            // Relaxed: counters that order nothing.
            let done = self.done.iter().map(|done| done.0.load(Relaxed)).sum();
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
    common: &'a Common,
    index: usize,
    /// The processor to stay on, where threads do not outnumber them.
    processor: Option<usize>,
    load: PhantomData<fn() -> L>,
}

// SAFETY: 1: the subject is asked by the load alone; nothing panics.
unsafe impl<S: Subject, L: Endless<S>> Work for Part<'_, S, L> {
    fn run(&self) {
        crate::child::stay_on(self.processor.map_or(-1, |processor| processor as i32));
        let common = self.common;
        let mut load = L::new(self.subject, self.index as u64 + 1);
        (0..WARM).for_each(|_| load.chunk(self.subject));
        if common.meet.wait().is_leader() {
            common.begin();
        }
        let mut done = 0;
        // Relaxed: as in `mark`.
        while !common.stop.0.load(Relaxed) {
            load.chunk(self.subject);
            done += L::PAIRS;
            common.done[self.index].0.store(done, Relaxed);
            // Relaxed: whoever acts on it claims it first.
            let due = common.due.0.load(Relaxed);
            if common.now() >= due {
                common.mark(due);
            }
        }
        load.end(self.subject);
    }
}

/// Pairs a second of `threads` threads together.
///
/// Threads stay on a processor each, as long as there are enough: where the system would have put
/// them is not the allocator's doing. One thread is on each of the two processors in turn that two
/// threads are on, for half the window, and its rate is the mean of both: processors are not alike,
/// and what one of them does less is not lost by sharing.
pub(super) fn window<S: Subject, L: Endless<S>>(
    subject: &S,
    threads: usize,
    length: Duration,
) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if threads > 1 || processors == 1 {
        return counted::<S, L>(subject, 0, threads, length);
    }
    let alone = |place| counted::<S, L>(subject, place, 1, length / 2);
    f64::midpoint(alone(0), alone(1))
}

/// The same of one crew, whose first thread is on the processor in that place, from the last one on.
fn counted<S: Subject, L: Endless<S>>(
    subject: &S,
    place: usize,
    threads: usize,
    length: Duration,
) -> f64 {
    let threads = threads.clamp(1, MOST);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let common = Common::new(threads, length);
    let parts: [Part<'_, S, L>; MOST] = array::from_fn(|index| Part {
        subject,
        common: &common,
        index,
        // The last processor first: the first one serves interrupts.
        processor: (threads <= processors).then(|| processors - 1 - (place + index) % processors),
        load: PhantomData,
    });
    let crew: [Option<Thread<'_>>; MOST] = array::from_fn(|index| {
        // SAFETY: 1: all are dropped below, before the parts.
        (index < threads).then(|| unsafe { Thread::start(&parts[index]) })
    });
    drop(crew);
    let [first, second] = &common.marks.0;
    // Relaxed: the threads that wrote them were joined.
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
            let length = Duration::from_millis(20);
            assert!(window::<_, Pairs>(&System::new(), threads, length) > 1e3, "{threads}");
            assert!(window::<_, Control>(&System::new(), threads, length) > 1e3, "{threads}");
        }
    }
}
