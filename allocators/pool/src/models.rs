//! Loom explores the shipped protocols: the bitmap of static pools, the depot, magazines, caches that
//! are left and claimed, chunks that retire; also with a thread that stops for ever at each step.
//!
//! Blocks are watched by cells that loom tracks: two owners at once, or an owner that does not see
//! what the one before did, is reported whatever the values are. The chunks' lock is a lock: who stops
//! inside it stops the others, which only the lock-free parts are free from; they are stopped here.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::lock::SpinLock;
use strata_core::source::rounded_len;
use strata_core::sync::{AtomicUsize, Ordering, UnsafeCell, model, stopped_after, thread};
use strata_core::{Chunk, Contents, Exhausted, Source};

use crate::block_pool::BlockPool;
use crate::cache::Cache;
use crate::config::Config;
use crate::depot::{Depot, MagazineId};
use crate::static_pool::Bits;

const PAGE: usize = 4096;

/// Memory of the test's own allocator.
#[derive(Debug)]
struct Pages;

// SAFETY: 1. and 2. the allocator's. 3. fresh memory is zero, and so is purged memory.
unsafe impl Source for Pages {
    type Address = NonNull<u8>;
    const ZEROED: bool = true;
    const PURGES: bool = true;

    fn granule(&self) -> usize {
        PAGE
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, PAGE)?;
        let layout = Layout::from_size_align(len, PAGE).map_err(|_| Exhausted)?;
        // SAFETY: not a layout of no bytes.
        let at = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(Exhausted)?;
        // SAFETY: 1. fresh. 2. and 3. the allocator's.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        if let Ok(layout) = Layout::from_size_align(chunk.len(), PAGE) {
            // SAFETY: allocated with this layout, used by nobody.
            unsafe { std::alloc::dealloc(chunk.base().as_ptr(), layout) };
        }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // SAFETY: the caller's range.
        unsafe { at.write_bytes(0, len) };
        Contents::Zero
    }
}

/// Explores `work`; what it builds is more than loom's first stack and bounds hold.
fn explore(work: impl Fn() + Sync + Send + 'static) {
    explore_within(model::Builder::new(), work);
}

/// Explores `work` of many steps, with fewer preemptions where their number is bounded.
fn explore_long(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.map(|most| most.min(2));
    explore_within(builder, work);
}

fn explore_within(mut builder: model::Builder, work: impl Fn() + Sync + Send + 'static) {
    builder.max_branches = 100_000;
    let work = Arc::new(work);
    builder.check(move || {
        let work = Arc::clone(&work);
        let roomy = thread::Builder::new().stack_size(1 << 20).spawn(move || work());
        roomy.expect("a thread").join().expect("its model");
    });
}

// The bitmap of static pools.

/// Slots, and a cell for each that its owner alone may touch.
struct Slots<const N: usize, const WORDS: usize> {
    bits: Bits<WORDS>,
    cells: Vec<UnsafeCell<u32>>,
}

// SAFETY: cells are touched by owners only: that is what the models check.
unsafe impl<const N: usize, const WORDS: usize> Sync for Slots<N, WORDS> {}
// SAFETY: as above.
unsafe impl<const N: usize, const WORDS: usize> Send for Slots<N, WORDS> {}

impl<const N: usize, const WORDS: usize> Slots<N, WORDS> {
    fn new() -> Arc<Self> {
        let cells = (0..N).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Self { bits: Bits::new(), cells })
    }

    fn take(&self) -> Option<usize> {
        let slot = self.bits.take(N, 0)?;
        // SAFETY: the slot is ours; loom reports it if it is somebody else's too.
        self.cells[slot].with_mut(|cell| unsafe { *cell += 1 });
        Some(slot)
    }

    fn put(&self, slot: usize) {
        // SAFETY: as above.
        self.cells[slot].with_mut(|cell| unsafe { *cell += 1 });
        assert!(self.bits.put(slot, N).is_ok());
    }
}

#[test]
fn two_threads_and_one_slot_never_have_it_at_once() {
    explore(|| {
        let slots = Slots::<1, 1>::new();
        let other = Arc::clone(&slots);
        let thread = thread::spawn(move || other.take().map(|slot| other.put(slot)).is_some());
        let mine = slots.take().map(|slot| slots.put(slot)).is_some();
        assert!(thread.join().unwrap() | mine, "one of them found it");
        assert_eq!(slots.take(), Some(0), "the hint is right when all is quiet");
        assert_eq!(slots.take(), None);
    });
}

#[test]
fn a_word_that_fills_while_a_slot_comes_back_is_not_hidden() {
    explore(|| {
        let slots = Slots::<2, 1>::new();
        let first = slots.take().unwrap();
        let other = Arc::clone(&slots);
        let thread = thread::spawn(move || other.put(first));
        let mine = slots.take();
        thread.join().unwrap();
        assert!(mine.is_some());
        assert!(slots.take().is_some(), "the one that came back");
        assert!(slots.take().is_none());
    });
}

