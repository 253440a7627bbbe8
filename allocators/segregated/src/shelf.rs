//! One class: its spans with free blocks, under one lock.
//!
//! Which span blocks are taken from, and which retire, is strata-core's [`Lists`]: the fullest first,
//! so that the others drain. A span without a live block stands in the last list, where this class
//! finds it again, until another class needs frames or the heap purges.

use strata_core::lock::{Guarded, RawLock};
use strata_core::misuse;
pub(crate) use strata_core::span::{Figures, Lists};
use strata_core::span::{Flushed, Misuse};
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

use crate::class;
use crate::span::{PLACE_BITS, SpanId};
use crate::territory::Territories;

/// One class of a heap, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shelf<L> {
    lists: Guarded<Lists, L>,
    /// As in [`Figures`]. Written under the lock, read anywhere: for sums that need not be of one
    /// moment.
    live: AtomicUsize,
    idle: AtomicUsize,
    empty: AtomicUsize,
}

impl<L: RawLock> Shelf<L> {
    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        let lists = Guarded::new(L::OPEN, Lists::NEW);
        Self {
            lists,
            live: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            empty: AtomicUsize::new(0),
        }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        let lists = Guarded::new(L::open(), Lists::NEW);
        Self {
            lists,
            live: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            empty: AtomicUsize::new(0),
        }
    }

    /// Blocks handed out; racy.
    pub(crate) fn live(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.live.load(Ordering::Relaxed)
    }

    /// Idle pages; racy.
    pub(crate) fn idle(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.idle.load(Ordering::Relaxed)
    }

    /// Spans without a live block; racy.
    pub(crate) fn empty(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.empty.load(Ordering::Relaxed)
    }

    /// See [`Guarded::hold`].
    #[cfg(any(all(feature = "std", target_os = "linux"), test))]
    pub(crate) fn hold(&self) {
        self.lists.hold();
    }

    /// See [`Guarded::let_go`].
    ///
    /// # Safety
    ///
    /// 1. This thread holds it, or is that thread in a child of its process.
    #[cfg(any(all(feature = "std", target_os = "linux"), test))]
    pub(crate) unsafe fn let_go(&self) {
        // SAFETY: 1. the caller's.
        unsafe { self.lists.let_go() };
    }

    /// Calls `work` with the lists under the lock, and publishes the figures.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Lists) -> R) -> R {
        self.lists.with(|lists| {
            let result = work(lists);
            // Relaxed: see the fields.
            self.live.store(lists.figures().live, Ordering::Relaxed);
            self.idle.store(lists.figures().idle, Ordering::Relaxed);
            self.empty.store(lists.figures().empty, Ordering::Relaxed);
            result
        })
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
fn find(all: &Territories, class: usize, address: usize) -> SpanId {
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
