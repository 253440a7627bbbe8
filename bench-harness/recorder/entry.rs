//! The malloc family as programs call it.
//!
//! An allocation is stamped after its call and a free before its call, so that in the order of the
//! stamps a block's memory is freed before another block gets it.

use crate::format::{FAILED, NO_ALIGN, ZEROED, tag, word};
use crate::{bootstrap, next, stream, sys};
use core::ffi::c_int;
use core::ptr::null_mut;

/// Makes an allocation with `call` and records it.
#[inline(always)]
fn allocated(bytes: usize, align_log2: u32, flags: u32, call: impl FnOnce() -> *mut u8) -> *mut u8 {
    let thread = stream::enter();
    let block = call();
    if !thread.is_null() {
        // SAFETY: as `enter` answered.
        unsafe {
            if !block.is_null() {
                let word = word(tag::ALLOCATE, align_log2, flags);
                stream::write(thread, word, 0, block as u64, bytes as u64);
            }
            stream::leave(thread);
        }
    }
    block
}

/// Records the freeing of a block of the next definitions, and frees it with `call`.
#[inline(always)]
fn freed(block: *mut u8, call: impl FnOnce()) {
    let thread = if block.is_null() { null_mut() } else { stream::enter() };
    if thread.is_null() {
        return call();
    }
    // SAFETY: as `enter` answered.
    unsafe {
        stream::write(thread, word(tag::FREE, NO_ALIGN, 0), 0, block as u64, 0);
        call();
        stream::leave(thread);
    }
}

/// log2 of an alignment, of the next power of two where it is none.
fn log2(align: usize) -> u32 {
    align.checked_next_power_of_two().map_or(63, usize::trailing_zeros)
}

const PAGE: usize = 4096;

/// # Safety
///
/// 1. Those of `malloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(bytes: usize) -> *mut u8 {
    let Some(malloc) = next::malloc() else { return next::without(bytes, 1) };
    // SAFETY: (1) passes on, here and below.
    allocated(bytes, NO_ALIGN, 0, || unsafe { malloc(bytes) })
}

/// # Safety
///
/// 1. Those of `free`.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut u8) {
    if bootstrap::owns(block) {
        return;
    }
    let Some(free) = next::free() else { return };
    // SAFETY: (1) passes on.
    freed(block, || unsafe { free(block) });
}

/// # Safety
///
/// 1. Those of `calloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: usize, each: usize) -> *mut u8 {
    let bytes = count.saturating_mul(each);
    let Some(calloc) = next::calloc() else { return next::without(bytes, 1) };
    // SAFETY: (1) passes on.
    allocated(bytes, NO_ALIGN, ZEROED, || unsafe { calloc(count, each) })
}

/// # Safety
///
/// 1. Those of `realloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut u8, bytes: usize) -> *mut u8 {
    if bootstrap::owns(block) {
        // SAFETY: the block came from the buffer; the new one has `bytes` bytes.
        return unsafe {
            let fresh = malloc(bytes);
            if !fresh.is_null() {
                fresh.copy_from_nonoverlapping(block, bootstrap::length(block).min(bytes));
            }
            fresh
        };
    }
    let Some(realloc) = next::realloc() else {
        return if block.is_null() { next::without(bytes, 1) } else { null_mut() };
    };
    if block.is_null() {
        // SAFETY: (1) passes on.
        return allocated(bytes, NO_ALIGN, 0, || unsafe { realloc(block, bytes) });
    }
    let thread = stream::enter();
    if thread.is_null() {
        // SAFETY: (1) passes on.
        return unsafe { realloc(block, bytes) };
    }
    // SAFETY: (1) passes on; the thread is as `enter` answered.
    unsafe {
        stream::write(thread, word(tag::BEGIN, NO_ALIGN, 0), 0, block as u64, 0);
        let fresh = realloc(block, bytes);
        // Null for no bytes says that the block was freed.
        let flags = if fresh.is_null() && bytes != 0 { FAILED } else { 0 };
        stream::write(thread, word(tag::END, NO_ALIGN, flags), 0, fresh as u64, bytes as u64);
        stream::leave(thread);
        fresh
    }
}

