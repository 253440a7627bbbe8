//! The process heap by address, for faces whose callers free without a layout: C's above all.
//!
//! The Rust face learns a block's class from its [`Layout`]; here the page map says it. The blocks
//! are the same ones: what either face allocated the other may free.
//!
//! Such a face lies in a library of its own, and brings the thread-local [`Words`] itself, so that it
//! can reach them as that library best does:
//!
//! ```
//! use strata_segregated::by_address::{ByAddress, Words};
//!
//! thread_local! {
//!     static WORDS: Words = const { Words::new() };
//! }
//! WORDS.with(|words| {
//!     // SAFETY: 1. a thread-local without a destructor. 2. this is the program itself.
//!     let heap = unsafe { ByAddress::of(words) };
//!     let block = heap.allocate(100);
//!     assert!(block.addr() % 16 == 0 && !block.is_null());
//!     // SAFETY: 1. live blocks of this heap.
//!     unsafe {
//!         assert!((100..=112).contains(&heap.usable_len(block)));
//!         let block = heap.reallocate(block, 1 << 20);
//!         heap.free(block);
//!     }
//! });
//! ```
//!
//! Requests above 8 bytes are aligned to 16, as C wants it of those that a `long double` fits in.
//!
//! # Misuse
//!
//! What is seen ends the process with a message. At once: an address that is not of this heap; a block
//! freed twice in a row; a large block freed twice, or from inside; a size that does not fit; a block
//! moved to another size that begins elsewhere or was one of the last few freed. When the thread's
//! stock is flushed: other double frees of small blocks, and addresses inside them. A fault ends the process
//! instead where an address points into memory that the heap reserved and never used.

mod slow;

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::class::{self, CLASSES};
use crate::hardened;
use crate::process::{self, HEAP};
use crate::stocks::{self, Stocks};
use slow::{find, free_sized_slow, free_slow, reallocate_slow};

pub use crate::stocks::{NOTHING, Nothing};

/// The words of one thread: its stocks.
///
/// A face that writes the initial contents of its thread-local storage by hand needs to know them:
/// [`Words::NULLS`] words that hold the address of [`NOTHING`], and zero to the end.
#[derive(Debug)]
#[repr(transparent)]
pub struct Words(Stocks);

impl Words {
    /// How many words hold the address of [`NOTHING`] at first.
    pub const NULLS: usize = 2 * CLASSES;

    /// The words of a thread that has not allocated yet.
    pub const fn new() -> Self {
        Self(Stocks::new(false))
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
}

/// Sizes up to here are looked up.
const LOOKED_UP: usize = 1024;

/// Classes of requests by size in units of 8 bytes, rounded up.
static SMALL: [u8; LOOKED_UP / 8 + 1] = {
    let mut table = [0; LOOKED_UP / 8 + 1];
    let mut units = 0;
    while units < table.len() {
        table[units] = match layout_of(units * 8, 1) {
            Some(layout) => match class::class_of(layout) {
                Some(class) => class.index() as u8,
                None => unreachable!(),
            },
            None => unreachable!(),
        };
        units += 1;
    }
    table
};

/// What a request is served as: an alignment of 16 from 9 bytes on. `None` where no block can be so
/// long, or the alignment is no power of two.
const fn layout_of(size: usize, align: usize) -> Option<Layout> {
    let least = if size > 8 { 16 } else { 8 };
    let align = if align < least && align.is_power_of_two() { least } else { align };
    match Layout::from_size_align(size, align) {
        Ok(layout) => Some(layout),
        Err(_) => None,
    }
}

/// The process heap, and the words of the calling thread.
#[derive(Clone, Copy, Debug)]
pub struct ByAddress<'a>(&'a Stocks);

