//! Room on demand: which segments slide where no hole is long enough.
//!
//! Any run of neighbours without a pinned one can slide together, and then all its holes are one
//! above them. Of the runs whose holes suffice, the one with the fewest bytes to copy is found in one
//! walk: its two ends go up in turn, so that each node is entered and left once.
//!
//! ```text
//!   │ a │ 2 │  b   │ 1 │ c │ 3 │   d   │ 4 │        4 wanted: not a, b (to copy: b);
//!           └─ low ──┘     ▲ high                   holes 1 and 3 around c are the better buy
//! ```

use super::mover::NotMoved;
use super::table::{OnFull, SegmentTable};
use super::{Mover, Refused};
use crate::policy::Policy;

/// Neighbours that give a hole when they slide together.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The hole below them.
    low: u32,
    /// How many they are.
    segments: usize,
    /// Bytes to copy.
    copied: usize,
}

/// A run that grows and shrinks while a walk goes on.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    low: Option<u32>,
    segments: usize,
    copied: usize,
    /// Bytes of its holes.
    free: usize,
    /// Of those, what alignments may keep apart.
    kept: usize,
}

/// What slides so that a segment can grow: down with it, and up from above it.
#[derive(Clone, Copy, Debug)]
struct Parting {
    below: Window,
    above: Window,
}

impl Parting {
    fn copied(&self) -> usize {
        self.below.copied + self.above.copied
    }

    /// Whether so many bytes come to be free between the two.
    fn gives(&self, more: usize) -> bool {
        self.below.free + self.above.free >= more.saturating_add(self.below.kept + self.above.kept)
    }
}

