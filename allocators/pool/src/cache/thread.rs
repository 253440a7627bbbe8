//! Which cache is this thread's, found by the number of the pool; and the end of a thread.
//!
//! Each thread has a table of a few slots, in which a pool finds the cache that the thread used last
//! for it: one load and one compare. All caches that a thread has are in a list besides. When the
//! thread ends they are left to their pools, full as they are: the next thread that comes takes one
//! over, and a pool that would need new memory empties them first. When a pool ends it takes its
//! caches out of the lists of all threads; its number is never given again, so that what is left
//! in slots is never followed.

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use strata_core::Source;
use strata_core::lock::{Guarded, RawLock};
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::library;
use strata_os::thread::ExitHook;

use super::Cache;
use crate::block_pool::BlockPool;
use crate::system::SystemLock;

/// Slots of a thread; a power of two. Pools whose numbers agree in the low bits share one.
const SLOTS: usize = 32;
/// The number of no pool.
const NO_POOL: usize = usize::MAX;
/// Exits after which a thread gets caches again: less than the rounds of destructors that the C
/// library runs.
const REARMS: u8 = 2;

/// A cache's place in the list of its thread. Reached under the registry's lock.
#[derive(Debug)]
pub(crate) struct Membership {
    /// The number of the cache's pool.
    pool: Cell<usize>,
    thread: Cell<*const Local>,
    next: Cell<*const Cache>,
    prev: Cell<*const Cache>,
}

impl Membership {
    pub(crate) fn new() -> Self {
        Self {
            pool: Cell::new(NO_POOL),
            thread: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
        }
    }
}

#[derive(Debug)]
struct Slot {
    pool: Cell<usize>,
    cache: Cell<*const Cache>,
}

/// A thread's own words.
#[derive(Debug)]
struct Local {
    slots: [Slot; SLOTS],
    /// The first of the thread's caches. Reached under the registry's lock.
    first: Cell<*const Cache>,
    phase: Cell<Phase>,
    /// How often the exit hook ran: a thread that allocates in the last rounds of destructors gets
    /// no caches any more, for nobody would take them back.
    exits: Cell<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    /// The exit hook is being armed, in which the C library may allocate: no caches for that.
    Arming,
    Armed,
    /// No caches, for good.
    Ended,
}

std::thread_local! {
    static LOCAL: Local = const {
        Local {
            slots: [const { Slot { pool: Cell::new(NO_POOL), cache: Cell::new(ptr::null()) } }; SLOTS],
            first: Cell::new(ptr::null()),
            phase: Cell::new(Phase::Fresh),
            exits: Cell::new(0),
        }
    };
}

/// The lock of all lists.
static REGISTRY: Guarded<(), SystemLock> = Guarded::new(SystemLock::new(), ());
static HOOK: ExitHook = ExitHook::new(thread_ends);
/// The number of the next pool.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A number that no pool has or had.
fn next_number() -> usize {
    // Relaxed: only different numbers matter. Stops short of `NO_POOL`.
    let next = |n: usize| (n < NO_POOL - 1).then_some(n + 1);
    NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(NO_POOL)
}

/// This thread's cache of the pool with that number, if its slot has it.
#[inline(always)]
pub(crate) fn find(pool: usize) -> Option<NonNull<Cache>> {
    LOCAL.with(|local| {
        let slot = &local.slots[pool % SLOTS];
        (slot.pool.get() == pool).then(|| {
            // SAFETY: a slot with a pool's number has a cache.
            unsafe { NonNull::new_unchecked(slot.cache.get().cast_mut()) }
        })
    })
}

/// This thread's cache of a pool, made where it has none; `None` where it cannot have one.
#[cold]
#[inline(never)]
pub(crate) fn find_slow<S, L>(pool: &BlockPool<S, L>) -> Option<NonNull<Cache>>
where
    S: Source<Address = NonNull<u8>>,
    L: RawLock,
{
    LOCAL.with(|local| {
        if local.phase.get() == Phase::Fresh {
            arm(local);
        }
        if local.phase.get() != Phase::Armed {
            return None;
        }
        let number = number_of(pool)?;
        let cache = match search(local, number) {
            Some(cache) => cache,
            None => {
                let cache = pool.claim_cache()?;
                join(local, cache, number);
                cache
            }
        };
        let slot = &local.slots[number % SLOTS];
        slot.cache.set(cache.as_ptr());
        slot.pool.set(number);
        Some(cache)
    })
}

