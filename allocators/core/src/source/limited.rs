//! A source with a byte budget.

use super::{Contents, Source, forward_constants, rounded_len};
use crate::sync::{AtomicUsize, Ordering};
use crate::{ByteCount, Chunk, Exhausted};

/// A source that never has more than `budget` bytes out, whole granules counted. [`Sync`] where
/// what it decorates is: concurrent requests cannot overrun the budget together.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::ByteCount;
/// use strata_core::source::{Limited, Region, Source};
///
/// let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
/// let limited = Limited::new(Region::new(&mut buffer), ByteCount(1024));
/// let chunk = limited.acquire(800, 1)?;
/// assert!(limited.acquire(800, 1).is_err());
/// // SAFETY: 1. from `limited`. 2. nobody uses it.
/// unsafe { limited.release(chunk) };
/// assert!(limited.acquire(800, 1).is_ok());
/// # Ok::<(), strata_core::Exhausted>(())
/// ```
#[derive(Debug)]
pub struct Limited<S> {
    source: S,
    budget: usize,
    out: AtomicUsize,
}

impl<S> Limited<S> {
    crate::const_unless_loom! {
        /// `source` with a budget, all of it left.
        pub fn new(source: S, budget: ByteCount) -> Self {
            Self { source, budget: budget.0, out: AtomicUsize::new(0) }
        }
    }

    /// The budget.
    pub fn budget(&self) -> ByteCount {
        ByteCount(self.budget)
    }

    /// What is left of it; requests in flight count as served.
    pub fn left(&self) -> ByteCount {
        ByteCount(self.budget - self.out.load(Ordering::Relaxed))
    }

    /// Takes `bytes` from the budget. O(1), retried when another thread did so meanwhile.
    fn charge(&self, bytes: usize) -> Result<(), Exhausted> {
        let within = |out: usize| out.checked_add(bytes).filter(|sum| *sum <= self.budget);
        // Relaxed: the word is the whole budget; no other memory is published by it.
        self.out
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .map(|_| ())
            .map_err(|_| Exhausted)
    }

    /// Gives `bytes` back to the budget.
    fn refund(&self, bytes: usize) {
        let before = self.out.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "more came back than went out");
    }
}

// SAFETY: 1.-3. every chunk is one of the inner source, whose promises these are; a request that
// the budget refuses does not reach it.
unsafe impl<S: Source> Source for Limited<S> {
    forward_constants!(S);

    #[inline]
    fn granule(&self) -> usize {
        self.source.granule()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<S::Address>, Exhausted> {
        let charged = rounded_len(len, align, self.source.granule())?;
        self.charge(charged)?;
        let chunk = self.source.acquire(len, align).inspect_err(|_| self.refund(charged))?;
        debug_assert_eq!(chunk.len(), charged, "a source rounds lengths up to its granule");
        Ok(chunk)
    }

    unsafe fn release(&self, chunk: Chunk<S::Address>) {
        let len = chunk.len();
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.release(chunk) };
        // After the release: two threads must not see the budget before the memory.
        self.refund(len);
    }

    unsafe fn commit(&self, at: S::Address, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.commit(at, len) }
    }

    unsafe fn purge(&self, at: S::Address, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.purge(at, len) }
    }

    unsafe fn grow(&self, chunk: &mut Chunk<S::Address>, len: usize) -> Result<(), Exhausted> {
        if len <= chunk.len() {
            return Ok(());
        }
        let before = chunk.len();
        let more = rounded_len(len, 1, self.source.granule())? - before;
        self.charge(more)?;
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.grow(chunk, len) }.inspect_err(|_| self.refund(more))?;
        debug_assert_eq!(chunk.len(), before + more, "a source grows by whole granules");
        Ok(())
    }

    unsafe fn remap(
        &self,
        chunk: Chunk<S::Address>,
        len: usize,
        align: usize,
    ) -> Result<Chunk<S::Address>, Chunk<S::Address>> {
        let before = chunk.len();
        let charged = rounded_len(len, align, self.source.granule())
            .and_then(|rounded| rounded.checked_sub(before).ok_or(Exhausted))
            .and_then(|more| self.charge(more).map(|()| more));
        let Ok(more) = charged else { return Err(chunk) };
        // SAFETY: the caller's obligations are the same ones.
        let moved = unsafe { self.source.remap(chunk, len, align) };
        moved.inspect_err(|_| self.refund(more))
    }

    unsafe fn relocate(
        &self,
        from: S::Address,
        to: S::Address,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.relocate(from, to, len) }
    }
}
