//! Which stack a request has.
//!
//! By frame pointers where the program was built with them, for that costs next to nothing, else by the
//! unwinder. Which of the two it is shows when both are asked: the first stacks are taken in both ways, and
//! only where all of these are the same in both, frame pointers are believed from then on, with a look at one
//! of many. Whenever the two differ it is the unwinder for good.
//!
//! There are two unwinders, too: the standard library's, and one that remembers what it read in the program's
//! tables (strata-os's `Tables`), which is believed by the same rule.

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::stack;

use self::quick::Quick;

use super::Stacks;

/// Frames of a stack, at most: those that are nearest to the request.
pub(super) const MOST: usize = 128;
/// Stacks that are the same in both ways before frame pointers are believed, which may be there by chance.
const SURE: usize = 64;
/// The same for the unwinder that remembers, which reads what the other one reads.
const SURE_QUICK: usize = 16;
/// One of so many is taken in both ways after that.
const AGAIN: usize = 256;
/// For good.
const NEVER: usize = usize::MAX;

/// Which way was wished for. Relaxed, both: any way at any time answers something.
static WAY: AtomicUsize = AtomicUsize::new(Stacks::Auto as usize);
/// Stacks that were the same by frame pointers and by the unwinder, in a row.
static AGREED: Trust = Trust::after(SURE);
/// Stacks that were the same by both unwinders, in a row.
static QUICK: Trust = Trust::after(SURE_QUICK);

/// Whether a quick way is believed: how often it told the same as the slow one in a row, or [`NEVER`].
/// Relaxed, all: whatever it says at any time, something is answered.
struct Trust {
    agreed: AtomicUsize,
    /// From here on it is.
    sure: usize,
}

impl Trust {
    const fn after(sure: usize) -> Self {
        Self { agreed: AtomicUsize::new(0), sure }
    }

    /// Begins anew.
    fn reset(&self) {
        self.agreed.store(0, Ordering::Relaxed);
    }

    /// Whether the quick way is ruled out.
    fn is_none(&self) -> bool {
        self.agreed.load(Ordering::Relaxed) == NEVER
    }

    /// Whether the quick way is believed.
    fn is_sure(&self) -> bool {
        (self.sure..NEVER).contains(&self.agreed.load(Ordering::Relaxed))
    }

    /// Whether the quick way is believed for this stack.
    fn believes(&self) -> bool {
        let agreed = self.agreed.load(Ordering::Relaxed);
        let believes = agreed != NEVER && agreed >= self.sure && !agreed.is_multiple_of(AGAIN);
        if believes {
            self.agreed.store(agreed + 1, Ordering::Relaxed);
        }
        believes
    }

    /// Both ways were asked.
    fn learn(&self, same: bool) {
        let agreed = self.agreed.load(Ordering::Relaxed);
        self.agreed
            .store(if same && agreed != NEVER { agreed + 1 } else { NEVER }, Ordering::Relaxed);
    }
}

/// Chooses how stacks are taken from now on.
pub(super) fn choose(stacks: Stacks) {
    WAY.store(stacks as usize, Ordering::Relaxed);
    AGREED.reset();
    QUICK.reset();
}

/// Makes what the quick unwinder needs. Allocates, so with no lock held.
pub(super) fn prepare() {
    Quick::prepare();
}

/// How stacks are taken at the moment.
pub(super) fn way() -> Stacks {
    if WAY.load(Ordering::Relaxed) == Stacks::FramePointers as usize || AGREED.is_sure() {
        return Stacks::FramePointers;
    }
    if WAY.load(Ordering::Relaxed) == Stacks::Unwinder as usize || AGREED.is_none() {
        return Stacks::Unwinder;
    }
    Stacks::Auto
}

/// The callers of the function that has a local variable at `here`; `top` ends the stack, or is zero. Answers
/// how many there are in `out`.
#[inline(never)]
pub(super) fn capture(out: &mut [usize; MOST], here: usize, top: usize) -> usize {
    let way = WAY.load(Ordering::Relaxed);
    if way == Stacks::Unwinder as usize || (way == Stacks::Auto as usize && AGREED.is_none()) {
        return match unwind(out, here, top) {
            // There is no unwinder.
            0 => stack::by_frame_pointers(out, here, top),
            len => len,
        };
    }
    let by_pointers = stack::by_frame_pointers(out, here, top);
    if way == Stacks::FramePointers as usize || AGREED.believes() {
        return by_pointers;
    }
    let mut others = [0; MOST];
    let len = unwind(&mut others, here, top);
    if len == 0 {
        return by_pointers;
    }
    // Where a thread or the program begins there is no frame pointer.
    let short = len - by_pointers.min(len) <= 1;
    AGREED.learn(short && out[..by_pointers] == others[..by_pointers]);
    *out = others;
    len
}

/// The same by an unwinder.
fn unwind(out: &mut [usize; MOST], here: usize, top: usize) -> usize {
    let quick = if QUICK.is_none() { None } else { Quick::unwind(out, here, top) };
    match quick {
        Some(len) if QUICK.believes() => len,
        None => stack::unwind(out, here),
        Some(quick) => {
            let mut others = [0; MOST];
            let len = stack::unwind(&mut others, here);
            if len != 0 {
                QUICK.learn(out[..quick] == others[..len]);
            }
            *out = others;
            len
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64", not(miri)))]
mod quick {
    use core::ptr;
    use std::boxed::Box;

    use strata_core::sync::{AtomicPtr, Ordering};
    use strata_os::stack::tables::Tables;

    use super::MOST;

    /// The tables of the program's code. Those that were replaced stay: others may be reading them.
    static TABLES: AtomicPtr<Tables> = AtomicPtr::new(ptr::null_mut());

    pub(super) struct Quick;

    impl Quick {
        fn tables() -> Option<&'static Tables> {
            // Acquire: its partner is the Release in `prepare`.
            let tables = TABLES.load(Ordering::Acquire);
            // SAFETY: null, or leaked by `prepare`.
            unsafe { tables.as_ref() }
        }

        /// Reads the tables of code that was loaded since, or all.
        pub(super) fn prepare() {
            if Self::tables().is_none_or(|tables| !tables.are_current()) {
                let tables = Box::into_raw(Box::new(Tables::of_process()));
                // Release: its partner is the Acquire in `tables`.
                TABLES.store(tables, Ordering::Release);
            }
        }

        pub(super) fn unwind(out: &mut [usize; MOST], here: usize, top: usize) -> Option<usize> {
            Self::tables()?.unwind(out, here, top)
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(miri)
)))]
mod quick {
    /// There is none on this system.
    pub(super) struct Quick;

    impl Quick {
        pub(super) fn prepare() {}

        pub(super) fn unwind(_: &mut [usize; super::MOST], _: usize, _: usize) -> Option<usize> {
            None
        }
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64", not(strata_loom)))]
mod tests {
    use core::ptr;

    use super::*;

    #[inline(never)]
    fn take(out: &mut [usize; MOST]) -> usize {
        let here = 0_u8;
        let top = stack::top().expect("a stack");
        core::hint::black_box(capture(out, ptr::from_ref(&here).addr(), top))
    }

    #[test]
    fn the_unwinder_that_remembers_is_believed_before_long() {
        prepare();
        let (mut first, mut believed) = (None, false);
        for _ in 0..1000 {
            let mut out = [0; MOST];
            let len = take(&mut out);
            assert!(len > 3);
            // Other tests begin profiles of their own meanwhile.
            assert_eq!(out, *first.get_or_insert(out));
            believed |= QUICK.is_sure() || AGREED.is_sure();
        }
        assert!(believed);
    }
}
