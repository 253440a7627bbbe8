//! Published frame allocators, each behind the feature of its name.

use super::Entry;

#[cfg(feature = "buddy_system_allocator")]
mod buddy;

#[cfg(feature = "buddy_system_allocator")]
pub use buddy::Buddy;
#[cfg(all(test, feature = "buddy_system_allocator"))]
pub(crate) use buddy::VERSION as BUDDY_VERSION;

/// The linked ones.
pub(super) fn linked() -> Vec<Entry> {
    vec![
        #[cfg(feature = "buddy_system_allocator")]
        Entry::of::<Buddy>(),
    ]
}
