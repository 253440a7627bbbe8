//! Frames with contents that nobody uses: which of them to purge, and to see and count them.

use core::ops::Range;
use core::ptr::NonNull;

use strata_core::{Contents, Source};

use super::{BATCH, Ground, Placing, Run, tables};
use crate::class::FRAME;
use crate::region::{FENCED, FRAMES, Table};
#[cfg(any(all(feature = "std", target_os = "linux"), test))]
use crate::region::{FrameSet, Use};
use crate::territory::Territories;

impl Ground {
    /// Checks the counts against the bitmaps, and these against who chose the frames; answers where they
    /// differ.
    pub(crate) fn validate(&self, all: &Territories) -> Result<(), NonNull<u8>> {
        let (mut used_all, mut idle_all) = (0, 0);
        let mut somewhere = NonNull::dangling();
        for (number, territory) in all.iter().enumerate() {
            for region in 0..self.regions(number) {
                let (table, summary) = tables(&territory, region);
                let there = (territory.frames() - region * FRAMES).min(FRAMES - FENCED);
                let (used, idle) = (table.used.count(0..FRAMES), table.idle.count(0..FRAMES));
                let clash = (0..FRAMES).any(|frame| {
                    let sets = [&table.used, &table.idle, &table.purged];
                    sets.iter().filter(|set| set.contains(frame)).count() > 1
                });
                somewhere = territory.frame(region * FRAMES);
                let counted = (usize::from(summary.used), usize::from(summary.idle));
                if clash || counted != (used, idle) {
                    return Err(somewhere);
                }
                used_all += used - (FRAMES - there);
                idle_all += idle;
            }
        }
        if (used_all, idle_all) != (self.used, self.idle) {
            return Err(somewhere);
        }
        self.validate_choices(all)
    }

    /// Calls back with each stretch of idle frames.
    pub(crate) fn each_idle(&self, all: &Territories, mut visit: impl FnMut(NonNull<u8>, usize)) {
        for (number, territory) in all.iter().enumerate() {
            for region in 0..self.regions(number) {
                let (table, _) = tables(&territory, region);
                let mut from = table.idle.next(0, true);
                while from < FRAMES {
                    let to = table.idle.next(from, false);
                    visit(territory.frame(region * FRAMES + from), to - from);
                    from = if to == FRAMES { FRAMES } else { table.idle.next(to, true) };
                }
            }
        }
    }

    /// Takes idle frames in hand for purging, whole regions and long runs first: about
    /// `frames` of them, each run with the number of idle ones. They count as used until
    /// [`Ground::purged`].
    pub(crate) fn pick_idle<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        page: usize,
        frames: usize,
        out: &mut [(Run, usize); BATCH],
    ) -> usize {
        let (mut picked, mut left) = (0, frames);
        // Regions in the order of their idle frames; at a page above a frame the best one may have
        // nothing that makes whole pages, so the order has an upper end.
        let mut below = (usize::MAX, 0, 0);
        while picked < BATCH && left > 0 {
            let mut best = (0, 0, 0);
            for (number, territory) in all.iter().enumerate() {
                for region in 0..self.regions(number) {
                    // SAFETY: regions in use have a summary, which the lock protects.
                    let idle = usize::from(unsafe { territory.summary(region).read() }.idle);
                    let key = (idle, number, region);
                    if key < below && key > best {
                        best = key;
                    }
                }
            }
            let (idle, number, region) = best;
            if idle == 0 {
                break;
            }
            below = best;
            let territory = all.get(number);
            let (table, summary) = tables(&territory, region);
            let aligned = page.max(FRAME) / FRAME;
            let phase = territory.phase() + region * FRAMES;
            while picked < BATCH && left > 0 {
                let Some(range) = best_gap(table, aligned, phase, left) else { break };
                let frame = region * FRAMES + range.start;
                let run = Run { territory: number, frame, frames: range.len() };
                if !self.hold(source, all, run) {
                    return picked;
                }
                let (idle, _) = table.take(range, summary);
                self.idle -= idle;
                self.used += run.frames;
                left = left.saturating_sub(idle);
                out[picked] = (run, idle);
                picked += 1;
            }
        }
        picked
    }

    /// Frames that [`Ground::pick_idle`] took in hand were purged, or not.
    pub(crate) fn purged(&mut self, all: &Territories, run: Run, contents: Contents) {
        let kept = if contents.is_gone() { None } else { Some(0..run.frames) };
        self.put(all, run, kept);
        if contents.is_gone() {
            if contents != Contents::Zero {
                self.zeroed = false;
            }
            self.note_purged(all, run, 0..run.frames);
        }
    }
}

/// Frames in the hands of threads that are gone.
#[cfg(any(all(feature = "std", target_os = "linux"), test))]
impl Ground {
    /// Takes back what counts as used and carries nothing: frames that were being purged by a thread
    /// that is gone. They may have contents.
    pub(crate) fn reclaim(&mut self, all: &Territories) {
        for (number, territory) in all.iter().enumerate() {
            for region in 0..self.regions(number) {
                let there = (territory.frames() - region * FRAMES).min(FRAMES - FENCED);
                let mut carried = FrameSet::default();
                let mut frame = 0;
                while frame < there {
                    // SAFETY: 1. a region in use. 2. territories end with the heap.
                    let len = match unsafe { territory.tenant(region * FRAMES + frame) }.get() {
                        Use::Nothing => 0,
                        Use::Span { .. } => 1,
                        Use::Run { whole: frames, .. } | Use::Own { frames } => frames as usize,
                    };
                    carried.insert(frame..(frame + len).min(FRAMES));
                    frame += len.max(1);
                }
                let mut from = 0;
                while from < there {
                    let (table, _) = tables(&territory, region);
                    let astray = |frame| table.used.contains(frame) && !carried.contains(frame);
                    let start = (from..there).find(|&frame| astray(frame)).unwrap_or(there);
                    let end = (start..there).find(|&frame| !astray(frame)).unwrap_or(there);
                    if start < end {
                        let (frame, frames) = (region * FRAMES + start, end - start);
                        self.put(all, Run { territory: number, frame, frames }, Some(0..frames));
                    }
                    from = end;
                }
            }
        }
    }
}

/// The longest stretch of free frames with idle ones in it, cut to whole pages, trimmed to its first
/// and last idle frame, and to about `most` frames.
fn best_gap(table: &Table, aligned: usize, phase: usize, most: usize) -> Option<Range<usize>> {
    let whole_pages = |range: Range<usize>| {
        let start = (phase + range.start).next_multiple_of(aligned) - phase;
        let end = (phase + range.end) / aligned * aligned;
        start..end.saturating_sub(phase)
    };
    let mut best: Option<Range<usize>> = None;
    for gap in table.used.gaps() {
        let first = table.idle.next(gap.start, true);
        if first >= gap.end {
            continue;
        }
        let gap = whole_pages(gap);
        if gap.is_empty() || table.idle.count(gap.clone()) == 0 {
            continue;
        }
        let first = table.idle.next(gap.start, true);
        let last = (first..gap.end).rev().find(|&f| table.idle.contains(f)).unwrap_or(first);
        // Outwards again to whole pages, which stay inside the gap.
        let start = (phase + first) / aligned * aligned - phase;
        let end = (phase + last + 1).next_multiple_of(aligned) - phase;
        if best.as_ref().is_none_or(|best| best.len() < end - start) {
            best = Some(start..end);
        }
    }
    let range = best?;
    let most = most.next_multiple_of(aligned);
    Some(range.start..range.end.min(range.start + most))
}
