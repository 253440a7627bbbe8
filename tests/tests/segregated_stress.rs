//! Threads that come and go on the process heap, as the global allocator of this program: frees
//! across threads, thread-locals whose destructors allocate, and code before and after `main`.
#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, ptr, thread};

use strata_segregated::{SegregatedAlloc, class};

#[cfg(not(strata_poison))]
#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// The same, with blocks that are not out poisoned: see ci/san.
#[cfg(strata_poison)]
#[global_allocator]
static ALLOC: poisoned::Poisoned = poisoned::Poisoned;

#[cfg(strata_poison)]
#[path = "support/poisoned.rs"]
mod poisoned;

/// The tests here look at figures of the whole process, so they take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes in blocks, seen from a thread that keeps none ready.
fn allocated() -> usize {
    ALLOC.flush_thread_cache();
    ALLOC.stats().allocated.expect("always counted").0
}

/// What the harness of the tests may keep beside: names, results, its own threads' blocks.
const HARNESS: usize = 256 << 10;

/// Runs `work` and asserts that nothing of it is left.
fn leaves_nothing(work: impl FnOnce()) {
    let before = allocated();
    work();
    let after = allocated();
    assert!(after <= before + HARNESS, "{} bytes are left", after - before);
    ALLOC.validate().expect("valid");
    assert_eq!(ALLOC.stats().check_laws(), Ok(()));
}

/// A sequence of numbers that looks random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// Mostly small, sometimes a run, seldom a chunk.
    fn block(&mut self) -> Vec<u8> {
        let len = match self.roll(1000) {
            0 => (1 << 20) + self.roll(1 << 20),
            1..=9 => (32 << 10) + self.roll(200 << 10),
            10..=99 => 1024 + self.roll(31 << 10),
            _ => 1 + self.roll(1024),
        };
        let mut block = vec![0; len];
        block[0] = len as u8;
        block[len - 1] = len as u8;
        block
    }
}

fn look_at(block: &[u8]) {
    let len = block.len();
    assert!(block[0] == len as u8 && block[len - 1] == len as u8, "nobody else wrote it");
}

/// Keeps some blocks, frees others, and passes every third one to a neighbour.
fn churn(seed: u64, steps: usize, to: &SyncSender<Vec<u8>>, from: &Receiver<Vec<u8>>) {
    let mut dice = Dice(seed);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for step in 0..steps {
        let block = dice.block();
        if step % 3 == 0 {
            // A neighbour that has ended, or has enough, gets none.
            let _ = to.try_send(block);
        } else {
            kept.push(block);
        }
        if kept.len() > 200 {
            let which = dice.roll(kept.len());
            look_at(&kept.swap_remove(which));
        }
        from.try_iter().take(4).for_each(|block| look_at(&block));
        match step % 512 {
            100 => ALLOC.flush_thread_cache(),
            300 => drop(ALLOC.purge()),
            _ => {}
        }
    }
    kept.iter().for_each(|block| look_at(block));
}

/// Lets `threads` churn beside one another, of which number `n` takes `steps(n)` steps.
fn cross(threads: usize, steps: impl Fn(usize) -> usize) {
    let (mut to, from): (Vec<_>, Vec<_>) = (0..threads).map(|_| sync_channel(64)).unzip();
    to.rotate_left(1);
    let threads: Vec<_> = to
        .into_iter()
        .zip(from)
        .enumerate()
        .map(|(n, (to, from))| {
            let steps = steps(n);
            thread::spawn(move || churn(n as u64 + 1, steps, &to, &from))
        })
        .collect();
    // Tables are sound at every moment, not only at the end.
    while threads.iter().any(|thread| !thread.is_finished()) {
        ALLOC.validate().expect("valid while others are at it");
        ALLOC.stats();
        thread::yield_now();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no block was written to"));
}

#[test]
fn blocks_that_cross_threads_all_come_back() {
    let _turn = turn();
    // They end at different times, the first ones while the others are at it.
    leaves_nothing(|| cross(12, |n| 3000 + n * 1500));
}

#[test]
fn blocks_that_cross_sixty_four_threads_all_come_back() {
    let _turn = turn();
    leaves_nothing(|| cross(64, |n| 1000 + n % 7 * 300));
}

#[test]
fn threads_that_touch_every_class_once_leave_nothing_behind() {
    let _turn = turn();
    let touch = || {
        let mut blocks = Vec::with_capacity(class::CLASSES);
        for class in class::all() {
            blocks.push(vec![1_u8; class::block_len(class)]);
        }
        blocks.push(vec![1; 100 << 10]);
    };
    // What the heap keeps for itself is there after the first few.
    (0..8).for_each(|_| thread::spawn(touch).join().expect("touched"));
    let own = |()| ALLOC.stats().metadata.expect("counted").0;
    let before = own(());
    leaves_nothing(|| {
        for _ in 0..25 {
            let eight: Vec<_> = (0..8).map(|_| thread::spawn(touch)).collect();
            eight.into_iter().for_each(|thread| thread.join().expect("touched"));
        }
    });
    // Eight threads' tables of 8 KiB with their stocks' arrays, and no more for two hundred.
    assert!(own(()) <= before + (1 << 20), "{} bytes of tables", own(()) - before);
}

/// Allocates and frees when the thread that has it ends.
struct Late(Vec<String>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.push("late".repeat(100));
        self.0.extend((0..300).map(|n| n.to_string()));
        drop(vec![0_u8; 50_000]);
        LATE.fetch_add(1, Ordering::Relaxed);
    }
}

