//! The system's memory calls, one function each: reserve, map, commit, purge, release, remap.
//!
//! Addresses and lengths are multiples of [`page_size`] throughout. Every function leaves the
//! caller's `errno` as it found it, allocates nothing, and never panics. On a system that this
//! crate does not know each of them fails with an [`OsError`] of errno 0.
//!
//! Nothing here is process-wide: advice on huge pages, names and dump flags belong to a range.
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! use strata_os::memory;
//!
//! let page = memory::page_size();
//! let at = memory::reserve(16 * page, 1)?; // addresses only
//! // SAFETY: a range of our own, used by nobody else.
//! unsafe {
//!     memory::commit(at, page)?;
//!     at.write(7);
//!     memory::purge(at, page)?;
//!     assert_eq!(at.read(), 0);
//!     memory::release(at, 16 * page)?;
//! }
//! # }
//! # Ok::<(), strata_os::OsError>(())
//! ```

use core::ffi::CStr;
use core::ops::Range;
use core::ptr::NonNull;

#[cfg(not(strata_loom))]
use strata_core::sync::{AtomicUsize, Ordering};

use crate::OsError;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unknown.rs")]
pub(crate) mod sys;

/// Whether this crate knows the system it was built for.
pub const KNOWN: bool = cfg!(target_os = "linux");

/// What to tell the system about 2 MiB pages in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// Nothing: what the system does by default.
    #[default]
    Default,
    /// Back it by huge pages where possible.
    Prefer,
    /// Do not.
    Avoid,
}

/// Bytes of a page, asked once and remembered. A power of two.
#[inline]
#[cfg(not(strata_loom))]
pub fn page_size() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    // Relaxed, both: every thread computes the same number.
    match PAGE.load(Ordering::Relaxed) {
        0 => {
            let page = sys::page_size();
            PAGE.store(page, Ordering::Relaxed);
            page
        }
        page => page,
    }
}

/// Bytes of a page. (No model's atomic can live in a static: this one asks every time.)
#[cfg(strata_loom)]
pub fn page_size() -> usize {
    sys::page_size()
}

/// Reserves `len` bytes of address space at a multiple of `align`. It must be committed before it
/// is touched, is left out of core dumps until then, and counts for no commit limit.
///
/// # Errors
///
/// `mmap`: no address space ([`RLIMIT_AS`] counts it), too many mappings, or a length of zero.
///
/// [`RLIMIT_AS`]: https://man7.org/linux/man-pages/man2/setrlimit.2.html
pub fn reserve(len: usize, align: usize) -> Result<NonNull<u8>, OsError> {
    sys::keep_errno(|| sys::map(len, align, false))
}

/// [`reserve`] in a range of addresses: for memory that is told from other memory by comparing them.
///
/// # Errors
///
/// As [`reserve`], and errno 0 where there is no room in the range, or none was found in a few tries.
///
/// ```
/// # #[cfg(all(target_os = "linux", target_pointer_width = "64"))] {
/// use strata_os::memory::{page_size, release, reserve_within};
///
/// let page = page_size();
/// let low = reserve_within(0..1 << 31, 64 * page, 2 * page)?;
/// assert!(low.addr().get() + 64 * page <= 1 << 31);
/// // SAFETY: 1. a range of our own, which nobody uses. 2. whole pages.
/// unsafe { release(low, 64 * page)? };
/// assert!(reserve_within(0..1 << 31, 1 << 31, 1).is_err());
/// # }
/// # Ok::<(), strata_os::OsError>(())
/// ```
pub fn reserve_within(
    range: Range<usize>,
    len: usize,
    align: usize,
) -> Result<NonNull<u8>, OsError> {
    sys::keep_errno(|| sys::reserve_within(range, len, align))
}

