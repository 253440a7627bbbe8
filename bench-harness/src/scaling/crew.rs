//! A window: so many threads at once, counted while the clock runs.

use super::load::Endless;
use crate::kernel::{Alone, Room, Thread, Work};
use crate::subject::Subject;
use std::array;
use std::marker::PhantomData;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
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

/// What the threads of a window share: none of it is written by two of them in the window.
struct Common {
    meet: Barrier,
    stop: Alone<AtomicBool>,
    /// Pairs done by each thread.
    done: Room<[Alone<AtomicU64>; MOST]>,
}

impl Common {
    /// When, and how many pairs were done by then. A reading in which the reader lost its processor
    /// is tried again: it tells nothing of when each counter was read.
    fn read(&self) -> (Instant, u64) {
        let mut tries = 0;
        loop {
            let before = Instant::now();
            // Relaxed: counters that order nothing.
            let done = self.done.iter().map(|done| done.0.load(Relaxed)).sum();
            tries += 1;
            if before.elapsed() < INTERRUPTED || tries == TRIES {
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
        let mut load = L::new(self.subject, self.index as u64 + 1);
        (0..WARM).for_each(|_| load.chunk(self.subject));
        self.common.meet.wait();
        let mut done = 0;
        // Relaxed: the flag is all that is said; joining the thread orders everything else.
        while !self.common.stop.0.load(Relaxed) {
            load.chunk(self.subject);
            done += L::PAIRS;
            self.common.done[self.index].0.store(done, Relaxed);
        }
        load.end(self.subject);
    }
}

/// Pairs a second of `threads` threads together.
///
/// Threads stay on a processor each, as long as there are enough: where the system would have put
/// them is not the allocator's doing.
pub(super) fn window<S: Subject, L: Endless<S>>(
    subject: &S,
    threads: usize,
    length: Duration,
) -> f64 {
    let threads = threads.clamp(1, MOST);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let common = Common {
        meet: Barrier::new(threads + 1),
        stop: Alone(AtomicBool::new(false)),
        done: Room::new(),
    };
    let parts: [Part<'_, S, L>; MOST] = array::from_fn(|index| Part {
        subject,
        common: &common,
        index,
        // The last processor first: the first one serves interrupts.
        processor: (threads <= processors).then(|| processors - 1 - index % processors),
        load: PhantomData,
    });
    let crew: [Option<Thread<'_>>; MOST] = array::from_fn(|index| {
        // SAFETY: 1: all are dropped below, before the parts.
        (index < threads).then(|| unsafe { Thread::start(&parts[index]) })
    });
    common.meet.wait();
    std::thread::sleep(length.mul_f64(SETTLE));
    let (start, before) = common.read();
    std::thread::sleep(length);
    let (end, after) = common.read();
    // Relaxed: as in `run`.
    common.stop.0.store(true, Relaxed);
    drop(crew);
    (after - before) as f64 / (end - start).as_secs_f64().max(1e-9)
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
