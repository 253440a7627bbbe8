//! The table itself: descriptors, which of them are free, and which segment each stands for.

use super::{Fault, Handle, Permissions, Place};

/// Base, limit and permissions of one segment, as hardware keeps them; and what names it.
///
/// Tables take them as a slice, so that they may lie in a `static`, on the stack or on a heap. 16 bytes
/// where addresses have 64 bits: all that an access looks at, four of them in a line of the cache. What
/// it does not look at is in an [`Anchor`].
///
/// # Invariants
///
/// 1. While there is a segment, `limit` bytes from `base` on are its own.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(target_pointer_width = "64", repr(align(16)))]
pub struct Descriptor<P = core::ptr::NonNull<u8>> {
    /// Where the segment starts.
    base: P,
    /// How many bytes of it the program has: the lower half of that number, whose upper half is the
    /// anchor's. It is no more than the whole, so that what ends within it ends within the segment.
    limit: u32,
    /// The generation, and below it the rights that the segment does *not* grant. So a handle's
    /// generation and the rights that an access needs are compared at once.
    word: u32,
}

#[cfg(target_pointer_width = "64")]
static_assertions::assert_eq_size!(Descriptor, [u64; 2]);

/// The rest of what is known of one segment: what changes of the table look at, and accesses do not.
///
/// Tables take them as a slice, one for each descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    /// The core's node of the segment; the next free descriptor where there is none.
    node: u32,
    /// The upper half of the limit.
    limit_high: u32,
}

impl Anchor {
    /// That of no segment.
    pub const EMPTY: Self = Self { node: NONE, limit_high: 0 };
}

/// The bits of a word that say which rights are not granted.
pub(super) const DENIED: u32 = Permissions::ALL.bits();
/// The lowest bit of a generation: set while there is a segment.
pub(super) const LIVE: u32 = DENIED + 1;

impl<P: Place> Descriptor<P> {
    /// A descriptor that no segment has had.
    ///
    /// ```
    /// use strata_segment::table::Descriptor;
    /// let rows: [Descriptor; 64] = [Descriptor::EMPTY; 64];
    /// ```
    pub const EMPTY: Self = Self { base: P::NOWHERE, limit: 0, word: 0 };

    fn permissions(&self) -> Permissions {
        Permissions::but(self.word)
    }

    /// The limit, with its upper half from the anchor.
    #[inline]
    fn whole_limit(&self, high: u32) -> usize {
        (u64::from(high) << 32 | u64::from(self.limit)) as usize
    }

    /// Whether this has the segment that `handle` names, and it grants `access`.
    #[inline]
    fn grants(&self, handle: Handle, access: Permissions) -> bool {
        (self.word ^ handle.generation()) & (!DENIED | access.bits()) == 0
    }

    /// Why not.
    #[cold]
    #[inline]
    fn refusal(&self, handle: Handle, access: Permissions) -> Fault {
        if self.word & !DENIED != handle.generation() {
            return Fault::NoSegment;
        }
        Fault::Permission { wanted: access, held: self.permissions() }
    }

    fn set_permissions(&mut self, permissions: Permissions) {
        self.word = self.word & !DENIED | !permissions.bits() & DENIED;
    }
}

/// No descriptor.
const NONE: u32 = u32::MAX;

/// A table's descriptors.
///
/// # Invariants
///
/// 1. `rows[..fresh]` have been used, the others never.
/// 2. A used row is [`LIVE`] while its segment lives. Else it is on the list from `free`, once, or its
///    generation is [`RETIRED`].
/// 3. No row has the same live generation twice.
/// 4. There are as many anchors as rows.
#[derive(Debug)]
pub(super) struct Descriptors<'m, P> {
    rows: &'m mut [Descriptor<P>],
    anchors: &'m mut [Anchor],
    /// The free descriptor that was last used.
    free: u32,
    fresh: u32,
    live: u32,
    retired: u32,
}

/// The generation of a descriptor that has none left: no handle's.
const RETIRED: u32 = 0;

impl<'m, P: Place> Descriptors<'m, P> {
    /// All rows are taken as never used; as many of both as there are of the fewer.
    pub(super) fn new(rows: &'m mut [Descriptor<P>], anchors: &'m mut [Anchor]) -> Self {
        let count = rows.len().min(anchors.len()).min(NONE as usize);
        let (rows, anchors) = (&mut rows[..count], &mut anchors[..count]);
        rows.fill(Descriptor::EMPTY);
        anchors.fill(Anchor::EMPTY);
        Self { rows, anchors, free: NONE, fresh: 0, live: 0, retired: 0 }
    }

