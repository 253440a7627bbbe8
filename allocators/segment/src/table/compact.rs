//! Compaction: segments slide down, in address order, as far as a budget goes.
//!
//! A pass goes up through all regions once. What it has gone past stays settled while it rests
//! between two calls, unless something below is changed; then another pass follows it.
//!
//! ```text
//!   before    │ a │ hole │ b │ hole │ P │ c │ hole │        P is pinned
//!   a move    │ a │ b │    hole     │ P │ c │ hole │        b slides: its copy, one descriptor
//!   after     │ a │ b │    hole     │ P │ c │ hole │        nothing slides past P
//!                                             ▲ the pass: all below is settled
//! ```

use super::budget::{May, Meter};
use super::mover::NotMoved;
use crate::policy::Policy;

use super::{Budget, Mover, Place, SegmentTable};

/// What one call of [`compact`](SegmentTable::compact) did, and what it left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Segments that moved.
    pub moved_segments: usize,
    /// Bytes that were copied.
    pub moved_bytes: usize,
    /// Bytes of the longest hole now, in any region.
    pub largest_free: usize,
    /// Nothing is left that could move: only pinned segments have holes below them, and gaps before
    /// segments whose alignment is above the unit.
    pub done: bool,
    /// Zero; or the length of the longest segment that was passed by because it is longer than such a
    /// budget moves. [`Budget::Bytes`] of so many moves it.
    pub needs: usize,
    /// The mover could not copy, and the call ended there.
    pub failed: bool,
}

/// How far compaction has come.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// A pass has begun.
    open: bool,
    /// The region that it is in.
    region: u32,
    /// The used node that it went past last; `None` at the region's start.
    last: Option<u32>,
    /// Something below changed: another pass is due.
    missed: bool,
    /// It went past pinned segments, which may be free by the next call.
    passed_pinned: bool,
    /// The shortest and the longest segment that no budget so far covered; zero for none.
    shortest_left: usize,
    longest_left: usize,
    /// The last pass left nothing to move, and nothing has changed since.
    settled: bool,
}

/// What a step of a pass came to.
enum Step {
    /// To the segment above the last one.
    Up(u32),
    /// To the end of the region.
    End,
    /// The budget is used up.
    Wait,
}

