//! Which stock the running thread uses.

use core::cell::Cell;

use strata_core::sync::{AtomicU32, Ordering};

/// No number yet.
const NONE: u32 = u32::MAX;

std::thread_local! {
    // Without a destructor: it is there in every thread, at every time, and nothing is allocated for it.
    static NUMBER: Cell<u32> = const { Cell::new(NONE) };
}

/// A number of the running thread: threads that begin one after the other have different ones.
#[inline]
pub(crate) fn number() -> u32 {
    NUMBER.with(|number| match number.get() {
        NONE => first(number),
        known => known,
    })
}

#[cold]
fn first(number: &Cell<u32>) -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Relaxed: a number.
    let mine = NEXT.fetch_add(1, Ordering::Relaxed) & (NONE >> 1);
    number.set(mine);
    mine
}
