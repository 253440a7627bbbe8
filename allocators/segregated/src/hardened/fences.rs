//! Pages at the ends of regions that nobody may touch.
//!
//! The last frame of each region is used by nobody (`ground/open.rs`), and left out when the frames around it
//! are made usable.

use core::ptr::NonNull;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::{OsError, memory};

use crate::central::Platform;
use crate::class::FRAME;
use crate::process::{HEAP, Process};
use crate::region::{FENCED, FRAMES};

/// Regions whose ends were left out.
static FENCES: AtomicUsize = AtomicUsize::new(0);

/// Makes reserved memory of the process heap usable, but for the ends of regions.
///
/// # Safety
///
/// 1. and 2. of [`memory::commit`].
pub(crate) unsafe fn commit(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
    let place = HEAP.territories.locate(at.addr().get());
    // Tables have no regions, and a wider page would be lost whole.
    let (Some((number, first)), true) = (place, FENCED != 0 && memory::page_size() == FRAME) else {
        // SAFETY: 1. and 2. the caller's.
        return unsafe { memory::commit(at, len) };
    };
    let (territory, end) = (HEAP.territories.get(number), first + len / FRAME);
    let (mut from, mut to) = (first, first);
    while to < end {
        let fence = to / FRAMES * FRAMES + FRAMES - FENCED;
        to = end.min(fence + FENCED);
        // Relaxed: a count that orders nothing. Two mappings each, in a quarter of what the heap may have.
        let fenced = to > fence && FENCES.load(Ordering::Relaxed) < Process::most_mappings() / 8;
        if to < end && !fenced {
            continue;
        }
        let upto = if fenced { fence } else { to };
        if upto > from {
            // SAFETY: 1. and 2. a part of the caller's, in frames.
            unsafe { memory::commit(territory.frame(from), (upto - from) * FRAME)? };
        }
        FENCES.fetch_add(usize::from(fenced), Ordering::Relaxed);
        from = to;
    }
    Ok(())
}
