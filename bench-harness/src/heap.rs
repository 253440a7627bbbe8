//! The harness's own heap: the `#[global_allocator]` of every executable made by
//! [`main!`](crate::main).
//!
//! In the parent it is the system's allocator. In a child it is a small two-level segregated fit
//! over a shared mapping, so that nothing the harness holds is ever anonymous memory, shares a page
//! with the subject's blocks, or calls the subject.

use rlsf::Tlsf;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// The environment variable that makes a process a child; its value is for [`crate::child`].
pub(crate) const CHILD_VARIABLE: &std::ffi::CStr = c"STRATA_BENCH_CHILD";

/// Address space of the shared mapping; only touched pages cost memory.
const SHARED_BYTES: usize = 4 << 30;

const UNDECIDED: u8 = 0;
const SYSTEM: u8 = 1;
const SHARED: u8 = 2;

type Shared = Tlsf<'static, u32, u32, 28, 32>;

/// The harness's heap; see the module's documentation.
pub struct HarnessHeap {
    /// Which of the two it is; decided by the first call, which the runtime makes before any
    /// thread but the first exists.
    kind: AtomicU8,
    locked: AtomicBool,
    /// Only accessed by whoever set `locked`.
    shared: UnsafeCell<Shared>,
}

/// Calls of this process's [`HarnessHeap`].
static CALLS: AtomicU64 = AtomicU64::new(0);

/// How often the harness's heap was called so far; always 0 in an executable with another one.
pub(crate) fn calls() -> u64 {
    // A statistic: read by the thread that stopped the others.
    CALLS.load(Ordering::Relaxed)
}

// SAFETY: `shared` is only reached through `with`, which holds the lock.
unsafe impl Sync for HarnessHeap {}

impl HarnessHeap {
    /// A heap that decides at its first call which one it is.
    pub const fn new() -> Self {
        Self {
            kind: AtomicU8::new(UNDECIDED),
            locked: AtomicBool::new(false),
            shared: UnsafeCell::new(Tlsf::new()),
        }
    }

    fn is_shared(&self) -> bool {
        // The decision is made before a second thread exists, so no ordering is needed.
        CALLS.fetch_add(1, Ordering::Relaxed);
        match self.kind.load(Ordering::Relaxed) {
            UNDECIDED => self.decide(),
            kind => kind == SHARED,
        }
    }

    #[cold]
    fn decide(&self) -> bool {
        // SAFETY: the name is a C string; nobody changes the environment before `main`.
        let child = unsafe { !libc::getenv(CHILD_VARIABLE.as_ptr()).is_null() };
        let shared = child && self.map();
        self.kind.store(if shared { SHARED } else { SYSTEM }, Ordering::Relaxed);
        shared
    }

    fn map(&self) -> bool {
        let Some(start) = crate::shared::map_unnamed(SHARED_BYTES) else { return false };
        let block = NonNull::slice_from_raw_parts(start, SHARED_BYTES);
        // SAFETY: the mapping is new, read-write, never unmapped and known to nobody else.
        self.with(|heap| unsafe { heap.insert_free_block_ptr(block).is_some() })
    }

    fn with<R>(&self, change: impl FnOnce(&mut Shared) -> R) -> R {
        // Acquire pairs with the release below: the next holder sees this one's changes.
        while self
            .locked
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            std::hint::spin_loop();
        }
        // SAFETY: the flag makes this the only access.
        let result = change(unsafe { &mut *self.shared.get() });
        // Release pairs with the acquire above.
        self.locked.store(false, Ordering::Release);
        result
    }
}

impl Default for HarnessHeap {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: both kinds keep `GlobalAlloc`'s obligations, and the kind never changes once decided, so
// that a block goes back to the heap that it came from.
unsafe impl GlobalAlloc for HarnessHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.is_shared() {
            let block = self.with(|heap| heap.allocate(layout));
            block.map_or(std::ptr::null_mut(), NonNull::as_ptr)
        } else {
            // SAFETY: the caller's obligations are those of the method called.
            unsafe { System.alloc(layout) }
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if self.is_shared() {
            // SAFETY: a block that `alloc` returned is not null.
            let block = unsafe { NonNull::new_unchecked(ptr) };
            // SAFETY: by the caller's obligations `ptr` is a live block of this heap with this
            // alignment.
            self.with(|heap| unsafe { heap.deallocate(block, layout.align()) });
        } else {
            // SAFETY: the caller's obligations are those of the method called.
            unsafe { System.dealloc(ptr, layout) }
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.is_shared() {
            // SAFETY: the caller promises that the new size is not 0 and does not overflow.
            let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
            // SAFETY: a block that `alloc` returned is not null.
            let block = unsafe { NonNull::new_unchecked(ptr) };
            // SAFETY: by the caller's obligations `ptr` is a live block of this heap with this
            // alignment.
            let moved = self.with(|heap| unsafe { heap.reallocate(block, new) });
            moved.map_or(std::ptr::null_mut(), NonNull::as_ptr)
        } else {
            // SAFETY: the caller's obligations are those of the method called.
            unsafe { System.realloc(ptr, layout, new_size) }
        }
    }
}