impl<P: Policy, M: Mover> SegmentTable<'_, P, M> {
    /// Slides segments down over the holes below them, in address order, as far as `budget` goes.
    /// The next call goes on where this one ended.
    ///
    /// Pinned segments stay, and nothing slides past them. Afterwards, when it is
    /// [`done`](Progress::done) and nothing was pinned, all that is free in a region is one hole at
    /// its end.
    ///
    /// Each move costs one copy and one store: the table is the forwarding map. Beside the moves, a
    /// call looks at each node at most twice, in constant time each.
    ///
    /// The idea is the mark-compact collector's, as in V8; what marks there is the program's own
    /// `free` here, and what updates pointers there is the one descriptor.
    pub fn compact(&mut self, budget: Budget<'_>) -> Progress {
        let mut pace = self.pace;
        let mut meter = Meter::new(budget, &mut pace);
        let ran = self.go_on(&mut meter);
        // What is shorter was left by another call, and moves under this budget once its turn comes.
        let left = self.pass.longest_left;
        let progress = Progress {
            moved_segments: meter.moved_segments,
            moved_bytes: meter.moved_bytes,
            largest_free: self.core.largest_free(),
            done: ran == Ok(true) && left == 0,
            needs: if left > budget.longest() { left } else { 0 },
            failed: ran.is_err(),
        };
        self.pace = pace;
        progress
    }

    /// Goes on with the pass. Whether it came to its end.
    fn go_on(&mut self, meter: &mut Meter<'_, '_>) -> Result<bool, NotMoved> {
        if self.pass.settled {
            return Ok(true);
        }
        if !self.pass.open {
            self.begin();
        }
        // What earlier calls went past may be free to move in this one.
        let left = self.pass.shortest_left;
        self.pass.missed |= self.pass.passed_pinned || (left > 0 && left <= meter.longest());
        loop {
            match self.step(meter)? {
                Step::Up(node) => self.pass.last = Some(node),
                Step::Wait => return Ok(false),
                Step::End => {
                    if let Some(next) = self.core.next_region(self.pass.region) {
                        (self.pass.region, self.pass.last) = (next, None);
                    } else if self.pass.missed {
                        self.begin();
                    } else {
                        self.pass.open = false;
                        self.pass.settled = !self.pass.passed_pinned && self.pass.longest_left == 0;
                        return Ok(true);
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        self.pass = Pass { open: true, ..Pass::default() };
        match self.core.first_region() {
            Some(region) => self.pass.region = region,
            // Nothing to go through.
            None => self.pass.open = false,
        }
    }

    fn step(&mut self, meter: &mut Meter<'_, '_>) -> Result<Step, NotMoved> {
        let above = match self.pass.last {
            Some(node) => self.core.next(node),
            None if self.pass.open => self.core.lowest(self.pass.region),
            None => None,
        };
        let Some(node) = above else { return Ok(Step::End) };
        if !meter.look() {
            return Ok(Step::Wait);
        }
        if !self.core.is_free(node) {
            return Ok(Step::Up(node));
        }
        let Some(node) = self.core.next(node) else { return Ok(Step::End) };
        if self.node_is_pinned(node) {
            self.pass.passed_pinned = true;
            return Ok(Step::Up(node));
        }
        if self.core.slides_to(node).is_none() {
            return Ok(Step::Up(node));
        }
        let len = self.descriptors.limit(self.core.tag(node));
        match meter.may_move(len) {
            May::Move => {
                self.slide(node)?;
                meter.moved(len);
            }
            May::Wait => return Ok(Step::Wait),
            May::Not => {
                let pass = &mut self.pass;
                pass.longest_left = pass.longest_left.max(len);
                let shorter = |left: usize| left == 0 || len < left;
                pass.shortest_left =
                    if shorter(pass.shortest_left) { len } else { pass.shortest_left };
            }
        }
        Ok(Step::Up(node))
    }

    /// Slides a used node, which is not pinned, over the hole below it. Whether it moved.
    pub(super) fn slide(&mut self, node: u32) -> Result<bool, NotMoved> {
        let Some(to) = self.core.slides_to(node) else { return Ok(false) };
        // SAFETY: 1. not pinned. 2. the hole below it begins at `to` or lower.
        unsafe { self.copy_to(node, to)? };
        self.core.slide(node, to);
        debug_assert_eq!(self.core.place(node), to);
        Ok(true)
    }

    /// Slides a used node, which is not pinned, up to the end of the hole above it, if there is one.
    pub(super) fn slide_up(&mut self, node: u32) -> Result<(), NotMoved> {
        let Some(to) = self.core.rises_to(node) else { return Ok(()) };
        let from = self.core.place(node);
        // SAFETY: 1. not pinned. 2. the hole above it ends where the node then does, or higher.
        unsafe { self.copy_to(node, to)? };
        self.core.rise(node, to);
        debug_assert_eq!(self.core.place(node), to);
        // It has left a hole, which whatever is above it may slide over, itself to begin with.
        self.disturb(from);
        Ok(())
    }

    /// Copies what a used node's segment holds to another place, which is the segment's from now on.
    ///
    /// # Safety
    ///
    /// 1. The segment is not pinned.
    /// 2. Between the node and the place, and as long as the segment from there on, there is nothing but
    ///    the node and holes.
    unsafe fn copy_to(&mut self, node: u32, to: u64) -> Result<(), NotMoved> {
        let index = self.core.tag(node);
        let len = self.descriptors.limit(index);
        // SAFETY: 1. in the same region.
        let target = unsafe { M::Place::at(to) };
        // SAFETY: 1. the segment, and as many bytes of itself and of holes (2.). 2. holes are nobody's;
        // the segment is not pinned (1.), and the table is borrowed mutably.
        unsafe { self.mover.copy(self.descriptors.base(index), target, len)? };
        self.descriptors.set(index, target, len);
        self.moved_segments += 1;
        self.moved_bytes += len as u64;
        Ok(())
    }

    /// The highest used node below a used one, in its region.
    pub(super) fn used_below(&self, node: u32) -> Option<u32> {
        let below = self.core.prev(node)?;
        if self.core.is_free(below) { self.core.prev(below) } else { Some(below) }
    }

    /// The lowest used node above a used one, in its region.
    pub(super) fn used_above(&self, node: u32) -> Option<u32> {
        let above = self.core.next(node)?;
        if self.core.is_free(above) { self.core.next(above) } else { Some(above) }
    }

    /// Frees a used node.
    pub(super) fn give_back(&mut self, node: u32) {
        let (place, above) = (self.core.place(node), self.used_above(node).is_some());
        if self.pass.last == Some(node) {
            self.pass.last = self.used_below(node);
        }
        self.core.free(node);
        if above {
            self.disturb(place);
        }
    }

    /// A used node is new.
    pub(super) fn has_come(&mut self, node: u32) {
        if self.core.slides_to(node).is_some() {
            self.disturb(self.core.place(node));
        }
    }

    /// The hole above a used node is new, or longer.
    pub(super) fn has_sunk(&mut self, node: u32) {
        if self.used_above(node).is_some() {
            self.disturb(self.core.place(node));
        }
    }

    /// Something that may slide is at `place`, or the next thing above it.
    fn disturb(&mut self, place: u64) {
        self.pass.settled = false;
        if self.pass.open {
            let last = self.pass.last.or_else(|| self.core.lowest(self.pass.region));
            // The core's regions are in the order of their places.
            self.pass.missed |= last.is_some_and(|last| place < self.core.place(last));
        }
    }
}
