//! From empty to ready, without waiting.
//!
//! Whoever finds nothing builds a thing of its own and offers it; the first offer stays for ever, and
//! who comes second throws its own away. Nobody waits for anybody, so that a thread that stops in the
//! middle of building holds nobody up, and building may itself call what needs the thing.

use core::ptr::{self, NonNull};

use strata_core::sync::{AtomicPtr, Ordering};

/// A place for one `T`, empty until it is ready.
///
/// # Invariants
///
/// 1. `at` is null, or a `T` that never moves and lives until this is dropped; it changes once.
#[derive(Debug)]
pub(crate) struct Ready<T> {
    at: AtomicPtr<T>,
}

impl<T> Ready<T> {
    strata_core::const_unless_loom! {
        /// An empty place.
        pub(crate) fn empty() -> Self {
            Self { at: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// What is there.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: its partner is the Release of the offer that stayed.
        let found = self.at.load(Ordering::Acquire);
        // SAFETY: a live `T` (invariant 1).
        NonNull::new(found).map(|found| unsafe { found.as_ref() })
    }

    /// What is there, or what `build` makes. Where another thread was first, `discard` gets what was
    /// made in vain. `None` where there is nothing and `build` makes nothing.
    ///
    /// # Safety
    ///
    /// 1. `build` makes a `T` that nobody else has, and that lives and stays where it is until this is
    ///    dropped.
    pub(crate) unsafe fn get_or_build(
        &self,
        build: impl FnOnce() -> Option<NonNull<T>>,
        discard: impl FnOnce(NonNull<T>),
    ) -> Option<&T> {
        if let Some(found) = self.get() {
            return Some(found);
        }
        let Some(made) = build() else { return self.get() };
        // Release: what was built is seen by whoever finds it; its partners are the Acquire of `get` and
        // of the failure here.
        match self.at.compare_exchange(
            ptr::null_mut(),
            made.as_ptr(),
            Ordering::Release,
            Ordering::Acquire,
        ) {
            // SAFETY: 1. of this function.
            Ok(_) => Some(unsafe { made.as_ref() }),
            Err(first) => {
                discard(made);
                // SAFETY: not null, so a live `T` (invariant 1).
                NonNull::new(first).map(|first| unsafe { first.as_ref() })
            }
        }
    }

    /// Takes out what is there.
    pub(crate) fn take(&mut self) -> Option<NonNull<T>> {
        // Relaxed: `&mut self` came from whoever used it last.
        NonNull::new(self.at.swap(ptr::null_mut(), Ordering::Relaxed))
    }
}

#[cfg(all(test, strata_loom))]
mod models {
    use super::*;
    use std::boxed::Box;
    use std::sync::Arc;
    use strata_core::sync::{AtomicUsize, UnsafeCell, model, stopped_after, thread};

    /// What is built: loom sees whether its contents are read before they are there.
    struct Built(UnsafeCell<u32>);
    // SAFETY: written while one thread has it, read afterwards: that is what the models check.
    unsafe impl Sync for Built {}
    // SAFETY: as above.
    unsafe impl Send for Built {}

    struct Shared {
        ready: Ready<Built>,
        built: AtomicUsize,
        discarded: AtomicUsize,
    }

    fn shared() -> Arc<Shared> {
        Arc::new(Shared {
            ready: Ready::empty(),
            built: AtomicUsize::new(0),
            discarded: AtomicUsize::new(0),
        })
    }

    impl Shared {
        /// Gets or builds, and reads what is there.
        fn use_it(&self) -> *const Built {
            let build = || {
                let built = Box::new(Built(UnsafeCell::new(0)));
                // SAFETY: nobody else has it yet.
                built.0.with_mut(|value| unsafe { *value = 7 });
                self.built.fetch_add(1, Ordering::Relaxed);
                NonNull::new(Box::into_raw(built))
            };
            let discard = |made: NonNull<Built>| {
                self.discarded.fetch_add(1, Ordering::Relaxed);
                // SAFETY: made above, and nobody else has it.
                drop(unsafe { Box::from_raw(made.as_ptr()) });
            };
            // SAFETY: 1. a box of its own, freed in `drop` below.
            let found = unsafe { self.ready.get_or_build(build, discard) }.unwrap();
            // SAFETY: nobody writes it any more.
            found.0.with(|value| assert_eq!(unsafe { *value }, 7));
            found
        }
    }

    impl Drop for Shared {
        fn drop(&mut self) {
            if let Some(built) = self.ready.take() {
                // SAFETY: a box, and nobody else is here.
                drop(unsafe { Box::from_raw(built.as_ptr()) });
            }
        }
    }

    #[test]
    fn racers_agree_on_one_and_each_other_one_is_thrown_away() {
        model(|| {
            let shared = shared();
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || other.use_it() as usize);
            let mine = shared.use_it() as usize;
            assert_eq!(thread.join().unwrap(), mine);
            let (built, discarded) =
                (shared.built.load(Ordering::Relaxed), shared.discarded.load(Ordering::Relaxed));
            assert_eq!(built, discarded + 1);
        });
    }

    #[test]
    fn one_that_stops_while_it_builds_holds_nobody_up() {
        for steps in 0..6 {
            model(move || {
                let shared = shared();
                let other = Arc::clone(&shared);
                let thread = thread::spawn(move || {
                    stopped_after(steps, || other.use_it());
                });
                shared.use_it();
                thread.join().unwrap();
                shared.use_it();
            });
        }
    }
}
