//! How much of a heap's memory has contents, and the most that ever had.
//!
//! A program's peak is what it is charged for. Memory that is new from the system and lifts the heap
//! above its **high mark** is paid for with memory that lies idle elsewhere; below the mark nothing
//! of the kind happens, so that a program that goes round in the memory it once had neither purges
//! nor faults.

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

/// New memory that a request took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grown {
    /// Bytes of it.
    pub(crate) bytes: usize,
    /// Those above the high mark: to be made up for.
    pub(crate) excess: usize,
}

#[derive(Debug)]
pub(crate) struct Resident {
    /// Bytes with contents in frames; of own chunks nothing is known.
    now: AtomicUsize,
    /// The most that `now` was when somebody looked.
    high: AtomicUsize,
    /// Bytes that were purged for a peak and wanted again, since the spare last grew.
    regretted: AtomicUsize,
    /// Bytes that may lie idle at a new peak because purging them was regretted, and the high mark
    /// when that began.
    spare: AtomicUsize,
    began: AtomicUsize,
    /// Bytes by which the high mark was let rise beside idle chunks, and by how many it may be.
    crept: AtomicUsize,
    creep: AtomicUsize,
    /// Not zero where memory that lies idle pays for none that is new.
    unpaid: AtomicUsize,
}

impl Resident {
    pub(crate) const fn new() -> Self {
        Self {
            now: AtomicUsize::new(0),
            high: AtomicUsize::new(0),
            regretted: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            began: AtomicUsize::new(0),
            crept: AtomicUsize::new(0),
            creep: AtomicUsize::new(0),
            unpaid: AtomicUsize::new(0),
        }
    }

    /// Whether new memory above the high mark is paid for.
    pub(crate) fn pays(&self) -> bool {
        self.unpaid.load(Ordering::Relaxed) == 0
    }

    /// Has it paid for, or not.
    pub(crate) fn pay(&self, pays: bool) {
        self.unpaid.store(usize::from(!pays), Ordering::Relaxed);
    }

    /// Counts `bytes` that get contents.
    pub(crate) fn grow(&self, bytes: usize) -> Grown {
        if bytes == 0 {
            return Grown::default();
        }
        // Relaxed, all in here: sums that order nothing, and are right when nobody is counting.
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let high = self.high.load(Ordering::Relaxed);
        Grown { bytes, excess: now.saturating_sub(high).min(bytes) }
    }

    /// Whether there is within an eighth as much as at the high mark, or more, and it matters.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) fn is_near(&self) -> bool {
        let high = self.high();
        self.pays() && self.now.load(Ordering::Relaxed) >= high - high / 8
    }

    /// What there is, counted anew.
    #[cfg(any(all(feature = "std", target_os = "linux"), test))]
    pub(crate) fn set(&self, bytes: usize) {
        self.now.store(bytes, Ordering::Relaxed);
    }

    /// Counts `bytes` whose contents were given back.
    pub(crate) fn shrink(&self, bytes: usize) {
        // What a page wider than a frame keeps is not always known, and then not counted.
        let less = |now: usize| Some(now.saturating_sub(bytes));
        let _ = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Lifts the high mark to what there is now.
    pub(crate) fn mark(&self) {
        let now = self.now.load(Ordering::Relaxed);
        if now > self.high.load(Ordering::Relaxed) {
            self.high.store(now, Ordering::Relaxed);
        }
        let began = self.began.load(Ordering::Relaxed);
        if now > began + began / 16 {
            // A higher peak by far: what was regretted below it says nothing of it.
            self.began.store(now, Ordering::Relaxed);
            self.regretted.store(0, Ordering::Relaxed);
            self.spare.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the high mark may rise by `excess` beside chunks that are kept without a block: by a
    /// little, before they are paid with. A chunk is large, and what a program does between two blocks
    /// is not.
    pub(crate) fn may_creep(&self, excess: usize) -> bool {
        let crept = self.crept.fetch_add(excess, Ordering::Relaxed) + excess;
        let may = crept <= self.creep.load(Ordering::Relaxed).max(self.high() / 32);
        if !may {
            self.crept.store(0, Ordering::Relaxed);
        }
        may
    }

    /// A chunk is wanted again that was paid with for a peak: the next one may stay longer.
    pub(crate) fn regret_chunk(&self) {
        let (high, creep) = (self.high(), self.creep.load(Ordering::Relaxed));
        self.creep.store((2 * creep).clamp(high / 16, high / 4), Ordering::Relaxed);
    }

    /// `bytes` are wanted again that were purged for a peak. Where they come to a part of the peak
    /// itself, purging costs more than it saves: more may lie idle then.
    pub(crate) fn regret(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let high = self.high();
        if self.regretted.fetch_add(bytes, Ordering::Relaxed) + bytes > high / 4 {
            self.regretted.store(0, Ordering::Relaxed);
            let spare = self.spare.load(Ordering::Relaxed);
            self.spare.store((2 * spare).clamp(high / 64, high / 8), Ordering::Relaxed);
        }
    }

    /// Bytes that may lie idle at a new peak because purging them was regretted.
    pub(crate) fn spare(&self) -> usize {
        self.spare.load(Ordering::Relaxed)
    }

    /// The high mark.
    pub(crate) fn high(&self) -> usize {
        self.high.load(Ordering::Relaxed)
    }
}
