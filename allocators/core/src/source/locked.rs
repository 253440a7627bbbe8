//! A source that threads share by taking turns.

use super::{Contents, Source, forward_constants};
use crate::lock::{RawLock, SpinLock};
use crate::{Chunk, Exhausted};

/// A source behind a lock: [`Sync`] where the source is only [`Send`].
///
/// Every call holds the lock for its whole length, system calls included. The lock is
/// [`SpinLock`] unless another [`RawLock`] is given.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::source::{Locked, Region, Source};
///
/// let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
/// let shared = Locked::new(Region::new(&mut buffer));
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             let chunk = shared.acquire(64, 8).unwrap();
///             // SAFETY: 1. from `shared`. 2. nobody uses it.
///             unsafe { shared.release(chunk) };
///         });
///     }
/// });
/// ```
///
/// # Invariants
///
/// 1. `source` is used only while `lock` is held (or through `&mut self`).
#[derive(Debug, Default)]
pub struct Locked<S, L = SpinLock> {
    lock: L,
    source: S,
}

// SAFETY: invariant 1: one thread at a time calls the source, which moving between threads
// (`Send`) allows.
unsafe impl<S: Send, L: RawLock + Sync> Sync for Locked<S, L> {}

impl<S> Locked<S> {
    crate::const_unless_loom! {
        /// `source` behind a [`SpinLock`].
        pub fn new(source: S) -> Self {
            Self { lock: SpinLock::new(), source }
        }
    }
}

impl<S, L: RawLock> Locked<S, L> {
    /// `source` behind `lock`, which must be open.
    pub const fn with_lock(source: S, lock: L) -> Self {
        Self { lock, source }
    }

    /// The source, for as long as nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// The source without its lock.
    pub fn into_inner(self) -> S {
        self.source
    }

    /// Runs `f` on the source with the lock held. `f` must not call this `Locked` again: it would
    /// wait for itself.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&S) -> R) -> R {
        /// Opens the lock also when `f` unwinds.
        struct Held<'l, L: RawLock>(&'l L);
        impl<L: RawLock> Drop for Held<'_, L> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: 1. `with` took the lock just before it made this guard.
                unsafe { self.0.unlock() }
            }
        }
        self.lock.lock();
        let _held = Held(&self.lock);
        f(&self.source)
    }
}

// SAFETY: 1.-3. every call is one call of the inner source, whose promises these are.
unsafe impl<S: Source, L: RawLock> Source for Locked<S, L> {
    forward_constants!(S);

    #[inline]
    fn granule(&self) -> usize {
        self.with(S::granule)
    }

    #[inline]
    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<S::Address>, Exhausted> {
        self.with(|source| source.acquire(len, align))
    }

    #[inline]
    unsafe fn release(&self, chunk: Chunk<S::Address>) {
        // SAFETY: the caller's obligations are the same ones.
        self.with(|source| unsafe { source.release(chunk) })
    }

    #[inline]
    unsafe fn commit(&self, at: S::Address, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        self.with(|source| unsafe { source.commit(at, len) })
    }

    #[inline]
    unsafe fn purge(&self, at: S::Address, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        self.with(|source| unsafe { source.purge(at, len) })
    }

    #[inline]
    unsafe fn grow(&self, chunk: &mut Chunk<S::Address>, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        self.with(|source| unsafe { source.grow(chunk, len) })
    }

    #[inline]
    unsafe fn remap(
        &self,
        chunk: Chunk<S::Address>,
        len: usize,
        align: usize,
    ) -> Result<Chunk<S::Address>, Chunk<S::Address>> {
        // SAFETY: the caller's obligations are the same ones.
        self.with(|source| unsafe { source.remap(chunk, len, align) })
    }

    #[inline]
    unsafe fn relocate(
        &self,
        from: S::Address,
        to: S::Address,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        self.with(|source| unsafe { source.relocate(from, to, len) })
    }
}
