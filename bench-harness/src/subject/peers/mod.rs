//! The allocators that people use today, and this suite's own, each behind the feature of its name.
//!
//! Adding one is a file of a dozen lines and a row of the table below. A child measures one peer:
//! executables that link exactly one are built by `ci/peers`, because a linked C allocator can
//! hold memory before `main`. The Rust peers have no constructors and touch nothing until they are
//! called, so that the default executable links all of them.
//!
//! A peer must get its memory from the system, never from `std::alloc::alloc`: that is the
//! instrument's own heap in a child. Each file says where its peer's memory comes from.

#[cfg(feature = "dlmalloc")]
mod dlmalloc;
mod forward;
#[cfg(feature = "jemalloc")]
mod jemalloc;
#[cfg(any(feature = "dlmalloc", feature = "talc"))]
mod lock;
#[cfg(any(feature = "mimalloc-v2", feature = "mimalloc-v3"))]
mod mimalloc;
#[cfg(feature = "rlsf")]
mod rlsf;
#[cfg(feature = "rpmalloc")]
mod rpmalloc;
#[cfg(feature = "rusty_alloc")]
mod rusty_alloc;
#[cfg(feature = "smmalloc")]
mod smmalloc;
#[cfg(feature = "snmalloc")]
mod snmalloc;
#[cfg(feature = "strata-page-frame")]
mod strata_page_frame;
#[cfg(feature = "strata-pool")]
mod strata_pool;
#[cfg(feature = "strata-segment")]
mod strata_segment;
#[cfg(feature = "strata-segregated")]
mod strata_segregated;
#[cfg(all(feature = "strata-segregated", not(feature = "global")))]
mod strata_segregated_after_peaks;
#[cfg(feature = "talc")]
mod talc;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "dlmalloc alone needs no forwarding")]
pub(super) use forward::forward;

#[cfg(feature = "dlmalloc")]
pub use dlmalloc::Dlmalloc;
#[cfg(feature = "dlmalloc")]
pub(crate) use dlmalloc::VERSION as DLMALLOC_VERSION;
#[cfg(feature = "jemalloc")]
pub use jemalloc::Jemalloc;
#[cfg(any(feature = "mimalloc-v2", feature = "mimalloc-v3"))]
pub use mimalloc::Mimalloc;
#[cfg(feature = "rlsf")]
pub use rlsf::Rlsf;
#[cfg(feature = "rlsf")]
pub(crate) use rlsf::VERSION as RLSF_VERSION;
#[cfg(feature = "rpmalloc")]
pub use rpmalloc::Rpmalloc;
#[cfg(feature = "rusty_alloc")]
pub use rusty_alloc::RustyAlloc;
#[cfg(feature = "smmalloc")]
pub use smmalloc::Smmalloc;
#[cfg(feature = "snmalloc")]
pub use snmalloc::Snmalloc;
#[cfg(feature = "strata-page-frame")]
pub use strata_page_frame::StrataPageFrame;
#[cfg(feature = "strata-pool")]
pub use strata_pool::StrataPool;
#[cfg(feature = "strata-segment")]
pub use strata_segment::StrataSegment;
#[cfg(feature = "strata-segregated")]
pub use strata_segregated::StrataSegregated;
#[cfg(all(feature = "strata-segregated", not(feature = "global")))]
pub use strata_segregated_after_peaks::StrataSegregatedAfterPeaks;
#[cfg(feature = "talc")]
pub use talc::Talc;
#[cfg(feature = "talc")]
pub(crate) use talc::VERSION as TALC_VERSION;

#[cfg(not(feature = "global"))]
use super::Entry;

/// Makes what depends on the list of peers from the one list: `(cfg predicate) type;` for each.
macro_rules! peers {
    ($(($($when:tt)+) $type:ty;)+) => {
        /// The linked peers, in the table's order.
        #[cfg(not(feature = "global"))]
        pub(super) fn linked() -> Vec<Entry> {
            vec![$(
                #[cfg($($when)+)]
                crate::subject!($type, <$type>::new()),
            )+]
        }

        /// How many peers are linked.
        #[cfg(feature = "global")]
        const LINKED: u8 = 0 $(+ cfg!($($when)+) as u8)+;

        peers!(@one [] $(($($when)+) $type;)+);
    };
    (@one [$($before:tt)*] ($($when:tt)+) $type:ty; $($rest:tt)*) => {
        // The first linked one of the list; that there is no second one is asserted below.
        #[cfg(all(feature = "global", $($when)+, not(any($($before)*))))]
        pub(super) type TheOnePeer = $type;
        peers!(@one [$($before)* $($when)+,] $($rest)*);
    };
    (@one [$($before:tt)*]) => {
        #[cfg(all(feature = "global", not(any($($before)*))))]
        pub(super) type TheOnePeer = super::System;
    };
}

peers! {
    (feature = "strata-segregated") StrataSegregated;
    (all(feature = "strata-segregated", not(feature = "global"))) StrataSegregatedAfterPeaks;
    (feature = "strata-page-frame") StrataPageFrame;
    (feature = "strata-segment") StrataSegment;
    (feature = "strata-pool") StrataPool;
    (feature = "rusty_alloc") RustyAlloc;
    (feature = "smmalloc") Smmalloc;
    (feature = "talc") Talc;
    (feature = "rlsf") Rlsf;
    (feature = "dlmalloc") Dlmalloc;
    (any(feature = "mimalloc-v2", feature = "mimalloc-v3")) Mimalloc;
    (feature = "jemalloc") Jemalloc;
    (feature = "snmalloc") Snmalloc;
    (feature = "rpmalloc") Rpmalloc;
}

#[cfg(feature = "global")]
const _: () = assert!(
    LINKED < 2,
    "feature `global` makes the one linked peer the global allocator: name exactly one peer, \
     as in --no-default-features --features global,rusty_alloc"
);
