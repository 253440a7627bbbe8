//! A source that counts what passes through it.

use super::{Contents, Source, forward_constants};
use crate::sync::{AtomicUsize, Ordering};
use crate::{ByteCount, Chunk, Exhausted};

/// A source that counts. [`Sync`] where what it decorates is.
///
/// The counts are exact once all threads are done, and may trail one another by a call in flight
/// before that. Each costs one relaxed read-modify-write.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::ByteCount;
/// use strata_core::source::{Counted, Region, Source};
///
/// let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
/// let counted = Counted::new(Region::new(&mut buffer));
/// let chunk = counted.acquire(256, 1)?;
/// assert!(counted.acquire(1 << 20, 1).is_err());
/// let counts = counted.counts();
/// assert_eq!((counts.acquired, counts.failed), (1, 1));
/// assert_eq!(counts.held, ByteCount(256));
/// # unsafe { counted.release(chunk) };
/// # Ok::<(), strata_core::Exhausted>(())
/// ```
#[derive(Debug, Default)]
pub struct Counted<S> {
    source: S,
    acquired: AtomicUsize,
    released: AtomicUsize,
    failed: AtomicUsize,
    held: AtomicUsize,
    peak: AtomicUsize,
    purged: AtomicUsize,
}

/// What a [`Counted`] has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Successful calls of `acquire`.
    pub acquired: usize,
    /// Calls of `release`.
    pub released: usize,
    /// Calls of `acquire`, `grow`, `remap` and `commit` that failed.
    pub failed: usize,
    /// Bytes acquired and not released: chunks that live, and chunks that were leaked.
    pub held: ByteCount,
    /// The most that `held` ever was.
    pub peak: ByteCount,
    /// Bytes in successful calls of `purge`, each time they were purged.
    pub purged: ByteCount,
}

impl<S> Counted<S> {
    crate::const_unless_loom! {
        /// `source`, counted from now on.
        pub fn new(source: S) -> Self {
            Self {
                source,
                acquired: AtomicUsize::new(0),
                released: AtomicUsize::new(0),
                failed: AtomicUsize::new(0),
                held: AtomicUsize::new(0),
                peak: AtomicUsize::new(0),
                purged: AtomicUsize::new(0),
            }
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        // Relaxed throughout this file: the counts order nothing, and are exact once quiet.
        Counts {
            acquired: self.acquired.load(Ordering::Relaxed),
            released: self.released.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            held: ByteCount(self.held.load(Ordering::Relaxed)),
            peak: ByteCount(self.peak.load(Ordering::Relaxed)),
            purged: ByteCount(self.purged.load(Ordering::Relaxed)),
        }
    }

    /// What is counted.
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    fn add(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(held, Ordering::Relaxed);
    }

    fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: 1.-3. every call is one call of the inner source, whose promises these are.
unsafe impl<S: Source> Source for Counted<S> {
    forward_constants!(S);

    #[inline]
    fn granule(&self) -> usize {
        self.source.granule()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<S::Address>, Exhausted> {
        let chunk = self.source.acquire(len, align).inspect_err(|_| self.fail())?;
        self.acquired.fetch_add(1, Ordering::Relaxed);
        self.add(chunk.len());
        Ok(chunk)
    }

    unsafe fn release(&self, chunk: Chunk<S::Address>) {
        self.released.fetch_add(1, Ordering::Relaxed);
        self.held.fetch_sub(chunk.len(), Ordering::Relaxed);
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.release(chunk) }
    }

    unsafe fn commit(&self, at: S::Address, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.commit(at, len) }.inspect_err(|_| self.fail())
    }

    unsafe fn purge(&self, at: S::Address, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        let contents = unsafe { self.source.purge(at, len) };
        if contents.is_gone() {
            self.purged.fetch_add(len, Ordering::Relaxed);
        }
        contents
    }

    unsafe fn grow(&self, chunk: &mut Chunk<S::Address>, len: usize) -> Result<(), Exhausted> {
        let before = chunk.len();
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.grow(chunk, len) }.inspect_err(|_| self.fail())?;
        self.add(chunk.len() - before);
        Ok(())
    }

    unsafe fn remap(
        &self,
        chunk: Chunk<S::Address>,
        len: usize,
        align: usize,
    ) -> Result<Chunk<S::Address>, Chunk<S::Address>> {
        let before = chunk.len();
        // SAFETY: the caller's obligations are the same ones.
        let moved = unsafe { self.source.remap(chunk, len, align) }.inspect_err(|_| self.fail())?;
        self.add(moved.len() - before);
        Ok(moved)
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
