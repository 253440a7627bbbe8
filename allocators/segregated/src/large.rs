//! Blocks above the classes: runs of frames up to [`RUN_MAX`], chunks of their own above.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::{Chunk, Exhausted, Source, misuse};

use crate::central::{Central, Platform};
use crate::class::FRAME;
use crate::ground::{Run, settle};
use crate::region::Use;
use crate::resident::Grown;

/// The largest block in a run.
pub(crate) const RUN_MAX: usize = 1 << 20;
/// Chains of the table of own chunks.
const CHAINS: usize = 64;

/// The chunks that blocks have to themselves, by address.
#[derive(Debug)]
pub(crate) struct Mappings {
    chains: [Option<NonNull<Mapping>>; CHAINS],
    /// Their bytes.
    pub(crate) bytes: usize,
    pub(crate) count: usize,
}

/// One of them; lies in a scrap.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    len: usize,
    next: Option<NonNull<Mapping>>,
}

impl Mappings {
    pub(crate) const fn new() -> Self {
        Self { chains: [None; CHAINS], bytes: 0, count: 0 }
    }

    fn chain(base: NonNull<u8>) -> usize {
        let page = base.addr().get() / FRAME;
        (page ^ page >> 6 ^ page >> 9) % CHAINS
    }

    fn insert(&mut self, at: NonNull<Mapping>, base: NonNull<u8>, len: usize) {
        let chain = &mut self.chains[Self::chain(base)];
        // SAFETY: a scrap that holds a mapping, ours alone.
        unsafe { at.write(Mapping { base, len, next: *chain }) };
        *chain = Some(at);
        self.bytes += len;
        self.count += 1;
    }

    /// Takes the entry of the chunk at `base` out of the table.
    fn remove(&mut self, base: NonNull<u8>) -> Option<(NonNull<Mapping>, usize)> {
        let mut link: *mut Option<NonNull<Mapping>> = &raw mut self.chains[Self::chain(base)];
        loop {
            // SAFETY: the link of a chain that `self` owns.
            let at = unsafe { *link }?;
            // SAFETY: linked mappings are there, and ours alone.
            let entry = unsafe { at.read() };
            if entry.base == base {
                // SAFETY: as above.
                unsafe { *link = entry.next };
                self.bytes -= entry.len;
                self.count -= 1;
                return Some((at, entry.len));
            }
            // SAFETY: as above.
            link = unsafe { &raw mut (*at.as_ptr()).next };
        }
    }

    /// Bytes of the chunk at `base`.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) fn len_of(&self, base: NonNull<u8>) -> Option<usize> {
        let mut at = self.chains[Self::chain(base)];
        while let Some(entry) = at {
            // SAFETY: linked mappings are there.
            let entry = unsafe { entry.read() };
            if entry.base == base {
                return Some(entry.len);
            }
            at = entry.next;
        }
        None
    }

    /// Calls back with each chunk.
    pub(crate) fn each(&self, mut visit: impl FnMut(NonNull<u8>, usize)) {
        for mut at in self.chains {
            while let Some(entry) = at {
                // SAFETY: linked mappings are there.
                let entry = unsafe { entry.read() };
                visit(entry.base, entry.len);
                at = entry.next;
            }
        }
    }
}

/// Frames of the run that serves `layout`; `None` where it gets a chunk of its own.
pub(crate) fn run_frames(layout: Layout) -> Option<usize> {
    let fits = layout.size() <= RUN_MAX && layout.align() <= RUN_MAX;
    fits.then(|| layout.size().div_ceil(FRAME).max(1))
}

