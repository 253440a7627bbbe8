//! The profiler against what programs are known to do, in the real process heap.
#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use strata_segregated::SegregatedAlloc;
use strata_segregated::profile::{self, Options, Profile, Total, View};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// One profile at a time: there is one in the process.
struct Profiled(#[expect(dead_code, reason = "a lock")] MutexGuard<'static, ()>);

impl Profiled {
    fn at(rate: usize) -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        profile::start(Options::default().rate(rate)).unwrap();
        Self(guard)
    }

    fn total(&self, view: View) -> Total {
        profile::take().unwrap().total(view)
    }
}

impl Drop for Profiled {
    fn drop(&mut self) {
        assert!(profile::stop());
        ALLOC.validate().unwrap();
        ALLOC.stats().check_laws().unwrap();
    }
}

/// Whether an estimate is within `deviations` of its standard deviations of what is true, where all requests
/// are of `bytes` and the rate is `rate`.
fn is_near(estimate: u64, exact: u64, bytes: u64, rate: u64, deviations: f64) -> bool {
    let (exact, bytes, rate) = (exact as f64, bytes as f64, rate as f64);
    let sampled = -(bytes * (-1.0 / rate).ln_1p()).exp_m1();
    let deviation = (exact * bytes * (1.0 / sampled - 1.0)).sqrt();
    (estimate as f64 - exact).abs() <= deviations * deviation + exact / 1000.0
}

#[test]
fn with_a_rate_of_one_everything_is_exact() {
    let profiled = Profiled::at(1);
    let before = [View::Allocated, View::Live].map(|view| profiled.total(view));
    let between = profiled.total(View::Allocated).bytes - before[0].bytes;
    let mut kept: Vec<Box<[u8]>> = Vec::with_capacity(1000);
    for n in 1..=1000 {
        let zeroes = vec![0_u8; n];
        assert!(zeroes.iter().all(|byte| *byte == 0));
        kept.push(zeroes.into_boxed_slice());
    }
    kept.retain(|block| block.len() % 2 == 0);
    let after = [View::Allocated, View::Live].map(|view| profiled.total(view));
    // What `take` itself requests is about as much each time.
    let slack = between + between / 2 + 4096;
    let allocated = after[0].bytes - before[0].bytes;
    let exact = 1000 * 1001 / 2 + 1000 * 16;
    assert!((exact..exact + 4 * slack).contains(&allocated), "{allocated} of {exact}");
    let live = after[1].bytes - before[1].bytes;
    let exact = 500 * 501 + 1000 * 16;
    assert!((exact..exact + slack).contains(&live), "{live} of {exact}");
    drop(kept);
    let live = profiled.total(View::Live).bytes;
    assert!(live < before[1].bytes + slack, "{live} after all");
}

#[test]
fn cached_pairs_are_all_in_the_allocated_view() {
    const RATE: usize = 64 << 10;
    let pairs: u64 = if cfg!(debug_assertions) { 5_000_000 } else { 20_000_000 };
    let profiled = Profiled::at(RATE);
    let layout = Layout::new::<[u64; 8]>();
    for _ in 0..pairs {
        // SAFETY: not of zero size; freed once, with its layout.
        unsafe {
            let block = black_box(ALLOC.alloc(layout));
            ALLOC.dealloc(block, layout);
        }
    }
    let (all, live) = (profiled.total(View::Allocated), profiled.total(View::Live));
    assert!(is_near(all.bytes, 64 * pairs, 64, RATE as u64, 5.0), "{all:?} of {}", 64 * pairs);
    assert!(live.bytes < 1 << 20, "all were freed: {live:?}");
}

