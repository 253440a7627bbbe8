//! One request in some thousand gets a page of its own, with untouchable pages around it: what is done wrong
//! with that block faults or is seen at its free. The idea is that of Electric Fence, made cheap by sampling
//! as in Chromium's and LLVM's GWP-ASan: many processes find together what one is too slow to look for.
//!
//! ```text
//!   │ guard │ page │ guard │ page │ … │ guard │
//!             └ mark │ block ┘  or  └ block │ mark
//! ```
//!
//! A block lies at its page's end, so that a read or write behind it faults, or at its beginning. The rest of
//! the page is marked, and looked at when the block is freed; then the page is untouchable until all others
//! had their turn.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::misuse;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::memory;

/// Requests of a thread for one that is sampled, on average.
pub(super) const RATE: usize = 4096;
/// Pages for blocks.
const SLOTS: usize = 64;
/// Slots that are looked at for one request.
const LOOKS: usize = 4;
/// Marked bytes.
const MARK: u8 = 0xA7;

/// Where the pages are; zero until the first sample.
static BASE: AtomicUsize = AtomicUsize::new(0);
/// The slot that is looked at next.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// What each slot holds: a [`Held`], or one of the words below.
static SLOTS_HELD: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(FREE) }; SLOTS];

const FREE: usize = 0;
/// Somebody is at it.
const BUSY: usize = 1;

/// A live block in a page: where it begins, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    offset: usize,
    size: usize,
}

impl Held {
    /// Neither [`FREE`] nor [`BUSY`]. Pages have at most 64 KiB, and so offsets 16 bits and sizes 17.
    fn encode(self) -> usize {
        self.size << 18 | self.offset << 2 | 2
    }

    fn decode(word: usize) -> Option<Self> {
        (word & 3 == 2).then_some(Self { offset: word >> 2 & 0xFFFF, size: word >> 18 })
    }
}

/// Bytes of all pages.
fn all() -> usize {
    (2 * SLOTS + 1) * memory::page_size()
}

/// Whether an address is one of a sampled block.
#[inline(always)]
pub(super) fn holds(block: *mut u8) -> bool {
    // Relaxed: whoever has a block of it got it from who reserved the pages.
    let base = BASE.load(Ordering::Relaxed);
    // No page has more than 64 KiB; what is beyond the pages themselves is told apart when it is used.
    base != 0 && block.addr().wrapping_sub(base) < all()
}

/// Where the pages are, reserved now if they never were.
fn base() -> Option<usize> {
    // Relaxed, all: the system's own tables make the pages usable.
    let base = BASE.load(Ordering::Relaxed);
    if base != 0 {
        return Some(base);
    }
    let at = memory::reserve(all(), memory::page_size()).ok()?;
    let ours = at.as_ptr().expose_provenance();
    match BASE.compare_exchange(0, ours, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Some(ours),
        Err(theirs) => {
            // SAFETY: 1. just reserved, and nobody knows it. 2. as reserved.
            let _ = unsafe { memory::release(at, all()) };
            Some(theirs)
        }
    }
}

/// The page of a slot.
fn page_of(base: usize, slot: usize) -> NonNull<u8> {
    let at = core::ptr::with_exposed_provenance_mut(base + (2 * slot + 1) * memory::page_size());
    // SAFETY: in a reservation, or just behind it: not at null.
    unsafe { NonNull::new_unchecked(at) }
}

