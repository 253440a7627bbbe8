//! Where new frames come from: one region more, one territory more.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::{Ground, Placing, STEP, State, TABLE_STEP};
use crate::class::FRAME;
use crate::region::{FENCED, FRAMES, Summary};
use crate::span::NONE;
use crate::territory::{self, Territories, Territory};

/// A territory of a source that commits; smaller where there is less address space.
const RESERVE: usize = 1 << if usize::BITS == 64 { 35 } else { 28 };
/// The first territory of a source that hands out memory at once.
const START: usize = 256 << 10;

impl Ground {
    /// One region more, or one territory.
    #[cfg(any(not(feature = "composed"), strata_loom))]
    pub(super) fn open_region<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        frames: usize,
        align: usize,
    ) -> Result<(), Exhausted> {
        for number in 0..all.count() {
            if self.open_next(source, all, number)? {
                return Ok(());
            }
        }
        self.open_territory(source, all, frames, align)
    }

    /// One region more of a territory; false where it has no more.
    pub(super) fn open_next<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        number: usize,
    ) -> Result<bool, Exhausted> {
        let territory = all.get(number);
        let Some(state) = self.states[number].as_mut() else { return Ok(false) };
        let region = state.regions;
        if region == territory.regions() {
            return Ok(false);
        }
        let used = region + 1;
        let parts = &mut state.parts;
        parts.commit_regions(source, used, TABLE_STEP)?;
        let there = (territory.frames() - region * FRAMES).min(FRAMES - FENCED);
        Self::open(source, parts, region, region * FRAMES + there)?;
        // SAFETY: in the tables, committed above, and nobody knows the region yet.
        unsafe {
            if !S::ZEROED {
                territory.region(region).write_bytes(0, 1);
            }
            // What is behind the end is in use by nobody, for ever.
            (*territory.region(region).as_ptr()).table.used.insert(there..FRAMES);
            territory.summary(region).write(Summary {
                used: (FRAMES - there) as u16,
                idle: 0,
                gap: there as u16,
            });
        }
        state.regions = used;
        Ok(true)
    }

    /// One territory more, with room for the request.
    pub(super) fn open_territory<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        frames: usize,
        align: usize,
    ) -> Result<(), Exhausted> {
        let count = all.count();
        if count == territory::MAX {
            return Err(Exhausted);
        }
        // Room for the request wherever it comes to lie, and for the tables.
        let need = (frames + align) * FRAME * 2 + (64 << 10);
        let least = if S::COMMITS { need } else { (frames * FRAME).min(16 << 10) };
        let mut len = if S::COMMITS {
            reserve_len(source).max(need)
        } else {
            // Each is twice the one before: the source's memory is not ours alone.
            (START << count.min(12)).max(need)
        };
        loop {
            if let Ok(chunk) = source.acquire(len, FRAME.max(source.granule())) {
                let huge = if S::COMMITS && len >= 64 << 20 { FRAMES * FRAME } else { FRAME };
                match Territory::lay_out(chunk, source.granule(), huge, !S::COMMITS) {
                    Ok((territory, mut parts)) if territory.frames() >= frames.min(FRAMES) => {
                        if Self::found(source, &territory, &mut parts).is_err() {
                            // SAFETY: 1. just acquired, as it was. 2. nobody knows it.
                            unsafe { source.release(territory.chunk()) };
                            return Err(Exhausted);
                        }
                        self.states[count] =
                            Some(State { parts, regions: 0, places: 0, free_place: NONE });
                        // SAFETY: 1. `&mut self` is behind the lock. 2. checked above.
                        unsafe { all.push(territory) };
                        return Ok(());
                    }
                    Ok((territory, _)) => {
                        // SAFETY: 1. just acquired, as it was. 2. nobody knows it.
                        unsafe { source.release(territory.chunk()) };
                        return Err(Exhausted);
                    }
                    Err(chunk) => {
                        // SAFETY: 1. just acquired, as it was. 2. nobody knows it.
                        unsafe { source.release(chunk) };
                        return Err(Exhausted);
                    }
                }
            }
            // Three quarters, then a half, then three eighths: a buffer is used nearly whole.
            len = if len.is_power_of_two() { len / 4 * 3 } else { 1 << len.ilog2() };
            if len < least {
                return Err(Exhausted);
            }
        }
    }
}

/// Bytes to reserve: [`RESERVE`], but no more than an eighth of the address space that there is.
///
/// How much that is shows when it is reserved for a moment: asking for the limit would be a system
/// call of another kind, which a sandbox may forbid.
fn reserve_len<S: Source<Address = NonNull<u8>>>(source: &S) -> usize {
    let mut probe = RESERVE.saturating_mul(8).min(isize::MAX as usize / 2 + 1);
    while probe > STEP.start {
        if let Ok(chunk) = source.acquire(probe, source.granule()) {
            // SAFETY: 1. just acquired. 2. nobody knows it.
            unsafe { source.release(chunk) };
            break;
        }
        probe /= 2;
    }
    probe / 8
}