/// The number of a pool, given at its first use.
fn number_of<S, L>(pool: &BlockPool<S, L>) -> Option<usize>
where
    S: Source<Address = NonNull<u8>>,
    L: RawLock,
{
    // Relaxed, all: the number says nothing about other memory.
    let number = pool.number.load(Ordering::Relaxed);
    if number != 0 {
        return (number != NO_POOL).then_some(number);
    }
    let fresh = next_number();
    let number = match pool.number.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed)
    {
        Ok(_) => fresh,
        Err(number) => number,
    };
    (number != NO_POOL).then_some(number)
}

/// Has the exit hook called when this thread ends.
fn arm(local: &Local) {
    local.phase.set(Phase::Arming);
    static PINNED: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: pinning twice does no harm.
    if PINNED.load(Ordering::Relaxed) == 0 {
        PINNED.store(1, Ordering::Relaxed);
        // SAFETY: the object that this code is in stays loaded during the call.
        unsafe { library::pin_self((&raw const HOOK).cast()) };
    }
    // SAFETY: the hook does not look at its value, and the code stays: pinned.
    let armed = unsafe { HOOK.arm(NonNull::from(local).cast::<c_void>()) };
    local.phase.set(if armed { Phase::Armed } else { Phase::Fresh });
}

/// A cache among this thread's.
fn search(local: &Local, pool: usize) -> Option<NonNull<Cache>> {
    REGISTRY.with(|()| {
        let mut at = local.first.get();
        // SAFETY: members of a list are there until they leave it, under this lock.
        while let Some(cache) = unsafe { at.as_ref() } {
            if cache.links.pool.get() == pool {
                return Some(NonNull::from(cache));
            }
            at = cache.links.next.get();
        }
        None
    })
}

/// Enters a cache that was just claimed in this thread's list.
fn join(local: &Local, cache: NonNull<Cache>, pool: usize) {
    // SAFETY: claimed, in a pool that is borrowed.
    let links = unsafe { &cache.as_ref().links };
    REGISTRY.with(|()| {
        let first = local.first.get();
        links.pool.set(pool);
        links.thread.set(local);
        links.prev.set(ptr::null());
        links.next.set(first);
        // SAFETY: members of a list are there until they leave it, under this lock.
        if let Some(first) = unsafe { first.as_ref() } {
            first.links.prev.set(cache.as_ptr());
        }
        local.first.set(cache.as_ptr());
    });
}

/// Takes a cache out of its thread's list, if it is in one. The caller holds the registry's lock.
fn part(cache: &Cache) {
    let links = &cache.links;
    // SAFETY: a thread whose list has a member has not ended: it would have left.
    let Some(thread) = (unsafe { links.thread.replace(ptr::null()).as_ref() }) else { return };
    let (next, prev) = (links.next.get(), links.prev.get());
    // SAFETY: members of a list are there until they leave it, under this lock.
    unsafe {
        match prev.as_ref() {
            Some(prev) => prev.links.next.set(next),
            None => thread.first.set(next),
        }
        if let Some(next) = next.as_ref() {
            next.links.prev.set(prev);
        }
    }
}

/// Takes the caches of a pool that ends out of all lists.
pub(crate) fn forget<'c>(caches: impl Iterator<Item = &'c Cache>) {
    REGISTRY.with(|()| caches.for_each(part));
}

/// The exit hook.
unsafe extern "C" fn thread_ends(_value: *mut c_void) {
    LOCAL.with(|local| {
        local.phase.set(Phase::Arming);
        for slot in &local.slots {
            slot.pool.set(NO_POOL);
        }
        REGISTRY.with(|()| {
            // SAFETY: members of a list are there until they leave it, under this lock.
            while let Some(cache) = unsafe { local.first.get().as_ref() } {
                part(cache);
                cache.leave();
            }
        });
        let exits = local.exits.get() + 1;
        local.exits.set(exits);
        local.phase.set(if exits > REARMS { Phase::Ended } else { Phase::Fresh });
    });
}
