//! Threads that start together, each on a processor of its own where there are enough.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// Looks at the gate before the first yield.
const SPINS: u32 = 1 << 12;

/// Where the threads of a job wait for each other, spinning, so that all go on in the same moment.
#[derive(Debug)]
struct Gate {
    threads: usize,
    /// Threads that came, over all openings.
    came: AtomicUsize,
    /// A thread is gone for good: nobody waits any more.
    broken: AtomicBool,
}

/// The payload of the unwinding that leaves a job whose gate is broken.
struct Left;

impl Gate {
    /// Waits until all threads are here. True for the last one, which found the others waiting.
    fn wait(&self) -> bool {
        // AcqRel: what each thread did before it came happens before what any does afterwards; the
        // partners are the other threads' same operation and the Acquire loads below.
        let place = self.came.fetch_add(1, Ordering::AcqRel) + 1;
        let full = place.next_multiple_of(self.threads);
        let mut looks = 0;
        while self.came.load(Ordering::Acquire) < full {
            // Relaxed: nothing is read that the thread that broke it wrote.
            if self.broken.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Left));
            }
            looks += 1;
            if looks < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        place == full
    }
}

/// One thread of a job.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// Its number, from 0.
    pub(crate) index: usize,
    gate: &'a Gate,
}

impl Member<'_> {
    /// Waits for the others. One of them gets true.
    pub(crate) fn meet(&self) -> bool {
        self.gate.wait()
    }

    /// Whether a thread is gone for good, so that nobody should wait for what it does.
    pub(crate) fn deserted(&self) -> bool {
        // Relaxed: nothing is read that that thread wrote.
        self.gate.broken.load(Ordering::Relaxed)
    }

    /// Does `work` at the same time as the others; the nanoseconds that it took here.
    pub(crate) fn window(&self, work: impl FnOnce()) -> u64 {
        self.gate.wait();
        let start = Instant::now();
        work();
        let nanos = start.elapsed().as_nanos() as u64;
        self.gate.wait();
        nanos
    }

    /// Has one thread do `work` while the others wait.
    pub(crate) fn alone(&self, work: impl FnOnce()) {
        self.gate.wait();
        if self.index == 0 {
            work();
        }
        self.gate.wait();
    }
}

/// Runs `work` on so many threads; what each answered, in order.
///
/// # Errors
///
/// What the first panic said: the allocator under measurement gave up.
pub(crate) fn team<T: Send>(
    threads: usize,
    work: impl Fn(&Member<'_>) -> T + Sync,
) -> Result<Vec<T>, String> {
    let gate = Gate { threads, came: AtomicUsize::new(0), broken: AtomicBool::new(false) };
    let processors = processors();
    let run = |index: usize| {
        if threads <= processors.len() {
            stay_on(processors[index]);
        }
        let member = Member { index, gate: &gate };
        // What is broken is thrown away with the allocator.
        catch_unwind(AssertUnwindSafe(|| work(&member)))
            .inspect_err(|_| gate.broken.store(true, Ordering::Relaxed))
    };
    let mut answers = Vec::new();
    let mut said = None;
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..threads).map(|index| scope.spawn(move || run(index))).collect();
        for thread in threads {
            match thread.join().unwrap_or_else(Err) {
                Ok(answer) => answers.push(answer),
                Err(payload) if payload.is::<Left>() => {}
                Err(payload) => said = said.take().or(Some(words(&*payload))),
            }
        }
    });
    match said {
        Some(said) => Err(said),
        None => Ok(answers),
    }
}

/// What `work` answers, or what its panic said.
///
/// # Errors
///
/// The words of the panic: the allocator under measurement gave up.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // What is broken is thrown away with the allocator.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(words(&*payload)))
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_else(|| "no words".to_owned()))
}

/// The processors that this process may use.
fn processors() -> Vec<usize> {
    // SAFETY: a zeroed set is an empty set, which the call fills.
    let set = unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
        set
    };
    // SAFETY: every number asked is below the set's size.
    (0..libc::CPU_SETSIZE as usize).filter(|&one| unsafe { libc::CPU_ISSET(one, &set) }).collect()
}

/// Keeps the calling thread on one processor. Advice: a refusal changes nothing.
fn stay_on(processor: usize) {
    // SAFETY: a zeroed set is an empty set; the call reads it.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_meet_and_one_is_the_last() {
        let last = team(3, |member| (0..100).filter(|_| member.meet()).count()).unwrap();
        assert_eq!(last.iter().sum::<usize>(), 100);
    }

    #[test]
    fn a_panic_frees_those_who_wait_and_is_told() {
        let outcome = team(2, |member| {
            assert_ne!(member.index, 1, "out of order");
            member.meet();
        });
        assert!(outcome.unwrap_err().contains("out of order"));
    }
}