/// A block that was sampled, freed, and is another request's now counts no more: the sums stay right however
/// long blocks go round.
#[test]
fn blocks_that_go_round_are_live_once() {
    const RATE: usize = 1 << 10;
    let profiled = Profiled::at(RATE);
    let before = profiled.total(View::Live).bytes;
    let mut random = 1_u64;
    let mut live: Vec<Box<[u8; 64]>> = (0..20_000).map(|_| Box::new([0; 64])).collect();
    for _ in 0..if cfg!(debug_assertions) { 300_000 } else { 2_000_000 } {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (random >> 33) as usize % live.len();
        // A short-lived one of the same class first: the long-lived one often gets its block.
        drop(black_box(Box::new([1_u8; 64])));
        live[at] = black_box(Box::new([0; 64]));
    }
    let exact = 20_000 * (64 + 8);
    let found = profiled.total(View::Live).bytes - before;
    assert!(is_near(found, exact, 64, RATE as u64, 6.0), "{found} of {exact}");
}

#[test]
fn blocks_freed_by_other_threads_are_gone() {
    let profiled = Profiled::at(256);
    let before = profiled.total(View::Live).bytes;
    let (send, receive) = mpsc::sync_channel::<Vec<Box<[u64; 5]>>>(4);
    let other = std::thread::spawn(move || {
        let mut freed = 0;
        for batch in receive {
            freed += batch.len();
            drop(batch);
            // And some of them are its own then.
            drop(black_box((0..100).map(|n| Box::new([n; 5])).collect::<Vec<_>>()));
        }
        freed
    });
    for _ in 0..200 {
        send.send((0..500).map(|n| Box::new([n; 5])).collect()).unwrap();
    }
    drop(send);
    assert_eq!(other.join().unwrap(), 100_000);
    let after = profiled.total(View::Live).bytes;
    // What is left is what a thread's end leaves, and the samples of `take`.
    assert!(after < before + (256 << 10), "{before} B, then {after} B");
}

#[test]
fn large_blocks_are_exact() {
    let profiled = Profiled::at(16 << 10);
    let before = profiled.total(View::Live).bytes;
    // Small samples of before may go meanwhile, and new ones come.
    let near = |bytes: u64, exact: u64| bytes.abs_diff(exact) < 200 << 10;
    let mut kept: Vec<Vec<u8>> = (0..20).map(|_| Vec::with_capacity(2 << 20)).collect();
    let live = profiled.total(View::Live).bytes - before;
    assert!(near(live, 40 << 20), "{live}");
    for block in &mut kept[..10] {
        block.reserve_exact(6 << 20);
    }
    let live = profiled.total(View::Live).bytes - before;
    assert!(near(live, 80 << 20), "after growing: {live}");
    for _ in 0..100 {
        // The same block, from the thread's slot.
        drop(black_box(vec![0_u8; 1 << 20]));
    }
    kept.truncate(5);
    let live = profiled.total(View::Live).bytes - before;
    assert!(near(live, 30 << 20), "after freeing: {live}");
    drop(kept);
    let live = profiled.total(View::Live).bytes.saturating_sub(before);
    assert!(near(live, 0), "at the end: {live}");
}

#[inline(never)]
fn leaks(kept: &mut Vec<Vec<u8>>) {
    kept.push(black_box(vec![1; 300]));
}

#[inline(never)]
fn does_not(round: usize) {
    let lines: Vec<_> = (0..20).map(|line| vec![2_u8; 100 + line + round % 7]).collect();
    black_box(lines);
}

/// Nothing but the profile is asked.
#[test]
fn a_leak_is_found_by_the_profile_alone() {
    let profiled = Profiled::at(4 << 10);
    let mut kept = Vec::new();
    for round in 0..5000 {
        leaks(&mut kept);
        does_not(round);
    }
    let taken: Profile = profile::take().unwrap();
    drop(profiled);
    let in_function = |frames: &[usize], function: usize| {
        frames.iter().any(|address| (function..function + 512).contains(address))
    };
    let sum = |view, function: usize| -> u64 {
        let rows = taken.rows().filter(|row| in_function(row.frames, function));
        rows.map(|row| row.total(view).bytes).sum()
    };
    let (leaky, fine) = (leaks as *const () as usize, does_not as *const () as usize);
    let (leaked, others) = (sum(View::Live, leaky), sum(View::Live, fine));
    assert!((1_200_000..1_900_000).contains(&leaked), "{leaked} of 1500000");
    assert!(others < leaked / 20, "{others}");
    assert!(sum(View::Allocated, fine) > 4 * leaked, "the most is requested where nothing leaks");
}

