//! Segments that grow, shrink and change their place behind their handles.

use core::mem;

use super::ground::Ground;
use super::mover::NotMoved;
use super::table::{OnFull, SegmentTable};
use super::{Handle, Mover, Place, Refused};
use crate::policy::Policy;

impl<P: Policy, M: Mover> SegmentTable<'_, P, M> {
    /// Makes the segment `len` bytes long. The bytes that it had and has stay what they are; those
    /// that it gains are what they were.
    ///
    /// In place where it can be; else over a hole below, with one copy; else somewhere else; else,
    /// where [`OnFull`] says so, with its neighbours slid apart, or others together. Then neighbours also
    /// give way at once where no more is copied than the segment itself is long.
    ///
    /// # Errors
    ///
    /// [`Refused`], and which: the handle is stale, the segment is pinned, no bytes were asked for,
    /// or no hole is long enough. Segments may have moved then, but what is in them is the same.
    pub fn resize(&mut self, handle: Handle, len: usize) -> Result<(), Refused> {
        let index = self.unpinned(handle)?;
        let (node, limit) = (self.descriptors.node(index), self.descriptors.limit(index));
        if len == 0 {
            return Err(Refused::ZeroLength);
        }
        if len <= limit {
            // Where the core has no node for what is cut off, the segment keeps it.
            let _ = self.core.resize(node, len);
            self.has_sunk(node);
        } else if self.core.rounded(len) > self.core.len(node) {
            match self.core.resize(node, len) {
                Err(Refused::Exhausted) => self.grow_slow(index, len)?,
                other => other?,
            }
        }
        self.requested = self.requested - limit + len;
        self.descriptors.set(index, self.descriptors.base(index), len);
        Ok(())
    }

    /// Moves the segment to where its policy would place it now, if that is another place. Its handle
    /// stays right.
    ///
    /// # Errors
    ///
    /// [`Refused`], and which: the handle is stale, the segment is pinned, or there is no second hole
    /// that is long enough.
    pub fn relocate(&mut self, handle: Handle) -> Result<(), Refused> {
        let index = self.unpinned(handle)?;
        let node = self.allocate_for(index, self.descriptors.limit(index))?;
        self.move_to(index, node)
    }

    #[cold]
    fn grow_slow(&mut self, index: u32, len: usize) -> Result<(), Refused> {
        let (node, limit) = (self.descriptors.node(index), self.descriptors.limit(index));
        let not_moved = |NotMoved| Refused::NotMoved;
        let more = self.core.rounded(len) - self.core.len(node);
        // No more than a copy of this one: no dearer than elsewhere, and no other hole is cut into.
        let parted = match self.on_full {
            OnFull::Fail => self.sink_alone(node, more),
            OnFull::Compact { .. } => self.part_above(node, more, limit),
        };
        if parted.map_err(not_moved)? {
            return self.core.resize(node, len);
        }
        match self.allocate_for(index, len) {
            Err(Refused::Exhausted) => {}
            other => return self.move_to(index, other?),
        }
        let OnFull::Compact { at_most } = self.on_full else { return Err(Refused::Exhausted) };
        if self.part_above(node, more, at_most).map_err(not_moved)? {
            return self.core.resize(node, len);
        }
        let other = self.allocate_slow(len, self.core.align(node), index)?;
        self.move_to(index, other)
    }

    /// Slides this used node down where that leaves `more` bytes free above it; whether it did.
    fn sink_alone(&mut self, node: u32, more: usize) -> Result<bool, NotMoved> {
        let Some(to) = self.core.slides_to(node) else { return Ok(false) };
        let by = (self.core.place(node) - to) as usize;
        let above = self.core.next(node).filter(|&above| self.core.is_free(above));
        if by + above.map_or(0, |hole| self.core.len(hole)) < more {
            return Ok(false);
        }
        let sunk = self.slide(node)?;
        self.has_sunk(node);
        Ok(sunk)
    }

    fn allocate_for(&mut self, index: u32, len: usize) -> Result<u32, Refused> {
        let align = self.core.align(self.descriptors.node(index));
        self.core.allocate(len, align, index)
    }

    /// Moves the segment, which is not pinned, to a node that was allocated for it.
    fn move_to(&mut self, index: u32, node: u32) -> Result<(), Refused> {
        let (base, limit) = (self.descriptors.base(index), self.descriptors.limit(index));
        let old = self.descriptors.node(index);
        // SAFETY: 1. the core places nodes in its regions.
        let target = unsafe { M::Place::at(self.core.place(node)) };
        // Two nodes with one descriptor must not be left, not even by a mover that panics.
        let undo = Undo { core: &mut self.core, node };
        // SAFETY: 1. two nodes of this table, both at least `limit` bytes long. 2. the new one is
        // nobody's yet; the segment is not pinned, and this borrows the table mutably.
        unsafe { self.mover.copy(base, target, limit) }.map_err(|NotMoved| Refused::NotMoved)?;
        mem::forget(undo);
        self.descriptors.set(index, target, limit);
        self.descriptors.set_node(index, node);
        self.give_back(old);
        self.has_come(node);
        self.moved_segments += 1;
        self.moved_bytes += limit as u64;
        Ok(())
    }
}

/// Frees a node unless it is forgotten.
struct Undo<'g, 'm, P: Policy> {
    core: &'g mut Ground<'m, P>,
    node: u32,
}

impl<P: Policy> Drop for Undo<'_, '_, P> {
    fn drop(&mut self) {
        self.core.free(self.node);
    }
}
