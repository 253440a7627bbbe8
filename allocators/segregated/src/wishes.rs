//! What people may wish of the process heap's mappings: names in `/proc/PID/maps`, huge pages, and that
//! the system is asked which pages are there before they are zeroed.
//!
//! Nothing of it is done unasked. Naming and asking are system calls that strict sandboxes do not know, and
//! huge pages are the system's policy until somebody has measured that they serve the program.

use core::ptr::NonNull;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::memory::{self, HugePages};

use crate::process::HEAP;

static NAMED: AtomicUsize = AtomicUsize::new(0);
static HUGE: AtomicUsize = AtomicUsize::new(0);
static ASKS: AtomicUsize = AtomicUsize::new(0);

/// The mappings' name.
const NAME: &core::ffi::CStr = c"strata heap";

/// Names the heap's mappings, those to come too. Answers whether the system takes names.
pub(crate) fn name_memory() -> bool {
    // Relaxed, all in here: a mapping made at the same time has the old wish or the new one.
    NAMED.store(1, Ordering::Relaxed);
    // SAFETY: 1. and 2. a territory is a reservation of the heap's, whole.
    each(|at, len| unsafe { memory::name(at, len, NAME) }.is_ok())
}

/// Has the system asked which pages of a block are there before it is zeroed, or not.
pub(crate) fn set_zero_by_pages(asks: bool) {
    ASKS.store(usize::from(asks), Ordering::Relaxed);
}

/// Whether the system is asked.
pub(crate) fn zeroes_by_pages() -> bool {
    ASKS.load(Ordering::Relaxed) != 0
}

/// Advises the system on huge pages in the heap's mappings, those to come too. Answers whether it
/// took the advice.
pub(crate) fn set_huge_pages(wish: HugePages) -> bool {
    HUGE.store(wish as usize, Ordering::Relaxed);
    // SAFETY: 1. and 2. as above.
    each(|at, len| unsafe { memory::advise_huge(at, len, wish) }.is_ok())
}

/// Whether somebody wished for something about huge pages.
pub(crate) fn has_huge_pages() -> bool {
    HUGE.load(Ordering::Relaxed) != HugePages::Default as usize
}

/// Calls back with each mapping that is there. Answers whether all calls did.
fn each(mut call: impl FnMut(NonNull<u8>, usize) -> bool) -> bool {
    // Not `all`, which would stop at the first refusal.
    HEAP.territories.iter().fold(true, |all, territory| {
        let (base, len) = territory.chunk().into_raw_parts();
        call(base, len) && all
    })
}

/// Does to a new mapping what was wished for.
///
/// # Safety
///
/// 1. `[at, at + len)` was just mapped or reserved, whole.
pub(crate) unsafe fn apply(at: NonNull<u8>, len: usize) {
    if NAMED.load(Ordering::Relaxed) != 0 {
        // For people only: a refusal loses nothing.
        // SAFETY: 1. and 2. the caller's.
        let _ = unsafe { memory::name(at, len, NAME) };
    }
    let huge = HUGE.load(Ordering::Relaxed);
    if huge != HugePages::Default as usize {
        let prefer = huge == HugePages::Prefer as usize;
        let wish = if prefer { HugePages::Prefer } else { HugePages::Avoid };
        // Advice: a refusal loses nothing.
        // SAFETY: 1. and 2. the caller's.
        let _ = unsafe { memory::advise_huge(at, len, wish) };
    }
}