/// The start of everybody's profile, stops, and takes, while threads allocate and end.
#[test]
fn threads_begin_end_and_allocate_while_profiles_come_and_go() {
    let profiled = Profiled::at(512);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 0..3_usize {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let inner = std::thread::spawn(move || {
                        let all =
                            (0..2000_usize).map(|n| vec![n as u8; (n * (seed + 7)) % 5000 + 1]);
                        let kept: Vec<_> = all.filter(|block| block.len() % 3 == 0).collect();
                        assert!(
                            kept.iter().all(|block| block.iter().all(|byte| *byte == block[0]))
                        );
                        kept
                    });
                    drop(inner.join().unwrap());
                }
            });
        }
        for rate in [1, 100, 4096, 1 << 20, 64].into_iter().cycle().take(60) {
            assert!(profile::stop() && !profile::is_running());
            profile::start(Options::default().rate(rate)).unwrap();
            let taken = profile::take().unwrap();
            assert_eq!(taken.rate(), rate);
            taken.write_folded(View::Live, &mut std::io::sink()).unwrap();
            taken.write_pprof(&mut std::io::sink()).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    drop(profiled);
}

mod system {
    use std::ffi::c_int;
    unsafe extern "C" {
        pub(super) fn fork() -> c_int;
        pub(super) fn waitpid(child: c_int, status: *mut c_int, flags: c_int) -> c_int;
        pub(super) fn _exit(status: c_int) -> !;
        pub(super) fn signal(number: c_int, handler: extern "C" fn(c_int)) -> usize;
        pub(super) fn getpid() -> c_int;
        pub(super) fn kill(process: c_int, number: c_int) -> c_int;
    }
    pub(super) const SIGUSR2: c_int = 12;
}

#[test]
fn a_child_of_a_fork_goes_on_with_its_own_profile() {
    let profiled = Profiled::at(128);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(black_box((0..50).map(|n| vec![0_u8; n * 40 + 1]).collect::<Vec<_>>()));
            }
        });
        let kept: Vec<_> = (0..1000).map(|_| Box::new([0_u8; 100])).collect();
        for _ in 0..20 {
            // SAFETY: the child calls what the heap allows there, and ends by `_exit`.
            let child = unsafe { system::fork() };
            if child == 0 {
                let before = profile::take().map(|taken| taken.total(View::Live).bytes);
                let more: Vec<_> = (0..1000).map(|_| Box::new([0_u8; 100])).collect();
                let after = profile::take().map(|taken| taken.total(View::Live).bytes);
                let grew =
                    matches!((before, after), (Ok(before), Ok(after)) if after > before + 50_000);
                drop(more);
                let ok = grew && ALLOC.validate().is_ok();
                // SAFETY: ends the child.
                unsafe { system::_exit(if ok { 0 } else { 1 }) };
            }
            let mut status = 0;
            // SAFETY: the child, and a place for its status.
            assert_eq!(unsafe { system::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child found something wrong");
        }
        assert_eq!(kept.len(), 1000);
        stop.store(true, Ordering::Relaxed);
    });
    drop(profiled);
}

#[test]
fn signals_may_interrupt_the_profiler() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_number: i32) {
        SEEN.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: a handler that only counts.
    unsafe { system::signal(system::SIGUSR2, count) };
    let profiled = Profiled::at(256);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: a signal to this process, which has a handler for it.
                unsafe { system::kill(system::getpid(), system::SIGUSR2) };
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        });
        let mut rounds = 0;
        while SEEN.load(Ordering::Relaxed) < 300 {
            let blocks: Vec<_> = (0..200).map(|n| vec![0_u8; n * 9 + 1]).collect();
            black_box(blocks);
            rounds += 1;
            if rounds % 100 == 0 {
                profile::take().unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    drop(profiled);
}
