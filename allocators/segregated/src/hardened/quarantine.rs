//! Freed blocks wait before they are used again: what writes to one meanwhile is seen when it leaves.
//!
//! Small blocks wait in a table of their thread, so that nothing is shared. Each class has some places there, and
//! the longest classes one for all of them: a block that comes goes to a place that is drawn, and the one that was
//! there leaves. So nobody knows which block is used again next, no list is kept, and the block that is looked at
//! is as long as the one that is filled at that moment: processors foresee the branches. Few wait, and the fewer
//! the longer they are, so that they still lie in the nearest caches when they are looked at. A thread that ends,
//! or flushes its stocks, gives up what waits. Large blocks wait elsewhere: see `waiting.rs`.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::{fill, put_plain};
use crate::class::{self, CLASSES};
use crate::stocks::{self, Stocks};

/// Lengths up to which each class has so many places of its own, a power of two.
const PLACES: [(usize, usize); 3] = [(128, 16), (512, 4), (2 << 10, 1)];

/// Where the blocks of a class wait: from a place on, as many as the mask says and one more.
#[derive(Clone, Copy)]
struct Part {
    first: u16,
    mask: u16,
}

/// The parts of the classes that have some, and how many classes and places that are.
const PARTS: ([Part; CLASSES], usize, usize) = {
    let mut parts = [Part { first: 0, mask: 0 }; CLASSES];
    let (mut class, mut first, mut step) = (0, 0, 0);
    loop {
        while step < PLACES.len() && class::len_of(class) > PLACES[step].0 {
            step += 1;
        }
        if step == PLACES.len() {
            break (parts, class, first);
        }
        let places = PLACES[step].1;
        assert!(places.is_power_of_two());
        parts[class] = Part { first: first as u16, mask: places as u16 - 1 };
        first += places;
        class += 1;
    }
};
static PART_OF: [Part; CLASSES] = PARTS.0;
/// The first class whose blocks are [long](fill::is_long).
const LONGER: usize = {
    let mut class = 0;
    while !fill::is_long(class::len_of(class)) {
        class += 1;
    }
    class
};
/// The first class without places of its own, and all places of those below.
const LONG: usize = PARTS.1;
const OWN: usize = PARTS.2;

/// What waits of a thread. All zero at first.
#[derive(Debug)]
struct Table {
    /// Blocks; null where none waits.
    own: [Cell<*mut u8>; OWN],
    /// A longer block, and its class.
    long: Cell<(*mut u8, usize)>,
}

static_assertions::const_assert!(size_of::<Table>() <= class::FRAME);

/// Where the table of a thread is.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Null until the first block.
    table: Cell<*const Table>,
}

impl Waiting {
    pub(super) const fn new() -> Self {
        Self { table: Cell::new(ptr::null()) }
    }

    fn table(&self) -> Option<&Table> {
        // SAFETY: the thread's own, until it gives it back, when nobody reads it any more.
        unsafe { self.table.get().as_ref() }
    }
}

/// Fills a block of `class` that was freed, and has it wait. Another one leaves.
///
/// What it calls it calls last, and by C's ABI, which says that nothing unwinds: so C's `free` jumps there, and
/// has nothing to keep across a call.
///
/// # Safety
///
/// 1. `block` has `len` bytes, as its class says, and is nobody's any more.
#[inline(always)]
pub(super) unsafe fn keep(stocks: &Stocks, class: usize, block: *mut u8, len: usize) {
    let here = &stocks.here;
    let Some(table) = here.waiting.table() else {
        // SAFETY: 1. the caller's.
        return unsafe { keep_slow(stocks, class, block, len) };
    };
    if class >= LONG {
        // SAFETY: 1. the caller's.
        return unsafe { keep_long(stocks, table, class, block, len) };
    }
    let Part { first, mask } = PART_OF[class];
    let place = usize::from(first) + (here.random_again() as usize & usize::from(mask));
    // SAFETY: places of a part are in the table. What leaves is replaced first: whatever it leads to may
    // come here again.
    let leaves = unsafe { table.own.get_unchecked(place) }.replace(block);
    // SAFETY: 1. the caller's, here and there; 1. what waited here was filled, and has the same class.
    unsafe {
        if leaves.is_null() {
            return fill::fill(block, len);
        }
        if class >= LONGER {
            return keep_longer(stocks, class, block, leaves);
        }
        fill::fill_and_check(block, leaves, len);
        put_plain(stocks, class, leaves);
    }
}

