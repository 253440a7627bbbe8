//! Spans of one class with free blocks, under one lock.
//!
//! Which span blocks are taken from, and which retire, is strata-core's [`Lists`]: the fullest first,
//! so that the others drain. A span without a live block stands in the last list, where this class
//! finds it again, until another class needs frames or the heap purges.

use core::cell::Cell;
use core::ptr;

use strata_core::lock::{Guarded, RawLock};
use strata_core::misuse;
pub(crate) use strata_core::span::{Figures, Lists};
use strata_core::span::{Flushed, Heads, Misuse, Tally};
use strata_core::sync::unexplored::AtomicBool;
use strata_core::sync::{AtomicPtr, Ordering};

use crate::class;
use crate::shards::SHARDS;
use crate::span::{PLACE_BITS, SpanId};
use crate::territory::Territories;

/// Passes of a shelf that tell whether threads wait for one another there.
const WINDOW: u16 = if cfg!(strata_loom) { 4 } else { 1024 };
/// The part of them at which it is crowded.
const CROWDED: u16 = if cfg!(strata_loom) { 4 } else { 16 };

/// Some or all spans of a class, on a cache line of its own: programs use most classes a little, and
/// what they share with none would be pages of it.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Shelf<L> {
    inside: Guarded<Inside, L>,
    /// Written under the lock, read anywhere: for sums that need not be of one moment.
    tally: Tally,
    /// Whether a span had free blocks, and whether threads waited, when somebody looked last.
    is_open: AtomicBool,
    is_crowded: AtomicBool,
    /// The class's other shelves, where it has some: see `shards.rs`. Set once, under the lock.
    pub(crate) others: AtomicPtr<Others<L>>,
}

/// What a shelf's lock protects.
#[derive(Debug)]
struct Inside {
    heads: Heads,
    /// Passes since the window began, and those that had to wait.
    passes: u16,
    waits: u16,
}

/// The shelves of a class beyond its first one.
pub(crate) type Others<L> = [Shelf<L>; SHARDS - 1];

const INSIDE: Inside = Inside { heads: Heads::NEW, passes: 0, waits: 0 };

#[cfg(not(strata_loom))]
const _: () = assert!(size_of::<Shelf<strata_core::lock::SpinLock>>() == 64);

impl<L: RawLock> Shelf<L> {
    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        Self::of_lock(Guarded::new(L::OPEN, INSIDE), AtomicPtr::new(ptr::null_mut()))
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        Self::of_lock(Guarded::new(L::open(), INSIDE), AtomicPtr::new(ptr::null_mut()))
    }

    const fn of_lock(inside: Guarded<Inside, L>, others: AtomicPtr<Others<L>>) -> Self {
        Self {
            inside,
            tally: Tally::new(),
            is_open: AtomicBool::new(false),
            is_crowded: AtomicBool::new(false),
            others,
        }
    }

    /// Blocks handed out, as a difference that may have wrapped: see [`Figures::live`]; racy.
    pub(crate) fn live(&self) -> usize {
        self.tally.live()
    }

    /// Idle pages; racy.
    pub(crate) fn idle(&self) -> usize {
        self.tally.idle()
    }

    /// Spans without a live block; racy.
    pub(crate) fn empty(&self) -> usize {
        self.tally.empty()
    }

    /// Whether there may be free blocks; racy.
    pub(crate) fn is_open(&self) -> bool {
        // Relaxed: who takes it for false looks elsewhere.
        self.is_open.load(Ordering::Relaxed)
    }

    /// Whether threads wait for one another here; racy.
    pub(crate) fn is_crowded(&self) -> bool {
        // Relaxed: it decides no more than when something is done.
        self.is_crowded.load(Ordering::Relaxed)
    }

    /// See [`Guarded::hold`].
    #[cfg(any(all(feature = "std", target_os = "linux"), test))]
    pub(crate) fn hold(&self) {
        self.inside.hold();
    }

    /// See [`Guarded::let_go`].
    ///
    /// # Safety
    ///
    /// 1. This thread holds it, or is that thread in a child of its process.
    #[cfg(any(all(feature = "std", target_os = "linux"), test))]
    pub(crate) unsafe fn let_go(&self) {
        // SAFETY: 1. the caller's.
        unsafe { self.inside.let_go() };
    }

    /// Calls `work` with the lists under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Lists) -> R) -> R {
        let waited = Cell::new(0);
        self.inside.with_watched(
            || waited.set(1),
            |inside| {
                let result = work(&mut Lists::new(&mut inside.heads, &self.tally));
                // Relaxed, both: see the fields.
                self.is_open.store(inside.heads.is_open(), Ordering::Relaxed);
                inside.passes += 1;
                inside.waits += waited.get();
                if inside.passes == WINDOW {
                    let crowded = inside.waits * CROWDED >= WINDOW;
                    self.is_crowded.store(crowded, Ordering::Relaxed);
                    (inside.passes, inside.waits) = (0, 0);
                }
                result
            },
        )
    }
}

/// Puts blocks back. Stops the process where one is not a taken block of `class`.
pub(crate) fn put(
    lists: &mut Lists,
    all: &Territories,
    class: usize,
    page_log2: u32,
    blocks: &[*mut u8],
) -> Flushed {
    let cut = class::cut(class);
    let find = |address| Ok(find(all, class, address));
    match lists.put(all, cut, page_log2, true, blocks, find) {
        Ok(flushed) => flushed,
        Err(Misuse::DoubleFree) => misuse::stop("a block was freed twice"),
        Err(_) => misuse::stop("a freed address is not where a block begins"),
    }
}

/// The span of `class` that an address lies in. Stops the process where there is none.
pub(crate) fn find(all: &Territories, class: usize, address: usize) -> SpanId {
    let Some((territory, frame)) = all.locate(address) else {
        misuse::stop("a freed block is not of this heap");
    };
    // SAFETY: 1. a block was said to be here; a region that was never used is zero or, where the
    // source commits, not there: then this faults, which stops the process too.
    match unsafe { all.get(territory).tenant(frame) }.span_of(class) {
        Some(place) => (territory as u32) << PLACE_BITS | place,
        None => misuse::stop("a block was freed twice, or with another layout than it has"),
    }
}
