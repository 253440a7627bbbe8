//! Frames chosen by the crates below: spans are chunks of strata-page-frame, runs of large blocks segments
//! of strata-segment, which cuts them from chunks of the former.
//!
//! What is known of frames stays with the ground, and one thing is decided by it: a request is served from
//! frames that have contents where there are such, for all others are new memory from the system, and no
//! layer below knows which are which.

mod land;
mod layers;
mod lots;
#[cfg(test)]
mod tests;

use core::ops::Range;
use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::{Ground, Placing, Run, Wanted, tables};
use crate::region::FRAMES;
use crate::territory::{Parts, Territories, Territory};

use land::Land;
pub(crate) use land::{TABLES, table_lens};

impl Placing for Ground {
    fn choose<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Result<Run, Exhausted> {
        match wanted {
            Wanted::Span | Wanted::IdleSpan => self.choose_span(source, all, wanted, frames, align),
            Wanted::Block | Wanted::IdleBlock => {
                self.choose_run(source, all, wanted, frames, align)
            }
        }
    }

    fn lengthen<S: Source<Address = NonNull<u8>>>(
        &mut self,
        _source: &S,
        _all: &Territories,
        run: Run,
        more: usize,
    ) -> bool {
        let land = self.land(run.territory);
        land.is_some_and(|(land, _)| land.resize_run(run.frame, run.frames + more))
    }

    fn hold<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        run: Run,
    ) -> bool {
        let mut done = 0;
        while done < run.frames {
            let rest = Run { frame: run.frame + done, frames: run.frames - done, ..run };
            let Some((land, parts)) = self.land(run.territory) else { return false };
            let (piece, in_lot) = first_piece(land, rest);
            let held = if in_lot {
                land.reserve(source, &mut parts.placing).is_ok()
                    && land.claim_run(piece.frame, piece.frames)
            } else {
                land.claim(piece.frame, piece.frames)
            };
            if !held {
                if done != 0 {
                    self.leave(all, Run { frames: done, ..run });
                }
                return false;
            }
            done += piece.frames;
        }
        true
    }

    fn leave(&mut self, all: &Territories, run: Run) {
        let mut left = run;
        while left.frames > 0 {
            let Some((land, _)) = self.land(run.territory) else { return };
            let (piece, in_lot) = first_piece(land, left);
            if in_lot {
                land.give_runs(piece.frame..piece.frame + piece.frames);
                let region = piece.frame / FRAMES;
                let (table, _) = tables(&all.get(run.territory), region);
                if table.used.count(within(&land.lot(region))) == 0
                    && let Some(before) = land.keep_spare(region)
                {
                    self.drop_lot(all, run.territory, before);
                }
            } else {
                land.give(piece.frame, piece.frames);
            }
            left = Run {
                frame: piece.frame + piece.frames,
                frames: left.frames - piece.frames,
                ..run
            };
        }
    }

    fn shorten(&mut self, _all: &Territories, run: Run) {
        if let Some((land, _)) = self.land(run.territory) {
            let shorter = land.resize_run(run.frame, run.frames);
            debug_assert!(shorter, "entries for it were there since the run was chosen");
        }
    }

    fn found<S: Source<Address = NonNull<u8>>>(
        source: &S,
        territory: &Territory,
        parts: &mut Parts,
    ) -> Result<(), Exhausted> {
        Land::found(source, territory, &mut parts.placing)
    }

    fn open<S: Source<Address = NonNull<u8>>>(
        source: &S,
        parts: &mut Parts,
        region: usize,
        frames: usize,
    ) -> Result<(), Exhausted> {
        Land::open(source, &mut parts.placing, region, frames)
    }

    fn validate_choices(&self, all: &Territories) -> Result<(), NonNull<u8>> {
        for (number, territory) in all.iter().enumerate() {
            let Some(state) = &self.states[number] else { continue };
            // SAFETY: 1. founded with the territory. 2. `self` is behind the lock.
            let land = unsafe { Land::of(&state.parts.placing) };
            let mut used = 0;
            for region in 0..state.regions {
                let (table, _) = tables(&territory, region);
                let there = (territory.frames() - region * FRAMES).min(FRAMES);
                used += table.used.count(0..there) - table.used.count(within(&land.lot(region)));
            }
            let is_used = |frames: Range<usize>, used: bool| {
                let (table, _) = tables(&territory, frames.start / FRAMES);
                table.used.count(within(&frames)) == if used { frames.len() } else { 0 }
            };
            if !land.is_sound(state.regions, used, is_used) {
                return Err(territory.frame(0));
            }
        }
        Ok(())
    }
}

