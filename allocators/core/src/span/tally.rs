//! What the spans in some lists come to.

use crate::sync::Ordering;
use crate::sync::unexplored::{AtomicU32, AtomicUsize};

/// What the spans in some lists come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Blocks handed out, less those put back. Where spans changed lists by [`Lists::part`](super::Lists::part) this is a
    /// difference that may have wrapped; the sum over the lists, which may wrap too, is what there is.
    pub live: usize,
    /// Idle pages.
    pub idle: usize,
    /// Spans without a live block.
    pub empty: usize,
}

/// What the spans in some lists come to, where others may read it who do not have the lists.
///
/// Relaxed, all: who has the lists is alone in writing, and anybody else reads figures of no certain
/// moment.
#[derive(Debug, Default)]
pub struct Tally {
    live: AtomicUsize,
    idle: AtomicU32,
    empty: AtomicU32,
}

impl Tally {
    /// That of lists without a span.
    pub const fn new() -> Self {
        Self { live: AtomicUsize::new(0), idle: AtomicU32::new(0), empty: AtomicU32::new(0) }
    }

    /// Blocks handed out: see [`Figures::live`].
    #[inline]
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Idle pages.
    #[inline]
    pub fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed) as usize
    }

    /// Spans without a live block.
    #[inline]
    pub fn empty(&self) -> usize {
        self.empty.load(Ordering::Relaxed) as usize
    }

    /// All three.
    #[inline]
    pub fn figures(&self) -> Figures {
        Figures { live: self.live(), idle: self.idle(), empty: self.empty() }
    }

    pub(super) fn set_live(&self, blocks: usize) {
        self.live.store(blocks, Ordering::Relaxed);
    }

    pub(super) fn set_idle(&self, pages: usize) {
        self.idle.store(pages as u32, Ordering::Relaxed);
    }

    pub(super) fn set_empty(&self, spans: usize) {
        self.empty.store(spans as u32, Ordering::Relaxed);
    }
}
