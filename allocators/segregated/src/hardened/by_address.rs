//! The measures for faces that free without a layout: what is where, by the heap's tables.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::misuse;

use super::shape::Shape;
use super::{CANARIES, GUARDS, SAMPLES, class_for, large, none, sampled, seal, small, take};
use crate::by_address::quick_class;
use crate::class::{self, FRAME};
use crate::process::HEAP;
use crate::region::Use;
use crate::stocks::Stocks;

/// What an address was found to be.
enum Found {
    Sampled,
    Small { class: usize },
    Large { shape: Shape },
}

/// What stands at an address that was said to be a block's. Stops the process where no block can.
#[inline]
fn find(block: *mut u8) -> Found {
    if SAMPLES && sampled::holds(block) {
        return Found::Sampled;
    }
    match quick_class(block.addr()) {
        Some(class) => Found::Small { class },
        None => find_slow(block),
    }
}

#[cold]
#[inline(never)]
fn find_slow(block: *mut u8) -> Found {
    #[cfg(feature = "profile")]
    if let Some(class) = crate::profile::sampled::class_at(block.addr()) {
        return Found::Small { class };
    }
    if let Some((number, frame)) = HEAP.territories.locate(block.addr()) {
        // SAFETY: 1. a block was said to be here; a region that was never used is not there, and then
        // this faults, which stops the process too. 2. the process heap does not end.
        let tenant = unsafe { HEAP.territories.get(number).tenant(frame) };
        if let Some(class) = tenant.class() {
            return Found::Small { class };
        }
    }
    let led = block.wrapping_sub(HEAP.granule().max(FRAME));
    let shape = match whole_at(block) {
        Some(whole) => Shape::of_whole(whole, false),
        None if GUARDS => whole_at(led).and_then(|whole| Shape::of_whole(whole, true)),
        None => None,
    };
    match shape {
        Some(shape) => Found::Large { shape },
        None => {
            misuse::stop("an address was freed or resized that is no block's, or not of this heap")
        }
    }
}

/// Bytes of the run or the chunk that begins at an address.
fn whole_at(at: *mut u8) -> Option<usize> {
    let Some((number, frame)) = HEAP.territories.locate(at.addr()) else {
        return HEAP.ground.with(|ground| ground.large.len_at(NonNull::new(at)?));
    };
    // SAFETY: as in `find_slow`.
    match unsafe { HEAP.territories.get(number).tenant(frame) }.get() {
        Use::Run { frames, .. } if at.addr().is_multiple_of(FRAME) => Some(frames as usize * FRAME),
        _ => None,
    }
}

/// Has the processor fetch a block's first line while it is looked up what the block is: the word of a short one stands
/// there, and who frees a block did not always touch it of late.
#[inline(always)]
fn fetch(block: *mut u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: nothing is read, and nothing faults, wherever that is.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(block.cast());
    }
    let _ = block;
}

/// Takes a block back; nothing where it is null. Stops the process where it has another size than the one
/// that was `said`.
///
/// # Safety
///
/// 1. `block` is null, or a live block of the process heap.
#[inline(always)]
pub(crate) unsafe fn free(stocks: &Stocks, block: *mut u8, said: Option<Layout>) {
    fetch(block);
    if said.is_none()
        && !SAMPLES
        && let Some(class) = quick_class(block.addr())
    {
        // SAFETY: 1. the caller's.
        return unsafe { small::put(stocks, class, block, None) };
    }
    // SAFETY: 1. the caller's.
    unsafe {
        match said {
            None => free_unsized_slow(stocks, block),
            Some(_) => free_slow(stocks, block, said),
        }
    }
}

/// Of C's ABI: see `quarantine::keep`.
///
/// # Safety
///
/// 1. As for [`free`].
#[inline(never)]
unsafe extern "C" fn free_unsized_slow(stocks: &Stocks, block: *mut u8) {
    // SAFETY: 1. the caller's.
    unsafe { free_slow(stocks, block, None) };
}

/// [`free`] of what is not small, or was said to be so long.
///
/// # Safety
///
/// 1. As there.
#[inline(never)]
unsafe fn free_slow(stocks: &Stocks, block: *mut u8, said: Option<Layout>) {
    let Some(at) = NonNull::new(block) else { return };
    let size = said.map(|said| said.size());
    let found = find(block);
    let fits = said.is_none_or(|said| match &found {
        Found::Sampled => true,
        Found::Small { class } => class_for(said) == Some(*class),
        Found::Large { shape } => {
            class_for(said).is_none() && Shape::of(said).is_some_and(|said| said.body == shape.body)
        }
    });
    if !fits {
        misuse::stop("a block was freed with another size or alignment than it has");
    }
    // SAFETY: 1. the caller's, here and there.
    unsafe {
        match found {
            Found::Sampled => sampled::put(block, size),
            Found::Small { class } => small::put(stocks, class, block, size),
            Found::Large { shape } => large::put_shaped(stocks, at, shape, size),
        }
    }
}

/// Bytes that the program has of a block; 0 where it is null.
///
/// # Safety
///
/// 1. As for [`free`].
pub(crate) unsafe fn usable_len(block: *mut u8) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: 1. the caller's.
    unsafe { len_of(block, &find(block)) }
}

/// Bytes that the program has of a block that was found.
///
/// # Safety
///
/// 1. As for [`free`].
unsafe fn len_of(block: *mut u8, found: &Found) -> usize {
    let len = match found {
        Found::Sampled => return sampled::size_of(block),
        Found::Small { class } => class::cut(*class).block_len(),
        Found::Large { shape } => shape.body,
    };
    if CANARIES {
        small::check_aligned(block);
        // SAFETY: 1. the caller's; a multiple of 8, as all lengths are.
        return unsafe { seal::size_of_sealed(block, len, None) };
    }
    len
}

/// A block of `size` bytes with the contents of `block`, which is gone then; null where the system has no
/// more, and then `block` is as it was. `new` is the layout for so many bytes.
///
/// # Safety
///
/// 1. As for [`free`].
pub(crate) unsafe fn resize(stocks: &Stocks, block: *mut u8, new: Option<Layout>) -> *mut u8 {
    let Some(new) = new else { return none() };
    let Some(at) = NonNull::new(block) else { return take(stocks, new) };
    fetch(block);
    let found = find(block);
    if let Found::Small { class } = found
        && class_for(new) == Some(class)
    {
        // SAFETY: 1. the caller's; the class is the same.
        unsafe { small::resize(class, block, None, new.size()) };
        return block;
    }
    // SAFETY: 1. the caller's, here and below.
    let old = unsafe { len_of(block, &found) };
    if let Found::Large { shape } = &found
        && class_for(new).is_none()
        && let Some(other) = shape.for_size(new.size())
    {
        // SAFETY: 1. as above; `for_size` keeps what is in front.
        let moved = unsafe { large::resize_shaped(stocks, at, *shape, None, other, new.size()) };
        if let Some(block) = moved {
            return block;
        }
    }
    let to = take(stocks, new);
    if !to.is_null() {
        // SAFETY: two blocks, of so many bytes each. 1. as above.
        unsafe {
            to.copy_from_nonoverlapping(block, old.min(new.size()));
            match found {
                Found::Small { class } => small::put_checked(stocks, class, block),
                _ => free(stocks, block, None),
            }
        }
    }
    to
}
