//! Which blocks to move where, so that whole huge frames become free.
//!
//! Only the owner of a block can move it, so he is asked, and told. Huge frames are emptied that take
//! the fewest moves: a block of any order is one move, and a huge frame with a block that cannot move
//! is none at all. Where all blocks are single frames no plan wins as many huge frames with fewer
//! moves, for each frame of each of them has to move once, and these are the emptiest.

use strata_core::sync::Ordering;
use strata_core::{FrameId, Order};

use crate::frames::PageFrames;
use crate::tables::Tables;

/// Destinations that may be lost to other threads before a plan ends.
const TRIES: usize = 8;

/// A block to be moved.
///
/// `to` was taken for it: it is the caller's. After copying he frees `from`; or `to`, if he cannot
/// move it after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where the block lies.
    pub from: FrameId,
    /// Where it goes.
    pub to: FrameId,
    /// Its order.
    pub order: Order,
}

/// What an evacuation planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evacuation {
    /// Huge frames that are free once all moves are made.
    pub huge: u64,
    /// Moves.
    pub moves: u64,
}

/// A huge frame that may be emptied: room for a plan, one for each huge frame of the zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    moves: u32,
    used: u32,
    huge: u64,
}

impl PageFrames<'_> {
    /// Plans at most `budget` moves that make at most `target` huge frames free, the cheapest first,
    /// and calls `visit` with each. The caller may make a move at once, or later.
    ///
    /// `describe` is asked about taken frames: the order of the block that begins at this frame and
    /// can move, or `None` for any frame that must stay. Blocks of the order of a huge frame and
    /// longer, and frames in stocks, are not moved. `scratch` is room for as many huge frames as
    /// are looked at, from the first on.
    ///
    /// A pass over all rows of partly used huge frames, and a search for each move.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use strata_core::{FrameId, Order};
    /// # use strata_page_frame::{Candidate, Geometry, PageFrames};
    /// # let layout = PageFrames::metadata_layout(1024, 0, Geometry::DEFAULT)?;
    /// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
    /// # let frames = PageFrames::new(1024, 0, Geometry::DEFAULT, &mut metadata)?;
    /// let one = Order::new(0).unwrap();
    /// for frame in (0..100).chain(512..520) {
    ///     frames.alloc_at(FrameId(frame), 1)?;
    /// }
    /// let mut scratch = [Candidate::default(); 2];
    /// let plan = frames.plan_evacuation(1, 1000, &mut scratch, |_| Some(one), |step| {
    ///     // Here the caller copies, and notes where the block lies now.
    ///     frames.free(step.from, step.order).unwrap();
    /// });
    /// assert_eq!((plan.huge, plan.moves), (1, 8)); // the emptier one, into the fuller
    /// assert_eq!(frames.stats().free_huge, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plan_evacuation(
        &self,
        target: u64,
        budget: u64,
        scratch: &mut [Candidate],
        describe: impl Fn(FrameId) -> Option<Order>,
        mut visit: impl FnMut(Move),
    ) -> Evacuation {
        let tables = &self.tables;
        self.drain();
        let (victims, room) = self.victims(scratch, &describe);
        // A huge frame that is emptied takes its own room out, and needs room for what it holds.
        let victims = choose(victims, target.min(room / tables.capacity()), budget);
        // Nobody, and this least of all, takes frames where they are about to be won.
        for victim in victims {
            tables.hold(victim.huge as usize);
        }
        let mut plan = Evacuation::default();
        for victim in victims {
            match self.empty(victim.huge as usize, &describe, &mut visit) {
                Ok(moves) => {
                    plan.huge += 1;
                    plan.moves += moves;
                }
                Err(moves) => {
                    plan.moves += moves;
                    break;
                }
            }
        }
        for victim in victims {
            tables.let_go(victim.huge as usize);
        }
        plan
    }

    /// The huge frames that can be emptied, cheapest first, and the free frames of all partly used
    /// ones.
    fn victims<'s>(
        &self,
        scratch: &'s mut [Candidate],
        describe: &impl Fn(FrameId) -> Option<Order>,
    ) -> (&'s mut [Candidate], u64) {
        let (mut count, mut room) = (0, 0);
        for huge in 0..self.tables.huge.min(scratch.len()) {
            let entry = self.tables.entry(huge);
            if entry.is_whole() || entry.used() == 0 {
                continue;
            }
            room += self.tables.capacity() - entry.used();
            if let Some(moves) = self.moves_of(huge, describe) {
                let used = entry.used() as u32;
                scratch[count] = Candidate { moves, used, huge: huge as u64 };
                count += 1;
            }
        }
        let victims = &mut scratch[..count];
        victims.sort_unstable();
        (victims, room)
    }

    /// Moves that empty a huge frame; `None` where that cannot be.
    fn moves_of(&self, huge: usize, describe: &impl Fn(FrameId) -> Option<Order>) -> Option<u32> {
        let mut moves = 0;
        self.blocks(huge, describe, |_, order| order.map(|_| moves += 1).is_some()).then_some(moves)
    }

    /// Calls `visit` with each block of a huge frame until it answers false; whether it never did.
    fn blocks(
        &self,
        huge: usize,
        describe: &impl Fn(FrameId) -> Option<Order>,
        mut visit: impl FnMut(FrameId, Option<Order>) -> bool,
    ) -> bool {
        let first = self.geometry().first_frame(huge);
        let end = first + self.tables.capacity();
        let mut at = first;
        while at < end {
            if !self.tables.is_taken(at) {
                at += 1;
                continue;
            }
            let inside = |order: &Order| at + order.frames() <= end && at < self.frames();
            let order = if at < self.frames() { describe(FrameId(at)) } else { None };
            let order = order.filter(inside);
            if !visit(FrameId(at), order) {
                return false;
            }
            at += order.map_or(1, Order::frames);
        }
        true
    }

    /// Finds a place for each block of a huge frame; how many moves that was, an error where one
    /// has none.
    fn empty(
        &self,
        huge: usize,
        describe: &impl Fn(FrameId) -> Option<Order>,
        visit: &mut impl FnMut(Move),
    ) -> Result<u64, u64> {
        let (mut moves, mut last) = (0, None);
        let done = self.blocks(huge, describe, |from, order| {
            let Some(order) = order else { return false };
            let Some(to) = self.destination(order, &mut last) else { return false };
            visit(Move { from, to, order });
            moves += 1;
            true
        });
        if done { Ok(moves) } else { Err(moves) }
    }

    /// Takes a block in the fullest huge frame that is partly used and not about to be emptied:
    /// in the `last` one while it has room.
    fn destination(&self, order: Order, last: &mut Option<usize>) -> Option<FrameId> {
        let _at_work = self.tables.at_work();
        let take = |huge| {
            let frame = self.tables.take_block(huge, order.get(), 0, false, &())?;
            self.tables.mark(frame, order.frames());
            Some(frame)
        };
        if let Some(frame) = last.and_then(take) {
            return Some(frame);
        }
        (0..TRIES).map_while(|_| self.tables.fullest(order.get())).find_map(|huge| {
            *last = Some(huge);
            take(huge)
        })
    }
}

/// The cheapest candidates that the budget pays.
fn choose(victims: &[Candidate], target: u64, budget: u64) -> &[Candidate] {
    let mut moves = 0;
    let paid = |victim: &&Candidate| {
        moves += u64::from(victim.moves);
        moves <= budget
    };
    let most = usize::try_from(target).unwrap_or(usize::MAX);
    let count = victims.iter().take(most).take_while(paid).count();
    &victims[..count]
}

impl Tables<'_> {
    /// Says that a stock works at `huge`: nothing should be taken there.
    fn hold(&self, huge: usize) {
        // Relaxed: a hint.
        let _ = self
            .update(huge, Ordering::Relaxed, |entry| (!entry.is_whole()).then_some(entry.held()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_and_the_target_are_kept() {
        let of = |moves| Candidate { moves, used: 9, huge: 0 };
        let all = [of(1), of(2), of(5), of(9)];
        assert_eq!(choose(&all, 9, 100).len(), 4);
        assert_eq!(choose(&all, 2, 100).len(), 2);
        assert_eq!(choose(&all, 9, 8).len(), 3);
        assert_eq!(choose(&all, 9, 7).len(), 2);
    }
}