    /// Where the segment's byte `offset` is, if `access` to it and the `len - 1` after it is granted.
    #[inline]
    pub(super) fn reach(
        &self,
        handle: Handle,
        access: Permissions,
        offset: usize,
        len: usize,
    ) -> Result<P, Fault> {
        let Some(row) = self.rows.get(handle.index()) else { return Err(Fault::NoSegment) };
        if !row.grants(handle, access) {
            return Err(row.refusal(handle, access));
        }
        let end = offset.saturating_add(len);
        if end > row.limit as usize {
            // No call: what a loop of accesses keeps in registers stays there.
            let high = self.anchors.get(handle.index()).map_or(0, |anchor| anchor.limit_high);
            let limit = row.whole_limit(high);
            if end > limit {
                return Err(Fault::Limit { end, limit });
            }
        }
        // SAFETY: 1. `offset` is at most the limit: within the segment, or at its end.
        Ok(unsafe { row.base.offset(offset) })
    }

    /// The number of the descriptor that `handle` names.
    #[inline]
    pub(super) fn find(&self, handle: Handle) -> Result<u32, Fault> {
        match self.rows.get(handle.index()) {
            // Handles have live generations, made-up ones too.
            Some(row) if row.word & !DENIED == handle.generation() => Ok(handle.index() as u32),
            _ => Err(Fault::NoSegment),
        }
    }

    /// Where a live segment starts.
    #[inline]
    pub(super) fn base(&self, index: u32) -> P {
        self.rows[index as usize].base
    }

    /// How many bytes of a live segment the program has.
    #[inline]
    pub(super) fn limit(&self, index: u32) -> usize {
        let (low, high) =
            (self.rows[index as usize].limit, self.anchors[index as usize].limit_high);
        (u64::from(high) << 32 | u64::from(low)) as usize
    }

    /// What a live segment grants.
    pub(super) fn permissions(&self, index: u32) -> Permissions {
        self.rows[index as usize].permissions()
    }

    /// The core's node of a live segment.
    #[inline]
    pub(super) fn node(&self, index: u32) -> u32 {
        self.anchors[index as usize].node
    }

    /// A live segment has another place, of this length.
    #[inline]
    pub(super) fn set(&mut self, index: u32, base: P, limit: usize) {
        let row = &mut self.rows[index as usize];
        (row.base, row.limit) = (base, limit as u32);
        self.anchors[index as usize].limit_high = (limit as u64 >> 32) as u32;
    }

    /// A live segment grants this.
    pub(super) fn set_permissions(&mut self, index: u32, permissions: Permissions) {
        self.rows[index as usize].set_permissions(permissions);
    }

    /// A live segment has another node.
    pub(super) fn set_node(&mut self, index: u32, node: u32) {
        self.anchors[index as usize].node = node;
    }

    /// The handle of a live segment by its descriptor's number.
    pub(super) fn handle(&self, index: u32) -> Handle {
        Handle::new(index, self.rows[index as usize].word & !DENIED)
    }

    /// The descriptor that the next segment gets.
    pub(super) fn vacant(&self) -> Option<u32> {
        match self.free {
            NONE => ((self.fresh as usize) < self.rows.len()).then_some(self.fresh),
            index => Some(index),
        }
    }

    /// Gives descriptor `index`, which is the vacant one, to a segment.
    pub(super) fn fill(&mut self, index: u32, segment: Segment<P>) -> Handle {
        debug_assert_eq!(self.vacant(), Some(index));
        if index == self.free {
            self.free = self.node(index);
        } else {
            self.fresh += 1;
        }
        self.live += 1;
        let Segment { base, limit, node, permissions } = segment;
        let row = &mut self.rows[index as usize];
        row.word |= LIVE;
        row.set_permissions(permissions);
        (row.base, row.limit) = (base, limit as u32);
        let handle = Handle::new(index, row.word & !DENIED);
        self.anchors[index as usize] = Anchor { node, limit_high: (limit as u64 >> 32) as u32 };
        handle
    }

    /// Takes descriptor `index` back: no handle names it from now on. The node and the limit that its
    /// segment had.
    pub(super) fn clear(&mut self, index: u32) -> (u32, usize) {
        let row = &mut self.rows[index as usize];
        let anchor = &mut self.anchors[index as usize];
        debug_assert!(row.word & LIVE != 0, "a live segment's descriptor");
        let had = (anchor.node, row.whole_limit(anchor.limit_high));
        let next = (row.word & !DENIED).wrapping_add(LIVE);
        *row = Descriptor { word: next, ..Descriptor::EMPTY };
        *anchor = Anchor { node: self.free, ..Anchor::EMPTY };
        self.live -= 1;
        if next == RETIRED {
            // After this generation the first would come again, with handles of it still about.
            self.retired += 1;
        } else {
            self.free = index;
        }
        had
    }

