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
mod large;
mod life;
mod passed;
mod peak;
#[cfg(feature = "profile")]
mod sampled;
#[cfg(feature = "profile")]
mod sampling;
mod slot;
mod slow;
mod thread;
#[cfg(feature = "measures")]
mod watched;
mod zero;

use core::{mem, ptr};

use strata_core::sync::{AtomicPtr, Ordering};

use crate::class::CLASSES;
use crate::process::HEAP;

pub(crate) use forked::{forget_others, hold, let_go, note_others};
pub(crate) use large::{
    put_large, put_large_in, put_lent_in, resize_large, resize_large_in, take_large, take_large_in,
    take_large_zeroed, take_large_zeroed_in,
};
#[cfg(feature = "measures")]
pub(crate) use large::{resize_large_for, take_large_for, take_large_zeroed_for};
#[cfg(feature = "stats")]
pub(crate) use life::requested;
pub(crate) use life::{flush_left, pin, slotted, stocked};
#[cfg(feature = "profile")]
pub(crate) use sampled::{look, take_counted, take_counted_in};
#[cfg(feature = "profile")]
pub(crate) use sampling::Sampling;
pub(crate) use slow::{
    flush_in, flush_this_thread, put_slow, put_slow_in, take_slow, take_slow_in,
};
#[cfg(not(feature = "profile"))]
pub(crate) use unsampled::{take_counted, take_counted_in};
#[cfg(feature = "measures")]
pub(crate) use watched::{are_there, count_large, forget_large, give_scrap, mix, take_scrap};

/// Without the profiler, nothing counts.
#[cfg(not(feature = "profile"))]
mod unsampled {
    use super::{Stocks, take_slow, take_slow_in};

    /// Never called: [`Stocks::counts`] answers no.
    pub(crate) fn take_counted(class: usize, _bytes: usize) -> *mut u8 {
        take_slow(class)
    }

    /// As [`take_counted`].
    pub(crate) fn take_counted_in(stocks: &Stocks, class: usize, _bytes: usize) -> *mut u8 {
        take_slow_in(stocks, class)
    }
}

/// The stocks of one thread.
///
/// Two words a class, in two arrays and not side by side: so the class of a run-time size is an index
/// that addressing scales by itself.
///
/// All words are written by the thread alone. They are atomics because others read them to count
/// (`stats`, `walk`); every access is Relaxed, for nothing is read through another thread's words
/// but with the thread stopped.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Stocks {
    /// The newest block of each stock, or null below the oldest one.
    tops: [Place; CLASSES],
    /// Where the last block of each stock goes.
    limits: [Place; CLASSES],
    #[cfg(feature = "profile")]
    pub(crate) sampling: sampling::Sampling,
    state: life::State,
    slot: slot::Slot,
    #[cfg(feature = "measures")]
    pub(crate) here: crate::hardened::Here,
}

// What `by_address` promises of the first words.
const _: () = {
    let words = 2 * CLASSES * size_of::<*mut u8>();
    #[cfg(feature = "profile")]
    assert!(mem::offset_of!(Stocks, sampling) == words);
    #[cfg(not(feature = "profile"))]
    assert!(mem::offset_of!(Stocks, state) == words);
};

/// A place in a stock's array.
type Place = AtomicPtr<*mut u8>;

/// A null that nobody writes.
#[derive(Debug)]
#[repr(transparent)]
pub struct Nothing(*mut u8);
// SAFETY: it is never written.
unsafe impl Sync for Nothing {}
/// The null itself.
pub static NOTHING: Nothing = Nothing(ptr::null_mut());

impl Stocks {
    /// Stocks that no thread used. `pins` says whether the first use keeps the library loaded that
    /// this code is in.
    pub(crate) const fn new(pins: bool) -> Self {
        let nowhere = [const { Place::new(nothing()) }; CLASSES];
        let full = [const { Place::new(nothing()) }; CLASSES];
        let (state, slot) = (life::State::new(pins), slot::Slot::new());
        Self {
            tops: nowhere,
            limits: full,
            #[cfg(feature = "profile")]
            sampling: sampling::Sampling::new(),
            state,
            slot,
            #[cfg(feature = "measures")]
            here: crate::hardened::Here::new(),
        }
    }

    /// Counts a request of so many bytes. Answers whether somebody has to look whether it is a sample.
    #[inline(always)]
    pub(crate) fn counts(&self, bytes: usize) -> bool {
        #[cfg(feature = "profile")]
        return self.sampling.counts(bytes);
        #[cfg(not(feature = "profile"))]
        {
            let _ = bytes;
            false
        }
    }

    /// Whether what was found in a stock is a block to hand out: not the null below the oldest one, and not
    /// one that might be a sample.
    #[inline(always)]
    fn is_plain(&self, block: *mut u8) -> bool {
        #[cfg(feature = "profile")]
        return block.addr() > crate::profile::LOW;
        #[cfg(not(feature = "profile"))]
        !block.is_null()
    }

    /// The block of `class` that was put back last, null where there is none.
    #[inline(always)]
    pub(crate) fn newest(&self, class: usize) -> *mut u8 {
        debug_assert!(class < CLASSES);
        // SAFETY: classes are below CLASSES; a top is in the stock's array, or the null of everybody's.
        unsafe { *self.tops.get_unchecked(class).load(Ordering::Relaxed) }
    }
}

/// The top and the limit of a stock that there is not.
const fn nothing() -> *mut *mut u8 {
    (&raw const NOTHING.0).cast_mut()
}