static LATE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static FIRST: RefCell<Option<Late>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Late>> = const { RefCell::new(None) };
}

fn key(run: unsafe extern "C" fn(*mut c_void)) -> libc::pthread_key_t {
    let mut key = 0;
    // SAFETY: writes the key.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(run)) }, 0);
    key
}

#[test]
fn destructors_at_a_threads_end_may_allocate_in_any_order() {
    /// Frees what it gets, and asks for another round with a new block, as often as it says.
    unsafe extern "C" fn again(value: *mut c_void) {
        // SAFETY: boxed by the test or below.
        let (rounds, key) = *unsafe { Box::from_raw(value.cast::<(u32, libc::pthread_key_t)>()) };
        let words: Vec<String> = (0..200).map(|n| n.to_string().repeat(n)).collect();
        assert_eq!(words.len(), 200);
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        if rounds > 0 {
            let more = Box::into_raw(Box::new((rounds - 1, key)));
            // SAFETY: the key of the test, a value of its kind.
            unsafe { libc::pthread_setspecific(key, more.cast()) };
        }
    }
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);

    let _turn = turn();
    let key = key(again);
    leaves_nothing(|| {
        let threads: Vec<_> = (0..40)
            .map(|n| {
                thread::spawn(move || {
                    // Some are registered before this thread's first allocation, some behind.
                    FIRST.with(|late| *late.borrow_mut() = Some(Late(Vec::new())));
                    let value = Box::into_raw(Box::new((n % 4, key)));
                    // SAFETY: the key of this test, a value of its kind.
                    unsafe { libc::pthread_setspecific(key, value.cast()) };
                    drop(vec![0_u8; 5000]);
                    SECOND.with(|late| *late.borrow_mut() = Some(Late(vec!["x".repeat(70)])));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("ended well"));
    });
    assert_eq!(LATE.load(Ordering::Relaxed), 80);
    // The C library runs four rounds at least.
    assert_eq!(ROUNDS.load(Ordering::Relaxed), 10 * (1 + 2 + 3 + 4));
    // SAFETY: no thread has a value any more.
    unsafe { libc::pthread_key_delete(key) };
}

/// What ran before `main` and left a block.
static EARLY: AtomicPtr<Vec<u8>> = AtomicPtr::new(ptr::null_mut());

extern "C" fn before_main() {
    let lists: Vec<Vec<u8>> = (0..300).map(|n| vec![7; n * 10]).collect();
    let block = lists.into_iter().next_back().expect("there are some");
    EARLY.store(Box::into_raw(Box::new(block)), Ordering::Release);
}

// SAFETY: a constructor as the system calls them; it needs nothing of the standard library's that
// is not there yet.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn after_main() {
    let early = EARLY.swap(ptr::null_mut(), Ordering::Acquire);
    // SAFETY: boxed before `main`, once.
    let early = unsafe { Box::from_raw(early) };
    let text: String = early.iter().map(|byte| char::from(b'0' + byte)).take(3).collect();
    drop(early);
    ALLOC.purge();
    let code = if text == "777" && ALLOC.validate().is_ok() { 42 } else { 1 };
    // SAFETY: nothing else is left to run.
    unsafe { libc::_exit(code) };
}

#[test]
fn blocks_from_before_main_are_freed_after_it() {
    const NAME: &str = "blocks_from_before_main_are_freed_after_it";
    if env::var_os("STRATA_CHILD").is_some() {
        // SAFETY: a function that the program keeps.
        assert_eq!(unsafe { libc::atexit(after_main) }, 0);
        return;
    }
    let status = std::process::Command::new(env::current_exe().expect("a path"))
        .args([NAME, "--exact", "--test-threads=1"])
        .env("STRATA_CHILD", NAME)
        .output()
        .expect("a child")
        .status;
    assert_eq!(status.code(), Some(42), "{status}");
}

#[test]
fn blocks_freed_by_a_thread_that_ends_serve_others() {
    let _turn = turn();
    let layout = Layout::from_size_align(256, 8).expect("small");
    leaves_nothing(|| {
        let mut first = None;
        for _ in 0..20 {
            let blocks: Vec<usize> = (0..2000)
                // SAFETY: not a layout of no bytes.
                .map(|_| unsafe { ALLOC.alloc(layout) }.expose_provenance())
                .collect();
            let free = move || {
                for at in blocks {
                    // SAFETY: allocated above, freed once.
                    unsafe { ALLOC.dealloc(ptr::with_exposed_provenance_mut(at), layout) };
                }
            };
            thread::spawn(free).join().expect("freed");
            let stats = ALLOC.stats();
            let kept = stats.committed.expect("counted").0 - stats.allocated.expect("counted").0;
            // What is kept after the first round, the budget learned from others before.
            let first = *first.get_or_insert(kept);
            // 20 rounds of 500 KiB use the same 500 KiB.
            assert!(kept < first + (4 << 20), "{kept} bytes beside blocks, {first} at first");
        }
    });
}