/// Maps `len` bytes of zeroed memory for reading and writing at a multiple of `align`. Pages come
/// when they are touched first.
///
/// # Errors
///
/// `mmap`, as for [`reserve`], and where the system limits what it promises.
pub fn map(len: usize, align: usize) -> Result<NonNull<u8>, OsError> {
    sys::keep_errno(|| sys::map(len, align, true))
}

/// Makes reserved memory readable and writable. It reads as zeroes the first time.
///
/// # Errors
///
/// `mprotect`: no memory to promise, or too many mappings.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`], and `len` is not zero.
pub unsafe fn commit(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::commit(at, len) })
}

/// Gives the contents of a range back and makes it untouchable again, as [`reserve`] left it.
///
/// # Errors
///
/// `mprotect`: too many mappings. The contents may be gone then.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`], and `len` is not zero.
/// 3. Nobody touches it until it is committed again.
pub unsafe fn decommit(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::decommit(at, len) })
}

/// Makes a range untouchable: a read or a write there ends the process by a signal. Its contents are lost,
/// or are there again after [`unguard`].
///
/// # Errors
///
/// `madvise`: the range is locked into memory. `mprotect`, with a system older than Linux 6.13: too many
/// mappings. Nothing changed then.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`], and `len` is not zero.
/// 3. Nobody who may go on touches it until it is unguarded.
pub unsafe fn guard(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::guard(at, len) })
}

/// Makes a range usable again that was made untouchable by [`guard`]: less than [`commit`] does.
///
/// # Errors
///
/// `mprotect`: too many mappings. Nothing changed then, and never where [`guard`] needs none.
///
/// # Safety
///
/// 1. and 2. as for [`guard`].
pub unsafe fn unguard(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::unguard(at, len) })
}

/// Gives the contents of a range back at once. It stays usable and reads as zeroes.
///
/// # Errors
///
/// `madvise`: the range is locked into memory. Nothing is gone then.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`].
/// 3. Nobody reads or writes it during the call.
pub unsafe fn purge(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::purge(at, len) })
}

/// Lets the system take the contents of a range when it needs memory: cheaper than [`purge`], and
/// not seen in the resident size until then. Each page keeps what it has, or becomes zero, until
/// it is written.
///
/// # Errors
///
/// `madvise`: the system cannot do it, or not for this memory. Use [`purge`].
///
/// # Safety
///
/// 1. to 3. as for [`purge`].
pub unsafe fn purge_lazily(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::purge_lazily(at, len) })
}

/// Gives addresses and contents back.
///
/// # Errors
///
/// `munmap`: cutting a hole would make too many mappings. Nothing is released then.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, it was mapped or reserved here, and nobody uses it again.
/// 2. `at` and `len` are multiples of [`page_size`], and `len` is not zero.
pub unsafe fn release(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::release(at, len) })
}

/// Lengthens a mapping where it lies. What is added reads as zeroes.
///
/// # Errors
///
/// `mremap`: what follows is taken, or the range is more than one mapping to the system.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped here.
/// 2. `at`, `len` and `new_len` are multiples of [`page_size`], and `len < new_len`.
pub unsafe fn grow(at: NonNull<u8>, len: usize, new_len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::grow(at, len, new_len) })
}

/// Lengthens a mapping, moving its pages to other addresses where necessary, at a multiple of
/// `align`. Costs no copy, and what is added reads as zeroes. Where it moved, the old addresses are
/// the system's again.
///
/// # Errors
///
/// `mremap`: no room, or the range is more than one mapping to the system. Nothing moved; for an
/// alignment above a page, `new_len` bytes of address space may be lost.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, it was mapped here, and nobody uses its old addresses
///    again.
/// 2. `at`, `len` and `new_len` are multiples of [`page_size`], `len <= new_len`, and `align` is a
///    power of two.
pub unsafe fn remap(
    at: NonNull<u8>,
    len: usize,
    new_len: usize,
    align: usize,
) -> Result<NonNull<u8>, OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::remap(at, len, new_len, align) })
}