std::thread_local! {
    static STOCKS: Stocks = const { Stocks::new(true) };
}

/// A number that this thread has in common with few others.
pub(crate) fn number() -> usize {
    // By the golden ratio: what threads are known by lies whole stacks apart.
    const SPREADS: usize = 0x9E37_79B9_7F4A_7C15_u64 as usize;
    strata_os::thread::id().wrapping_mul(SPREADS) >> (usize::BITS / 2)
}

/// The same stocks, by an address in a register that the compiler knows nothing about.
///
/// Where it knows that they are thread-local and where, it reaches each word by the segment register, and
/// processors that forward a store to the next load of the same operands at no cost (AMD's from Zen 2 on)
/// do not with those: a pair then takes four times as long.
#[inline(always)]
fn flat(stocks: &Stocks) -> &Stocks {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let mut at = ptr::from_ref(stocks);
        #[expect(
            clippy::pointers_in_nomem_asm_block,
            reason = "the address itself is what matters"
        )]
        // SAFETY: no instruction at all: the register keeps the address, which is that of `stocks`.
        unsafe {
            core::arch::asm!(
                "/* {0} */",
                inout(reg) at,
                options(pure, nomem, nostack, preserves_flags)
            );
            &*at
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    stocks
}

/// Calls `work` with this thread's stocks.
#[inline(always)]
pub(crate) fn with<R>(work: impl FnOnce(&Stocks) -> R) -> R {
    STOCKS.with(|stocks| work(flat(stocks)))
}

/// A block of `class` for a request of `bytes`, null where the system has no more.
#[inline(always)]
pub(crate) fn take(class: usize, bytes: usize) -> *mut u8 {
    STOCKS.with(|stocks| {
        let stocks = flat(stocks);
        if stocks.counts(bytes) {
            return take_counted(class, bytes);
        }
        take_from(stocks, class, || take_slow(class))
    })
}

/// [`take`] past the stocks.
pub(crate) fn take_one(class: usize, bytes: usize) -> *mut u8 {
    if STOCKS.with(|stocks| stocks.counts(bytes)) {
        return take_counted(class, bytes);
    }
    HEAP.take_one(class)
}

/// Takes a block of `class` back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class.
#[inline(always)]
pub(crate) unsafe fn put(class: usize, block: *mut u8) {
    STOCKS.with(|stocks| {
        // SAFETY: 1. the caller's, here and there.
        unsafe { put_into(flat(stocks), class, block, || put_slow(class, block)) }
    });
}

/// A block of `class` from `stocks`, or what `slow` answers where there is none at hand.
#[inline(always)]
pub(crate) fn take_from(stocks: &Stocks, class: usize, slow: impl FnOnce() -> *mut u8) -> *mut u8 {
    // SAFETY: classes are below CLASSES.
    let place = unsafe { stocks.tops.get_unchecked(class) };
    let top = place.load(Ordering::Relaxed);
    // SAFETY: `top` is in the stock's array, or the null of everybody's.
    let block = unsafe { *top };
    if !stocks.is_plain(block) {
        return slow();
    }
    #[cfg(feature = "profile")]
    let block = sampled::not_null(block);
    // SAFETY: below a block there is another, or null.
    place.store(unsafe { top.sub(1) }, Ordering::Relaxed);
    block
}

/// Puts a block of `class` into `stocks`, or calls `slow` where there is no room.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class.
#[inline(always)]
pub(crate) unsafe fn put_into(stocks: &Stocks, class: usize, block: *mut u8, slow: impl FnOnce()) {
    // SAFETY: classes are below CLASSES.
    let (place, limit) =
        unsafe { (stocks.tops.get_unchecked(class), stocks.limits.get_unchecked(class)) };
    let top = place.load(Ordering::Relaxed);
    if top == limit.load(Ordering::Relaxed) {
        return slow();
    }
    // SAFETY: below the limit there is room for one more.
    unsafe {
        let top = top.add(1);
        *top = block;
        place.store(top, Ordering::Relaxed);
    }
}

/// [`put_into`] of a block that is not the newest of its stock; calls `slow` where it is, too.
///
/// # Safety
///
/// 1. As there, or it is the newest.
#[inline(always)]
pub(crate) unsafe fn put_unless_newest(
    stocks: &Stocks,
    class: usize,
    block: *mut u8,
    slow: impl FnOnce(),
) {
    // SAFETY: classes are below CLASSES.
    let (place, limit) =
        unsafe { (stocks.tops.get_unchecked(class), stocks.limits.get_unchecked(class)) };
    let top = place.load(Ordering::Relaxed);
    // SAFETY: as in `take_from`.
    if top == limit.load(Ordering::Relaxed) || unsafe { *top } == block {
        return slow();
    }
    // SAFETY: below the limit there is room for one more.
    unsafe {
        let top = top.add(1);
        *top = block;
        place.store(top, Ordering::Relaxed);
    }
}

/// Whether a block is one of the last few that were put into `stocks`.
pub(crate) fn was_just_put(stocks: &Stocks, class: usize, block: *mut u8) -> bool {
    const LAST: usize = 8;
    let mut place = stocks.tops[class].load(Ordering::Relaxed);
    for _ in 0..LAST {
        // SAFETY: a top is in the stock's array, which has a null below its oldest block, or the
        // null of everybody's.
        let newest = unsafe { *place };
        if newest.is_null() || newest == block {
            return newest == block;
        }
        // SAFETY: below a block there is another, or null.
        place = unsafe { place.sub(1) };
    }
    false
}
