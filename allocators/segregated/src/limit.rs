//! A limit that requests fail at, where the system's would end the process. With the feature `limit`; without it,
//! everything is allowed, and nothing is asked.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use crate::central::{Central, Platform};
use crate::ground::Ground;

#[cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]
pub use process_limit::LimitBelowLive;

/// Whether there may be a limit.
pub(crate) const LIMITED: bool =
    cfg!(all(feature = "limit", target_os = "linux", not(strata_loom)));

impl Ground {
    /// Whether the limit allows so much more.
    #[inline(always)]
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        #[cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]
        return self.held().checked_add(bytes).is_some_and(|all| all <= self.most);
        #[cfg(not(all(feature = "limit", target_os = "linux", not(strata_loom))))]
        {
            let _ = bytes;
            true
        }
    }
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// Whether the limit allows so much more, after giving back what is idle where that is needed. No lock is
    /// held.
    #[inline(always)]
    pub(crate) fn allow(&self, bytes: usize) -> Result<(), Exhausted> {
        if LIMITED { self.allow_within(bytes) } else { Ok(()) }
    }

    #[inline(never)]
    fn allow_within(&self, bytes: usize) -> Result<(), Exhausted> {
        let fits = || self.ground.with(|ground| ground.fits(bytes));
        if fits() || self.purge_all() != 0 && fits() { Ok(()) } else { Err(Exhausted) }
    }
}

#[cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]
mod process_limit {
    use core::fmt;
    use strata_core::ByteCount;

    use crate::ground::Ground;
    use crate::process::HEAP;
    use crate::{SegregatedAlloc, stocks};

    /// A limit was wished for that is below what the heap holds, even after giving back what it could. The limit
    /// is what it was.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LimitBelowLive {
        /// What the heap holds: about the least limit that it could have now.
        pub held: ByteCount,
    }

    impl fmt::Display for LimitBelowLive {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "the heap holds {} bytes: a limit cannot be below", self.held.get())
        }
    }

    impl core::error::Error for LimitBelowLive {}

    impl SegregatedAlloc {
        /// Sets how many bytes the heap may hold, blocks and what is kept without one; `None` for as many as the
        /// system gives. A request beyond it fails, as if the system had no more, after all idle memory was given
        /// back for it: `Vec::try_reserve` and the like see an error, and only who does not look ends.
        ///
        /// Spans count whole. Threads that allocate at the same moment may exceed the limit by what they ask for; the
        /// heap's own tables come on top, some hundredths.
        ///
        /// # Errors
        ///
        /// [`LimitBelowLive`]; nothing changed then, but that idle memory was given back.
        ///
        /// ```
        /// use strata_core::ByteCount;
        /// use strata_segregated::SegregatedAlloc;
        ///
        /// #[global_allocator]
        /// static ALLOC: SegregatedAlloc = SegregatedAlloc::new();
        ///
        /// ALLOC.set_limit(Some(ByteCount(64 << 20)))?;
        /// let mut list: Vec<u64> = Vec::new();
        /// assert!(list.try_reserve(16 << 20).is_err());
        /// ALLOC.set_limit(None)?;
        /// assert!(list.try_reserve(16 << 20).is_ok());
        /// # Ok::<(), strata_segregated::LimitBelowLive>(())
        /// ```
        pub fn set_limit(&self, limit: Option<ByteCount>) -> Result<(), LimitBelowLive> {
            let limit = limit.map_or(usize::MAX, |limit| limit.get());
            let set = || {
                HEAP.ground.with(|ground| {
                    let held = ground.held();
                    if held <= limit {
                        ground.most = limit;
                    }
                    held
                })
            };
            if set() <= limit {
                return Ok(());
            }
            stocks::flush_this_thread();
            stocks::flush_left(usize::MAX);
            HEAP.purge_all();
            match set() {
                held if held <= limit => Ok(()),
                held => Err(LimitBelowLive { held: ByteCount(held) }),
            }
        }
    }

    impl Ground {
        /// Bytes in use, and those with contents that are not.
        pub(super) fn held(&self) -> usize {
            self.used_bytes() + self.idle_bytes() + self.large.bytes + self.large.idle
        }
    }
}
