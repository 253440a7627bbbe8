//! The one file that names the layer below: where memory comes from, and what threads wait at, when
//! a pool is not told otherwise.

#[cfg(feature = "std")]
pub use strata_os::{FutexLock as SystemLock, OsSource as SystemSource};

#[cfg(not(feature = "std"))]
pub use bare::{SystemLock, SystemSource};

#[cfg(not(feature = "std"))]
mod bare {
    use core::ptr::NonNull;

    use strata_core::{Chunk, Exhausted, Source};

    /// Without feature `std` there is no system to get memory from: a source that has none. Name
    /// another one.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct SystemSource;

    /// What threads wait at without feature `std`.
    pub type SystemLock = strata_core::lock::SpinLock;

    impl SystemSource {
        /// The source that has no memory.
        pub const fn new() -> Self {
            Self
        }
    }

    // SAFETY: 1. to 3. there is no chunk that a promise would be about.
    unsafe impl Source for SystemSource {
        type Address = NonNull<u8>;

        fn granule(&self) -> usize {
            4096
        }

        fn acquire(&self, _len: usize, _align: usize) -> Result<Chunk, Exhausted> {
            Err(Exhausted)
        }

        unsafe fn release(&self, _chunk: Chunk) {}
    }
}
