//! Frames chosen by what is known of them: no tables beside those.
//!
//! A request goes to the region with the fewest free frames that has room, so that sparse regions
//! drain and go back whole; a region that was never used comes last.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::{Ground, Placing, Run, Wanted, tables};
use crate::region::FRAMES;
use crate::territory::{Parts, Territories, Territory};

/// Tables of its own in a territory.
pub(crate) const TABLES: usize = 0;

/// How long they are for so many frames.
pub(crate) fn table_lens(_frames: usize) -> [usize; TABLES] {
    []
}

impl Placing for Ground {
    fn choose<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Result<Run, Exhausted> {
        let any = |_: &Self, _, _| true;
        // Frames with contents first: others would be new memory from the system.
        if self.idle >= frames
            && let Some((number, region)) = self.densest(all, frames, frames, any)
        {
            let territory = all.get(number);
            let (table, _) = tables(&territory, region);
            let phase = territory.phase() + region * FRAMES;
            if let Ok(start) = table.idle.complement().find_gap(frames, align, phase) {
                return Ok(Run { territory: number, frame: region * FRAMES + start, frames });
            }
        }
        if !wanted.new_memory() {
            return Err(Exhausted);
        }
        loop {
            if let Some((number, region)) = self.densest(all, frames, 0, any) {
                let territory = all.get(number);
                let (table, summary) = tables(&territory, region);
                let phase = territory.phase() + region * FRAMES;
                match table.used.find_gap(frames, align, phase) {
                    Ok(start) => {
                        return Ok(Run {
                            territory: number,
                            frame: region * FRAMES + start,
                            frames,
                        });
                    }
                    // A gap may be long enough and lie wrong: then the bound is short of the truth
                    // until something is freed here, and this region is not asked again in vain.
                    Err(longest) => summary.gap = longest.min(frames - 1) as u16,
                }
            } else {
                self.open_region(source, all, frames, align)?;
            }
        }
    }

    fn lengthen<S: Source<Address = NonNull<u8>>>(
        &mut self,
        _source: &S,
        all: &Territories,
        run: Run,
        more: usize,
    ) -> bool {
        let behind = run.frame + run.frames;
        let (region, start) = (behind / FRAMES, behind % FRAMES);
        let (table, _) = tables(&all.get(run.territory), region);
        table.used.count(start..start + more) == 0
    }

    #[inline(always)]
    fn hold<S: Source<Address = NonNull<u8>>>(
        &mut self,
        _source: &S,
        _all: &Territories,
        _run: Run,
    ) -> bool {
        true
    }

    #[inline(always)]
    fn leave(&mut self, _all: &Territories, _run: Run) {}

    #[inline(always)]
    fn shorten(&mut self, _all: &Territories, _run: Run) {}

    #[inline(always)]
    fn found<S: Source<Address = NonNull<u8>>>(
        _source: &S,
        _territory: &Territory,
        _parts: &mut Parts,
    ) -> Result<(), Exhausted> {
        Ok(())
    }

    #[inline(always)]
    fn open<S: Source<Address = NonNull<u8>>>(
        _source: &S,
        _parts: &mut Parts,
        _region: usize,
        _frames: usize,
    ) -> Result<(), Exhausted> {
        Ok(())
    }

    fn validate_choices(&self, _all: &Territories) -> Result<(), NonNull<u8>> {
        Ok(())
    }
}
