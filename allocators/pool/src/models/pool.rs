//! Magazines over chunks.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::lock::SpinLock;
use strata_core::sync::{AtomicUsize, Ordering, thread};

use super::{PAGE, Pages, explore_long};
use crate::block_pool::BlockPool;
use crate::cache::Cache;
use crate::config::Config;

type Blocks = BlockPool<Pages, SpinLock>;

/// A pool of long blocks, with magazines of one.
fn pool(keep_empty: usize) -> Arc<Blocks> {
    let config = Config::new().magazine(1).keep_empty(keep_empty).hoard(64);
    let layout = Layout::from_size_align(PAGE, 8).unwrap();
    Arc::new(Blocks::with_source(layout, Pages, config).unwrap())
}

/// Stands for the contents of all blocks: loom sees no plain memory, and would not try both orders
/// of two threads' accesses to it otherwise.
fn write(at: NonNull<u8>, marks: &AtomicUsize) {
    // Relaxed: no partner; it orders nothing on purpose.
    marks.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a block of ours.
    unsafe { at.write(0xa5) };
}

fn check(at: NonNull<u8>, marks: &AtomicUsize) {
    // Relaxed: as above.
    marks.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a block of ours, which was written.
    assert_eq!(unsafe { at.read() }, 0xa5, "nobody purged or took a live block");
    // SAFETY: as above.
    unsafe { at.write(0) };
}

/// A cache that one thread has.
struct Mine(NonNull<Cache>);
// SAFETY: claimed, so one thread's at a time.
unsafe impl Send for Mine {}

impl Mine {
    fn claim(pool: &Blocks) -> Self {
        Self(pool.claim_cache().expect("memory for a cache"))
    }

    fn take(&self, pool: &Blocks) -> NonNull<u8> {
        // SAFETY: claimed, and the pool is there.
        pool.take(unsafe { self.0.as_ref() }).expect("there is memory")
    }

    fn put(&self, pool: &Blocks, block: NonNull<u8>) {
        // SAFETY: claimed, and the pool is there. 1. from this pool, used no more.
        unsafe { pool.put(self.0.as_ref(), block) };
    }

    /// Takes blocks and puts them back.
    fn work(&self, pool: &Blocks, marks: &AtomicUsize, count: usize) {
        let blocks: Vec<_> = (0..count).map(|_| self.take(pool)).collect();
        blocks.iter().for_each(|block| write(*block, marks));
        for block in blocks {
            check(block, marks);
            self.put(pool, block);
        }
    }
}

/// What must hold once one thread is left.
fn finish(pool: Arc<Blocks>) {
    let mut pool = Arc::into_inner(pool).expect("the other thread is done");
    assert_eq!(pool.validate_all().map_err(|broken| broken.law()), Ok(()));
    assert_eq!(pool.stats().live, 0);
    pool.trim(0);
    assert_eq!(pool.stats().capacity, 0);
}

#[test]
fn two_caches_take_and_put_through_the_depot_and_nothing_is_lost() {
    explore_long(|| {
        let (pool, marks) = (pool(4), Arc::new(AtomicUsize::new(0)));
        let (mine, theirs) = (Mine::claim(&pool), Mine::claim(&pool));
        // Mine has as many as it holds: the next one that comes goes to the depot.
        mine.work(&pool, &marks, 3);
        let block = pool.allocate().unwrap();
        write(block, &marks);
        let (other, their_marks) = (Arc::clone(&pool), Arc::clone(&marks));
        let thread = thread::spawn(move || theirs.work(&other, &their_marks, 1));
        check(block, &marks);
        mine.put(&pool, block);
        thread.join().unwrap();
        finish(pool);
    });
}

#[test]
fn a_block_that_another_thread_puts_back() {
    explore_long(|| {
        let (pool, marks) = (pool(4), Arc::new(AtomicUsize::new(0)));
        let (mine, theirs) = (Mine::claim(&pool), Mine::claim(&pool));
        let block = mine.take(&pool);
        write(block, &marks);
        let passed = block.as_ptr().expose_provenance();
        let (other, their_marks) = (Arc::clone(&pool), Arc::clone(&marks));
        let thread = thread::spawn(move || {
            let block = NonNull::new(core::ptr::with_exposed_provenance_mut(passed)).unwrap();
            check(block, &their_marks);
            theirs.put(&other, block);
            theirs.work(&other, &their_marks, 1);
        });
        mine.work(&pool, &marks, 1);
        thread.join().unwrap();
        finish(pool);
    });
}

#[test]
fn a_chunk_retires_while_another_thread_takes_from_the_pool() {
    explore_long(|| {
        let (pool, marks) = (pool(0), Arc::new(AtomicUsize::new(0)));
        let block = pool.allocate().unwrap();
        write(block, &marks);
        let (other, theirs) = (Arc::clone(&pool), Arc::clone(&marks));
        let thread = thread::spawn(move || {
            let mine = other.allocate().unwrap();
            write(mine, &theirs);
            check(mine, &theirs);
            // SAFETY: 1. from this pool, used no more.
            unsafe { other.deallocate(mine) };
        });
        check(block, &marks);
        // SAFETY: 1. from this pool, used no more. Its chunk is empty then, unless the other has one.
        unsafe { pool.deallocate(block) };
        thread.join().unwrap();
        finish(pool);
    });
}

#[test]
fn a_trim_never_takes_memory_of_a_block_that_is_out() {
    explore_long(|| {
        let (pool, marks) = (pool(4), Arc::new(AtomicUsize::new(0)));
        let kept = pool.allocate().unwrap();
        write(kept, &marks);
        let other = Arc::clone(&pool);
        let thread = thread::spawn(move || {
            other.trim(0);
        });
        let more = pool.allocate().unwrap();
        write(more, &marks);
        thread.join().unwrap();
        for block in [kept, more] {
            check(block, &marks);
            // SAFETY: 1. from this pool, used no more.
            unsafe { pool.deallocate(block) };
        }
        finish(pool);
    });
}

#[test]
fn what_a_thread_left_is_claimed_once() {
    explore_long(|| {
        let (pool, marks) = (pool(4), Arc::new(AtomicUsize::new(0)));
        // A thread that ended left a cache with a block in it.
        let left = pool.claim_cache().unwrap();
        // SAFETY: claimed, and the pool is there.
        let left = unsafe { left.as_ref() };
        let block = pool.take(left).unwrap();
        write(block, &marks);
        check(block, &marks);
        // SAFETY: 1. from this pool, used no more.
        unsafe { pool.put(left, block) };
        left.leave();
        let (other, theirs) = (Arc::clone(&pool), Arc::clone(&marks));
        let thread = thread::spawn(move || Mine::claim(&other).work(&other, &theirs, 1));
        pool.adopt();
        thread.join().unwrap();
        finish(pool);
    });
}
