//! The process heap: which concrete layers it stands on.

use core::ops::Deref;
use core::ptr::NonNull;

use strata_core::source::rounded_len;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_core::{Chunk, Contents, Exhausted, Source};
use strata_os::{OsReserve, clock, limits, memory};

use crate::budget::GiveBack;
use crate::central::{Central, Platform};
use crate::class::FRAME;
use crate::fork::ForkLock;
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
        // SAFETY: the caller's obligations are the same ones.
        unsafe { OsReserve.commit(at, len) }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
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