/// A block for `layout` on a page of its own, zero; `None` where it does not fit one, or none is free.
#[cold]
#[inline(never)]
pub(super) fn take(layout: Layout) -> Option<NonNull<u8>> {
    let page = memory::page_size();
    if layout.size() > page || layout.align() > page || page > 1 << 16 {
        return None;
    }
    let base = base()?;
    for _ in 0..LOOKS {
        // Relaxed: any order does.
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let slot = turn % SLOTS;
        let held = &SLOTS_HELD[slot];
        // Acquire: its partner is the Release in `put`: the page is untouchable before it is made usable.
        if held.compare_exchange(FREE, BUSY, Ordering::Acquire, Ordering::Relaxed).is_err() {
            continue;
        }
        let at = page_of(base, slot);
        // SAFETY: 1. the slot's page, ours alone: it was free. 2. a page.
        if unsafe { memory::commit(at, page) }.is_err() {
            // Release: its partner is the Acquire above.
            held.store(FREE, Ordering::Release);
            return None;
        }
        // Every second time round at the beginning of its page: what is written before it faults.
        let at_end = (turn / SLOTS).is_multiple_of(2);
        let offset = if at_end { (page - layout.size()) & !(layout.align() - 1) } else { 0 };
        let offset = if offset == page { page - layout.align() } else { offset };
        let now = Held { offset, size: layout.size() };
        // SAFETY: in the page, around the block.
        unsafe {
            at.write_bytes(MARK, offset);
            at.add(offset + now.size).write_bytes(MARK, page - offset - now.size);
        }
        // Relaxed: who frees the block was given it after this.
        held.store(now.encode(), Ordering::Relaxed);
        // SAFETY: in the page.
        return Some(unsafe { at.add(offset) });
    }
    None
}

/// What is at an address of a slot. Stops the process where no block begins there.
fn find(block: *mut u8) -> (usize, NonNull<u8>, Held) {
    let page = memory::page_size();
    // Relaxed: see `holds`.
    let base = BASE.load(Ordering::Relaxed);
    let number = block.addr().wrapping_sub(base) / page;
    let (slot, at) = (number / 2, page_of(base, number / 2));
    // Relaxed: see `take`.
    let held = SLOTS_HELD.get(slot).map_or(FREE, |held| held.load(Ordering::Relaxed));
    let Some(held) = Held::decode(held) else {
        misuse::stop("a sampled block was freed twice, or is none");
    };
    if number.is_multiple_of(2) || block.addr() != at.addr().get() + held.offset {
        misuse::stop("an address in a sampled block's page was freed that is not where it begins");
    }
    (slot, at, held)
}

/// Bytes that the program has of a sampled block.
pub(super) fn size_of(block: *mut u8) -> usize {
    find(block).2.size
}

/// Takes a sampled block back. Stops the process where it is none, has another size than was `said`, or was
/// written around.
#[cold]
#[inline(never)]
pub(super) fn put(block: *mut u8, said: Option<usize>) {
    let (slot, at, held) = find(block);
    // Relaxed, both: the block's owner frees it; who else does so loses.
    let taken = SLOTS_HELD[slot].compare_exchange(
        held.encode(),
        BUSY,
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    if taken.is_err() {
        misuse::stop("a sampled block was freed twice");
    }
    if said.is_some_and(|said| said != held.size) {
        misuse::stop("a sampled block was freed with another size than it has");
    }
    let page = memory::page_size();
    // SAFETY: in the page, which is usable, and ours alone; marked when the block was taken, or part of it.
    let bytes = unsafe { core::slice::from_raw_parts(at.as_ptr(), held.offset) };
    // SAFETY: as above.
    let behind = unsafe {
        let from = at.add(held.offset + held.size);
        core::slice::from_raw_parts(from.as_ptr(), page - held.offset - held.size)
    };
    if !bytes.iter().chain(behind).all(|byte| *byte == MARK) {
        misuse::stop("a sampled block was written before its beginning or beyond its end");
    }
    // SAFETY: 1. the slot's page. 2. a page. 3. nobody has a right to it. Where the system refuses, the slot
    // is lost: it stays busy.
    if unsafe { memory::decommit(at, page) }.is_ok() {
        // Release: its partner is the Acquire in `take`.
        SLOTS_HELD[slot].store(FREE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_slot_holds_is_a_word_of_its_own() {
        for (offset, size) in [(0, 0), (0, 1 << 16), (65_535, 1), (4096, 4096)] {
            let held = Held { offset, size };
            assert_eq!(Held::decode(held.encode()), Some(held));
        }
        assert_eq!((Held::decode(FREE), Held::decode(BUSY)), (None, None));
    }
}
