//! The table itself: descriptors, which of them are free, and which segment each stands for.

use super::{Fault, Handle, Permissions, Place};

/// Base, limit and permissions of one segment, as hardware keeps them; and what names it.
///
/// Tables take them as a slice, so that they may lie in a `static`, on the stack or on a heap.
/// 32 bytes where addresses have 64 bits, so that none lies in two lines of the cache.
///
/// # Invariants
///
/// 1. While there is a segment, `limit` bytes from `base` on are its own.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(target_pointer_width = "64", repr(align(32)))]
pub struct Descriptor<P = core::ptr::NonNull<u8>> {
    /// Where the segment starts.
    base: P,
    /// How many bytes of it the program has.
    limit: usize,
    /// The generation, and below it the rights that the segment does *not* grant. So a handle's
    /// generation and the rights that an access needs are compared at once.
    word: u32,
    /// The core's node of the segment; the next free descriptor where there is none.
    pub(super) node: u32,
}

#[cfg(target_pointer_width = "64")]
static_assertions::assert_eq_size!(Descriptor, [u64; 4]);

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
    pub const EMPTY: Self = Self { base: P::NOWHERE, limit: 0, word: 0, node: NONE };

    #[inline]
    pub(super) fn base(&self) -> P {
        self.base
    }

    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn permissions(&self) -> Permissions {
        Permissions::but(self.word)
    }

    /// Whether this has the segment that `handle` names, and it grants `access`.
    #[inline]
    fn grants(&self, handle: Handle, access: Permissions) -> bool {
        (self.word ^ handle.generation()) & (!DENIED | access.bits()) == 0
    }

    /// Why not.
    #[cold]
    fn refusal(&self, handle: Handle, access: Permissions) -> Fault {
        if self.word & !DENIED != handle.generation() {
            return Fault::NoSegment;
        }
        Fault::Permission { wanted: access, held: self.permissions() }
    }

    /// The segment has another place, of this length.
    pub(super) fn set(&mut self, base: P, limit: usize) {
        (self.base, self.limit) = (base, limit);
    }

    pub(super) fn set_permissions(&mut self, permissions: Permissions) {
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
#[derive(Debug)]
pub(super) struct Descriptors<'m, P> {
    rows: &'m mut [Descriptor<P>],
    /// The free descriptor that was last used.
    free: u32,
    fresh: u32,
    live: u32,
    retired: u32,
}

/// The generation of a descriptor that has none left: no handle's.
const RETIRED: u32 = 0;

impl<'m, P: Place> Descriptors<'m, P> {
    /// All rows are taken as never used.
    pub(super) fn new(rows: &'m mut [Descriptor<P>]) -> Self {
        let count = rows.len().min(NONE as usize);
        let rows = &mut rows[..count];
        rows.fill(Descriptor::EMPTY);
        Self { rows, free: NONE, fresh: 0, live: 0, retired: 0 }
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
        match offset.checked_add(len) {
            // SAFETY: 1. `offset` is at most the limit: within the segment, or at its end.
            Some(end) if end <= row.limit => Ok(unsafe { row.base.offset(offset) }),
            end => Err(Fault::Limit { end: end.unwrap_or(usize::MAX), limit: row.limit }),
        }
    }

    /// The descriptor that `handle` names.
    #[inline]
    pub(super) fn get(&self, handle: Handle) -> Result<&Descriptor<P>, Fault> {
        match self.rows.get(handle.index()) {
            // Handles have live generations, made-up ones too.
            Some(row) if row.word & !DENIED == handle.generation() => Ok(row),
            _ => Err(Fault::NoSegment),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, handle: Handle) -> Result<&mut Descriptor<P>, Fault> {
        match self.rows.get_mut(handle.index()) {
            Some(row) if row.word & !DENIED == handle.generation() => Ok(row),
            _ => Err(Fault::NoSegment),
        }
    }

    /// The descriptor of a live segment by its number, as the core's nodes keep it.
    #[inline]
    pub(super) fn row(&self, index: u32) -> &Descriptor<P> {
        &self.rows[index as usize]
    }

    #[inline]
    pub(super) fn row_mut(&mut self, index: u32) -> &mut Descriptor<P> {
        &mut self.rows[index as usize]
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
        let row = &mut self.rows[index as usize];
        if index == self.free {
            self.free = row.node;
        } else {
            self.fresh += 1;
        }
        self.live += 1;
        let Segment { base, limit, node, permissions } = segment;
        row.word |= LIVE;
        row.set(base, limit);
        row.set_permissions(permissions);
        row.node = node;
        self.handle(index)
    }

    /// Takes descriptor `index` back: no handle names it from now on.
    pub(super) fn clear(&mut self, index: u32) {
        let free = self.free;
        let row = &mut self.rows[index as usize];
        debug_assert!(row.word & LIVE != 0, "a live segment's descriptor");
        let next = (row.word & !DENIED).wrapping_add(LIVE);
        *row = Descriptor { word: next, node: free, ..Descriptor::EMPTY };
        self.live -= 1;
        if next == RETIRED {
            // After this generation the first would come again, with handles of it still about.
            self.retired += 1;
        } else {
            self.free = index;
        }
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
                    index = row.node;
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

    type Rows<const N: usize> = [Descriptor; N];

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
        let mut rows: Rows<3> = [Descriptor::EMPTY; 3];
        let mut table = Descriptors::new(&mut rows);
        let mut seen = BTreeSet::new();
        for round in 0..1000 {
            let handles: Vec<_> = core::iter::from_fn(|| fill(&mut table)).collect();
            assert_eq!((handles.len(), table.live()), (3, 3), "in round {round}");
            assert!(handles.iter().all(|&handle| table.get(handle).is_ok()));
            assert!(handles.iter().all(|&handle| seen.insert(handle)), "names nothing else");
            handles.iter().for_each(|handle| table.clear(handle.index() as u32));
            assert!(handles.iter().all(|&handle| table.get(handle).err().is_some()));
            assert!(table.is_sound());
        }
    }

    #[test]
    fn a_descriptor_retires_where_its_generation_would_wrap() {
        let mut rows: Rows<2> = [Descriptor::EMPTY; 2];
        let mut table = Descriptors::new(&mut rows);
        table.age(0, 2);
        let first = fill(&mut table).unwrap();
        assert_eq!(first.index(), 0);
        table.clear(0);
        let last = fill(&mut table).unwrap();
        assert_eq!((last.index(), last.generation()), (0, !DENIED));
        assert!(table.get(first).is_err() && table.get(last).is_ok());
        table.clear(0);
        assert!(table.get(last).is_err());
        assert_eq!((table.retired(), table.live()), (1, 0));
        assert!(table.is_sound());
        assert_eq!(fill(&mut table).unwrap().index(), 1, "the other one serves on");
        assert_eq!(fill(&mut table), None, "and there is no third");
        assert!(table.is_sound());
    }

    #[test]
    fn made_up_handles_name_nothing() {
        let mut rows: Rows<2> = [Descriptor::EMPTY; 2];
        let mut table = Descriptors::new(&mut rows);
        let handle = fill(&mut table).unwrap();
        table.clear(0);
        let free = fill(&mut table).map(|again| (again, table.clear(0))).unwrap().0;
        for bits in 0..1 << 6 {
            for index in [0, 1, 2, u64::from(u32::MAX)] {
                let forged = Handle::from_bits(bits << 32 | index);
                assert!(forged.is_none_or(|forged| table.get(forged).is_err()), "{forged:?}");
            }
        }
        assert!(table.get(handle).is_err() && table.get(free).is_err());
    }
}
