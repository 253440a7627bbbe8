//! A thread's stocks: blocks of each class that it takes and puts back without asking anybody.
//!
//! A stock is an array of blocks with a bound. Where nothing went wrong, taking a block is a load of
//! the top, a load of the block there, a test and a store; putting one back is a load, a compare
//! and two stores. Nothing of the block itself is touched, and the heap's tables are not either:
//! the class comes from the layout.
//!
//! ```text
//!   base                top            limit
//!   │ null │ block │ … │ block │ (free) … │
//! ```
//!
//! Below the oldest block stands null, so that an empty stock shows by what is taken from it. A
//! thread that has no stocks yet (or no more) has `top` and `limit` at a null of everybody's: empty
//! and full at once, so that both ways lead to the slow path.

mod adapt;
mod forked;
mod life;
mod passed;
mod peak;
mod slow;
mod thread;

use core::ptr;

use strata_core::sync::{AtomicPtr, Ordering};

use crate::class::CLASSES;

pub(crate) use forked::{forget_others, hold, let_go, note_others};
#[cfg(feature = "stats")]
pub(crate) use life::requested;
pub(crate) use life::{flush_left, pin, stocked};
pub(crate) use slow::{
    flush_this_thread, put_large, put_slow, resize_large, take_large, take_slow,
};

/// The stocks of one thread.
///
/// Two words a class, in two arrays and not side by side: so the class of a run-time size is an index
/// that addressing scales by itself.
///
/// All words are written by the thread alone. They are atomics because others read them to count
/// (`stats`, `walk`); every access is Relaxed, for nothing is read through another thread's words
/// but with the thread stopped.
#[derive(Debug)]
struct Stocks {
    /// The newest block of each stock, or null below the oldest one.
    tops: [Place; CLASSES],
    /// Where the last block of each stock goes.
    limits: [Place; CLASSES],
    state: life::State,
}

/// A place in a stock's array.
type Place = AtomicPtr<*mut u8>;

/// A null that nobody writes.
struct Nothing(*mut u8);
// SAFETY: it is never written.
unsafe impl Sync for Nothing {}
static NOTHING: Nothing = Nothing(ptr::null_mut());

impl Stocks {
    const fn new() -> Self {
        let nowhere = [const { Place::new(nothing()) }; CLASSES];
        let full = [const { Place::new(nothing()) }; CLASSES];
        Self { tops: nowhere, limits: full, state: life::State::new() }
    }
}

/// The top and the limit of a stock that there is not.
const fn nothing() -> *mut *mut u8 {
    (&raw const NOTHING.0).cast_mut()
}

std::thread_local! {
    static STOCKS: Stocks = const { Stocks::new() };
}

/// A number that no other thread has while this one lives: an address of its own.
#[inline]
pub(crate) fn this_thread() -> usize {
    STOCKS.with(|stocks| ptr::from_ref(stocks).addr())
}

/// A number that this thread has in common with few others.
pub(crate) fn number() -> usize {
    // By the golden ratio: threads' words lie whole stacks apart.
    const SPREADS: usize = 0x9E37_79B9_7F4A_7C15_u64 as usize;
    this_thread().wrapping_mul(SPREADS) >> (usize::BITS / 2)
}

/// A block of `class`, null where the system has no more.
#[inline(always)]
pub(crate) fn take(class: usize) -> *mut u8 {
    STOCKS.with(|stocks| {
        // SAFETY: classes are below CLASSES.
        let place = unsafe { stocks.tops.get_unchecked(class) };
        let top = place.load(Ordering::Relaxed);
        // SAFETY: `top` is in the stock's array, or the null of everybody's.
        let block = unsafe { *top };
        if block.is_null() {
            return take_slow(class);
        }
        // SAFETY: below a block there is another, or null.
        place.store(unsafe { top.sub(1) }, Ordering::Relaxed);
        block
    })
}

/// Takes a block of `class` back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class.
#[inline(always)]
pub(crate) unsafe fn put(class: usize, block: *mut u8) {
    STOCKS.with(|stocks| {
        // SAFETY: classes are below CLASSES.
        let (place, limit) =
            unsafe { (stocks.tops.get_unchecked(class), stocks.limits.get_unchecked(class)) };
        let top = place.load(Ordering::Relaxed);
        if top == limit.load(Ordering::Relaxed) {
            // SAFETY: 1. the caller's.
            return unsafe { put_slow(class, block) };
        }
        // SAFETY: below the limit there is room for one more.
        unsafe {
            let top = top.add(1);
            *top = block;
            place.store(top, Ordering::Relaxed);
        }
    })
}
