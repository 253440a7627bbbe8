//! `SegmentTable` of strata-segment: blocks behind handles, which move when there is no room.

use super::strata::VERSION;
use crate::regions::{Budget, Claims, Compacted, FreeBytes, RegionSubject};
use crate::subject::Description;
use std::alloc::Layout;
use std::ptr::NonNull;
use std::time::Instant;
use strata_core::Chunk;
use strata_segment::Entry;
use strata_segment::table::{
    Anchor, Budget as Bound, Descriptor, Handle, OnFull, Permissions, PinWord, SegmentTable,
};

/// `SegmentTable` that compacts where no hole is long enough.
///
/// # Invariants
///
/// 1. `table` is dropped before `_rows`, which nothing else reaches.
pub struct StrataTable {
    table: SegmentTable<'static>,
    base: NonNull<u8>,
    _rows: Rows,
}

/// The rows of a table, given back with it.
struct Rows {
    entries: NonNull<[Entry]>,
    descriptors: NonNull<[Descriptor]>,
    anchors: NonNull<[Anchor]>,
    pins: NonNull<[PinWord]>,
}

/// Gives a slice away.
fn leaked<T>(row: impl Fn() -> T, count: usize) -> NonNull<[T]> {
    NonNull::from(Box::leak((0..count).map(|_| row()).collect::<Box<[T]>>()))
}

impl Rows {
    fn new(segments: usize) -> Self {
        Self {
            entries: leaked(|| Entry::EMPTY, 2 * segments),
            descriptors: leaked(|| Descriptor::EMPTY, segments),
            anchors: leaked(|| Anchor::EMPTY, segments),
            pins: leaked(PinWord::new, segments),
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: given away in `new`, each once; the table that had them is gone.
        unsafe {
            drop(Box::from_raw(self.entries.as_ptr()));
            drop(Box::from_raw(self.descriptors.as_ptr()));
            drop(Box::from_raw(self.anchors.as_ptr()));
            drop(Box::from_raw(self.pins.as_ptr()));
        }
    }
}

impl RegionSubject for StrataTable {
    type Block = Handle;
    const CLAIMS: Claims = Claims::Moves;

    fn describe() -> Description {
        Description {
            name: "strata-segment-table".into(),
            version: VERSION.into(),
            purge_settings: "compacts on failure".into(),
            calibration: false,
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let rows = Rows::new((region.len() / 64).clamp(1 << 10, 1 << 17));
        let Rows { mut entries, mut descriptors, mut anchors, mut pins } = rows;
        // SAFETY: the rows live as long as the table and are reached through it alone (invariant 1 of
        // the struct).
        let (entries, descriptors, anchors, pins) =
            unsafe { (entries.as_mut(), descriptors.as_mut(), anchors.as_mut(), pins.as_mut()) };
        let mut table = SegmentTable::from_rows(entries, descriptors, anchors, pins);
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        // SAFETY: 1. and 2. the region is this allocator's (1.).
        let memory = unsafe { Chunk::from_raw_parts(region.cast::<u8>(), region.len()) };
        // SAFETY: 1. the ground wrote all bytes; the region outlives the table (2.).
        unsafe { table.add_memory(memory) }.ok()?;
        Some(Self { table, base: region.cast(), _rows: rows })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<Handle> {
        let (bytes, align) = (layout.size(), layout.align());
        self.table.create_aligned(bytes, align, Permissions::READ_WRITE).ok()
    }

    #[inline]
    unsafe fn free(&mut self, block: Handle, _layout: Layout) {
        let freed = self.table.free(block);
        debug_assert!(freed.is_ok(), "the harness gives back what is live");
    }

    unsafe fn resize(&mut self, block: Handle, _layout: Layout, bytes: usize) -> Option<Handle> {
        self.table.resize(block, bytes).ok().map(|()| block)
    }

    #[inline]
    fn start(&self, block: Handle) -> usize {
        let place = self.table.translate(block, Permissions::READ, 0, 1);
        place.map_or(usize::MAX, |place| super::distance(place, self.base))
    }

    fn free_bytes(&self) -> Option<FreeBytes> {
        let stats = self.table.stats();
        Some(FreeBytes { total: stats.free.get(), largest: stats.largest_free.get() })
    }

    fn compact(&mut self, budget: Budget) -> Option<Compacted> {
        let begun = Instant::now();
        let clock = || begun.elapsed().as_nanos() as u64;
        let did = self.table.compact(match budget {
            Budget::Whole => Bound::ALL,
            Budget::Bytes(most) => Bound::Bytes(most),
            Budget::Time(most) => Bound::Time { ticks: most.as_nanos() as u64, clock: &clock },
        });
        Some(Compacted { moved: did.moved_bytes, done: did.done })
    }

    #[inline]
    fn translate(&self, block: Handle, offset: usize, bytes: usize) -> Option<NonNull<u8>> {
        self.table.translate(block, Permissions::READ, offset, bytes).ok()
    }

    fn validate(&self) -> Result<(), String> {
        self.table.validate().map_err(|broken| format!("{broken:?}"))
    }
}
