//! A C allocator for `--alloc lib:PATH.so`: cuts blocks from one mapping and takes nothing back.
//!
//! Compiled by a test, on its own:  `rustc --crate-type cdylib -O bump_malloc.rs`

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

const BYTES: usize = 8 << 30;
/// Before each block lies its size.
const HEAD: usize = 16;

static START: AtomicUsize = AtomicUsize::new(0);
static USED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn mmap(at: *mut c_void, bytes: usize, access: i32, flags: i32, fd: i32, from: i64)
    -> *mut c_void;
}

fn start() -> usize {
    let start = START.load(Ordering::Acquire);
    if start != 0 {
        return start;
    }
    // Readable and writable; private, anonymous, without a commit charge.
    let new = unsafe { mmap(null_mut(), BYTES, 3, 0x4022, -1, 0) } as usize;
    match START.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => new,
        Err(other) => other,
    }
}

fn cut(align: usize, bytes: usize) -> *mut c_void {
    let align = align.max(16);
    let room = (bytes.max(1) + HEAD + align).next_multiple_of(16);
    let at = start() + USED.fetch_add(room, Ordering::Relaxed);
    let block = (at + HEAD).next_multiple_of(align);
    unsafe { *((block - HEAD) as *mut usize) = bytes };
    block as *mut c_void
}

#[unsafe(no_mangle)]
pub extern "C" fn malloc(bytes: usize) -> *mut c_void {
    cut(16, bytes)
}

#[unsafe(no_mangle)]
pub extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    cut(16, count * bytes)
}

#[unsafe(no_mangle)]
pub extern "C" fn free(_block: *mut c_void) {}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    let new = cut(16, bytes);
    if !block.is_null() {
        let old = unsafe { malloc_usable_size(block) };
        unsafe { new.cast::<u8>().copy_from(block.cast(), old.min(bytes)) };
    }
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(to: *mut *mut c_void, align: usize, bytes: usize) -> i32 {
    unsafe { *to = cut(align, bytes) };
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut c_void {
    cut(align, bytes)
}

#[unsafe(no_mangle)]
pub extern "C" fn memalign(align: usize, bytes: usize) -> *mut c_void {
    cut(align, bytes)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    if block.is_null() { 0 } else { unsafe { *((block as usize - HEAD) as *const usize) } }
}
