//! Blocks with a chunk to themselves: taken, kept, lengthened and cut.
//!
//! The system is called with no lock held; while it is, the chunk is in nobody's table.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::align::align_up;
use strata_core::sync::Ordering;
use strata_core::{Chunk, Exhausted, Source, misuse};

use crate::central::{Central, Platform};
use crate::ground::Ground;
use crate::huge::Uses;
use crate::own::{Chosen, Own};
use crate::resident::Grown;

/// Chunks from which on their number is looked at.
const MANY: usize = 1024;

/// What a look for a spare found.
enum Found {
    /// A block, and how many of its bytes get contents.
    Block(NonNull<u8>, usize),
    /// As well, in a chunk that was used often and has so many bytes with contents.
    Often(NonNull<u8>, usize, usize),
    /// A spare that has to be lengthened.
    Short(Chosen),
    /// None, and so many chunks are there.
    Nothing(usize),
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// Whether chunks without a block are kept: where address space is reserved and what is kept can
    /// be taken back. A buffer's bytes would be missing elsewhere.
    const KEEPS: bool = S::COMMITS && S::PURGES && S::REMAPS;

    /// Bytes of the chunk for a block of `size`.
    fn chunk_len(&self, size: usize) -> Result<usize, Exhausted> {
        align_up(size.max(1), self.source.granule()).ok_or(Exhausted)
    }

    /// Calls `work` with the ground under its lock, and publishes what is idle in chunks.
    fn with_owns<R>(&self, work: impl FnOnce(&mut Ground) -> R) -> R {
        self.ground.with(|ground| {
            let result = work(ground);
            // Relaxed: a figure of no certain moment.
            self.spared.store(ground.large.idle, Ordering::Relaxed);
            result
        })
    }

    /// Puts a chunk into the table, for a block of `len`. Answers how many bytes get contents.
    fn enter(ground: &mut Ground, chosen: Chosen, len: usize, grown: bool) -> usize {
        let Chosen { at, own } = chosen;
        let fresh = len.saturating_sub(own.warm);
        let own = Own { len, warm: own.warm + fresh, grown, ..own };
        // SAFETY: 1. a scrap, and in nobody's table.
        unsafe { ground.large.insert(at, own) };
        fresh
    }

    /// Counts new contents: those that went back before are told to the budget.
    fn count_fresh(&self, fresh: usize) -> Grown {
        if fresh == 0 {
            return Grown::default();
        }
        let again = self.ground.with(|ground| ground.large.taken_again(fresh));
        if self.learn(again) != 0 {
            self.resident.regret_chunk();
        }
        self.resident.grow(fresh)
    }

    /// A chunk for a block that has one to itself, whether it is zero, and the new memory that it takes.
    /// One that `grows` gets room behind it.
    pub(crate) fn take_chunk(
        &self,
        layout: Layout,
        grows: bool,
    ) -> Result<(NonNull<u8>, bool, Grown), Exhausted> {
        let (len, align) = (self.chunk_len(layout.size())?, layout.align());
        self.allow(len)?;
        let found = self.with_owns(|ground| {
            let idle = ground.large.idle;
            let Some(mut chosen) = ground.large.choose(len, align, grows) else {
                return Found::Nothing(ground.large.total());
            };
            ground.budget.hit(idle);
            if chosen.own.whole < len {
                return Found::Short(chosen);
            }
            let Own { base, warm, .. } = chosen.own;
            let often = chosen.own.uses.count(1);
            let fresh = Self::enter(ground, chosen, len, grows);
            if often { Found::Often(base, fresh, warm) } else { Found::Block(base, fresh) }
        });
        match found {
            Found::Block(block, fresh) => return Ok((block, false, self.count_fresh(fresh))),
            Found::Often(block, fresh, warm) => {
                // SAFETY: 1. the front of a chunk whose block is the caller's: what is behind that is
                // nobody's, and only lost by a purge, which does not read it.
                if unsafe { P::often_used(block, warm, false) } {
                    self.with_owns(|ground| {
                        let at = found_chunk(ground, block, len);
                        // SAFETY: in the table, and ours alone under the lock.
                        unsafe { (*at.as_ptr()).uses = Uses::ENOUGH };
                    });
                }
                return Ok((block, false, self.count_fresh(fresh)));
            }
            Found::Short(chosen) => {
                if let Some((block, fresh)) = self.lengthen(chosen, len, align, grows) {
                    return Ok((block, false, self.count_fresh(fresh)));
                }
            }
            Found::Nothing(total) if total >= MANY && total >= P::most_mappings() => {
                return Err(Exhausted);
            }
            Found::Nothing(_) => {}
        }
        match self.new_chunk(len, align, grows) {
            Err(Exhausted) if self.purge_spares(usize::MAX) != 0 => {
                self.new_chunk(len, align, grows)
            }
            taken => taken,
        }
    }

