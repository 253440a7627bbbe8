//! The suite's own frame allocator and the published ones, each behind the feature of its name.

use super::Entry;

#[cfg(feature = "buddy_system_allocator")]
mod buddy;
#[cfg(feature = "strata-page-frame")]
mod page_frame;

#[cfg(feature = "buddy_system_allocator")]
pub use buddy::Buddy;
#[cfg(feature = "buddy_system_allocator")]
pub(crate) use buddy::VERSION as BUDDY_VERSION;
#[cfg(feature = "strata-page-frame")]
pub use page_frame::StrataPageFrame;
#[cfg(all(test, feature = "strata-page-frame"))]
pub(crate) use page_frame::VERSION as PAGE_FRAME_VERSION;

/// The linked ones.
pub(super) fn linked() -> Vec<Entry> {
    vec![
        #[cfg(feature = "strata-page-frame")]
        Entry::of::<StrataPageFrame>(),
        #[cfg(feature = "buddy_system_allocator")]
        Entry::of::<Buddy>(),
    ]
}