/// # Safety
///
/// 1. Those of `reallocarray`.
#[unsafe(no_mangle)]
unsafe extern "C" fn reallocarray(block: *mut u8, count: usize, each: usize) -> *mut u8 {
    // Done here, for the C library's calls `realloc` by its public name anyway.
    match count.checked_mul(each) {
        // SAFETY: (1) passes on.
        Some(bytes) => unsafe { realloc(block, bytes) },
        None => {
            sys::set_errno(sys::ENOMEM);
            null_mut()
        }
    }
}

/// # Safety
///
/// 1. Those of `memalign`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memalign(align: usize, bytes: usize) -> *mut u8 {
    let Some(memalign) = next::memalign() else { return next::without(bytes, 1 << log2(align)) };
    // SAFETY: (1) passes on.
    allocated(bytes, log2(align), 0, || unsafe { memalign(align, bytes) })
}

/// # Safety
///
/// 1. Those of `aligned_alloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut u8 {
    let Some(allocate) = next::aligned_alloc() else {
        return next::without(bytes, 1 << log2(align));
    };
    // SAFETY: (1) passes on.
    allocated(bytes, log2(align), 0, || unsafe { allocate(align, bytes) })
}

/// # Safety
///
/// 1. Those of `posix_memalign`.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(into: *mut *mut u8, align: usize, bytes: usize) -> c_int {
    let Some(allocate) = next::posix_memalign() else { return sys::ENOMEM };
    let mut answer = 0;
    allocated(bytes, log2(align), 0, || {
        // SAFETY: (1) passes on; `into` holds the block where the answer is 0.
        unsafe {
            answer = allocate(into, align, bytes);
            if answer == 0 { *into } else { null_mut() }
        }
    });
    answer
}

/// # Safety
///
/// 1. Those of `valloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn valloc(bytes: usize) -> *mut u8 {
    let Some(valloc) = next::valloc() else { return next::without(bytes, PAGE) };
    // SAFETY: (1) passes on.
    allocated(bytes, log2(PAGE), 0, || unsafe { valloc(bytes) })
}

/// # Safety
///
/// 1. Those of `pvalloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pvalloc(bytes: usize) -> *mut u8 {
    let Some(pvalloc) = next::pvalloc() else { return next::without(bytes, PAGE) };
    // SAFETY: (1) passes on.
    allocated(bytes, log2(PAGE), 0, || unsafe { pvalloc(bytes) })
}

/// # Safety
///
/// 1. Those of `malloc_usable_size`.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut u8) -> usize {
    if bootstrap::owns(block) {
        // SAFETY: the block came from the buffer.
        return unsafe { bootstrap::length(block) };
    }
    // SAFETY: (1) passes on.
    next::malloc_usable_size().map_or(0, |usable| unsafe { usable(block) })
}

/// # Safety
///
/// 1. Those of `free_sized`.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_sized(block: *mut u8, bytes: usize) {
    match next::free_sized() {
        // SAFETY: (1) passes on.
        Some(next) if !bootstrap::owns(block) => freed(block, || unsafe { next(block, bytes) }),
        // SAFETY: (1) says that `free` may be given the block.
        _ => unsafe { free(block) },
    }
}

/// # Safety
///
/// 1. Those of `free_aligned_sized`.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_aligned_sized(block: *mut u8, align: usize, bytes: usize) {
    match next::free_aligned_sized() {
        Some(next) if !bootstrap::owns(block) => {
            // SAFETY: (1) passes on.
            freed(block, || unsafe { next(block, align, bytes) });
        }
        // SAFETY: (1) says that `free` may be given the block.
        _ => unsafe { free(block) },
    }
}