impl<'a> ByAddress<'a> {
    /// The heap as the thread with these words uses it.
    ///
    /// # Safety
    ///
    /// 1. `words` are the calling thread's alone, began as [`Words::new`], and stay until the thread
    ///    is gone: its last destructors still use them.
    /// 2. The library that this code is in is not unloaded before the process ends.
    #[inline(always)]
    pub const unsafe fn of(words: &'a Words) -> Self {
        Self(&words.0)
    }

    /// A block of at least `size` bytes, 0 included; null where the system has no more. O(1) but for
    /// refills.
    #[inline]
    pub fn allocate(self, size: usize) -> *mut u8 {
        layout_of(size, 1).map_or(ptr::null_mut(), |layout| take(self.0, layout))
    }

    /// [`allocate`](Self::allocate) of what the thread has at hand: null where it has not, too. A few
    /// instructions, without a call; ask `allocate` next.
    #[inline(always)]
    pub fn allocate_at_hand(self, size: usize) -> *mut u8 {
        if size > LOOKED_UP - hardened::WORD || cfg!(feature = "checked") {
            return ptr::null_mut();
        }
        if self.0.counts(size) {
            return self.not_at_hand(size);
        }
        if hardened::ON {
            let class = usize::from(SMALL[(size + hardened::WORD + 7) >> 3]);
            let block = hardened::take_at_hand(self.0, class, size);
            return if block.is_null() { self.not_at_hand(size) } else { block };
        }
        stocks::take_from(self.0, usize::from(SMALL[(size + 7) >> 3]), || self.not_at_hand(size))
    }

    /// Null, for what will be asked for once more.
    #[inline(always)]
    fn not_at_hand(self, size: usize) -> *mut u8 {
        #[cfg(feature = "profile")]
        self.0.sampling.uncount(size);
        let _ = size;
        ptr::null_mut()
    }

    /// [`allocate`](Self::allocate) at a multiple of `align`, a power of two; null too where it is
    /// none.
    pub fn allocate_aligned(self, size: usize, align: usize) -> *mut u8 {
        layout_of(size, align).map_or(ptr::null_mut(), |layout| take(self.0, layout))
    }

    /// [`allocate`](Self::allocate), with all `size` bytes zero.
    pub fn allocate_zeroed(self, size: usize) -> *mut u8 {
        let at_hand = self.allocate_at_hand(size);
        let block = if at_hand.is_null() {
            let Some(layout) = layout_of(size, 1) else { return ptr::null_mut() };
            if hardened::ON {
                return hardened::take_zeroed(self.0, layout);
            }
            if class::class_of(layout).is_none() {
                return stocks::take_large_zeroed_in(self.0, layout);
            }
            take(self.0, layout)
        } else {
            at_hand
        };
        if !block.is_null() {
            // SAFETY: a block holds its layout.
            unsafe { block.write_bytes(0, size) };
        }
        block
    }

    /// Takes a block back; nothing where it is null.
    ///
    /// # Safety
    ///
    /// 1. `block` is null, or a live block of the process heap.
    #[inline(always)]
    pub unsafe fn free(self, block: *mut u8) {
        if hardened::ON {
            // SAFETY: 1. the caller's.
            return unsafe { hardened::by_address::free(self.0, block, None) };
        }
        match quick_class(block.addr()) {
            Some(class) if !cfg!(feature = "checked") => {
                // SAFETY: 1. the caller's, here and there.
                unsafe {
                    stocks::put_unless_newest(self.0, class, block, || free_slow(block, self.0))
                }
            }
            // SAFETY: 1. the caller's.
            _ => unsafe { free_slow(block, self.0) },
        }
    }

    /// Takes a block back that was requested with `size`. Stops the process where a request of `size`
    /// would have got another class, or number of pages.
    ///
    /// # Safety
    ///
    /// 1. As [`free`](Self::free).
    #[inline(always)]
    pub unsafe fn free_sized(self, block: *mut u8, size: usize) {
        if size <= LOOKED_UP && !cfg!(feature = "checked") && !hardened::ON {
            let class = usize::from(SMALL[(size + 7) >> 3]);
            if quick_class(block.addr()) == Some(class) {
                // SAFETY: 1. the caller's, here and there.
                return unsafe {
                    stocks::put_unless_newest(self.0, class, block, || free_slow(block, self.0));
                };
            }
        }
        // SAFETY: 1. the caller's.
        unsafe { free_sized_slow(block, size, 1, self.0) }
    }

