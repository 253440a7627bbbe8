//! Workers that flush their stocks before they sleep: what an executor's park hook is for.
//!
//! A thread keeps blocks ready for its next allocation. While it works that is its speed; while it
//! sleeps they are of use to nobody, and the spans that they are from cannot become empty.
//!
//! ```sh
//! cargo run --release -p strata-segregated --example park
//! ```

use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use strata_segregated::SegregatedAlloc;

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// A job: how many strings to make.
type Job = usize;

/// The next job. Only a worker that has to wait for it flushes: one with work before it does not
/// pay for that. (tokio's builder takes the same call as its `on_thread_park`.)
fn next(jobs: &Receiver<Job>) -> Option<Job> {
    match jobs.try_recv() {
        Ok(job) => Some(job),
        Err(TryRecvError::Disconnected) => None,
        Err(TryRecvError::Empty) => {
            ALLOC.flush_thread_cache();
            jobs.recv().ok()
        }
    }
}

fn worker(jobs: &Receiver<Job>) -> usize {
    let mut bytes = 0;
    while let Some(job) = next(jobs) {
        let strings: Vec<String> = (0..job).map(|n| format!("number {n}")).collect();
        bytes += strings.iter().map(String::len).sum::<usize>();
    }
    bytes
}

fn main() {
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (jobs, from) = mpsc::channel();
            (jobs, thread::spawn(move || worker(&from)))
        })
        .collect();
    for round in 1..=20 {
        for (jobs, _) in &workers {
            jobs.send(round * 100).expect("workers wait for jobs");
        }
    }
    let bytes: usize = workers
        .into_iter()
        .map(|(jobs, thread)| {
            drop(jobs);
            thread.join().expect("working does not panic")
        })
        .sum();
    println!("{bytes} bytes of text");
}
