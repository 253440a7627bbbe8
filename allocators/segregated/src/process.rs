//! The process heap: which concrete layers it stands on.

use core::ops::Deref;
use core::ptr::NonNull;

use strata_core::source::rounded_len;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_core::{Chunk, Contents, Exhausted, Source, Stats};
use strata_os::{OsReserve, clock, limits, memory};

use crate::budget::GiveBack;
use crate::central::{Central, Platform};
use crate::check::{Broken, Checked, Walked};
use crate::class::{self, CLASSES, FRAME};
use crate::fork::ForkLock;
use crate::huge;
#[cfg(feature = "profile")]
use crate::profile::sampled::SAMPLED;
use crate::report::{GivenBack, Report};
use crate::{stocks, wishes};

/// The one heap behind every [`SegregatedAlloc`](crate::SegregatedAlloc).
pub(crate) static HEAP: Placed = Placed { _before: [0; BEFORE], heap: Heap::new(ProcessMemory) };

type Heap = Central<ProcessMemory, Process>;

/// The heap where what every program writes of it begins with a page, and so is on two.
#[derive(Debug)]
#[repr(C, align(4096))]
pub(crate) struct Placed {
    _before: [u8; BEFORE],
    heap: Heap,
}

const BEFORE: usize = FRAME - Heap::USED.start % FRAME;
static_assertions::const_assert!(Heap::USED.end - Heap::USED.start <= 2 * FRAME);

impl Deref for Placed {
    type Target = Heap;

    #[inline(always)]
    fn deref(&self) -> &Heap {
        &self.heap
    }
}

/// Gives blocks of stocks back to the heap. Answers whether so much is kept that some was purged.
#[inline]
pub(crate) fn flush(class: usize, blocks: &[*mut u8]) -> bool {
    #[cfg(feature = "profile")]
    return crate::profile::sampled::flush(class, blocks);
    #[cfg(not(feature = "profile"))]
    HEAP.flush(class, blocks)
}

/// Of the first `count` of `blocks`, which come from another thread's stock, frees those that the profiler
/// has to hear of. Answers how many are left, in front.
#[inline]
pub(crate) fn sift(class: usize, count: usize, blocks: &mut [*mut u8]) -> usize {
    #[cfg(feature = "profile")]
    return crate::profile::sampled::sift(class, &mut blocks[..count]);
    #[cfg(not(feature = "profile"))]
    {
        let _ = (class, blocks);
        count
    }
}

/// Purges all heaps of the process. Answers how many bytes went.
pub(crate) fn purge() -> usize {
    #[cfg(feature = "profile")]
    let sampled = SAMPLED.purge_all();
    #[cfg(not(feature = "profile"))]
    let sampled = 0;
    HEAP.purge_all() + sampled
}

/// The figures of all heaps of the process.
pub(crate) fn stats(in_stocks: usize) -> Stats {
    let stats = HEAP.stats(in_stocks);
    #[cfg(feature = "profile")]
    let stats = crate::stats::sum(&stats, &SAMPLED.stats(0));
    stats
}

/// All heaps of the process from above.
pub(crate) fn report() -> Report {
    let mut stocked = [0; CLASSES];
    stocks::stocked(|class, blocks| stocked[class] += blocks);
    let slotted = stocks::slotted();
    let bytes = |(class, blocks): (usize, &usize)| class::cut(class).block_len() * blocks;
    let in_stocks = slotted + stocked.iter().enumerate().map(bytes).sum::<usize>();
    let mut report = HEAP.report(in_stocks, slotted);
    #[cfg(feature = "profile")]
    report.add(&SAMPLED.report(0, 0));
    for (class, stocked) in report.classes.iter_mut().zip(stocked) {
        class.stocked = stocked.min(class.taken);
    }
    #[cfg(feature = "stats")]
    {
        report.stats.requested = Some(strata_core::ByteCount(stocks::requested::total()));
    }
    // Relaxed, both: figures of no certain moment.
    let given = [&PURGES, &PURGED].map(|figure| figure.load(Ordering::Relaxed));
    report.given_back = Some(GivenBack { purges: given[0], purged: given[1] });
    report
}

/// Purges, and the bytes of them.
static PURGES: AtomicUsize = AtomicUsize::new(0);
static PURGED: AtomicUsize = AtomicUsize::new(0);

/// Walks the tables of all heaps of the process.
pub(crate) fn validate() -> Result<Checked, Broken> {
    let checked = HEAP.validate()?;
    #[cfg(feature = "profile")]
    let checked = checked.and(SAMPLED.validate()?);
    Ok(checked)
}

/// Calls back with all pieces of all heaps of the process.
pub(crate) fn walk(visit: &mut dyn FnMut(Walked)) {
    HEAP.walk(visit);
    #[cfg(feature = "profile")]
    SAMPLED.walk(visit);
}

/// The system that the process runs on.
#[derive(Debug)]
pub(crate) struct Process;

