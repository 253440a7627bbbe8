//! The allocator that a program runs on, picked by cargo feature.

/// Picks [`Chosen`], [`CHOSEN`] and [`NAME`] from a table of `feature: type = value` lines: the
/// first one whose feature is on, else std's `System`.
macro_rules! choose {
    ($($feature:literal: $type:ty = $value:expr;)*) => {
        choose!(@ [] $($feature: $type = $value;)*);
    };
    (@ [$($earlier:literal)*] $feature:literal: $type:ty = $value:expr; $($rest:tt)*) => {
        #[cfg(all(feature = $feature, not(any($(feature = $earlier),*))))]
        choose!(= $feature, $type, $value);
        choose!(@ [$($earlier)* $feature] $($rest)*);
    };
    (@ [$($earlier:literal)*]) => {
        #[cfg(not(any($(feature = $earlier),*)))]
        choose!(= "system", std::alloc::System, std::alloc::System);
    };
    (= $name:expr, $type:ty, $value:expr) => {
        /// The type of the allocator.
        pub type Chosen = $type;
        /// A new instance, for the program's one static.
        pub const CHOSEN: Chosen = $value;
        /// The feature that picked it, or `system`.
        pub const NAME: &str = $name;
    };
}

choose! {
    "record": strata_bench::Recorder<std::alloc::System> = strata_bench::Recorder::new(std::alloc::System);
    "strata-segregated": strata_segregated::SegregatedAlloc = strata_segregated::SegregatedAlloc::new();
    "strata-segment": strata_segment::SegmentAlloc = strata_segment::SegmentAlloc::new();
    "strata-page-frame": strata_page_frame::PageFrameAlloc = strata_page_frame::PageFrameAlloc::new();
    "strata-pool": strata_pool::PoolAlloc<std::alloc::System> = strata_pool::PoolAlloc::new(std::alloc::System);
    "rusty_alloc": rusty_alloc_api::RustyAlloc = rusty_alloc_api::RustyAlloc;
    "mimalloc": mimalloc::MiMalloc = mimalloc::MiMalloc;
    "jemalloc": tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
    "snmalloc": snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;
    "rpmalloc": rpmalloc::RpMalloc = rpmalloc::RpMalloc;
}

/// Makes the allocator that the cargo features pick the `#[global_allocator]` of a program.
#[macro_export]
macro_rules! allocator {
    () => {
        #[global_allocator]
        static GLOBAL: $crate::allocator::Chosen = $crate::allocator::CHOSEN;
    };
}
