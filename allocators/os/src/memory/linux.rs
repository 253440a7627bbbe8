//! The calls on Linux.

use core::ffi::{CStr, c_int, c_void};
use core::ops::Range;
use core::ptr::{self, NonNull};

use strata_core::align::padding;
#[cfg(not(strata_loom))]
use strata_core::sync::AtomicU32;
use strata_core::sync::{Ordering, unexplored};

use super::HugePages;
use crate::OsError;

/// Runs `call` and gives the thread its `errno` back: allocators are called from code that looks
/// at it afterwards.
pub(crate) fn keep_errno<R>(call: impl FnOnce() -> R) -> R {
    // SAFETY: the thread's own errno, valid while the thread lives.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above; nobody else has it.
    let before = unsafe { place.read() };
    let result = call();
    // SAFETY: as above.
    unsafe { place.write(before) };
    result
}

/// The error that call `op` just left.
pub(crate) fn last_error(op: &'static str) -> OsError {
    // SAFETY: the thread's own errno.
    OsError { op, errno: unsafe { *libc::__errno_location() } }
}

fn checked(op: &'static str, status: c_int) -> Result<(), OsError> {
    if status == 0 { Ok(()) } else { Err(last_error(op)) }
}

pub(crate) fn page_size() -> usize {
    // SAFETY: no arguments but a known name.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // Linux always answers; the smallest page there is would only cost failed calls.
    usize::try_from(page).ok().filter(|page| page.is_power_of_two()).unwrap_or(4096)
}

/// One fresh anonymous mapping anywhere.
fn map_anywhere(len: usize, committed: bool) -> Result<NonNull<u8>, OsError> {
    map_near(0, len, committed)
}