impl<P: Policy, M: Mover> SegmentTable<'_, P, M> {
    /// Allocates where the core found no hole, as [`OnFull`] says.
    #[cold]
    pub(super) fn allocate_slow(
        &mut self,
        len: usize,
        align: usize,
        tag: u32,
    ) -> Result<u32, Refused> {
        let OnFull::Compact { at_most } = self.on_full else { return Err(Refused::Exhausted) };
        let need = self.core.rounded(len).checked_add(self.gap(align)).ok_or(Refused::Exhausted)?;
        if need > self.core.total_free() {
            return Err(Refused::Exhausted);
        }
        let run = self.cheapest(need, at_most).ok_or(Refused::Exhausted)?;
        let hole = self.slide_run(run).map_err(|NotMoved| Refused::NotMoved)?;
        self.core.allocate_in(hole, len, align, tag)
    }

    /// Bytes that may have to stay free below a segment of this alignment.
    fn gap(&self, align: usize) -> usize {
        align.saturating_sub(self.core.rounded(1))
    }

    /// Of the runs whose holes come to `need` bytes, one with the fewest bytes to copy, if those are
    /// not above `at_most`.
    fn cheapest(&self, need: usize, at_most: usize) -> Option<Run> {
        let mut best: Option<Run> = None;
        let mut region = self.core.first_region();
        while let Some(this) = region {
            let mut window = Window::default();
            let mut node = self.core.lowest(this);
            while let Some(high) = node {
                self.enter(&mut window, high);
                while window.low.is_some() && window.free >= need.saturating_add(window.kept) {
                    let Window { low: Some(low), segments, copied, .. } = window else { break };
                    if copied <= at_most && best.is_none_or(|best| copied < best.copied) {
                        best = Some(Run { low, segments, copied });
                    }
                    self.leave(&mut window, low);
                }
                node = self.core.next(high);
            }
            region = self.core.next_region(this);
        }
        best
    }

    /// The window's upper end goes past a node.
    fn enter(&self, window: &mut Window, node: u32) {
        if self.core.is_free(node) {
            window.low = window.low.or(Some(node));
            window.free += self.core.len(node);
        } else if self.node_is_pinned(node) {
            *window = Window::default();
        } else if window.low.is_some() {
            self.count(window, node);
        }
    }

    /// A used node slides with the window's others.
    fn count(&self, window: &mut Window, node: u32) {
        window.segments += 1;
        window.copied += self.descriptors.limit(self.core.tag(node));
        window.kept += self.gap(self.core.align(node));
    }

    /// The window's lower end goes up from one hole to the next one, if there is one in it.
    fn leave(&self, window: &mut Window, low: u32) {
        window.free -= self.core.len(low);
        window.low = None;
        let mut node = if window.segments > 0 { self.core.next(low) } else { None };
        while let Some(this) = node {
            if self.core.is_free(this) {
                window.low = Some(this);
                return;
            }
            if window.segments == 0 {
                return;
            }
            window.segments -= 1;
            window.copied -= self.descriptors.limit(self.core.tag(this));
            window.kept -= self.gap(self.core.align(this));
            node = self.core.next(this);
        }
    }

    /// Slides the run together. The hole above it, in which all its holes are now.
    fn slide_run(&mut self, run: Run) -> Result<u32, NotMoved> {
        let mut last = run.low;
        for _ in 0..run.segments {
            // The run ends below a hole, so that there is a segment for each count.
            let Some(node) = self.used_above(last) else { break };
            if self.slide(node)? {
                self.has_sunk(node);
            }
            last = node;
        }
        match self.core.next(last) {
            Some(hole) if run.segments > 0 => Ok(hole),
            _ => Ok(run.low),
        }
    }

    /// Slides neighbours of this used node, which is not pinned, apart, until `more` bytes are free right
    /// above it: itself and those below it go down, those above it up. Of all ways the one with the fewest
    /// bytes to copy, if those are not above `at_most`. Whether the bytes are free now.
    pub(super) fn part_above(
        &mut self,
        node: u32,
        more: usize,
        at_most: usize,
    ) -> Result<bool, NotMoved> {
        let Some(Parting { below, above }) = self.cheapest_parting(node, more, at_most) else {
            return Ok(false);
        };
        if let Some(low) = below.low {
            self.slide_run(Run { low, segments: below.segments, copied: below.copied })?;
        }
        let mut last = node;
        for _ in 0..above.segments {
            last = self.used_above(last).unwrap_or(last);
        }
        // The highest one first, so that each finds its hole above it.
        while last != node {
            self.slide_up(last)?;
            last = self.used_below(last).unwrap_or(node);
        }
        Ok(true)
    }

    /// The cheapest way to part this used node and what is above it.
    ///
    /// The lower side begins as long as it must be without the upper one's help. As the upper one goes up,
    /// hole by hole, the lower one shrinks: each node is entered and left once.
    fn cheapest_parting(&self, node: u32, more: usize, at_most: usize) -> Option<Parting> {
        let mut next = self.core.next(node);
        let mut parting = Parting { below: Window::default(), above: Window::default() };
        if let Some(hole) = next.filter(|&hole| self.core.is_free(hole)) {
            parting.above.free = self.core.len(hole);
            next = self.core.next(hole);
        }
        self.lower(&mut parting, node, more, at_most);
        let mut best: Option<Parting> = None;
        loop {
            while parting.gives(more) {
                let copied = parting.copied();
                if copied <= at_most && best.is_none_or(|best| copied < best.copied()) {
                    best = Some(parting);
                }
                let Some(low) = parting.below.low else { return best };
                self.leave(&mut parting.below, low);
                if parting.below.segments == 0 {
                    // The node stays, and the hole above it is the other side's.
                    parting.below = Window::default();
                }
            }
            let most = best.map_or(at_most, |best| best.copied());
            if !self.raise(&mut parting.above, &mut next, most) {
                return best;
            }
        }
    }

    /// The lower side goes down until it suffices, or as far as it may.
    fn lower(&self, parting: &mut Parting, node: u32, more: usize, at_most: usize) {
        let (mut window, mut low) = (Window::default(), Some(node));
        while let Some(this) = low.filter(|_| !parting.gives(more)) {
            if self.core.is_free(this) {
                window.free += self.core.len(this);
                window.low = Some(this);
                parting.below = window;
            } else if self.node_is_pinned(this) || window.copied > at_most {
                return;
            } else {
                self.count(&mut window, this);
            }
            low = self.core.prev(this);
        }
    }

    /// The upper side goes up to its next hole. Whether it could.
    fn raise(&self, above: &mut Window, next: &mut Option<u32>, at_most: usize) -> bool {
        while let Some(this) = *next {
            *next = self.core.next(this);
            if self.core.is_free(this) {
                above.free += self.core.len(this);
                return true;
            }
            if self.node_is_pinned(this) || above.copied > at_most {
                return false;
            }
            self.count(above, this);
        }
        false
    }
}