    pub(super) fn capacity(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn live(&self) -> usize {
        self.live as usize
    }

    pub(super) fn retired(&self) -> usize {
        self.retired as usize
    }

    /// The live segments' handles, by number.
    pub(super) fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        let live = |&index: &u32| self.rows[index as usize].word & LIVE != 0;
        (0..self.fresh).filter(live).map(|index| self.handle(index))
    }

    /// Whether the list and the counts are in order.
    pub(super) fn is_sound(&self) -> bool {
        let used = &self.rows[..self.fresh as usize];
        let live = used.iter().filter(|row| row.word & LIVE != 0).count();
        let (mut index, mut free) = (self.free, 0);
        while index != NONE && free <= used.len() {
            match used.get(index as usize) {
                Some(row) if row.word & LIVE == 0 && row.word != RETIRED => {
                    index = self.node(index);
                }
                _ => return false,
            }
            free += 1;
        }
        live == self.live() && free + live + self.retired() == used.len()
    }

    /// Makes descriptor `index`, which no segment has had, as used as one can be but for `left`.
    #[cfg(test)]
    pub(super) fn age(&mut self, index: u32, left: u32) {
        assert!(index >= self.fresh && left > 0, "not in use");
        self.rows[index as usize].word = (!DENIED - LIVE) - 2 * LIVE * (left - 1);
    }
}

/// What a descriptor is filled with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<P> {
    pub(super) base: P,
    pub(super) limit: usize,
    pub(super) node: u32,
    pub(super) permissions: Permissions,
}

#[cfg(test)]
mod tests {
    use core::ptr::NonNull;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    /// Rows of `N` segments.
    fn rows<const N: usize>() -> ([Descriptor; N], [Anchor; N]) {
        ([Descriptor::EMPTY; N], [Anchor::EMPTY; N])
    }

    fn segment() -> Segment<NonNull<u8>> {
        let permissions = Permissions::READ;
        Segment { base: NonNull::dangling(), limit: 1, node: 0, permissions }
    }

    fn fill(table: &mut Descriptors<'_, NonNull<u8>>) -> Option<Handle> {
        let index = table.vacant()?;
        Some(table.fill(index, segment()))
    }

    #[test]
    fn a_descriptor_serves_many_segments_and_no_handle_twice() {
        let (mut rows, mut anchors) = rows::<3>();
        let mut table = Descriptors::new(&mut rows, &mut anchors);
        let mut seen = BTreeSet::new();
        for round in 0..1000 {
            let handles: Vec<_> = core::iter::from_fn(|| fill(&mut table)).collect();
            assert_eq!((handles.len(), table.live()), (3, 3), "in round {round}");
            assert!(handles.iter().all(|&handle| table.find(handle).is_ok()));
            assert!(handles.iter().all(|&handle| seen.insert(handle)), "names nothing else");
            handles.iter().for_each(|handle| {
                table.clear(handle.index() as u32);
            });
            assert!(handles.iter().all(|&handle| table.find(handle).err().is_some()));
            assert!(table.is_sound());
        }
    }

    #[test]
    fn a_descriptor_retires_where_its_generation_would_wrap() {
        let (mut rows, mut anchors) = rows::<2>();
        let mut table = Descriptors::new(&mut rows, &mut anchors);
        table.age(0, 2);
        let first = fill(&mut table).unwrap();
        assert_eq!(first.index(), 0);
        table.clear(0);
        let last = fill(&mut table).unwrap();
        assert_eq!((last.index(), last.generation()), (0, !DENIED));
        assert!(table.find(first).is_err() && table.find(last).is_ok());
        table.clear(0);
        assert!(table.find(last).is_err());
        assert_eq!((table.retired(), table.live()), (1, 0));
        assert!(table.is_sound());
        assert_eq!(fill(&mut table).unwrap().index(), 1, "the other one serves on");
        assert_eq!(fill(&mut table), None, "and there is no third");
        assert!(table.is_sound());
    }

    #[test]
    fn made_up_handles_name_nothing() {
        let (mut rows, mut anchors) = rows::<2>();
        let mut table = Descriptors::new(&mut rows, &mut anchors);
        let handle = fill(&mut table).unwrap();
        table.clear(0);
        let free = fill(&mut table).unwrap();
        table.clear(0);
        for bits in 0..1 << 6 {
            for index in [0, 1, 2, u64::from(u32::MAX)] {
                let forged = Handle::from_bits(bits << 32 | index);
                assert!(forged.is_none_or(|forged| table.find(forged).is_err()), "{forged:?}");
            }
        }
        assert!(table.find(handle).is_err() && table.find(free).is_err());
    }
}