    fn new_chunk(
        &self,
        len: usize,
        align: usize,
        grows: bool,
    ) -> Result<(NonNull<u8>, bool, Grown), Exhausted> {
        // Room behind costs addresses; where there are none, or they are counted, it goes without.
        let roomy = if grows && Self::KEEPS { len.checked_mul(2) } else { None };
        let chunk = match roomy.map(|len| self.source.acquire_committed(len, align)) {
            Some(Ok(chunk)) => chunk,
            _ => self.source.acquire_committed(len, align)?,
        };
        let base = self.enter_new(chunk, len, grows)?;
        Ok((base, S::ZEROED, self.count_fresh(len)))
    }

    /// A chunk for a block of `len` that comes from elsewhere with its contents, and will grow.
    pub(crate) fn exact_chunk(&self, len: usize, align: usize) -> Result<NonNull<u8>, Exhausted> {
        self.allow(len)?;
        if self.ground.with(|ground| ground.large.total()) >= MANY.min(P::most_mappings()) {
            return Err(Exhausted);
        }
        let chunk = self.source.acquire_committed(len, align)?;
        let base = self.enter_new(chunk, len, true)?;
        // Its contents are counted where they come from, and here from now on.
        self.resident.grow(len);
        Ok(base)
    }

    /// Puts a new chunk into the table, for a block of `len`.
    fn enter_new(&self, chunk: Chunk, len: usize, grown: bool) -> Result<NonNull<u8>, Exhausted> {
        let entered = self.with_owns(|ground| {
            let at = ground.take_scrap(&self.source, &self.territories, size_of::<Own>())?.cast();
            let own = Own::new(chunk.base(), len, chunk.len(), grown);
            // SAFETY: 1. a scrap of its length, just taken.
            unsafe { ground.large.insert(at, own) };
            Ok(())
        });
        match entered {
            Ok(()) => {
                let (base, _) = chunk.into_raw_parts();
                Ok(base)
            }
            Err(Exhausted) => {
                // SAFETY: 1. just acquired, as it was. 2. nobody knows it.
                unsafe { self.source.release(chunk) };
                Err(Exhausted)
            }
        }
    }

    /// Lengthens a chunk in nobody's table for a block of `len`; where that fails, releases it, or puts
    /// it back if it has a block.
    fn lengthen(
        &self,
        chosen: Chosen,
        len: usize,
        align: usize,
        grows: bool,
    ) -> Option<(NonNull<u8>, usize)> {
        let Own { base, whole, len: old, .. } = chosen.own;
        // SAFETY: 1. acquired as a whole, of this length; in nobody's table, so ours.
        let mut chunk = unsafe { Chunk::from_raw_parts(base, whole) };
        let roomy = if grows { len.checked_mul(2) } else { None };
        let mut longer = false;
        for wanted in roomy.into_iter().chain([len]) {
            // SAFETY: 1. from this source. 2. it has no block, or its owner resizes it.
            match unsafe { self.source.remap(chunk, wanted, align) } {
                Ok(moved) => {
                    (chunk, longer) = (moved, true);
                    break;
                }
                Err(same) => chunk = same,
            }
        }
        let (base, whole) = chunk.into_raw_parts();
        let chosen = Chosen { own: Own { base, whole, ..chosen.own }, ..chosen };
        if longer {
            let fresh = self.with_owns(|ground| Self::enter(ground, chosen, len, grows));
            return Some((base, fresh));
        }
        if old == 0 {
            self.release_chunk(chosen);
        } else {
            self.with_owns(|ground| Self::enter(ground, chosen, old, chosen.own.grown));
        }
        None
    }