#[test]
fn a_thread_that_stops_for_ever_in_a_static_pool_costs_one_slot_at_most() {
    for steps in 0..14 {
        explore(move || {
            let slots = Slots::<3, 1>::new();
            let other = Arc::clone(&slots);
            let thread = thread::spawn(move || {
                stopped_after(steps, || {
                    let slot = other.bits.take(3, 0);
                    if let Some(slot) = slot {
                        let _ = other.bits.put(slot, 3);
                    }
                })
            });
            let mine = slots.take();
            let ended = thread.join().unwrap().is_some();
            assert!(mine.is_some(), "there was room for both");
            let more = core::iter::from_fn(|| slots.take()).count();
            assert!(more == 2 || !ended && more == 1, "{more} more");
        });
    }
}

// The depot.

/// A depot with its magazines, and a cell for each that its owner alone may touch.
struct Shared {
    depot: Depot,
    cells: [UnsafeCell<u32>; 3],
}

// SAFETY: magazines and cells are touched by owners only: that is what the models check.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    /// Magazines 0 and 1 full, 2 empty.
    fn new() -> Arc<Self> {
        let depot = Depot::new(2);
        // SAFETY: 1. nobody else has the depot.
        let ids = unsafe { depot.magazines.grow(&Pages) }.unwrap();
        for id in ids.take(3) {
            // SAFETY: 1. fresh.
            unsafe { depot.make(id) };
        }
        let shared = Arc::new(Self { depot, cells: [0, 1, 2].map(|_| UnsafeCell::new(0)) });
        for id in 0..2 {
            shared.put_full(id);
        }
        shared.depot.put_empty(2);
        shared
    }

    fn touch(&self, id: MagazineId) {
        // SAFETY: the magazine is the caller's; loom reports it if it is somebody else's too.
        self.cells[id as usize].with_mut(|cell| unsafe { *cell += 1 });
    }

    fn put_full(&self, id: MagazineId) {
        self.touch(id);
        self.depot.set_len(id, 2);
        self.depot.put_full(id);
    }

    fn take_full(&self) -> Option<MagazineId> {
        let id = self.depot.take_full()?;
        self.touch(id);
        assert_eq!(self.depot.len(id), 2, "what its last owner wrote");
        Some(id)
    }

    /// Gives the tables back.
    fn end(self: Arc<Self>) {
        let mut shared = Arc::into_inner(self).expect("the other threads are done");
        // SAFETY: 1. and 2. the model ends.
        unsafe { shared.depot.magazines.release(&Pages) };
    }
}

#[test]
fn a_magazine_that_goes_out_and_comes_back_has_one_owner_at_a_time() {
    explore(|| {
        let shared = Shared::new();
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let taken = other.take_full();
            if let Some(id) = taken {
                other.put_full(id);
            }
            other.take_full()
        });
        let mine = shared.take_full();
        let theirs = thread.join().unwrap();
        let rest: Vec<_> = core::iter::from_fn(|| shared.take_full()).collect();
        let all: BTreeSet<_> = rest.into_iter().chain(mine).chain(theirs).collect();
        assert_eq!(all.len(), 2, "none lost, none twice");
        shared.end();
    });
}

#[test]
fn a_full_magazine_is_exchanged_for_an_empty_one_from_both_sides() {
    explore(|| {
        let shared = Shared::new();
        let other = Arc::clone(&shared);
        // A consumer fills the empty one; a producer empties a full one.
        let thread = thread::spawn(move || {
            if let Some(id) = other.depot.take_empty() {
                other.put_full(id);
            }
        });
        if let Some(id) = shared.take_full() {
            shared.touch(id);
            shared.depot.set_len(id, 0);
            shared.depot.put_empty(id);
        }
        thread.join().unwrap();
        let full = core::iter::from_fn(|| shared.take_full()).count();
        let empty = core::iter::from_fn(|| shared.depot.take_empty()).count();
        assert_eq!(full + empty, 3);
        assert_eq!(shared.depot.fulls(), 0);
        shared.end();
    });
}

#[test]
fn a_thread_that_stops_for_ever_in_the_depot_costs_one_magazine_at_most() {
    for steps in 0..12 {
        explore(move || {
            let shared = Shared::new();
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                stopped_after(steps, || {
                    if let Some(id) = other.depot.take_full() {
                        other.depot.put_full(id);
                    }
                })
            });
            let mine = shared.take_full();
            let ended = thread.join().unwrap().is_some();
            let rest = core::iter::from_fn(|| shared.take_full()).count();
            let found = rest + usize::from(mine.is_some());
            assert!(found == 2 || !ended && found == 1, "{found}");
            shared.end();
        });
    }
}

// Magazines over chunks.

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