/// Bytes that the block of a large layout has.
pub(crate) fn usable(layout: Layout, granule: usize) -> usize {
    match run_frames(layout) {
        Some(frames) => frames * FRAME,
        None => layout.size().max(1).checked_next_multiple_of(granule).unwrap_or(layout.size()),
    }
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// A block of pages, whether it is zero, and the new memory that it takes: to be made up for.
    pub(crate) fn take_large(
        &self,
        layout: Layout,
    ) -> Result<(NonNull<u8>, bool, Grown), Exhausted> {
        let Some(frames) = run_frames(layout) else { return self.take_chunk(layout) };
        let align = layout.align().div_ceil(FRAME);
        let take = |new_memory| {
            self.ground.with(|ground| {
                let (source, all) = (&self.source, &self.territories);
                let taken = ground.take(source, all, frames, align, new_memory)?;
                settle(all, taken.run, Use::Run { frames: frames as u32 });
                ground.runs += frames;
                Ok(taken)
            })
        };
        let others = self.has_empty();
        let taken = match take(!others) {
            Err(Exhausted) if others => {
                self.retire_empty();
                take(true)?
            }
            taken => taken?,
        };
        let grown = self.resident.grow(taken.fresh);
        self.learn(taken.purged);
        Ok((taken.base, taken.zero, grown))
    }

    fn take_chunk(&self, layout: Layout) -> Result<(NonNull<u8>, bool, Grown), Exhausted> {
        let chunk = self.source.acquire(layout.size().max(1), layout.align())?;
        // SAFETY: 1. just acquired. 2. whole, so whole granules.
        let ready = unsafe { self.source.commit(chunk.base(), chunk.len()) };
        let entered = ready.and_then(|()| {
            self.ground.with(|ground| {
                let len = size_of::<Mapping>();
                let entry = ground.take_scrap(&self.source, &self.territories, len)?;
                ground.large.insert(entry.cast(), chunk.base(), chunk.len());
                Ok(())
            })
        });
        match entered {
            Ok(()) => {
                let (base, len) = chunk.into_raw_parts();
                Ok((base, S::ZEROED, self.resident.grow(len)))
            }
            Err(Exhausted) => {
                // SAFETY: 1. just acquired, as it was. 2. nobody knows it.
                unsafe { self.source.release(chunk) };
                Err(Exhausted)
            }
        }
    }

    /// Takes the block of a large layout back.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of this heap for `layout`, which is large.
    pub(crate) unsafe fn put_large(&self, block: NonNull<u8>, layout: Layout) {
        let Some(frames) = run_frames(layout) else {
            let len = usable(layout, self.source.granule());
            // SAFETY: 1. the caller's.
            return unsafe { self.put_chunk(block, len) };
        };
        let run = self.run_at(block, frames);
        self.ground.with(|ground| {
            settle(&self.territories, Run { frames: 1, ..run }, Use::Nothing);
            ground.runs -= frames;
            ground.put(&self.territories, run, Some(0..frames));
        });
        self.give_back(frames * FRAME);
    }

    /// The run of `frames` frames at `block`. Stops the process where there is none.
    pub(crate) fn run_at(&self, block: NonNull<u8>, frames: usize) -> Run {
        let address = block.addr().get();
        let Some((territory, frame)) = self.territories.locate(address) else {
            misuse::stop("a freed block is not of this heap");
        };
        // SAFETY: 1. a block was said to be here; a region that was never used is zero or, where the
        // source commits, not there: then this faults, which stops the process too.
        let tenant = unsafe { self.territories.get(territory).tenant(frame) };
        if tenant.get() != (Use::Run { frames: frames as u32 }) || !address.is_multiple_of(FRAME) {
            misuse::stop("a large block was freed twice, or with another size than it has");
        }
        Run { territory, frame, frames }
    }

    /// # Safety
    ///
    /// 1. `block` is a live chunk of this heap, of `len` bytes.
    unsafe fn put_chunk(&self, block: NonNull<u8>, len: usize) {
        let found = self.ground.with(|ground| {
            let (entry, found) = ground.large.remove(block)?;
            // SAFETY: 1. from `take_scrap`, out of the table now.
            unsafe { ground.put_scrap(entry.cast(), size_of::<Mapping>()) };
            Some(found)
        });
        if found != Some(len) {
            misuse::stop("a large block was freed twice, or with another size than it has");
        }
        // SAFETY: 1. acquired as a whole, of this length. 2. the block was freed.
        unsafe { self.source.release(Chunk::from_raw_parts(block, len)) };
        self.resident.shrink(len);
    }

    /// Resizes a large block where it lies, or moves it without copying; `None` where it has to be
    /// copied. Answers the block, and the new memory that it takes.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of this heap for `layout`, which is large.
    /// 2. `new` has the same alignment and is large.
    pub(crate) unsafe fn resize_large(
        &self,
        block: NonNull<u8>,
        layout: Layout,
        new: Layout,
    ) -> Option<(NonNull<u8>, Grown)> {
        let granule = self.source.granule();
        match (run_frames(layout), run_frames(new)) {
            (Some(old), Some(frames)) if old == frames => Some((block, Grown::default())),
            (Some(old), Some(frames)) if frames < old => {
                let run = self.run_at(block, old);
                self.ground.with(|ground| {
                    let tail = Run { frame: run.frame + frames, frames: old - frames, ..run };
                    settle(&self.territories, run, Use::Run { frames: frames as u32 });
                    ground.runs -= old - frames;
                    ground.put(&self.territories, tail, Some(0..old - frames));
                });
                self.give_back((old - frames) * FRAME);
                Some((block, Grown::default()))
            }
            (Some(old), Some(frames)) => {
                let run = self.run_at(block, old);
                let taken = self.ground.with(|ground| {
                    let more = frames - old;
                    let taken = ground.take_behind(&self.source, &self.territories, run, more)?;
                    settle(&self.territories, run, Use::Run { frames: frames as u32 });
                    ground.runs += more;
                    Some(taken)
                })?;
                let grown = self.resident.grow(taken.fresh);
                self.learn(taken.purged);
                Some((block, grown))
            }
            (None, None) => {
                let (old, len) = (usable(layout, granule), usable(new, granule));
                if old == len {
                    return Some((block, Grown::default()));
                }
                // SAFETY: 1. and 2. the caller's.
                let block = unsafe { self.resize_chunk(block, old, new, len) }?;
                if len < old {
                    self.resident.shrink(old - len);
                    return Some((block, Grown::default()));
                }
                Some((block, self.resident.grow(len - old)))
            }
            _ => None,
        }
    }

    /// # Safety
    ///
    /// 1. `block` is a live chunk of this heap, of `old` bytes, which `new` makes `len`.
    unsafe fn resize_chunk(
        &self,
        block: NonNull<u8>,
        old: usize,
        new: Layout,
        len: usize,
    ) -> Option<NonNull<u8>> {
        if (len > old && !S::REMAPS) || (len < old && !S::SPLITS) {
            return None;
        }
        // The entry is taken out for the time of the move: its chain may be another one then.
        let entry = self.ground.with(|ground| {
            let (entry, found) = ground.large.remove(block)?;
            if found == old {
                Some(entry)
            } else {
                ground.large.insert(entry, block, found);
                None
            }
        });
        let Some(entry) = entry else {
            misuse::stop("a large block was resized that is not live, or has another size");
        };
        // SAFETY: 1. acquired as a whole, of this length; the caller has it.
        let chunk = unsafe { Chunk::from_raw_parts(block, old) };
        let (moved, kept) = if len > old {
            // SAFETY: 1. from this source. 2. the caller resizes it, so nobody uses it.
            match unsafe { self.source.remap(chunk, len, new.align()) } {
                Ok(chunk) => (true, chunk),
                Err(chunk) => (false, chunk),
            }
        } else {
            match chunk.split_at(len) {
                Ok((chunk, tail)) => {
                    // SAFETY: 1. cut at a granule, which SPLITS allows. 2. beyond the new size.
                    unsafe { self.source.release(tail) };
                    (true, chunk)
                }
                Err(chunk) => (false, chunk),
            }
        };
        let (base, len) = kept.into_raw_parts();
        self.ground.with(|ground| ground.large.insert(entry, base, len));
        moved.then_some(base)
    }
}
