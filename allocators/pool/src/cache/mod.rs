//! What a thread has of a pool: two magazines, from which it takes and to which it puts back
//! without asking anybody.
//!
//! The block that came back last stands by itself, in `hot`: a take that follows a put finds it with
//! one load, and neither waits for the other's count. (A top that both change is a chain of stores
//! and loads that nothing overtakes.) All others stand in the magazines. Nothing of a block itself is
//! touched.
//!
//! Below the oldest block of a magazine stands null, so that an empty one shows by what is taken from
//! it. A cache without magazines has both pointers at a null of everybody's, empty and full at once.

mod claim;
mod slow;
#[cfg(all(feature = "std", not(strata_loom)))]
pub(crate) mod thread;

use core::ptr::{self, NonNull};

use strata_core::sync::{AtomicPtr, AtomicU32, Ordering};

use crate::blocks::unlikely;
use crate::depot::{Depot, MagazineId, NO_MAGAZINE, array};

/// Who has a cache.
pub(crate) const FREE: u32 = 0;
pub(crate) const OWNED: u32 = 1;

/// What a thread has of a pool. Lives in the pool's tables and outlives the thread.
///
/// All words but `owner` are written by the owner alone. They are atomics because others read them
/// to count; every access is Relaxed, for nothing is read through another thread's words.
///
/// # Invariants
///
/// 1. `top` is in the array of `loaded`, at its newest block or the null below the oldest one, and
///    `limit` at the place of the last block that may be put there; both at [`NOTHING`] where there
///    is no magazine.
/// 2. Of `loaded` and `previous`, either both or none are magazines of the pool's, and the cache's.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Cache {
    top: AtomicPtr<*mut u8>,
    limit: AtomicPtr<*mut u8>,
    /// The block that came back last, or null; null while there is no magazine. Not at the beginning of
    /// a line: see the pool's `number`.
    hot: AtomicPtr<u8>,
    pub(crate) loaded: AtomicU32,
    pub(crate) previous: AtomicU32,
    /// [`FREE`] or [`OWNED`]; what a thread that ended left is in a cache that is free.
    pub(crate) owner: AtomicU32,
    /// Visits to the slow path.
    pub(crate) visits: AtomicU32,
    #[cfg(all(feature = "std", not(strata_loom)))]
    pub(crate) links: thread::Membership,
}

#[cfg(not(strata_loom))]
static_assertions::const_assert!(size_of::<Cache>() <= 128);

/// A null that nobody writes.
struct Nothing(*mut u8);
// SAFETY: it is never written.
unsafe impl Sync for Nothing {}
static NOTHING: Nothing = Nothing(ptr::null_mut());

fn nothing() -> *mut *mut u8 {
    (&raw const NOTHING.0).cast_mut()
}

impl Cache {
    pub(crate) fn new(owner: u32) -> Self {
        Self {
            hot: AtomicPtr::new(ptr::null_mut()),
            top: AtomicPtr::new(nothing()),
            limit: AtomicPtr::new(nothing()),
            loaded: AtomicU32::new(NO_MAGAZINE),
            previous: AtomicU32::new(NO_MAGAZINE),
            owner: AtomicU32::new(owner),
            visits: AtomicU32::new(0),
            #[cfg(all(feature = "std", not(strata_loom)))]
            links: thread::Membership::new(),
        }
    }

    /// A block, the one that came back last or else one of the loaded magazine, if there is one. For
    /// the owner.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<NonNull<u8>> {
        if let Some(hot) = NonNull::new(self.hot.load(Ordering::Relaxed)) {
            self.hot.store(ptr::null_mut(), Ordering::Relaxed);
            return Some(hot);
        }
        unlikely();
        let top = self.top.load(Ordering::Relaxed);
        // SAFETY: `top` is in the magazine's array, or the null of everybody's (1.).
        let block = NonNull::new(unsafe { *top })?;
        // SAFETY: below a block there is another, or null.
        self.top.store(unsafe { top.sub(1) }, Ordering::Relaxed);
        Some(block)
    }

    /// Puts a block back. Answers the one for which there is no room in the loaded magazine, if
    /// there is none. For the owner.
    #[inline(always)]
    pub(crate) fn put(&self, block: NonNull<u8>) -> Result<(), NonNull<u8>> {
        let old = self.hot.load(Ordering::Relaxed);
        self.hot.store(block.as_ptr(), Ordering::Relaxed);
        match NonNull::new(old) {
            None => Ok(()),
            Some(old) => {
                unlikely();
                self.push(old)
            }
        }
    }

    /// Puts a block into the loaded magazine, if that is not full. For the owner.
    #[inline(always)]
    pub(crate) fn push(&self, block: NonNull<u8>) -> Result<(), NonNull<u8>> {
        let top = self.top.load(Ordering::Relaxed);
        if top == self.limit.load(Ordering::Relaxed) {
            return Err(block);
        }
        // SAFETY: below the limit there is room for one more (1.), and the array is the owner's.
        unsafe {
            let top = top.add(1);
            *top = block.as_ptr();
            self.top.store(top, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes the block that stands by itself. For the owner.
    pub(crate) fn take_hot(&self) -> Option<NonNull<u8>> {
        let hot = NonNull::new(self.hot.load(Ordering::Relaxed))?;
        self.hot.store(ptr::null_mut(), Ordering::Relaxed);
        Some(hot)
    }

    /// The magazines; none or both.
    pub(crate) fn magazines(&self) -> Option<(MagazineId, MagazineId)> {
        let loaded = self.loaded.load(Ordering::Relaxed);
        (loaded != NO_MAGAZINE).then(|| (loaded, self.previous.load(Ordering::Relaxed)))
    }

    /// Whether a block stands by itself; racy for others than the owner.
    pub(crate) fn has_hot(&self) -> bool {
        !self.hot.load(Ordering::Relaxed).is_null()
    }

    /// Blocks in the loaded magazine; racy for others than the owner.
    pub(crate) fn loaded_len(&self, depot: &Depot) -> usize {
        let loaded = self.loaded.load(Ordering::Relaxed);
        if loaded == NO_MAGAZINE {
            return 0;
        }
        let top = self.top.load(Ordering::Relaxed).addr();
        top.wrapping_sub(array(depot.magazine(loaded)).addr()) / size_of::<*mut u8>()
    }

    /// Makes `id`, which has `len` blocks, the loaded magazine, to be filled up to `rounds`. For the
    /// owner, who has both it and `previous`.
    pub(crate) fn load(&self, depot: &Depot, id: MagazineId, previous: MagazineId, rounds: usize) {
        let (base, len) = (array(depot.magazine(id)), depot.len(id));
        depot.set_len(id, len);
        self.loaded.store(id, Ordering::Relaxed);
        self.previous.store(previous, Ordering::Relaxed);
        // SAFETY: `len` and `rounds` are no more than the array holds.
        let (top, limit) = unsafe { (base.add(len), base.add(rounds.max(len))) };
        self.top.store(top, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Writes the loaded magazine's length down, and answers both. The cache has none then. For the
    /// owner.
    pub(crate) fn unload(&self, depot: &Depot) -> Option<(MagazineId, MagazineId)> {
        let (loaded, previous) = self.magazines()?;
        depot.set_len(loaded, self.loaded_len(depot));
        self.top.store(nothing(), Ordering::Relaxed);
        self.limit.store(nothing(), Ordering::Relaxed);
        self.loaded.store(NO_MAGAZINE, Ordering::Relaxed);
        self.previous.store(NO_MAGAZINE, Ordering::Relaxed);
        Some((loaded, previous))
    }
}