/// The rest of [`keep`] where blocks are not short, and `leaves` leaves.
///
/// # Safety
///
/// 1. As there.
/// 2. `leaves` has the same class, was filled, and waited; [`fill::is_long`].
#[inline(never)]
unsafe extern "C" fn keep_longer(stocks: &Stocks, class: usize, block: *mut u8, leaves: *mut u8) {
    let len = class::cut(class).block_len();
    // SAFETY: 1. and 2. the caller's, here and there.
    unsafe {
        fill::fill_and_check_long(block, len, leaves, len);
        put_plain(stocks, class, leaves);
    }
}

/// [`keep`] of a long block.
///
/// # Safety
///
/// 1. As there.
#[inline(never)]
unsafe extern "C" fn keep_long(
    stocks: &Stocks,
    table: &Table,
    class: usize,
    block: *mut u8,
    len: usize,
) {
    let (leaves, old) = table.long.replace((block, class));
    // SAFETY: 1. the caller's, here and there; 1. what waited here was filled. 2. Both classes are long ones.
    unsafe {
        if leaves.is_null() {
            return fill::fill(block, len);
        }
        fill::fill_and_check_long(block, len, leaves, class::cut(old).block_len());
        put_plain(stocks, old, leaves);
    }
}

/// [`keep`] of a thread's first block.
///
/// # Safety
///
/// 1. As there.
#[cold]
#[inline(never)]
unsafe extern "C" fn keep_slow(stocks: &Stocks, class: usize, block: *mut u8, len: usize) {
    // SAFETY: 1. the caller's, here and there.
    unsafe {
        if begin(stocks) {
            return keep(stocks, class, block, len);
        }
        fill::fill(block, len);
        put_plain(stocks, class, block);
    }
}

/// Makes the table. `false` where the thread has no stocks, and nobody would take back what waits.
fn begin(stocks: &Stocks) -> bool {
    if !stocks::are_there(stocks) {
        return false;
    }
    let Some(table) = stocks::take_scrap(size_of::<Table>()) else { return false };
    // SAFETY: just taken with this length.
    unsafe { table.write_bytes(0, size_of::<Table>()) };
    stocks.here.waiting.table.set(table.as_ptr().cast());
    // The generator is seeded before it is asked again.
    stocks.here.random();
    true
}

/// A block leaves.
///
/// # Safety
///
/// 1. It is of that class, was filled, and waited.
unsafe fn leave(stocks: &Stocks, class: usize, block: *mut u8) {
    // SAFETY: 1. the caller's, here and there.
    unsafe {
        fill::check_untouched(block, class::cut(class).block_len());
        put_plain(stocks, class, block);
    }
}

/// All that waits leaves, and the table with it.
#[cold]
pub(super) fn drain(stocks: &Stocks) {
    let at = stocks.here.waiting.table.replace(ptr::null()).cast_mut();
    // SAFETY: the thread's own, which nobody else reads any more.
    let (Some(scrap), Some(table)) = (NonNull::new(at), unsafe { at.as_ref() }) else { return };
    for (class, Part { first, mask }) in PART_OF.into_iter().enumerate().take(LONG) {
        let places = usize::from(first)..=usize::from(first + mask);
        for block in places.map(|place| table.own[place].get()).filter(|block| !block.is_null()) {
            // SAFETY: 1. it waited at its class's place.
            unsafe { leave(stocks, class, block) };
        }
    }
    let (block, class) = table.long.get();
    if !block.is_null() {
        // SAFETY: 1. it waited.
        unsafe { leave(stocks, class, block) };
    }
    // SAFETY: 1. taken with this length, and empty.
    unsafe { stocks::give_scrap(scrap.cast(), size_of::<Table>()) };
}
