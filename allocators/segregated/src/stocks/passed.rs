//! Blocks on their way from threads that only free them to threads that only allocate.
//!
//! Where one thread allocates what another frees, each block would go through its span's bitmap, and
//! both threads would write the lines of the descriptors under the shelf's lock. Instead the addresses
//! change hands as they are, some hundred at once, as in the transfer cache of TCMalloc. Only a thread
//! that frees and frees blocks of one class leaves some here; whoever runs out of that class takes
//! them before it asks the heap.

use core::cell::UnsafeCell;
use core::ptr;

use strata_core::lock::Guarded;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

use super::adapt;
use super::life::are_several;
use crate::class::{self, CLASSES};
use crate::fork::ForkLock;
use crate::process::{self, HEAP};

/// Blocks of one class at most.
const MOST: usize = 512;
/// Blocks that go back to the heap at once.
const CHUNK: usize = 64;
/// Times that blocks may be left for one time that some were wanted.
const ASKED: usize = 4;

/// What there is of one class, on a cache line of its own.
#[repr(align(64))]
struct Passed {
    /// How many blocks. Written under the lock; read without by those who would take some.
    len: AtomicUsize,
    /// How many more times some may be left before somebody takes some: nobody may be about to.
    asked: AtomicUsize,
    /// Who holds it may touch the class's places.
    key: Guarded<Key, ForkLock>,
}

/// Reaches the places of one class.
struct Key(());

static ALL: [Passed; CLASSES] = [const {
    Passed {
        len: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
        key: Guarded::new(ForkLock::new(), Key(())),
    }
}; CLASSES];

/// The blocks of one class. Apart from the rest: memory of it is touched where blocks are passed only.
struct Places(UnsafeCell<[*mut u8; MOST]>);

// SAFETY: the addresses are of blocks in nobody's hand, and are reached by the key.
unsafe impl Sync for Places {}

static PLACES: [Places; CLASSES] =
    [const { Places(UnsafeCell::new([ptr::null_mut(); MOST])) }; CLASSES];

impl Passed {
    /// Calls `work` with the places of `class`, whose entry this is, under the lock.
    fn with<R>(&self, class: usize, work: impl FnOnce(&mut [*mut u8; MOST]) -> R) -> R {
        debug_assert!(ptr::eq(self, &ALL[class]));
        // SAFETY: the key of this class is in hand, so nobody else has a reference.
        self.key.with(|_key| work(unsafe { &mut *PLACES[class].0.get() }))
    }
}

/// Bytes of all blocks here. Relaxed, as every access in here: a sum that is right when nobody is
/// counting, and lengths that the lock orders for those who rely on them.
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Leaves blocks of `class` from the front of `blocks`. Answers how many.
pub(super) fn put(class: usize, blocks: &[*mut u8]) -> usize {
    let asked = ALL[class].asked.load(Ordering::Relaxed);
    if asked == 0 {
        return 0;
    }
    let block_len = class::cut(class).block_len();
    let room =
        adapt::most_passed(HEAP.resident.high()).saturating_sub(BYTES.load(Ordering::Relaxed));
    let passed = &ALL[class];
    passed.with(class, |places| {
        let len = passed.len.load(Ordering::Relaxed);
        let count = blocks.len().min(MOST - len).min(room / block_len);
        places[len..len + count].copy_from_slice(&blocks[..count]);
        passed.len.store(len + count, Ordering::Relaxed);
        passed.asked.store(asked - 1, Ordering::Relaxed);
        BYTES.fetch_add(count * block_len, Ordering::Relaxed);
        count
    })
}

/// Takes blocks of `class` into the front of `out`, those that were left last. Answers how many.
pub(super) fn take(class: usize, out: &mut [*mut u8]) -> usize {
    let passed = &ALL[class];
    // Not even this word is touched in a program of one thread.
    if passed.asked.load(Ordering::Relaxed) != ASKED && are_several() {
        passed.asked.store(ASKED, Ordering::Relaxed);
    }
    if passed.len.load(Ordering::Relaxed) == 0 { 0 } else { take_places(class, out) }
}

fn take_places(class: usize, out: &mut [*mut u8]) -> usize {
    let passed = &ALL[class];
    passed.with(class, |places| {
        let len = passed.len.load(Ordering::Relaxed);
        let count = out.len().min(len);
        out[..count].copy_from_slice(&places[len - count..len]);
        passed.len.store(len - count, Ordering::Relaxed);
        BYTES.fetch_sub(count * class::cut(class).block_len(), Ordering::Relaxed);
        count
    })
}

/// Gives blocks back to the heap, until about `bytes` of them went. Answers how many bytes did.
pub(super) fn flush(bytes: usize) -> usize {
    let mut done = 0;
    for (class, passed) in ALL.iter().enumerate() {
        let mut chunk = [ptr::null_mut(); CHUNK];
        while done < bytes && passed.len.load(Ordering::Relaxed) != 0 {
            passed.asked.store(0, Ordering::Relaxed);
            let count = take_places(class, &mut chunk);
            process::flush(class, &chunk[..count]);
            done += count * class::cut(class).block_len();
        }
    }
    done
}

/// Takes all locks.
pub(super) fn hold() {
    ALL.iter().for_each(|passed| passed.key.hold());
}

/// Opens all locks.
///
/// # Safety
///
/// 1. This thread took them by [`hold`], or is that thread in a child of its process.
pub(super) unsafe fn let_go() {
    // SAFETY: 1. the caller's.
    ALL.iter().for_each(|passed| unsafe { passed.key.let_go() });
}

/// Calls back with the class and number of the blocks here; racy.
pub(super) fn each(mut visit: impl FnMut(usize, usize)) {
    for (class, passed) in ALL.iter().enumerate() {
        visit(class, passed.len.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_left_where_some_were_wanted_and_are_there_once() {
        let class = (0..CLASSES).find(|class| class::cut(*class).block_len() == 64).unwrap();
        let mut blocks = [ptr::null_mut(); 8];
        let before = HEAP.shelves[class].live();
        assert_eq!(HEAP.refill(class, &mut blocks).0, 8);
        HEAP.resident.mark();

        assert_eq!(put(class, &blocks), 0, "nobody wanted any");
        ALL[class].asked.store(1, Ordering::Relaxed);
        assert_eq!(put(class, &blocks), 8);
        assert_eq!(put(class, &blocks), 0, "so many were not wanted");

        let mut taken = [ptr::null_mut(); 3];
        assert_eq!(take(class, &mut taken), 3);
        assert_eq!(taken, blocks[5..], "those that were left last");
        let mut left = 0;
        each(|at, count| left += if at == class { count } else { 0 });
        assert_eq!(left, 5);

        assert_eq!(flush(usize::MAX), 5 * 64);
        assert_eq!(HEAP.shelves[class].live(), before + 3);
        assert_eq!(take(class, &mut taken), 0);
        HEAP.flush(class, &blocks[5..]);
        assert_eq!(HEAP.shelves[class].live(), before);
        assert_eq!(BYTES.load(Ordering::Relaxed), 0);
    }
}
