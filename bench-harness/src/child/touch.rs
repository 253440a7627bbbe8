//! What the program would write: the same for every subject.

use super::control::Touch;

/// Writes into a block of `bytes` at `block` from byte `from` on (0 for a new block; the old length
/// for one that grew), as `touch` says.
///
/// # Safety
///
/// 1. `block` is writable for `bytes`.
#[inline(always)]
pub(crate) unsafe fn touch(touch: Touch, block: *mut u8, from: usize, bytes: usize) {
    if touch == Touch::None {
        return;
    }
    // SAFETY: by obligation 1: every write below stays within `bytes`.
    unsafe {
        if from == 0 {
            if bytes >= 16 {
                block.cast::<[u64; 2]>().write_unaligned([1, 1]);
            } else if bytes >= 8 {
                block.cast::<u64>().write_unaligned(1);
            } else {
                block.write(1);
            }
        }
        if touch == Touch::Pages && bytes > 16 {
            // The first page was written above; the next ones begin at page borders.
            let mut at = ((block.addr() + from.max(1) - 1) | 4095) + 1 - block.addr();
            while at < bytes {
                block.add(at).write(1);
                at += 4096;
            }
        } else if touch == Touch::All && bytes > from {
            block.add(from).write_bytes(1, bytes - from);
        }
    }
}
