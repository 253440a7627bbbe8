//! Memory for the allocations that arrive while the next definitions are being looked up: the
//! lookup itself may allocate. A fixed buffer, handed out once and never taken back.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const BYTES: usize = 64 << 10;
/// Before each block lies its length; this much keeps blocks aligned for anything.
const HEAD: usize = 16;

#[repr(C, align(4096))]
struct Buffer(UnsafeCell<[u8; BYTES]>);

// SAFETY: the bytes are handed out in ranges that never overlap.
unsafe impl Sync for Buffer {}

static BUFFER: Buffer = Buffer(UnsafeCell::new([0; BYTES]));
// Relaxed: a counter; the ranges that it hands out are disjoint whatever the order.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Zeroed bytes, or null when the buffer is used up. `align` is a power of two.
pub(crate) fn allocate(bytes: usize, align: usize) -> *mut u8 {
    let align = align.max(HEAD);
    let Some(wanted) = bytes.checked_add(HEAD + align).filter(|&wanted| wanted <= BYTES) else {
        return core::ptr::null_mut();
    };
    let Ok(start) =
        USED.fetch_update(Relaxed, Relaxed, |used| Some(used + wanted).filter(|&end| end <= BYTES))
    else {
        return core::ptr::null_mut();
    };
    let base = BUFFER.0.get().cast::<u8>();
    let block = (base as usize + start + HEAD).next_multiple_of(align) - base as usize;
    // SAFETY: `block` is at most start + HEAD + align - 1, so block + bytes lies before
    // start + wanted, and the length lies in the HEAD bytes at its front, aligned to 16.
    unsafe {
        base.add(block - HEAD).cast::<usize>().write(bytes);
        base.add(block)
    }
}

/// Whether a block is from here.
#[inline]
pub(crate) fn owns(block: *const u8) -> bool {
    (block as usize).wrapping_sub(BUFFER.0.get() as usize) < BYTES
}

/// Bytes asked for of a block from here.
///
/// # Safety
///
/// 1. `block` came from [`allocate`].
pub(crate) unsafe fn length(block: *const u8) -> usize {
    // SAFETY: by obligation 1 its length lies before it.
    unsafe { block.sub(HEAD).cast::<usize>().read() }
}