    /// Gives a chunk in nobody's table back to the source.
    fn release_chunk(&self, chosen: Chosen) {
        let Chosen { at, own } = chosen;
        // SAFETY: 1. acquired as a whole, of this length. 2. it has no block.
        unsafe { self.source.release(Chunk::from_raw_parts(own.base, own.whole)) };
        self.resident.shrink(own.warm);
        self.with_owns(|ground| {
            // SAFETY: 1. from `take_scrap`, in nobody's table.
            unsafe { ground.put_scrap(at.cast(), size_of::<Own>()) };
            ground.large.note_released(own.warm);
            ground.budget.purged(P::now());
        });
    }

    /// Takes a block with a chunk to itself back.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of this heap of `size` bytes, in no territory.
    pub(crate) unsafe fn put_chunk(&self, block: NonNull<u8>, size: usize) {
        let len = self.chunk_len(size).unwrap_or(size);
        let keeps = self.has_room(len);
        let gone = self.with_owns(|ground| {
            check(ground.large.len_at(block), len);
            let chosen = ground.large.remove(block)?;
            if keeps { ground.large.keep(chosen) } else { Some(chosen) }
        });
        if let Some(gone) = gone {
            self.release_chunk(gone);
        }
    }

    /// Whether so much more may be kept without a block.
    fn has_room(&self, more: usize) -> bool {
        if !Self::KEEPS {
            return false;
        }
        let (in_spans, outside) = self.idle_outside();
        let kept = in_spans + outside + self.ground.with(|ground| ground.idle_bytes());
        // What is live may have become more since the last look.
        kept + more <= self.limit() || kept + more <= self.look()
    }

