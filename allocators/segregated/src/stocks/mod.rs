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
mod life;
mod peak;
mod slow;
mod thread;

use core::ptr;

use strata_core::sync::{AtomicPtr, Ordering};

use crate::class::CLASSES;

#[cfg(feature = "stats")]
pub(crate) use life::requested;
pub(crate) use life::{flush_left, stocked};
pub(crate) use slow::{
    flush_this_thread, put_large, put_slow, resize_large, take_large, take_slow,
};

/// One class of one thread.
///
/// Both words are written by the thread alone. They are atomics because others read them to count
/// (`stats`, `walk`); every access is Relaxed, for nothing is read through another thread's words
/// but with the thread stopped.
#[derive(Debug)]
struct Stock {
    /// The newest block, or null below the oldest one.
    top: AtomicPtr<*mut u8>,
    /// Where the last block goes.
    limit: AtomicPtr<*mut u8>,
}

/// The stocks of one thread.
#[derive(Debug)]
struct Stocks {
    classes: [Stock; CLASSES],
    state: life::State,
}

/// A null that nobody writes.
struct Nothing(*mut u8);
// SAFETY: it is never written.
unsafe impl Sync for Nothing {}
static NOTHING: Nothing = Nothing(ptr::null_mut());

impl Stock {
    const fn nothing() -> *mut *mut u8 {
        (&raw const NOTHING.0).cast_mut()
    }

    const fn new() -> Self {
        Self { top: AtomicPtr::new(Self::nothing()), limit: AtomicPtr::new(Self::nothing()) }
    }
}

std::thread_local! {
    static STOCKS: Stocks = const {
        Stocks { classes: [const { Stock::new() }; CLASSES], state: life::State::new() }
    };
}

/// A block of `class`, null where the system has no more.
#[inline(always)]
pub(crate) fn take(class: usize) -> *mut u8 {
    STOCKS.with(|stocks| {
        // SAFETY: classes are below CLASSES.
        let stock = unsafe { stocks.classes.get_unchecked(class) };
        let top = stock.top.load(Ordering::Relaxed);
        // SAFETY: `top` is in the stock's array, or the null of everybody's.
        let block = unsafe { *top };
        if block.is_null() {
            return take_slow(class);
        }
        // SAFETY: below a block there is another, or null.
        stock.top.store(unsafe { top.sub(1) }, Ordering::Relaxed);
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
        let stock = unsafe { stocks.classes.get_unchecked(class) };
        let top = stock.top.load(Ordering::Relaxed);
        if top == stock.limit.load(Ordering::Relaxed) {
            // SAFETY: 1. the caller's.
            return unsafe { put_slow(class, block) };
        }
        // SAFETY: below the limit there is room for one more.
        unsafe {
            let top = top.add(1);
            *top = block;
            stock.top.store(top, Ordering::Relaxed);
        }
    })
}
