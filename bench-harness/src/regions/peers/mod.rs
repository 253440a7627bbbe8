//! The suite's own allocators of regions and the published ones, each behind the feature of its name.

use super::Entry;

#[cfg(feature = "buddy_system_allocator")]
mod buddy;
#[cfg(feature = "dlmalloc")]
mod dlmalloc;
#[cfg(feature = "linked_list_allocator")]
mod linked_list;
#[cfg(feature = "offset-allocator")]
mod offsets;
#[cfg(feature = "rlsf")]
mod rlsf;
#[cfg(feature = "strata-segment")]
mod strata;
#[cfg(feature = "strata-segment")]
mod table;
#[cfg(feature = "talc")]
mod talc;

#[cfg(feature = "buddy_system_allocator")]
pub use buddy::BuddyHeap;
#[cfg(feature = "dlmalloc")]
pub use dlmalloc::DlmallocRegion;
#[cfg(feature = "linked_list_allocator")]
pub use linked_list::LinkedList;
#[cfg(all(test, feature = "linked_list_allocator"))]
pub(crate) use linked_list::VERSION as LINKED_LIST_VERSION;
#[cfg(feature = "offset-allocator")]
pub use offsets::Offsets;
#[cfg(all(test, feature = "offset-allocator"))]
pub(crate) use offsets::VERSION as OFFSETS_VERSION;
#[cfg(feature = "rlsf")]
pub use rlsf::RlsfRegion;
#[cfg(all(test, feature = "strata-segment"))]
pub(crate) use strata::VERSION as SEGMENT_VERSION;
#[cfg(feature = "strata-segment")]
pub use strata::{Named, StrataApart, StrataSegment};
#[cfg(feature = "strata-segment")]
pub use table::StrataTable;
#[cfg(feature = "talc")]
pub use talc::TalcRegion;

/// The linked ones.
pub(super) fn linked() -> Vec<Entry> {
    let mut entries = own();
    let peers: Vec<Entry> = vec![
        #[cfg(feature = "rlsf")]
        Entry::peer::<RlsfRegion>(),
        #[cfg(feature = "talc")]
        Entry::peer::<TalcRegion>(),
        #[cfg(feature = "dlmalloc")]
        Entry::peer::<DlmallocRegion>(),
        #[cfg(feature = "buddy_system_allocator")]
        Entry::peer::<BuddyHeap>(),
        #[cfg(feature = "linked_list_allocator")]
        Entry::peer::<LinkedList>(),
        #[cfg(feature = "offset-allocator")]
        Entry::peer::<Offsets>(),
    ];
    entries.extend(peers);
    entries
}

/// The suite's own.
#[cfg(feature = "strata-segment")]
fn own() -> Vec<Entry> {
    use strata_segment::{BestFit, Buddy, FirstFit, GoodFit, NextFit};
    vec![
        Entry::of::<StrataSegment<GoodFit>>(),
        Entry::of::<StrataSegment<GoodFit<0, 0>>>(),
        Entry::of::<StrataSegment<BestFit>>(),
        Entry::of::<StrataSegment<FirstFit>>(),
        Entry::of::<StrataSegment<NextFit>>(),
        Entry::of::<StrataSegment<Buddy>>(),
        Entry::of::<StrataApart>(),
        Entry::of::<StrataTable>(),
    ]
}

#[cfg(not(feature = "strata-segment"))]
fn own() -> Vec<Entry> {
    Vec::new()
}

/// Where a block begins in a region that begins at `base`.
#[inline(always)]
#[allow(dead_code, reason = "offset-allocator alone needs none")]
fn distance(block: std::ptr::NonNull<u8>, base: std::ptr::NonNull<u8>) -> usize {
    block.addr().get().wrapping_sub(base.addr().get())
}
