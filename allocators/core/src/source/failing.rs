//! A source that fails when a test says so.

use super::{Contents, Source, forward_constants};
use crate::sync::{AtomicUsize, Ordering};
use crate::{Chunk, Exhausted};

/// When a [`Failing`] fails. Calls are those of `acquire`, `commit`, `grow`, `remap` and
/// `relocate`, counted together from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailWhen {
    /// Not at all.
    Never,
    /// Every call.
    Always,
    /// Call `n`, `2n`, `3n` and so on; never for zero.
    Every(usize),
    /// Every call after the first `n`.
    AfterCalls(usize),
    /// `acquire` once this many bytes were asked for; the other calls succeed.
    AfterBytes(usize),
    /// Call `i` fails where element `i - 1` is true; calls past the end succeed.
    Schedule(&'static [bool]),
}

/// A source for tests of other code's failure paths: it answers [`Exhausted`] by a rule, and
/// passes all other calls on. Releases and purges always pass.
///
/// ```
/// use core::mem::MaybeUninit;
/// use strata_core::source::{FailWhen, Failing, Region, Source};
///
/// let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
/// let source = Failing::new(Region::new(&mut buffer), FailWhen::Every(2));
/// assert!(source.acquire(16, 1).is_ok());
/// assert!(source.acquire(16, 1).is_err());
/// assert!(source.acquire(16, 1).is_ok());
/// assert_eq!(source.failures(), 1);
/// ```
#[derive(Debug)]
pub struct Failing<S> {
    source: S,
    when: FailWhen,
    calls: AtomicUsize,
    bytes: AtomicUsize,
    failures: AtomicUsize,
}

impl<S> Failing<S> {
    crate::const_unless_loom! {
        /// `source`, failing by the rule `when`.
        pub fn new(source: S, when: FailWhen) -> Self {
            Self {
                source,
                when,
                calls: AtomicUsize::new(0),
                bytes: AtomicUsize::new(0),
                failures: AtomicUsize::new(0),
            }
        }
    }

    /// Calls that the rule made fail.
    pub fn failures(&self) -> usize {
        self.failures.load(Ordering::Relaxed)
    }

    /// The source that does not fail by the rule.
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Counts a call, and answers `Exhausted` where the rule says so. `bytes` is zero for calls
    /// that ask for none.
    fn pass(&self, bytes: usize) -> Result<(), Exhausted> {
        // Relaxed: each call gets a number of its own, and nothing is published.
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let asked = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let fails = match self.when {
            FailWhen::Never => false,
            FailWhen::Always => true,
            FailWhen::Every(n) => n > 0 && call.is_multiple_of(n),
            FailWhen::AfterCalls(n) => call > n,
            FailWhen::AfterBytes(limit) => bytes > 0 && asked > limit,
            FailWhen::Schedule(schedule) => schedule.get(call - 1).copied().unwrap_or(false),
        };
        if fails {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return Err(Exhausted);
        }
        Ok(())
    }
}

// SAFETY: 1.-3. a call that passes is one call of the inner source, whose promises these are; one
// that fails does nothing.
unsafe impl<S: Source> Source for Failing<S> {
    forward_constants!(S);

    fn granule(&self) -> usize {
        self.source.granule()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk<S::Address>, Exhausted> {
        self.pass(len)?;
        self.source.acquire(len, align)
    }

    unsafe fn release(&self, chunk: Chunk<S::Address>) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.release(chunk) }
    }

    unsafe fn commit(&self, at: S::Address, len: usize) -> Result<(), Exhausted> {
        self.pass(0)?;
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.commit(at, len) }
    }

    unsafe fn purge(&self, at: S::Address, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.purge(at, len) }
    }

    unsafe fn grow(&self, chunk: &mut Chunk<S::Address>, len: usize) -> Result<(), Exhausted> {
        self.pass(0)?;
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.grow(chunk, len) }
    }

    unsafe fn remap(
        &self,
        chunk: Chunk<S::Address>,
        len: usize,
        align: usize,
    ) -> Result<Chunk<S::Address>, Chunk<S::Address>> {
        if self.pass(0).is_err() {
            return Err(chunk);
        }
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.remap(chunk, len, align) }
    }

    unsafe fn relocate(
        &self,
        from: S::Address,
        to: S::Address,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        self.pass(0)?;
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.source.relocate(from, to, len) }
    }
}
