//! All territories of a heap, by number and by address.

use core::ptr::NonNull;

use strata_core::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};

use super::{MAX, Territory};
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
use crate::class::FRAME;
use crate::region::Region;
#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
use crate::region::{FRAMES, Tenant};
use crate::span::{PLACE_BITS, Span, SpanId};

/// Where the first territory's frames and their tables are; no frames while there is none.
#[derive(Debug)]
struct Front {
    first: AtomicUsize,
    regions: AtomicPtr<Region>,
    frames: AtomicUsize,
}

impl Front {
    strata_core::const_unless_loom! {
        fn new() -> Self {
            let regions = AtomicPtr::new(core::ptr::null_mut());
            Self { first: AtomicUsize::new(0), regions, frames: AtomicUsize::new(0) }
        }
    }
}

/// All territories of a heap: appended under the ground's lock, read without one.
///
/// Few heaps have more than one: the first stands last, where it shares its page with what the heap
/// uses all the time.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Territories {
    /// # Invariants
    ///
    /// 1. The last `count` are there and never change.
    list: [UnsafeCell<Option<Territory>>; MAX],
    count: AtomicUsize,
    /// Of the first one, once more.
    front: Front,
}

// SAFETY: entries below `count` are only read; the entry at `count` is written under a lock before
// it is counted.
unsafe impl Sync for Territories {}
// SAFETY: a territory is memory of the heap's source, which no thread owns.
unsafe impl Send for Territories {}

impl Territories {
    /// Where what a heap with one territory uses begins.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) const USED_FROM: usize =
        core::mem::offset_of!(Self, count) - size_of::<UnsafeCell<Option<Territory>>>();

    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        let list = [const { UnsafeCell::new(None) }; MAX];
        Self { count: AtomicUsize::new(0), front: Front::new(), list }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        let list = core::array::from_fn(|_| UnsafeCell::new(None));
        Self { count: AtomicUsize::new(0), front: Front::new(), list }
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        // Acquire: its partner is the Release in `push`.
        self.count.load(Ordering::Acquire)
    }

    /// Territory `number`, below [`Territories::count`].
    #[inline]
    pub(crate) fn get(&self, number: usize) -> Territory {
        debug_assert!(number < self.count());
        // SAFETY: counted, so written before and never after (`list`, 1.).
        let entry = self.list[MAX - 1 - number].with(|entry| unsafe { *entry });
        // SAFETY: entries below `count` are there (1.).
        unsafe { entry.unwrap_unchecked() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Territory> + '_ {
        (0..self.count()).map(|number| self.get(number))
    }

    /// Which territory an address lies in, and on which of its frames.
    #[inline]
    pub(crate) fn locate(&self, address: usize) -> Option<(usize, usize)> {
        (0..self.count()).find_map(|n| self.get(n).frame_of(address).map(|frame| (n, frame)))
    }

    /// What stands on the frame of an address, if it is one of the first territory, which is mostly
    /// the only one. Nothing is looked up but that.
    ///
    /// # Safety
    ///
    /// 1. and 2. of [`Territory::tenant`], for the frame that the address lies in.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    #[inline(always)]
    pub(crate) unsafe fn front_tenant(&self, address: usize) -> Option<&Tenant> {
        // Acquire: its partner is the Release in `push`. Relaxed, the others: written before it.
        let frames = self.front.frames.load(Ordering::Acquire);
        let offset = address.wrapping_sub(self.front.first.load(Ordering::Relaxed));
        let frame = offset / FRAME;
        if frame >= frames {
            return None;
        }
        let regions = self.front.regions.load(Ordering::Relaxed);
        // SAFETY: the frame is one of this territory, so its region is in the table; initialised (1.)
        // and there (2.).
        unsafe { Some(&(*regions.add(frame / FRAMES)).tenants[frame % FRAMES]) }
    }

    /// The span of that number.
    #[inline]
    pub(crate) fn span(&self, id: SpanId) -> NonNull<Span> {
        self.get((id >> PLACE_BITS) as usize).span(id & ((1 << PLACE_BITS) - 1))
    }

    /// Appends one.
    ///
    /// # Safety
    ///
    /// 1. The caller holds the ground's lock.
    /// 2. There are less than [`MAX`].
    pub(crate) unsafe fn push(&self, territory: Territory) {
        // Relaxed: only the holder of the lock writes (1.).
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            let front = &self.front;
            front.first.store(territory.first.addr().get(), Ordering::Relaxed);
            front.regions.store(territory.regions.as_ptr(), Ordering::Relaxed);
            // Release: its partner is the Acquire in `front_tenant`.
            front.frames.store(territory.frames, Ordering::Release);
        }
        // SAFETY: not counted yet, so nobody reads it, and nobody else writes (1.).
        self.list[MAX - 1 - count].with_mut(|entry| unsafe { *entry = Some(territory) });
        // Release: its partner is the Acquire in `count`.
        self.count.store(count + 1, Ordering::Release);
    }
}