/// Frames of one region, counted from its first.
fn within(frames: &Range<usize>) -> Range<usize> {
    let start = frames.start % FRAMES;
    start..start + frames.len()
}

/// The longest beginning of a run that is all in a lot, or all outside; and which of the two.
fn first_piece(land: &Land, run: Run) -> (Run, bool) {
    let (lot, end) = (land.lot(run.frame / FRAMES), run.frame + run.frames);
    let in_lot = lot.contains(&run.frame);
    let border = if in_lot {
        lot.end
    } else if lot.start >= run.frame && !lot.is_empty() {
        lot.start
    } else {
        end
    };
    (Run { frames: border.min(end) - run.frame, ..run }, in_lot)
}

impl Ground {
    /// What the layers below have of a territory, and its tables.
    fn land(&mut self, territory: usize) -> Option<(&mut Land, &mut Parts)> {
        let parts = &mut self.states[territory].as_mut()?.parts;
        // SAFETY: 1. founded with the territory. 2. `&mut self` is behind the lock, and is borrowed as long
        // as the answer.
        Some((unsafe { Land::of(&parts.placing) }, parts))
    }

    /// Frames for a span: such as have contents first, others by strata-page-frame's choice.
    fn choose_span<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Result<Run, Exhausted> {
        if self.idle >= frames
            && let Some(run) = self.idle_frames(all, wanted, frames, align)
        {
            return Ok(run);
        }
        if !wanted.new_memory() {
            return Err(Exhausted);
        }
        loop {
            let known = all.count();
            for number in 0..known {
                if let Some(run) = self.span_in(source, all, number, frames, align) {
                    return Ok(run);
                }
            }
            if !self.drop_spares(all) {
                self.open_territory(source, all, frames, align)?;
                return self.span_in(source, all, known, frames, align).ok_or(Exhausted);
            }
        }
    }

    /// Frames with contents, inside of lots or outside, in the densest region that has so many side by
    /// side.
    fn idle_frames(
        &mut self,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Option<Run> {
        let in_lots = matches!(wanted, Wanted::Block | Wanted::IdleBlock);
        let may = |this: &Self, number: usize, region: usize| {
            let Some(state) = &this.states[number] else { return false };
            // SAFETY: 1. founded with the territory. 2. `&mut self` is behind the lock.
            let lot = unsafe { Land::of(&state.parts.placing) }.lot(region).len();
            if in_lots { lot >= frames } else { lot < FRAMES }
        };
        loop {
            let (number, region) = self.densest(all, frames, frames, may)?;
            let territory = all.get(number);
            let (land, _) = self.land(number)?;
            let (lot, (table, summary)) = (within(&land.lot(region)), tables(&territory, region));
            let mut others = table.idle.complement();
            if in_lots {
                others.insert(0..lot.start);
                others.insert(lot.end..FRAMES);
            } else {
                others.insert(lot);
            }
            let phase = territory.phase() + region * FRAMES;
            match others.find_gap(frames, align, phase) {
                Ok(start) => {
                    let run = Run { territory: number, frame: region * FRAMES + start, frames };
                    let claimed = if in_lots {
                        land.claim_run(run.frame, frames)
                    } else {
                        land.claim(run.frame, frames)
                    };
                    return claimed.then_some(run);
                }
                // Here the bound is one of stretches with contents; what is freed raises it.
                Err(longest) => summary.gap = longest.min(frames - 1) as u16,
            }
        }
    }

    /// Frames of a territory's zone, in a region that is in use then.
    fn span_in<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        number: usize,
        frames: usize,
        align: usize,
    ) -> Option<Run> {
        let frame = self.land(number)?.0.take(frames, align)?;
        if self.open_up_to(source, all, number, frame / FRAMES).is_err() {
            self.land(number)?.0.give(frame, frames);
            return None;
        }
        Some(Run { territory: number, frame, frames })
    }

    /// Brings all regions up to `region` into use.
    fn open_up_to<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        number: usize,
        region: usize,
    ) -> Result<(), Exhausted> {
        while self.regions(number) <= region {
            self.open_next(source, all, number)?;
        }
        Ok(())
    }
}
