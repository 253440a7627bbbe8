//! `malloc` and its family, as C23, POSIX.1-2024 and glibc's manual describe it.
//!
//! A request that cannot be served answers null and `ENOMEM`; nothing else here changes `errno`, but
//! for arguments that a function calls invalid.

use core::ffi::{c_int, c_void};
use core::ptr;

use crate::thread::heap;

/// Null, with `errno` saying why.
#[cold]
#[inline(never)]
fn fail(why: c_int) -> *mut c_void {
    // SAFETY: the thread's own errno.
    unsafe { *libc::__errno_location() = why };
    ptr::null_mut()
}

/// A block as C has it.
#[inline(always)]
fn given(block: *mut u8) -> *mut c_void {
    if block.is_null() { fail(libc::ENOMEM) } else { block.cast() }
}

/// A block of `size` bytes. One of no bytes is a block of its own too.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn malloc(size: usize) -> *mut c_void {
    let block = heap().allocate_at_hand(size);
    if block.is_null() { malloc_slow(size) } else { block.cast() }
}

/// Of C's ABI, which says that it does not unwind: `malloc` jumps here.
#[cold]
#[inline(never)]
extern "C" fn malloc_slow(size: usize) -> *mut c_void {
    given(heap().allocate(size))
}

/// Takes a block back.
///
/// # Safety
///
/// 1. `block` is null, or a live block of this family.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: 1. the caller's.
    unsafe { heap().free(block.cast()) }
}

/// A block of `count` times `size` bytes, all zero.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        Some(size) => given(heap().allocate_zeroed(size)),
        None => fail(libc::ENOMEM),
    }
}

/// Another length for a block. With no bytes it frees the block and answers null, as glibc does,
/// and leaves `errno`.
///
/// # Safety
///
/// 1. As [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let heap = heap();
    if size == 0 && !block.is_null() {
        // SAFETY: 1. the caller's.
        unsafe { heap.free(block.cast()) };
        return ptr::null_mut();
    }
    // SAFETY: 1. the caller's.
    given(unsafe { heap.reallocate(block.cast(), size) })
}

/// [`realloc`] to `count` times `size` bytes.
///
/// # Safety
///
/// 1. As [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn reallocarray(
    block: *mut c_void,
    count: usize,
    size: usize,
) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: 1. the caller's.
        Some(size) => unsafe { realloc(block, size) },
        None => fail(libc::ENOMEM),
    }
}

/// A block at a multiple of `align`, a power of two. The size need not be a multiple of it.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    if !align.is_power_of_two() {
        return fail(libc::EINVAL);
    }
    given(heap().allocate_aligned(size, align))
}

/// Puts such a block into `place`; `align` is a multiple of a pointer's length too. Answers what is
/// wrong and leaves `place` as it was, `errno` in any case.
///
/// # Safety
///
/// 1. `place` may be written.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn posix_memalign(
    place: *mut *mut c_void,
    align: usize,
    size: usize,
) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let block = heap().allocate_aligned(size, align);
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: 1. the caller's.
    unsafe { place.write(block.cast()) };
    0
}

/// A block at a multiple of the least power of two from `align` on.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    match align.checked_next_power_of_two() {
        Some(align) => given(heap().allocate_aligned(size, align)),
        None => fail(libc::EINVAL),
    }
}

/// Bytes of a page.
fn page() -> usize {
    // SAFETY: a plain question.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// A block at the start of a page.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn valloc(size: usize) -> *mut c_void {
    given(heap().allocate_aligned(size, page()))
}

/// A block of whole pages.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn pvalloc(size: usize) -> *mut c_void {
    match size.checked_next_multiple_of(page()) {
        Some(size) => given(heap().allocate_aligned(size, page())),
        None => fail(libc::ENOMEM),
    }
}

/// Bytes of a block that the program may use; 0 of none.
///
/// # Safety
///
/// 1. As [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    // SAFETY: 1. the caller's.
    unsafe { heap().usable_len(block.cast()) }
}

/// Takes a block back that was requested with `size`.
///
/// # Safety
///
/// 1. As [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn free_sized(block: *mut c_void, size: usize) {
    // SAFETY: 1. the caller's.
    unsafe { heap().free_sized(block.cast(), size) }
}

/// Takes a block back that was requested with `align` and `size`.
///
/// # Safety
///
/// 1. As [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn free_aligned_sized(block: *mut c_void, align: usize, size: usize) {
    // SAFETY: 1. the caller's.
    unsafe { heap().free_aligned_sized(block.cast(), size, align) }
}

/// Gives what holds no block back to the system. Answers 1 where something went; `pad` bytes that
/// glibc would keep are not kept.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn malloc_trim(_pad: usize) -> c_int {
    (heap().purge() != 0).into()
}