/// Moves the pages of `[from, from + len)` to `[to, to + len)`, replacing what is there. `from`
/// stays mapped and reads as zeroes: at no moment is there a hole that another thread's mapping
/// could fall into.
///
/// # Errors
///
/// `mremap`: the system cannot do it, or `from` is more than one mapping to it. Nothing moved:
/// copy instead. What `to` held may be gone. (Linux before 6.17 unmaps `to` before it finds `from`
/// wanting; it is mapped again at once, but for that moment another thread's mapping could take its
/// place. Where that matters, relocate only what is one mapping.)
///
/// # Safety
///
/// 1. The caller owns both ranges, they were mapped or reserved here, and do not overlap.
/// 2. `from`, `to` and `len` are multiples of [`page_size`], and `len` is not zero.
/// 3. Nobody reads or writes either during the call.
pub unsafe fn relocate(from: NonNull<u8>, to: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::relocate(from, to, len) })
}

/// Advises the system on huge pages in this range.
///
/// # Errors
///
/// `madvise`: the kernel was built without them.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`].
pub unsafe fn advise_huge(at: NonNull<u8>, len: usize, wish: HugePages) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::advise_huge(at, len, wish) })
}

/// Has the system put what a range holds into huge pages at once, as far as it begins and ends at such.
///
/// Pages without contents become resident with the others. What is mapped there later is not advised on.
/// It takes about as long as copying the range, and works whatever
/// [`limits::huge_pages`](crate::limits::huge_pages) says.
///
/// # Errors
///
/// `madvise`: the kernel is older than 6.1 or was built without huge pages, has none free now, or the range
/// was told to [avoid](HugePages::Avoid) them. A part may be done.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it is committed.
/// 2. `at` and `len` are multiples of [`page_size`].
pub unsafe fn collapse(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::collapse(at, len) })
}

/// Brings the pages of a range in for writing, in one call instead of one fault each.
///
/// # Errors
///
/// `madvise`: the kernel is older than 5.14, or has no memory; some pages may be in.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it is committed.
/// 2. `at` and `len` are multiples of [`page_size`].
pub unsafe fn populate(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::populate(at, len) })
}

/// Says of each page of a range whether it is in memory: the lowest bit of its byte in `out`. A page that
/// is not may never have been touched, or may have been swapped out.
///
/// # Errors
///
/// `mincore`: the range is not mapped, or a sandbox forbids the call.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`], and `out` has a byte for each page.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use strata_os::memory::{map, page_size, release, resident};
///
/// let page = page_size();
/// let at = map(2 * page, 1)?;
/// let mut there = [0; 2];
/// // SAFETY: a range of our own; two pages.
/// unsafe {
///     at.write(1);
///     resident(at, 2 * page, &mut there)?;
///     assert_eq!(there.map(|byte| byte & 1), [1, 0]);
///     release(at, 2 * page)?;
/// }
/// # }
/// # Ok::<(), strata_os::OsError>(())
/// ```
pub unsafe fn resident(at: NonNull<u8>, len: usize, out: &mut [u8]) -> Result<(), OsError> {
    debug_assert!(out.len() * page_size() >= len);
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::resident(at, len, out) })
}

/// Names a range in `/proc/PID/maps`. For people only: mappings of different names do not merge.
///
/// # Errors
///
/// `prctl`: the kernel was built without names (many are), or the name has a character that it
/// does not take.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`].
pub unsafe fn name(at: NonNull<u8>, len: usize, name: &CStr) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::name(at, len, name) })
}

/// Leaves a range out of core dumps, or takes it in again.
///
/// # Errors
///
/// `madvise`: the range is not mapped.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)`, and it was mapped or reserved here.
/// 2. `at` and `len` are multiples of [`page_size`].
pub unsafe fn dump(at: NonNull<u8>, len: usize, wanted: bool) -> Result<(), OsError> {
    // SAFETY: the caller's obligations are the same ones.
    sys::keep_errno(|| unsafe { sys::dump(at, len, wanted) })
}