    /// [`free_sized`](Self::free_sized) of a block that was requested with `align` too.
    ///
    /// # Safety
    ///
    /// 1. As [`free`](Self::free).
    pub unsafe fn free_aligned_sized(self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: 1. the caller's.
        unsafe { free_sized_slow(block, size, align, self.0) }
    }

    /// Bytes of a block that may be used; 0 where it is null.
    ///
    /// # Safety
    ///
    /// 1. As [`free`](Self::free).
    #[inline]
    pub unsafe fn usable_len(self, block: *mut u8) -> usize {
        if hardened::ON {
            // SAFETY: 1. the caller's.
            return unsafe { hardened::by_address::usable_len(block) };
        }
        if let Some(class) = quick_class(block.addr()) {
            return class::cut(class).block_len();
        }
        NonNull::new(block).map_or(0, |at| find(at).layout().size())
    }

    /// A block of `size` bytes with the contents of `block` as far as both reach, which is gone then;
    /// null where the system has no more, and then `block` is as it was. A null `block` has no
    /// contents.
    ///
    /// # Safety
    ///
    /// 1. As [`free`](Self::free).
    #[inline]
    pub unsafe fn reallocate(self, block: *mut u8, size: usize) -> *mut u8 {
        if hardened::ON {
            // SAFETY: 1. the caller's.
            return unsafe { hardened::by_address::resize(self.0, block, layout_of(size, 1)) };
        }
        if size <= LOOKED_UP && !cfg!(feature = "checked") {
            let class = usize::from(SMALL[(size + 7) >> 3]);
            if quick_class(block.addr()) == Some(class) && self.0.newest(class) != block {
                return block;
            }
        }
        // SAFETY: 1. the caller's.
        unsafe { reallocate_slow(block, size, self.0) }
    }

    /// Gives the thread's stocks back, and those that ended threads left: what a
    /// [profile](crate::profile::take) needs to see all frees of this thread, and has the thread look whether
    /// there is a profile now.
    #[cfg(feature = "profile")]
    pub fn flush(self) {
        stocks::flush_in(self.0);
        stocks::flush_left(usize::MAX);
        self.0.sampling.look();
    }

    /// Gives the thread's stocks, those that ended threads left, and all pages without a live block
    /// back. Answers how many bytes went to the system.
    pub fn purge(self) -> usize {
        stocks::flush_in(self.0);
        stocks::flush_left(usize::MAX);
        process::purge()
    }
}

/// The class of the block at an address in the first territory, which is mostly the only one.
#[inline(always)]
pub(crate) fn quick_class(address: usize) -> Option<usize> {
    // SAFETY: 1. a block was said to be here; a region that was never used is not there, and then
    // this faults, which stops the process too. 2. the process heap does not end.
    unsafe { HEAP.territories.front_tenant(address) }?.class()
}

/// A block for a layout.
#[inline]
fn take(stocks: &Stocks, layout: Layout) -> *mut u8 {
    match class::class_of(layout) {
        _ if hardened::ON => hardened::take(stocks, layout),
        Some(class) if stocks.counts(layout.size()) => {
            stocks::take_counted_in(stocks, class.index(), layout.size())
        }
        Some(class) if cfg!(feature = "checked") => {
            // Whoever made the stocks keeps the library loaded.
            stocks::pin(false);
            HEAP.take_one(class.index())
        }
        Some(class) => {
            let class = class.index();
            let slow = || stocks::take_slow_in(stocks, class);
            stocks::take_from(stocks, class, slow)
        }
        None => stocks::take_large_in(stocks, layout),
    }
}