/// One fresh anonymous mapping: at `wish`, if there is room, else anywhere.
fn map_near(wish: usize, len: usize, committed: bool) -> Result<NonNull<u8>, OsError> {
    let (protection, extra) = if committed {
        (libc::PROT_READ | libc::PROT_WRITE, 0)
    } else {
        (libc::PROT_NONE, libc::MAP_NORESERVE)
    };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | extra;
    let wish = ptr::without_provenance_mut(wish);
    // SAFETY: a new mapping at an address of the kernel's choice touches no other.
    let at = unsafe { libc::mmap(wish, len, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(last_error("mmap"));
    }
    NonNull::new(at.cast()).ok_or(OsError { op: "mmap", errno: libc::ENOMEM })
}

pub(crate) fn map(len: usize, align: usize, committed: bool) -> Result<NonNull<u8>, OsError> {
    let page = super::page_size();
    let at = if align <= page {
        map_anywhere(len, committed)?
    } else {
        // Too much, and the ends cut off: whatever the kernel chose, one aligned range is inside.
        let too_long = OsError { op: "mmap", errno: libc::ENOMEM };
        let slack = align - page;
        let whole = len.checked_add(slack).ok_or(too_long)?;
        let first = map_anywhere(whole, committed)?;
        let below = padding(first.addr().get(), align);
        let above = slack - below;
        // SAFETY: `below <= slack`, and `below + len + above` is the whole mapping.
        let (at, end) = unsafe { (first.add(below), first.add(below + len)) };
        // A cut at an end makes no further mapping, so it does not fail.
        if below > 0 {
            // SAFETY: 1. fresh, nobody has it. 2. differences of multiples of the page.
            let _ = unsafe { release(first, below) };
        }
        if above > 0 {
            // SAFETY: as above.
            let _ = unsafe { release(end, above) };
        }
        at
    };
    if !committed {
        // A dump without reserved memory is only smaller; failure loses nothing.
        // SAFETY: 1. fresh. 2. whole pages, as `len` is.
        let _ = unsafe { dump(at, len, false) };
    }
    Ok(at)
}

/// Places in a range that are tried, from its end downwards.
const TRIES: usize = 8;
/// What lies below may be a program's at fixed addresses, or what the kernel gives nobody.
const LEAST: usize = 1 << 24;

pub(crate) fn reserve_within(
    range: Range<usize>,
    len: usize,
    align: usize,
) -> Result<NonNull<u8>, OsError> {
    let (none, align) = (OsError { op: "mmap", errno: 0 }, align.max(super::page_size()));
    let lowest = range.start.max(LEAST).checked_next_multiple_of(align).ok_or(none)?;
    let highest = range.end.checked_sub(len).filter(|highest| *highest >= lowest).ok_or(none)?;
    for part in (0..=TRIES).rev() {
        let wish = lowest + ((highest - lowest) / TRIES * part) / align * align;
        let at = map_near(wish, len, false)?;
        if at.addr().get() == wish {
            // SAFETY: 1. fresh. 2. whole pages, as `len` is.
            let _ = unsafe { dump(at, len, false) };
            return Ok(at);
        }
        // SAFETY: 1. fresh, nobody has it. 2. the whole mapping.
        let _ = unsafe { release(at, len) };
    }
    Err(none)
}

pub(crate) unsafe fn commit(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. and 2. of `memory::commit`: the caller's own range.
    let status =
        unsafe { libc::mprotect(at.as_ptr().cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
    checked("mprotect", status)?;
    // The dump flag is for people; failure loses nothing.
    // SAFETY: as above.
    let _ = unsafe { dump(at, len, true) };
    Ok(())
}

pub(crate) unsafe fn decommit(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. to 3. of `memory::decommit`: the caller's own range, touched by nobody.
    unsafe {
        purge(at, len)?;
        checked("mprotect", libc::mprotect(at.as_ptr().cast(), len, libc::PROT_NONE))?;
        let _ = dump(at, len, false);
    }
    Ok(())
}

/// Guards in page tables, which need no mapping of their own: from Linux 6.13 on, and not in libc's list yet.
const GUARD_INSTALL: c_int = 102;
const GUARD_REMOVE: c_int = 103;

/// How ranges are guarded: zero until the first one, and then the same way for good, for who takes a guard
/// away does not know who put it there.
static GUARDS: unexplored::AtomicU32 = unexplored::AtomicU32::new(0);
const BY_TABLES: u32 = 1;
const BY_PROTECTION: u32 = 2;

pub(crate) unsafe fn guard(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // Relaxed: it is all that is read.
    let way = GUARDS.load(Ordering::Relaxed);
    if way != BY_PROTECTION {
        // SAFETY: 1. of `memory::guard`: the caller's own range, which may lose its contents.
        let guarded = unsafe { advise(at, len, GUARD_INSTALL) };
        if way == BY_TABLES {
            return guarded;
        }
        let found = if guarded.is_ok() { BY_TABLES } else { BY_PROTECTION };
        // Relaxed, both: see above.
        let first = GUARDS.compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed);
        if first.map_or_else(|before| before, |_| found) == BY_TABLES {
            return guarded;
        }
        if guarded.is_ok() {
            // Another thread's first one was refused meanwhile.
            // SAFETY: 1. as above.
            unsafe { advise(at, len, GUARD_REMOVE)? };
        }
    }
    // SAFETY: 1. to 3. of `memory::guard`: the caller's own range, touched by nobody.
    checked("mprotect", unsafe { libc::mprotect(at.as_ptr().cast(), len, libc::PROT_NONE) })
}

pub(crate) unsafe fn unguard(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // Relaxed: see `guard`; whoever guarded the range knew the way.
    if GUARDS.load(Ordering::Relaxed) == BY_TABLES {
        // SAFETY: 1. of `memory::unguard`: the caller's own range.
        return unsafe { advise(at, len, GUARD_REMOVE) };
    }
    let usable = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: 1. and 2. of `memory::unguard`: the caller's own range.
    checked("mprotect", unsafe { libc::mprotect(at.as_ptr().cast(), len, usable) })
}

/// `madvise` on a range of the caller's.
///
/// # Safety
///
/// 1. The caller owns the range and may lose what the advice loses.
unsafe fn advise(at: NonNull<u8>, len: usize, advice: c_int) -> Result<(), OsError> {
    // SAFETY: 1. of this function.
    checked("madvise", unsafe { libc::madvise(at.as_ptr().cast(), len, advice) })
}

pub(crate) unsafe fn purge(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. private anonymous memory of the caller's reads as zeroes afterwards.
    unsafe { advise(at, len, libc::MADV_DONTNEED) }
}

pub(crate) unsafe fn purge_lazily(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. as for `purge`, at a time of the kernel's choice.
    unsafe { advise(at, len, libc::MADV_FREE) }
}

pub(crate) unsafe fn release(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. of `memory::release`: the caller's range, used by nobody again.
    checked("munmap", unsafe { libc::munmap(at.as_ptr().cast(), len) })
}

/// The address that `mremap` answered, if it did not fail.
fn remapped(at: *mut c_void) -> Result<NonNull<u8>, OsError> {
    if at == libc::MAP_FAILED {
        return Err(last_error("mremap"));
    }
    NonNull::new(at.cast()).ok_or(OsError { op: "mremap", errno: libc::EFAULT })
}

pub(crate) unsafe fn grow(at: NonNull<u8>, len: usize, new_len: usize) -> Result<(), OsError> {
    // SAFETY: 1. of `memory::grow`; without MAYMOVE the kernel only takes free addresses.
    remapped(unsafe { libc::mremap(at.as_ptr().cast(), len, new_len, 0) }).map(|_| ())
}

pub(crate) unsafe fn remap(
    at: NonNull<u8>,
    len: usize,
    new_len: usize,
    align: usize,
) -> Result<NonNull<u8>, OsError> {
    let old = at.as_ptr().cast();
    if align <= super::page_size() {
        // SAFETY: 1. of `memory::remap`: the old addresses are used by nobody again.
        return remapped(unsafe { libc::mremap(old, len, new_len, libc::MREMAP_MAYMOVE) });
    }
    if at.addr().get() & (align - 1) == 0 && len < new_len {
        // SAFETY: 1. and 2. of `memory::remap`.
        if unsafe { grow(at, len, new_len) }.is_ok() {
            return Ok(at);
        }
    }
    // The kernel knows no alignment: give it a place that has one. Where it refuses, the place is
    // lost (addresses, no memory): kernels before 6.17 unmap it before they look at `old`, so that
    // it may be another thread's by now.
    let place = map(new_len, align, false)?;
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: as above, and the place it replaces is fresh and our own.
    remapped(unsafe { libc::mremap(old, len, new_len, flags, place.as_ptr()) })
}

pub(crate) unsafe fn relocate(
    from: NonNull<u8>,
    to: NonNull<u8>,
    len: usize,
) -> Result<(), OsError> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
    // SAFETY: 1. to 3. of `memory::relocate`: both ranges are the caller's, and stay mapped.
    let moved = unsafe { libc::mremap(from.as_ptr().cast(), len, len, flags, to.as_ptr()) };
    remapped(moved).map(|_| ()).inspect_err(|_| {
        // Kernels before 6.17 unmap `to` before they look at `from`: fill the hole at once. Where
        // there is none, this fails and changes nothing.
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        // SAFETY: NOREPLACE takes free addresses only.
        unsafe { libc::mmap(to.as_ptr().cast(), len, protection, flags, -1, 0) };
    })
}

pub(crate) unsafe fn advise_huge(
    at: NonNull<u8>,
    len: usize,
    wish: HugePages,
) -> Result<(), OsError> {
    let advice = match wish {
        HugePages::Default => return Ok(()),
        HugePages::Prefer => libc::MADV_HUGEPAGE,
        HugePages::Avoid => libc::MADV_NOHUGEPAGE,
    };
    // SAFETY: 1. the caller's range; nothing is lost.
    unsafe { advise(at, len, advice) }
}

pub(crate) unsafe fn collapse(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. the caller's range; its contents stay.
    unsafe { advise(at, len, libc::MADV_COLLAPSE) }
}

pub(crate) unsafe fn populate(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: 1. the caller's range; nothing is lost.
    unsafe { advise(at, len, libc::MADV_POPULATE_WRITE) }
}

pub(crate) unsafe fn resident(at: NonNull<u8>, len: usize, out: &mut [u8]) -> Result<(), OsError> {
    // SAFETY: 1. and 2. the caller's range, and a byte a page to write to.
    checked("mincore", unsafe { libc::mincore(at.as_ptr().cast(), len, out.as_mut_ptr()) })
}

pub(crate) unsafe fn name(at: NonNull<u8>, len: usize, name: &CStr) -> Result<(), OsError> {
    // SAFETY: the caller's range; the kernel copies the name during the call.
    let status = unsafe {
        libc::prctl(
            libc::PR_SET_VMA,
            libc::PR_SET_VMA_ANON_NAME as libc::c_ulong,
            at.as_ptr(),
            len,
            name.as_ptr(),
        )
    };
    checked("prctl", status)
}

pub(crate) unsafe fn dump(at: NonNull<u8>, len: usize, wanted: bool) -> Result<(), OsError> {
    let advice = if wanted { libc::MADV_DODUMP } else { libc::MADV_DONTDUMP };
    // SAFETY: 1. the caller's range; nothing is lost.
    unsafe { advise(at, len, advice) }
}

/// Sleeps while `word` is `value`, until woken; may wake without a reason.
#[cfg(not(strata_loom))]
pub(crate) fn wait(word: &AtomicU32, value: u32) {
    keep_errno(|| {
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        let forever = ptr::null::<libc::timespec>();
        // SAFETY: the word outlives the call, and the kernel only reads it. Every failure (the
        // value changed, a signal) is a wake-up, which the caller must expect anyway.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, forever) };
    })
}

/// Wakes one thread that sleeps on `word`.
#[cfg(not(strata_loom))]
pub(crate) fn wake_one(word: &AtomicU32) {
    keep_errno(|| {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word's address is a key here; it is not accessed.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) };
    })
}
