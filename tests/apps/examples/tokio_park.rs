//! A tokio runtime whose workers flush their stocks before they sleep.
//!
//! ```sh
//! cargo run --release -p strata-apps --features strata-segregated --example tokio_park
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

use strata_segregated::SegregatedAlloc;

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// Times that a worker went to sleep.
static PARKED: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_park(|| {
            // A worker with work before it does not come here, and pays nothing.
            ALLOC.flush_thread_cache();
            // Relaxed: a count that orders nothing.
            PARKED.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .expect("a runtime");
    let bytes = runtime.block_on(async {
        let jobs: Vec<_> = (0..100)
            .map(|job| {
                tokio::spawn(
                    async move { (0..1000).map(|n| format!("{job}:{n}").len()).sum::<usize>() },
                )
            })
            .collect();
        let mut bytes = 0;
        for job in jobs {
            bytes += job.await.expect("a job");
        }
        bytes
    });
    // Relaxed: see above.
    println!("{bytes} bytes of text; workers slept {} times", PARKED.load(Ordering::Relaxed));
}
