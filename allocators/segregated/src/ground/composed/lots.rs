//! Runs of large blocks, in lots.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::Land;
use crate::ground::{Ground, Run, Wanted, tables};
use crate::region::FRAMES;
use crate::territory::Territories;

impl Ground {
    /// Frames for a large block's run: such of a lot as have contents first, others by strata-segment's
    /// choice, a new lot where none has room.
    pub(super) fn choose_run<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Result<Run, Exhausted> {
        let known = all.count();
        for number in 0..known {
            // Where it fails there are no entries, and nothing is found there.
            if let Some((land, parts)) = self.land(number) {
                let _ = land.reserve(source, &mut parts.placing);
            }
        }
        if self.idle >= frames
            && let Some(run) = self.idle_frames(all, wanted, frames, align)
        {
            return Ok(run);
        }
        if !wanted.new_memory() {
            return Err(Exhausted);
        }
        if let Some(run) = (0..known).find_map(|number| self.run_in(number, frames, align)) {
            return Ok(run);
        }
        for number in 0..known {
            if self.lot_in(source, all, number, frames, align)
                && let Some(run) = self.run_in(number, frames, align)
            {
                return Ok(run);
            }
        }
        self.open_territory(source, all, frames, align)?;
        if self.lot_in(source, all, known, frames, align)
            && let Some(run) = self.run_in(known, frames, align)
        {
            return Ok(run);
        }
        Err(Exhausted)
    }

    /// A segment of a territory's lots.
    fn run_in(&mut self, number: usize, frames: usize, align: usize) -> Option<Run> {
        let frame = self.land(number)?.0.take_run(frames, align)?;
        Some(Run { territory: number, frame, frames })
    }

    /// One lot more in a territory, with room for the run of a large block: a free region that has contents,
    /// else a huge frame of the zone's choice, else what there is.
    fn lot_in<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        number: usize,
        frames: usize,
        align: usize,
    ) -> bool {
        let need = (frames + align - 1).min(FRAMES);
        let idle = self.idle_region(all, number);
        let Some((land, parts)) = self.land(number) else { return false };
        if land.reserve(source, &mut parts.placing).is_err() {
            return false;
        }
        if let Some(region) = idle
            && land.claim(region * FRAMES, FRAMES)
        {
            if land.make_lot(region * FRAMES, FRAMES) {
                return true;
            }
            land.give(region * FRAMES, FRAMES);
        }
        let orders = (0..=FRAMES.trailing_zeros()).rev().map(|order| 1 << order);
        for frames in orders.take_while(|frames| *frames > need).chain([need]) {
            let Some(run) = self.span_in(source, all, number, frames, 1) else { continue };
            let Some((land, _)) = self.land(number) else { return false };
            if land.make_lot(run.frame, run.frames) {
                return true;
            }
            land.give(run.frame, run.frames);
        }
        false
    }

    /// The free region of a territory, whole, with the most idle frames, if one has any.
    fn idle_region(&self, all: &Territories, number: usize) -> Option<usize> {
        let territory = all.get(number);
        let idle = |region: &usize| tables(&territory, *region).1.idle;
        let has_lot = |region: &usize| {
            self.states[number].as_ref().is_some_and(|state| {
                // SAFETY: 1. founded with the territory. 2. `self` is behind the lock.
                !unsafe { Land::of(&state.parts.placing) }.lot(*region).is_empty()
            })
        };
        (0..self.regions(number))
            .filter(|region| tables(&territory, *region).1.used == 0)
            .filter(|region| !has_lot(region))
            .filter(|region| idle(region) != 0)
            .max_by_key(idle)
    }

    /// Gives spare lots back to their zones; false where there are none.
    ///
    /// Not for the sake of what is idle in them: spans would settle there, the next run would have to have
    /// a new lot, and a program that goes round would never find its memory where it left it.
    pub(super) fn drop_spares(&mut self, all: &Territories) -> bool {
        let mut any = false;
        for number in 0..all.count() {
            let spare = self.land(number).and_then(|(land, _)| land.spare());
            if let Some(region) = spare {
                self.drop_lot(all, number, region);
                any = true;
            }
        }
        any
    }

    /// Gives a lot without a run back to its zone.
    pub(super) fn drop_lot(&mut self, all: &Territories, number: usize, region: usize) {
        if let Some((land, _)) = self.land(number) {
            land.drop_lot(region);
        }
        // What is found here from now on lies otherwise than before.
        tables(&all.get(number), region).1.gap = FRAMES as u16;
    }
}
