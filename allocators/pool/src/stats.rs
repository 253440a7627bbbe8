//! A pool's figures.

use core::ptr::NonNull;

use strata_core::lock::RawLock;
use strata_core::sync::Ordering;
use strata_core::{ByteCount, Source, Stats};

use crate::block_pool::BlockPool;
use crate::store::Store;

/// A pool's figures, in blocks and chunks. Those of a shared pool are read while other threads go
/// on, and are then right to within their magazines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Bytes of a block.
    pub block_len: usize,
    /// Blocks in all chunks.
    pub capacity: usize,
    /// Blocks that hold a value.
    pub live: usize,
    /// Free blocks in magazines: those of threads and of the depot.
    pub cached: usize,
    /// Chunks.
    pub chunks: usize,
    /// Chunks of which no block is live or cached.
    pub empty_chunks: usize,
    /// The most blocks that were live or cached at once.
    pub high_water: usize,
    /// Requests for which there was no block.
    pub failed: usize,
    /// The same in bytes, in the words of the suite.
    pub bytes: Stats,
}

impl PoolStats {
    /// The share of all blocks that lie free in magazines, where only their threads reach them:
    /// from 0 to 1.
    ///
    /// ```
    /// use strata_pool::Pool;
    /// let pool = Pool::<u64>::new()?;
    /// drop(pool.alloc(1).unwrap());
    /// let stats = pool.stats();
    /// assert_eq!(stats.live, 0);
    /// assert!(stats.hoarded() > 0.0 || stats.cached == 0);
    /// # Ok::<(), strata_core::ConfigError>(())
    /// ```
    pub fn hoarded(&self) -> f64 {
        if self.capacity == 0 { 0.0 } else { self.cached as f64 / self.capacity as f64 }
    }
}

impl<S: Source<Address = NonNull<u8>>> Store<S> {
    /// The figures, of which `cached` blocks are in magazines, with `own` bytes of tables elsewhere,
    /// and so many more of these that were not touched yet.
    pub(crate) fn stats(
        &self,
        cached: usize,
        failed: usize,
        own: usize,
        untouched: usize,
    ) -> PoolStats {
        let figures = self.figures();
        let (len, page) = (self.shape.len(), self.source.granule());
        let (mut active, mut purged, mut kept) = (0, 0, 0);
        self.each(|bytes, span| {
            // Pages that have contents; where they cannot be told apart, all.
            let carved = (usize::from(span.carved) * len).div_ceil(page).min(64);
            let touched = match (span.pages, carved) {
                (0, 0) | (_, 0) => span.idle,
                (0, _) => return if span.is_empty() { kept += bytes } else { active += bytes },
                _ => u64::MAX >> (64 - carved) & !span.gone | span.idle,
            };
            let touched = touched.count_ones() as usize * page;
            if span.is_empty() {
                kept += touched;
            } else {
                active += bytes;
                purged += bytes - touched;
            }
        });
        let metadata = self.metadata() + own;
        PoolStats {
            block_len: len,
            capacity: self.capacity(),
            live: figures.live.saturating_sub(cached),
            cached: cached.min(figures.live),
            chunks: self.chunks(),
            empty_chunks: figures.empty,
            high_water: self.high_water(),
            failed,
            bytes: Stats {
                requested: None,
                allocated: Some(ByteCount(figures.live.saturating_sub(cached) * len)),
                active: Some(ByteCount(active)),
                purged: Some(ByteCount(purged)),
                cached: Some(ByteCount(kept)),
                metadata: Some(ByteCount(metadata)),
                committed: Some(ByteCount(active - purged + kept + metadata)),
                reserved: Some(ByteCount(self.bytes() + metadata + untouched)),
            },
        }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// Free blocks in magazines, of which `made` were made.
    fn cached(&self, made: u32) -> usize {
        // Every magazine's head says its length; that of a loaded one is what it had when it was loaded.
        let mut cached: usize = (0..made).map(|id| self.depot.len(id)).sum();
        for cache in self.caches() {
            cached += cache.loaded_len(&self.depot) + usize::from(cache.has_hot());
            if let Some((loaded, _)) = cache.magazines() {
                cached = cached.saturating_sub(self.depot.len(loaded));
            }
        }
        cached
    }

    /// The pool's figures. O(chunks, caches and magazines).
    pub fn stats(&self) -> PoolStats {
        // Relaxed: a figure.
        let failed = self.failed.load(Ordering::Relaxed);
        self.central(|central| {
            let granule = central.store.source.granule();
            let all = self.depot.magazines.bytes(granule) + self.cache_table.bytes(granule);
            // Numbers are given in order.
            let magazines = self.depot.magazines.touched(central.magazines as usize, granule);
            let caches = self.caches().count();
            let tables = magazines + self.cache_table.touched(caches, granule);
            let cached = self.cached(central.magazines);
            central.store.stats(cached, failed, tables, all.saturating_sub(tables))
        })
    }
}
