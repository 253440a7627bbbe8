//! The background thread: one for the process, which takes what is idle and then sleeps; none in a child of a
//! fork before it asks for one.
#![cfg(all(feature = "background", target_os = "linux", not(strata_loom)))]

use std::hint::black_box;
use std::time::Duration;
use std::{fs, thread};

use strata_core::ByteCount;
use strata_segregated::{Background, BackgroundError, GiveBack, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

const MIB: usize = 1 << 20;

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// Committed bytes, tables apart, and those of live blocks.
fn figures() -> (usize, usize) {
    let stats = ALLOC.stats();
    let bytes = |figure: Option<ByteCount>| figure.expect("counted").get();
    (bytes(stats.committed) - bytes(stats.metadata), bytes(stats.allocated))
}

/// Waits until no more than the live blocks is held, and some.
fn await_small() {
    for _ in 0..3000 {
        let (committed, live) = figures();
        if committed <= live + live / 20 + 4 * MIB {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{:?} committed and live after a minute", figures());
}

/// Much memory in small and large blocks, most of which goes.
fn work() -> Vec<Vec<u8>> {
    let all: Vec<Vec<u8>> = (0..60_000).map(|n| black_box(vec![1; 16 + n % 3000])).collect();
    let large: Vec<Vec<u8>> = (0..8).map(|_| black_box(vec![1; 3 * MIB])).collect();
    drop(large);
    let kept = all.into_iter().enumerate().filter(|(n, _)| n % 64 == 0).map(|(_, block)| block);
    let kept = kept.collect();
    ALLOC.flush_thread_cache();
    kept
}

/// How often the background thread went to sleep.
fn sleeps() -> Option<u64> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let read = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).ok();
    let mut texts = tasks.filter_map(|task| read(task.ok()?));
    let status = texts.find(|text| text.starts_with("Name:\tstrata\n"))?;
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// One test: all of it is about the one thread.
#[test]
fn what_is_idle_goes_when_the_program_is_calm_and_then_nobody_wakes() {
    // Nobody else gives anything back.
    ALLOC.set_give_back(GiveBack::Never);
    let wish = Background { calm: Duration::from_millis(100), watches_group: true };
    ALLOC.start_background(wish).expect("the first one");
    let again = ALLOC.start_background(wish);
    assert!(matches!(again, Err(BackgroundError::AlreadyRunning)));
    assert_eq!(again.unwrap_err().to_string(), "the process has a background thread already");

    for _ in 0..3 {
        let kept = work();
        await_small();
        drop(kept);
    }
    ALLOC.flush_thread_cache();
    await_small();
    let before = (0..100).find_map(|_| {
        // Until two looks are alike: it may have had another round to go.
        let before = sleeps();
        thread::sleep(Duration::from_millis(500));
        (sleeps() == before).then_some(before)
    });
    assert!(before.flatten().is_some(), "it sleeps while nothing happens");

    // SAFETY: the child calls what may be called there, and ends.
    let child = unsafe { fork() };
    if child == 0 {
        let kept = work();
        let began = ALLOC.start_background(Background::default()).is_ok();
        await_small();
        drop(kept);
        // SAFETY: it ends.
        unsafe { _exit(if began { 0 } else { 1 }) }
    }
    let mut status = -1;
    // SAFETY: a child, and a place for its status.
    assert_eq!(unsafe { waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child has a thread of its own");
    let kept = work();
    await_small();
    drop(kept);
}
