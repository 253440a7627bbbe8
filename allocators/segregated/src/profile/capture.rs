//! Which stack a request has.
//!
//! By frame pointers where the program was built with them, for that costs next to nothing, else by the
//! unwinder. Which of the two it is shows when both are asked: the first stacks are taken in both ways, and
//! only where all of these are the same in both, frame pointers are believed from then on, with a look at one
//! of many. Whenever the two differ it is the unwinder for good.

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::stack;

use super::Stacks;

/// Frames of a stack, at most: those that are nearest to the request.
pub(super) const MOST: usize = 128;
/// Stacks that are the same in both ways before frame pointers are believed.
const SURE: usize = 64;
/// One of so many is taken in both ways after that.
const AGAIN: usize = 256;
/// For good.
const NEVER: usize = usize::MAX;

/// Which way was wished for. Relaxed, both: any way at any time answers something.
static WAY: AtomicUsize = AtomicUsize::new(Stacks::Auto as usize);
/// Stacks that were the same in both ways, in a row.
static AGREED: AtomicUsize = AtomicUsize::new(0);

/// Chooses how stacks are taken from now on.
pub(super) fn choose(stacks: Stacks) {
    WAY.store(stacks as usize, Ordering::Relaxed);
    AGREED.store(0, Ordering::Relaxed);
}

/// How stacks are taken at the moment.
pub(super) fn way() -> Stacks {
    if WAY.load(Ordering::Relaxed) == Stacks::FramePointers as usize {
        return Stacks::FramePointers;
    }
    match AGREED.load(Ordering::Relaxed) {
        _ if WAY.load(Ordering::Relaxed) == Stacks::Unwinder as usize => Stacks::Unwinder,
        NEVER => Stacks::Unwinder,
        SURE.. => Stacks::FramePointers,
        _ => Stacks::Auto,
    }
}

/// The callers of the function that has a local variable at `here`; `top` ends the stack, or is zero. Answers
/// how many there are in `out`.
#[inline(never)]
pub(super) fn capture(out: &mut [usize; MOST], here: usize, top: usize) -> usize {
    let by_pointers = stack::by_frame_pointers(out, here, top);
    if WAY.load(Ordering::Relaxed) == Stacks::FramePointers as usize {
        return by_pointers;
    }
    let agreed = AGREED.load(Ordering::Relaxed);
    let looks = agreed < SURE || agreed.is_multiple_of(AGAIN);
    if agreed != NEVER && !looks {
        AGREED.fetch_add(1, Ordering::Relaxed);
        return by_pointers;
    }
    let mut others = [0; MOST];
    let len = stack::unwind(&mut others, here);
    if len == 0 {
        // There is no unwinder.
        return by_pointers;
    }
    let same = agreed != NEVER
        && WAY.load(Ordering::Relaxed) == Stacks::Auto as usize
        && out[..by_pointers] == others[..len];
    AGREED.store(if same { agreed + 1 } else { NEVER }, Ordering::Relaxed);
    out[..len].copy_from_slice(&others[..len]);
    len
}
