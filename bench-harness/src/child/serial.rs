//! One thread follows the recorded global order: deterministic.

use super::pass::Pass;
use crate::script::{Op, Place, kind};
use crate::subject::Subject;
use std::alloc::Layout;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An allocation that the subject refused: the index of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) usize);

/// Does one operation that is not about threads; false when the subject refused.
///
/// `what` is the operation's kind without [`WAIT`](crate::script::WAIT), which a serial script never
/// has. A realloc takes the [`Op`] after it too.
///
/// # Safety
///
/// 1. `op` and what follows it are those of a script whose earlier operations on the same slot have
///    been done, and `blocks` is the table of that script's slots.
#[inline(always)]
pub(super) unsafe fn step<S: Subject, P: Pass<S>>(
    subject: &S,
    pass: &mut P,
    what: u8,
    op: *const Op,
    place: *const Place,
    blocks: *const AtomicU64,
) -> bool {
    // SAFETY: by obligation 1 the operation and its place exist, the slot is in the table, the
    // layout was valid when it was recorded, the slot's block is live where it is used, and a
    // realloc's second half follows it.
    unsafe {
        let place = &*place;
        let op_at = op;
        let op = *op;
        let cell = &*blocks.add(op.slot as usize);
        // Made where it is used: the no-op's free must not pay for it.
        let layout =
            || Layout::from_size_align_unchecked(op.bytes as usize, 1 << (op.align_log2 & 63));
        if what == kind::FREE {
            let block = std::ptr::with_exposed_provenance_mut(cell.load(Relaxed) as usize);
            if P::KEEP {
                cell.store(0, Relaxed);
            }
            pass.free(subject, block, layout(), op, place);
            return true;
        }
        let block = if what == kind::REALLOCATE {
            let block = std::ptr::with_exposed_provenance_mut(cell.load(Relaxed) as usize);
            let new = (*op_at.add(1)).bytes as usize;
            pass.reallocate(subject, block, layout(), new, op, place)
        } else {
            pass.allocate(subject, layout(), op, place)
        };
        if block.is_null() {
            return false;
        }
        cell.store(block.expose_provenance() as u64, Relaxed);
        true
    }
}

/// Follows the operations of a segment.
///
/// # Safety
///
/// 1. The operations are the next ones of a serial script, and `blocks` is the table of its slots.
#[inline(never)]
pub(super) unsafe fn follow<S: Subject, P: Pass<S>>(
    subject: &S,
    pass: &mut P,
    ops: &[Op],
    places: &[Place],
    blocks: &[AtomicU64],
) -> Result<(), Refused> {
    // Pointers, and the kind read alone: every instruction here stands in every figure.
    let range = ops.as_ptr_range();
    let mut at = range.start;
    while at < range.end {
        let op = at;
        // SAFETY: by obligation 1; a serial script has no operations about threads, and a realloc
        // is never cut in half, so `at` stays within the segment or at its end.
        unsafe {
            let what = (*op).kind;
            at = at.add(1);
            if what == kind::REALLOCATE {
                at = at.add(1);
            }
            let index = op.offset_from_unsigned(range.start);
            if !step(subject, pass, what, op, places.as_ptr().add(index), blocks.as_ptr()) {
                return Err(Refused(index));
            }
        }
    }
    Ok(())
}
