//! Forks of a process whose threads allocate all the time: the child allocates, frees its blocks and
//! other threads', finds the tables whole, and ends.
#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, io, process, ptr, thread};

use strata_segregated::SegregatedAlloc;

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// Threads that allocate.
const THREADS: usize = 8;
/// How long a child may take: a lock that nobody opens is for ever.
const PATIENCE: Duration = Duration::from_secs(600);

/// Forks; more by `STRATA_FORKS`.
fn forks() -> usize {
    env::var("STRATA_FORKS").ok().and_then(|forks| forks.parse().ok()).unwrap_or(100)
}

/// A block that says who it is, from its first byte to its last one.
struct Marked(Vec<u8>, u8);

impl Marked {
    fn new(len: usize, mark: u8) -> Self {
        Self(vec![mark; len], mark)
    }

    fn check(&self) {
        assert!(self.0.iter().all(|byte| *byte == self.1), "a live block has other contents");
    }
}

/// Sizes of all kinds, few of them large.
fn size(n: usize) -> usize {
    match n.wrapping_mul(0x9E37_79B9) >> 7 & 1023 {
        0 => 1_500_000,
        1..=3 => 200_000 + n % 5000,
        k if k < 60 => 2000 + 500 * k,
        k => 1 + k,
    }
}

/// Allocates and frees until it is told to stop, passes blocks on, and ends and begins threads.
fn work(number: usize, stop: &AtomicBool, passed: &Mutex<Vec<Marked>>) {
    let mut blocks: Vec<Marked> = Vec::new();
    let mut n = number << 20;
    // Relaxed: it only ends a loop.
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        if blocks.len() < 300 {
            blocks.push(Marked::new(size(n), n as u8));
        } else {
            blocks.swap_remove(n.wrapping_mul(7919) % 300).check();
        }
        match n % 4096 {
            0 => blocks.clear(),
            1..64 => passed.lock().unwrap().push(Marked::new(64, n as u8)),
            64..128 => drop(passed.lock().unwrap().pop()),
            128 => thread::spawn(move || drop(vec![Marked::new(100, 1), Marked::new(5000, 2)]))
                .join()
                .unwrap(),
            _ => {}
        }
    }
}

/// What the child does; the exit status says whether it went well.
fn in_child(mine: &mut Vec<Marked>) -> i32 {
    let before = ALLOC.validate();
    if before.is_err() {
        return 2;
    }
    let mut fresh: Vec<Marked> = (0..2000).map(|n| Marked::new(size(n), n as u8)).collect();
    let distinct: BTreeSet<_> = fresh.iter().chain(&*mine).map(|block| block.0.as_ptr()).collect();
    if distinct.len() != fresh.len() + mine.len() {
        return 3;
    }
    fresh.iter().chain(&*mine).for_each(Marked::check);
    fresh.clear();
    mine.clear();
    // Threads of its own, whose stocks are those that ended ones left, or new.
    let ended = beside();
    ALLOC.purge();
    let stats = ALLOC.stats();
    let whole = stats.check_laws().is_ok() && ended;
    if whole && ALLOC.validate().is_ok() { 0 } else { 4 }
}

/// Uses the heap on another thread, and answers whether there was one. By the C library's calls: a thread of
/// std's begins under a lock of std's own, which a thread of the parent may have held at the fork.
fn beside() -> bool {
    extern "C" fn work(_: *mut c_void) -> *mut c_void {
        Marked::new(300, 7).check();
        ptr::null_mut()
    }
    let mut thread = 0;
    // SAFETY: a place for the handle, no attributes, and a function that takes nothing; joined once.
    unsafe {
        libc::pthread_create(&raw mut thread, ptr::null(), work, ptr::null_mut()) == 0
            && libc::pthread_join(thread, ptr::null_mut()) == 0
    }
}

/// The exit status of the child, or `None` where it did not end.
fn wait_for(child: i32) -> Option<i32> {
    let begun = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: a child of this process; a valid place.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if ended == child {
            let exited = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
            return Some(exited.unwrap_or(-status));
        }
        assert_eq!(ended, 0, "{}", io::Error::last_os_error());
        if begun.elapsed() > PATIENCE {
            // SAFETY: a child of this process.
            unsafe { libc::kill(child, libc::SIGKILL) };
            return None;
        }
        thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn children_of_a_process_whose_threads_allocate_find_the_heap_whole() {
    let stop = Arc::new(AtomicBool::new(false));
    let passed = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (stop, passed) = (Arc::clone(&stop), Arc::clone(&passed));
            thread::spawn(move || work(number, &stop, &passed))
        })
        .collect();
    for n in 0..forks() {
        let mut mine: Vec<_> = (0..200).map(|k| Marked::new(size(k + 31 * n), k as u8)).collect();
        // SAFETY: the child calls what works with one thread alone: the allocator, which is what is
        // tested, and threads of its own.
        match unsafe { libc::fork() } {
            -1 => panic!("{}", io::Error::last_os_error()),
            0 => {
                let code = in_child(&mut mine);
                // SAFETY: always right. Nothing else of the parent's is run.
                unsafe { libc::_exit(code) };
            }
            child => assert_eq!(wait_for(child), Some(0), "fork {n} of process {}", process::id()),
        }
    }
    // Relaxed: see `work`.
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    passed.lock().unwrap().iter().for_each(Marked::check);
    ALLOC.validate().expect("the parent's tables are whole");
}

/// A handler that another library named before the heap named its own: it runs with the locks held.
unsafe extern "C" fn allocates() {
    for size in [10, 1000, 100_000, 3_000_000] {
        let layout = Layout::from_size_align(size, 8).expect("small");
        // SAFETY: not of no bytes; freed with the same layout.
        unsafe {
            let block = ALLOC.alloc(layout);
            assert!(!block.is_null());
            ALLOC.dealloc(block, layout);
        }
    }
    ALLOC.flush_thread_cache();
}

/// Names the handler before the process allocates for the first time.
// SAFETY: the loader calls what stands in this section, before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static EARLY: unsafe extern "C" fn() = {
    unsafe extern "C" fn early() {
        // SAFETY: the handler may run at every fork, and the program stays loaded.
        unsafe { libc::pthread_atfork(Some(allocates), Some(allocates), Some(allocates)) };
    }
    early
};
