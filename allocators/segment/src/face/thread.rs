//! The number of the running thread.

use core::cell::Cell;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

/// Numbers that were given to threads.
static NUMBERS: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    // Without a destructor and of a constant: nothing is allocated for it, and it can be read to the
    // thread's end. Zero for a thread without a number.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// A number of this thread: 1, 2, 3 in the order of first calls.
#[inline]
pub(super) fn number() -> usize {
    match NUMBER.get() {
        0 => number_slow(),
        number => number,
    }
}

#[cold]
#[inline(never)]
fn number_slow() -> usize {
    // Relaxed: a number that nobody else gets, and no more.
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
    NUMBER.set(number);
    number
}
