//! The table as a whole: segments come, go, and change hands with the core.

use core::fmt;
use core::marker::PhantomData;

use super::budget::Pace;
use super::compact::Pass;
use super::descriptor::{Descriptors, Segment};
use super::ground::Ground;
use super::{Fault, Handle, Memory, Mover, Permissions, PinWord, Place, Refused};
use crate::{GoodFit, Policy};

/// What [`create`](SegmentTable::create) and [`resize`](SegmentTable::resize) do where no hole is
/// long enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// They answer [`Refused::Exhausted`].
    #[default]
    Fail,
    /// They make room: of all neighbouring segments that give a hole when they slide together, those
    /// with the fewest bytes do.
    Compact {
        /// Bytes that one request may move. With `usize::MAX`, `create` fails only where the free bytes
        /// of each region, or between two pinned segments, are fewer than it needs (alignments above the
        /// unit may keep some apart); `resize`, where the same holds for the whole new length, and the
        /// segment's own region, or part of it between pinned ones, has fewer than it gains.
        at_most: usize,
    },
}

/// Segments behind handles: checked access, and segments that move.
///
/// # Invariants
///
/// 1. Each used node of the core is tagged with the number of a live descriptor, whose `node` it is
///    and whose base is its base; the limit is at most the node's length.
/// 2. For memory: each byte of each region is initialised, and the table's alone for `'m`.
/// 3. A guard that lives counts in the pin word of its segment's descriptor, and its segment's
///    node, base and limit do not change.
/// 4. There is a pin word for each descriptor.
pub struct SegmentTable<'m, P: Policy = GoodFit<0, 0>, M: Mover = Memory> {
    pub(super) core: Ground<'m, P>,
    pub(super) descriptors: Descriptors<'m, M::Place>,
    pub(super) pins: &'m [PinWord],
    pub(super) mover: M,
    pub(super) on_full: OnFull,
    pub(super) pass: Pass,
    pub(super) pace: Pace,
    pub(super) requested: usize,
    pub(super) moved_segments: u64,
    pub(super) moved_bytes: u64,
    pub(super) memory: PhantomData<&'m mut [u8]>,
}

// SAFETY: the memory of the regions is the table's alone, or its guards', which are for any thread;
// places are plain.
unsafe impl<P: Policy + Send, M: Mover + Send> Send for SegmentTable<'_, P, M> {}
// SAFETY: as above. Shared, a table is read, and pin words are atomic.
unsafe impl<P: Policy + Sync, M: Mover + Sync> Sync for SegmentTable<'_, P, M> {}

impl<'m, P: Policy, M: Mover> SegmentTable<'m, P, M> {
    /// Chooses what happens where no hole is long enough.
    pub fn set_on_full(&mut self, on_full: OnFull) {
        self.on_full = on_full;
    }

    /// Makes a segment of `len` bytes. They are what they were when the last segment had them:
    /// nothing is cleared.
    ///
    /// # Errors
    ///
    /// [`Refused`], and which: no bytes were asked for, no descriptor is free, or no hole is long
    /// enough.
    pub fn create(&mut self, len: usize, permissions: Permissions) -> Result<Handle, Refused> {
        self.create_aligned(len, 1, permissions)
    }

    /// As [`create`](Self::create), at a multiple of `align`, which moves keep.
    ///
    /// # Errors
    ///
    /// As for `create`, and [`Refused::Alignment`].
    pub fn create_aligned(
        &mut self,
        len: usize,
        align: usize,
        permissions: Permissions,
    ) -> Result<Handle, Refused> {
        if len == 0 {
            return Err(Refused::ZeroLength);
        }
        if !align.is_power_of_two() {
            return Err(Refused::Alignment(align));
        }
        let index = self.descriptors.vacant().ok_or(Refused::TableFull)?;
        let node = match self.core.allocate(len, align, index) {
            Err(Refused::Exhausted) => self.allocate_slow(len, align, index)?,
            other => other?,
        };
        self.has_come(node);
        // SAFETY: 1. the core places nodes in its regions.
        let base = unsafe { M::Place::at(self.core.place(node)) };
        self.requested += len;
        Ok(self.descriptors.fill(index, Segment { base, limit: len, node, permissions }))
    }

    /// Ends a segment: its bytes are free, and no handle names it from now on.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`] for a stale handle, [`Fault::Pinned`] while a guard is there.
    pub fn free(&mut self, handle: Handle) -> Result<(), Fault> {
        let index = self.unpinned(handle)?;
        let (node, limit) = self.descriptors.clear(index);
        self.requested -= limit;
        self.give_back(node);
        Ok(())
    }

    /// The segment's length in bytes.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`] for a stale handle.
    #[inline]
    pub fn limit(&self, handle: Handle) -> Result<usize, Fault> {
        self.descriptors.find(handle).map(|index| self.descriptors.limit(index))
    }

    /// What the segment grants.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`] for a stale handle.
    pub fn permissions(&self, handle: Handle) -> Result<Permissions, Fault> {
        self.descriptors.find(handle).map(|index| self.descriptors.permissions(index))
    }

    /// Changes what the segment grants.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSegment`] for a stale handle, [`Fault::Pinned`] while a guard is there: it would
    /// keep what it was given.
    pub fn protect(&mut self, handle: Handle, permissions: Permissions) -> Result<(), Fault> {
        let index = self.unpinned(handle)?;
        self.descriptors.set_permissions(index, permissions);
        Ok(())
    }

    /// The live segments, by the number of their descriptors.
    pub fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        self.descriptors.handles()
    }

    /// Who copies.
    pub fn mover(&self) -> &M {
        &self.mover
    }

    /// Who copies.
    pub fn mover_mut(&mut self) -> &mut M {
        &mut self.mover
    }

    /// The pin word of a live segment.
    pub(super) fn pin_word(&self, handle: Handle) -> &'m PinWord {
        &self.pins[handle.index()]
    }

    /// The number of the descriptor of a segment that may move.
    pub(super) fn unpinned(&self, handle: Handle) -> Result<u32, Fault> {
        let index = self.descriptors.find(handle)?;
        if self.pin_word(handle).is_free() { Ok(index) } else { Err(Fault::Pinned) }
    }

    pub(super) fn node_is_pinned(&self, node: u32) -> bool {
        !self.pins[self.core.tag(node) as usize].is_free()
    }
}

impl<P: Policy, M: Mover> fmt::Debug for SegmentTable<'_, P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentTable")
            .field("live", &self.descriptors.live())
            .field("requested", &self.requested)
            .field("on_full", &self.on_full)
            .finish_non_exhaustive()
    }
}