    /// Checks that a block has a chunk to itself, of a length for `size`. Stops the process where it
    /// has not.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) fn check_chunk(&self, block: NonNull<u8>, size: usize) {
        let len = self.chunk_len(size).unwrap_or(size);
        check(self.ground.with(|ground| ground.large.len_at(block)), len);
    }

    /// Forgets a chunk: neither its block nor its addresses are used again, nor given back.
    pub(crate) fn forget_chunk(&self, block: NonNull<u8>) {
        self.with_owns(|ground| {
            if let Some(Chosen { at, own }) = ground.large.remove(block) {
                self.resident.shrink(own.warm);
                // SAFETY: 1. from `take_scrap`, in nobody's table.
                unsafe { ground.put_scrap(at.cast(), size_of::<Own>()) };
            }
        });
    }

    /// Resizes a block with a chunk to itself: where it lies, or by moving its pages; `None` where it
    /// has to be copied.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of this heap of `size` bytes, in no territory, which `new` makes as
    ///    long as it says.
    pub(crate) unsafe fn resize_chunk(
        &self,
        block: NonNull<u8>,
        size: usize,
        new: Layout,
    ) -> Option<(NonNull<u8>, Grown)> {
        let (old, len) = (self.chunk_len(size).ok()?, self.chunk_len(new.size()).ok()?);
        if len < old {
            return self.shorten(block, old, len).then_some((block, Grown::default()));
        }
        self.allow(len - old).ok()?;
        let found = self.with_owns(|ground| {
            let at = found_chunk(ground, block, old);
            // SAFETY: found in the table.
            if len <= unsafe { at.as_ref() }.whole {
                // SAFETY: 1. in the table, and long enough.
                return Found::Block(block, unsafe { ground.large.set_len(at, len) });
            }
            match ground.large.remove(block) {
                Some(chosen) if S::REMAPS => Found::Short(chosen),
                Some(chosen) => {
                    Self::enter(ground, chosen, old, chosen.own.grown);
                    Found::Nothing(0)
                }
                None => Found::Nothing(0),
            }
        });
        match found {
            Found::Block(block, fresh) | Found::Often(block, fresh, _) => {
                Some((block, self.count_fresh(fresh)))
            }
            Found::Short(chosen) => {
                // The first time exactly: many blocks are resized once, to what they stay at.
                let again = chosen.own.grown && Self::KEEPS;
                let (block, fresh) = self.lengthen(chosen, len, new.align(), again)?;
                if !again {
                    self.ground.with(|ground| {
                        let at = found_chunk(ground, block, len);
                        // SAFETY: in the table, and ours alone under the lock.
                        unsafe { (*at.as_ptr()).grown = true };
                    });
                }
                Some((block, self.count_fresh(fresh)))
            }
            Found::Nothing(_) => None,
        }
    }

    /// Makes a block shorter; what lies behind it stays as its tail where the budget has room, and goes
    /// back to the source where not. Answers false where the source cannot take it.
    fn shorten(&self, block: NonNull<u8>, old: usize, len: usize) -> bool {
        if !S::SPLITS && !Self::KEEPS {
            return false;
        }
        let keeps = self.has_room(old - len);
        let (behind, tail) = self.with_owns(|ground| {
            let at = found_chunk(ground, block, old);
            // SAFETY: 1. in the table, and long enough.
            unsafe { ground.large.set_len(at, len) };
            if keeps || !S::SPLITS {
                return (0, 0);
            }
            // SAFETY: 1. in the table.
            unsafe { ground.large.cut(at) }
        });
        if behind != 0 {
            // SAFETY: inside the chunk as it was.
            let at = unsafe { block.add(len) };
            // SAFETY: 1. cut off a chunk of the source at a granule, which SPLITS allows. 2. behind
            // the block, and in nobody's table.
            unsafe { self.source.release(Chunk::from_raw_parts(at, behind)) };
            self.resident.shrink(tail);
        }
        true
    }

    /// Gives spares back to the source, those that were freed first before the others, then tails, until
    /// about `wanted` bytes went. Answers how many did.
    pub(crate) fn purge_spares(&self, wanted: usize) -> usize {
        if !Self::KEEPS {
            return 0;
        }
        let mut done = 0;
        while done < wanted
            && let Some(spare) = self.with_owns(|ground| ground.large.oldest())
        {
            done += spare.own.warm;
            self.release_chunk(spare);
        }
        // Relaxed: see `with_owns`.
        if done < wanted && self.spared.load(Ordering::Relaxed) != 0 {
            let (went, all) = self.with_owns(|ground| {
                // Under the lock: a block's owner may make it longer at any time.
                ground.large.purge_tails(self.source.granule(), wanted - done, |at, len| {
                    // SAFETY: 1. in a chunk of the source. 2. from a block's end, which is that of
                    // a granule, to one. 3. behind the block.
                    unsafe { self.source.purge(at, len) }.is_gone()
                })
            });
            self.resident.shrink(went);
            done += went;
            if !all {
                self.refuse();
            }
        }
        done
    }
}

/// Stops the process where a freed block has no chunk, or one of another length.
fn check(found: Option<usize>, len: usize) {
    match found {
        Some(found) if found == len => {}
        Some(_) => misuse::stop("a large block was freed with another size than it has"),
        None => misuse::stop("a freed block is not of this heap, or a large block was freed twice"),
    }
}

/// The chunk of a block of `len`. Stops the process where it has none.
fn found_chunk(ground: &Ground, block: NonNull<u8>, len: usize) -> NonNull<Own> {
    match ground.large.find(block) {
        // SAFETY: found in the table, which the lock protects.
        Some(at) if unsafe { at.as_ref() }.len == len => at,
        _ => misuse::stop("a large block was resized that is not live, or has another size"),
    }
}
