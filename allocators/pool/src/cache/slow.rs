//! What a thread does when its magazine is empty or full.

use core::ptr::NonNull;

use strata_core::Source;
use strata_core::lock::RawLock;
use strata_core::sync::Ordering;

use super::{Cache, FREE};
use crate::block_pool::{BlockPool, Central};
use crate::depot::{MagazineId, NO_MAGAZINE};

/// Visits to the slow path between two looks at the clock.
const LOOK: u32 = 64;
/// The depot keeps a part of the pool, one in so many blocks, and more where they go back and forth.
const PART: usize = 8;

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// Works on the chunks. Who meets another thread here makes everybody's magazines longer.
    pub(crate) fn central<R>(&self, work: impl FnOnce(&mut Central<S>) -> R) -> R {
        let contended = || {
            // Relaxed, both: a hint, and whose change is lost does not matter.
            let rounds = self.rounds.load(Ordering::Relaxed);
            if rounds < self.most_rounds {
                self.rounds.store((2 * rounds).min(self.most_rounds), Ordering::Relaxed);
            }
        };
        self.central.with_watched(contended, |central| {
            let result = work(central);
            let capacity = central.store.capacity();
            // Relaxed, both: a figure. Written where it is new alone: others read it.
            if self.capacity.load(Ordering::Relaxed) != capacity {
                self.capacity.store(capacity, Ordering::Relaxed);
            }
            result
        })
    }

    pub(crate) fn rounds(&self) -> usize {
        // Relaxed: see `central`.
        self.rounds.load(Ordering::Relaxed)
    }

    /// Takes a block where the loaded magazine has none.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_slow(&self, cache: &Cache) -> Option<NonNull<u8>> {
        self.visit(cache);
        let Some((loaded, previous)) = cache.magazines() else { return self.take_direct() };
        let (depot, rounds) = (&self.depot, self.rounds());
        depot.set_len(loaded, cache.loaded_len(depot));
        if depot.len(previous) > 0 {
            cache.load(depot, previous, loaded, rounds);
        } else if let Some(full) = depot.take_full() {
            depot.put_empty(previous);
            cache.load(depot, full, loaded, rounds);
        } else {
            depot.note_missing();
            self.fill(loaded, rounds);
            cache.load(depot, loaded, previous, rounds);
        }
        cache.take()
    }

    /// Puts a block back for which the loaded magazine has no room.
    ///
    /// # Safety
    ///
    /// 1. The block is one of this pool's that is out, and is handed over.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn put_slow(&self, cache: &Cache, block: NonNull<u8>) {
        self.visit(cache);
        let Some((loaded, previous)) = cache.magazines() else {
            return self.put_blocks(&[block.as_ptr()]);
        };
        let (depot, rounds) = (&self.depot, self.rounds());
        depot.set_len(loaded, cache.loaded_len(depot));
        if depot.len(previous) == 0 {
            cache.load(depot, previous, loaded, rounds);
        } else if let Some(empty) = self.pass_on(previous) {
            cache.load(depot, empty, loaded, rounds);
        } else {
            self.empty_out(previous);
            cache.load(depot, previous, loaded, rounds);
        }
        if cache.push(block).is_err() {
            self.put_blocks(&[block.as_ptr()]);
        }
    }

    /// Leaves a full magazine in the depot in exchange for an empty one; `None` where the depot has
    /// enough, or there is no empty one.
    fn pass_on(&self, full: MagazineId) -> Option<MagazineId> {
        // Relaxed: a figure.
        let part = self.capacity.load(Ordering::Relaxed) / PART / self.rounds().max(1);
        if self.depot.is_full(part) {
            return None;
        }
        let empty = self.depot.take_empty().or_else(|| self.new_magazine())?;
        self.depot.put_full(full);
        Some(empty)
    }

    /// Fills an empty magazine of the caller's from the chunks, up to `rounds`.
    fn fill(&self, id: MagazineId, rounds: usize) {
        // SAFETY: 1. the caller's, and none is longer than `most_rounds`. 2. written here.
        let blocks = unsafe {
            crate::depot::array(self.depot.magazine(id)).add(1).write_bytes(0, rounds);
            self.depot.blocks(id, rounds)
        };
        let got = self.draw(blocks);
        // Low addresses stand at the bottom otherwise, and would be taken last.
        blocks[..got].reverse();
        self.depot.set_len(id, got);
    }

    /// Fills `out` from the chunks, as far as there are blocks.
    fn draw(&self, out: &mut [*mut u8]) -> usize {
        let got = self.central(|central| central.store.take(out, false));
        if got > 0 {
            return got;
        }
        // What threads left that ended is older than new memory.
        self.adopt();
        let got = self.central(|central| central.store.take(out, true));
        if got > 0 {
            return got;
        }
        // The last ones, where the pool has no more.
        self.flush_depot(usize::MAX);
        let got = self.central(|central| central.store.take(out, false));
        if got == 0 {
            // Relaxed: a figure.
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        got
    }

    /// A block from the chunks.
    #[cold]
    pub(crate) fn take_direct(&self) -> Option<NonNull<u8>> {
        let mut block = [core::ptr::null_mut()];
        self.draw(&mut block);
        NonNull::new(block[0])
    }

    /// Puts blocks back to their chunks.
    pub(crate) fn put_blocks(&self, blocks: &[*mut u8]) {
        if !blocks.is_empty() {
            self.central(|central| central.store.put(blocks));
        }
    }

    /// Puts the blocks of a magazine of the caller's back to their chunks.
    fn empty_out(&self, id: MagazineId) {
        let len = self.depot.len(id);
        // SAFETY: 1. the caller's. 2. it has `len` blocks.
        self.put_blocks(unsafe { self.depot.blocks(id, len) });
        self.depot.set_len(id, 0);
    }

    /// Gives a cache two empty magazines; false where there are no two.
    pub(crate) fn equip(&self, cache: &Cache) -> bool {
        if self.most_rounds == 0 {
            return false;
        }
        let one = || self.depot.take_empty().or_else(|| self.new_magazine());
        let Some(loaded) = one() else { return false };
        let Some(previous) = one() else {
            self.depot.put_empty(loaded);
            return false;
        };
        cache.load(&self.depot, loaded, previous, self.rounds());
        true
    }

    /// An empty magazine that there was not before, where there may be one more.
    fn new_magazine(&self) -> Option<MagazineId> {
        self.central(|central| {
            if central.magazines >= self.most_magazines {
                return None;
            }
            let id = match central.spare_magazines.next() {
                Some(id) => id,
                None => {
                    if central.store.sealed {
                        return None;
                    }
                    // SAFETY: 1. under the lock.
                    let ids = unsafe { self.depot.magazines.grow(&*central.store.source) };
                    central.spare_magazines = ids.ok()?;
                    central.spare_magazines.next()?
                }
            };
            if id > strata_core::list::IndexStack::MAX_INDEX {
                return None;
            }
            // SAFETY: 1. fresh.
            unsafe { self.depot.make(id) };
            central.magazines += 1;
            Some(id)
        })
    }

    /// Takes the blocks out of a cache of the caller's, which keeps its magazines. Answers whether
    /// there were any.
    pub(crate) fn empty_cache(&self, cache: &Cache) -> bool {
        let mut found = false;
        if let Some(hot) = cache.take_hot() {
            self.put_blocks(&[hot.as_ptr()]);
            found = true;
        }
        let Some((loaded, previous)) = cache.magazines() else { return found };
        self.depot.set_len(loaded, cache.loaded_len(&self.depot));
        for id in [loaded, previous] {
            found |= self.depot.len(id) > 0;
            self.empty_out(id);
        }
        cache.load(&self.depot, loaded, previous, self.rounds());
        found
    }

    /// Takes the blocks out of a cache of the caller's, and its magazines.
    pub(crate) fn strip(&self, cache: &Cache) -> bool {
        let found = self.empty_cache(cache);
        if let Some((loaded, previous)) = cache.unload(&self.depot) {
            self.depot.put_empty(loaded);
            self.depot.put_empty(previous);
        }
        found
    }

    /// Puts back what threads left that ended. Answers whether there was anything.
    pub(crate) fn adopt(&self) -> bool {
        let mut found = false;
        for cache in self.caches() {
            // Relaxed, both: looks; the exchange decides.
            if cache.owner.load(Ordering::Relaxed) == FREE
                && (cache.loaded.load(Ordering::Relaxed) != NO_MAGAZINE || cache.has_hot())
                && cache.claim()
            {
                found |= self.strip(cache);
                cache.leave();
            }
        }
        found
    }

    /// Puts the blocks of up to `most` magazines of the depot back to their chunks.
    pub(crate) fn flush_depot(&self, most: usize) -> bool {
        let mut found = false;
        for _ in 0..most {
            let Some(id) = self.depot.take_full() else { break };
            found = true;
            self.empty_out(id);
            self.depot.put_empty(id);
        }
        found
    }

    /// Counts a visit to the slow path; looks at the clock now and then.
    fn visit(&self, cache: &Cache) {
        // Relaxed, both: the owner's own.
        let visits = cache.visits.load(Ordering::Relaxed).wrapping_add(1);
        cache.visits.store(visits, Ordering::Relaxed);
        if visits.is_multiple_of(LOOK) {
            self.look();
        }
    }
}
