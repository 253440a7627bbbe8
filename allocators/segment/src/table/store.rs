//! Where a table's rows are kept.

use core::fmt;
use core::ptr::NonNull;

use super::{Anchor, Descriptor, PinWord, Place};
use crate::Entry;

/// Rows for a table of up to `N` segments: a descriptor, an anchor and a pin word for each, and two of the core's
/// entries, since a hole takes one as a segment does. 76 bytes a segment where addresses have 64 bits.
///
/// It may be a `static`, a local or a `Box`. Whoever wants other proportions, or a length that only
/// run time knows, gives slices: [`from_rows`](super::SegmentTable::from_rows).
///
/// ```
/// use strata_segment::table::{SegmentTable, TableStore};
/// let mut store = TableStore::<64>::new();
/// let table: SegmentTable<'_> = SegmentTable::new(&mut store);
/// assert_eq!(table.stats().capacity, 64);
/// ```
pub struct TableStore<const N: usize, P: Place = NonNull<u8>> {
    pub(super) entries: [[Entry; 2]; N],
    pub(super) descriptors: [Descriptor<P>; N],
    pub(super) anchors: [Anchor; N],
    pub(super) pins: [PinWord; N],
}

impl<const N: usize, P: Place> TableStore<N, P> {
    /// Rows of no segment.
    #[cfg(not(strata_loom))]
    pub const fn new() -> Self {
        Self {
            entries: [[Entry::EMPTY; 2]; N],
            descriptors: [Descriptor::EMPTY; N],
            anchors: [Anchor::EMPTY; N],
            pins: [const { PinWord::new() }; N],
        }
    }

    /// Rows of no segment.
    #[cfg(strata_loom)]
    pub fn new() -> Self {
        Self {
            entries: [[Entry::EMPTY; 2]; N],
            descriptors: [Descriptor::EMPTY; N],
            anchors: [Anchor::EMPTY; N],
            pins: core::array::from_fn(|_| PinWord::new()),
        }
    }
}

impl<const N: usize, P: Place> Default for TableStore<N, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, P: Place> fmt::Debug for TableStore<N, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableStore<{N}>")
    }
}