impl Platform for Process {
    type Lock = ForkLock;
    const CLOCKED: bool = true;
    /// Linux before 6.17 takes them away for a moment when it refuses, and another thread may have got
    /// them since.
    const FORGETS: bool = true;
    const SHARDED: bool = true;

    fn shard() -> usize {
        stocks::number()
    }

    fn now() -> u64 {
        clock::coarse_millis()
    }

    unsafe fn often_used(at: NonNull<u8>, len: usize, dense: bool) -> bool {
        // SAFETY: 1. the caller's.
        unsafe { huge::process::ask(at, len, dense) }
    }

    #[cfg(feature = "background")]
    #[inline]
    fn idle_grew() {
        crate::background::idle_grew();
    }

    /// A quarter of what the system allows.
    fn most_mappings() -> usize {
        static MOST: AtomicUsize = AtomicUsize::new(0);
        // Relaxed, both: every thread reads about the same.
        match MOST.load(Ordering::Relaxed) {
            0 => {
                let most = limits::mappings().unwrap_or(65_530) / 4;
                MOST.store(most.max(1), Ordering::Relaxed);
                most.max(1)
            }
            most => most,
        }
    }
}

/// Reserved address space that is committed in pieces and purged as [`set_give_back`] says.
#[derive(Debug)]
pub(crate) struct ProcessMemory;

static LAZY: AtomicUsize = AtomicUsize::new(0);

/// Chooses how the process heap purges.
pub(crate) fn set_give_back(mode: GiveBack) {
    // Relaxed: either kind of purge is right at any time.
    LAZY.store(usize::from(mode == GiveBack::Lazy), Ordering::Relaxed);
    HEAP.set_give_back(mode);
}

// SAFETY: 1. to 3. those of `OsReserve`; remapping moves a mapping that was committed as a whole.
unsafe impl Source for ProcessMemory {
    type Address = NonNull<u8>;
    const SPLITS: bool = true;
    const ZEROED: bool = true;
    const COMMITS: bool = true;
    const PURGES: bool = OsReserve::PURGES;
    const REMAPS: bool = memory::KNOWN;
    const RELOCATES: bool = OsReserve::RELOCATES;

    #[inline]
    fn granule(&self) -> usize {
        memory::page_size()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let chunk = OsReserve.acquire(len, align)?;
        #[cfg(feature = "profile")]
        let chunk = crate::profile::sampled::above(chunk, align);
        // SAFETY: 1. just acquired.
        unsafe { wishes::apply(chunk.base(), chunk.len()) };
        Ok(chunk)
    }

    /// One call for both, instead of four.
    fn acquire_committed(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, self.granule())?;
        let at = memory::map(len, align).map_err(|_| Exhausted)?;
        // SAFETY: 1. just mapped.
        unsafe { wishes::apply(at, len) };
        // SAFETY: 1. fresh. 2. rounded, and mappings do not wrap. 3. the mapping.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { OsReserve.release(chunk) }
    }

    unsafe fn commit(&self, at: NonNull<u8>, len: usize) -> Result<(), Exhausted> {
        #[cfg(feature = "guard-pages")]
        // SAFETY: the caller's obligations are the same ones.
        return unsafe { crate::hardened::commit(at, len) }.map_err(|_| Exhausted);
        #[cfg(not(feature = "guard-pages"))]
        // SAFETY: the caller's obligations are the same ones.
        unsafe {
            OsReserve.commit(at, len)
        }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // Relaxed, both: figures beside a call of the system's.
        PURGES.fetch_add(1, Ordering::Relaxed);
        PURGED.fetch_add(len, Ordering::Relaxed);
        // Relaxed: see `set_give_back`.
        if LAZY.load(Ordering::Relaxed) != 0 {
            // SAFETY: the caller's obligations are the same ones.
            if unsafe { memory::purge_lazily(at, len) }.is_ok() {
                return Contents::Undefined;
            }
        }
        // SAFETY: the caller's obligations are the same ones.
        unsafe { OsReserve.purge(at, len) }
    }

    unsafe fn remap(&self, chunk: Chunk, len: usize, align: usize) -> Result<Chunk, Chunk> {
        let Ok(len) = rounded_len(len, align, self.granule()) else {
            return Err(chunk);
        };
        if len < chunk.len() {
            return Err(chunk);
        }
        // SAFETY: 1. the caller's chunk, committed as a whole. 2. whole pages, not shorter.
        match unsafe { memory::remap(chunk.base(), chunk.len(), len, align) } {
            // SAFETY: 1. moved as a whole, handed over by the kernel. 2. rounded. 3. the mapping.
            Ok(at) => Ok(unsafe { Chunk::from_raw_parts(at, len) }),
            Err(_) => Err(chunk),
        }
    }

    unsafe fn relocate(
        &self,
        from: NonNull<u8>,
        to: NonNull<u8>,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { OsReserve.relocate(from, to, len) }
    }
}
