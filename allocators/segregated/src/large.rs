//! Blocks above the classes: runs of frames up to [`RUN_MAX`], chunks of their own above.
//!
//! Which of the two a block is shows by its address, not by its size: a chunk's block may be cut to less
//! than [`RUN_MAX`].

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::align::align_up;
use strata_core::sync::Ordering;
use strata_core::{Contents, Exhausted, Source, misuse};

use crate::central::{Central, Platform};
use crate::class::FRAME;
use crate::ground::{Ground, Run, Wanted, settle};
use crate::region::{FENCED, FRAMES, Front, Tenant, Use};
use crate::resident::Grown;

/// The largest block that gets a run.
pub(crate) const RUN_MAX: usize = 1 << 20;
/// A block that grows to this gets a chunk that is kept, if there is one: it grows there without being
/// copied.
const GROW_OWN: usize = 128 << 10;
/// A run from here on moves to a new chunk page by page: below, copying costs less.
const MOVED: usize = 64 << 10;

/// Frames of a run on which something stands.
const FRONT: usize = 3;

static_assertions::const_assert_eq!(FRONT, size_of::<Front>() / size_of::<Tenant>());

/// What stands on a run that is one block's.
fn whole(frames: usize) -> Use {
    Use::Run { frames: frames as u32, whole: frames as u32 }
}

/// Frames of a run for `size` bytes.
pub(crate) fn frames_of(size: usize) -> usize {
    size.div_ceil(FRAME).max(1)
}

/// Whether a block of `layout` gets a run.
fn gets_run(layout: Layout) -> bool {
    layout.size() <= RUN_MAX && layout.align() <= RUN_MAX
}

/// Bytes that the block of a large layout has at least.
pub(crate) fn usable(layout: Layout, granule: usize) -> usize {
    if gets_run(layout) {
        return frames_of(layout.size()) * FRAME;
    }
    align_up(layout.size().max(1), granule).unwrap_or(layout.size())
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// A block of pages, whether it is zero, and the new memory that it takes: to be made up for.
    pub(crate) fn take_large(
        &self,
        layout: Layout,
    ) -> Result<(NonNull<u8>, bool, Grown), Exhausted> {
        if gets_run(layout) {
            return self.take_run(layout);
        }
        match self.take_chunk(layout, false) {
            // So many chunks that there should be no more, or no addresses for another.
            Err(Exhausted)
                if layout.size() <= (FRAMES - FENCED) * FRAME && layout.align() <= RUN_MAX =>
            {
                self.take_run(layout)
            }
            taken => taken,
        }
    }

    fn take_run(&self, layout: Layout) -> Result<(NonNull<u8>, bool, Grown), Exhausted> {
        let (frames, align) = (frames_of(layout.size()), layout.align().div_ceil(FRAME));
        self.allow(frames * FRAME)?;
        let take = |wanted| {
            self.ground.with(|ground| {
                let (source, all) = (&self.source, &self.territories);
                let taken = ground.take(source, all, wanted, frames, align)?;
                settle(all, taken.run, whole(frames));
                ground.runs += frames;
                Ok(taken)
            })
        };
        let taken = self.transit.until_arrived(|| {
            let others = self.has_empty();
            let mut taken = take(Wanted::block(!others));
            if taken.is_err() && others {
                self.retire_empty();
                taken = take(Wanted::Block);
            }
            taken.or_else(|Exhausted| {
                self.retire_all();
                take(Wanted::Block)
            })
        })?;
        let grown = self.resident.grow(taken.fresh);
        self.learn(taken.purged);
        Ok((taken.base, taken.zero, grown))
    }

    /// Takes the block of a large layout back.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of this heap for `layout`, which is large.
    pub(crate) unsafe fn put_large(&self, block: NonNull<u8>, layout: Layout) {
        if self.is_own(block) {
            // SAFETY: 1. the caller's; in no territory.
            return unsafe { self.put_chunk(block, layout.size()) };
        }
        let frames = frames_of(layout.size());
        let run = self.ground.with(|ground| {
            // Under the lock: who lent it may cut off what lies behind the block.
            let run = self.run_at(block, frames);
            self.put_run_in(ground, run, true);
            run
        });
        self.give_back(run.frames * FRAME);
    }

    /// Whether a block has a chunk to itself.
    fn is_own(&self, block: NonNull<u8>) -> bool {
        self.territories.locate(block.addr().get()).is_none()
    }

    /// Takes a run back that nobody lent; `touched` says whether it has contents.
    fn put_run(&self, run: Run, touched: bool) {
        self.ground.with(|ground| self.put_run_in(ground, run, touched));
    }

    fn put_run_in(&self, ground: &mut Ground, run: Run, touched: bool) {
        // Where a thread kept the run, that stands on the frames behind the first.
        settle(&self.territories, Run { frames: run.frames.min(FRONT), ..run }, Use::Nothing);
        ground.runs -= run.frames;
        ground.put(&self.territories, run, touched.then_some(0..run.frames));
    }

    /// Stops the process where `block` is no live block of this heap for `layout`, which is large.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) fn check_large(&self, block: NonNull<u8>, layout: Layout) {
        if self.is_own(block) {
            self.check_chunk(block, layout.size());
        } else {
            self.run_at(block, frames_of(layout.size()));
        }
    }

    /// The run at `block`, which has `frames` frames. Stops the process where there is none. How long the run
    /// itself is can change at any time without the lock of the ground.
    pub(crate) fn run_at(&self, block: NonNull<u8>, frames: usize) -> Run {
        let address = block.addr().get();
        let Some((territory, frame)) = self.territories.locate(address) else {
            misuse::stop("a freed block is not of this heap");
        };
        // SAFETY: 1. a block was said to be here; a region that was never used is zero or, where the
        // source commits, not there: then this faults, which stops the process too.
        let tenant = unsafe { self.territories.get(territory).tenant(frame) };
        match tenant.get() {
            Use::Run { frames: there, whole }
                if there as usize == frames && address.is_multiple_of(FRAME) =>
            {
                Run { territory, frame, frames: whole as usize }
            }
            _ => misuse::stop("a large block was freed twice, or with another size than it has"),
        }
    }

    /// Resizes a large block where it lies, or moves it; `None` where the caller has to copy it.
    /// Answers the block, and the new memory that it takes.
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
        if self.is_own(block) {
            // SAFETY: 1. the caller's (1.); in no territory.
            return unsafe { self.resize_chunk(block, layout.size(), new) };
        }
        let (old, frames) = (frames_of(layout.size()), frames_of(new.size()));
        // Where it is the front of a run that a thread lent, it is a run by itself from now on.
        let lent = self.ground.with(|ground| {
            let run = self.run_at(block, old);
            self.cut_run(ground, run, old);
            run
        });
        let run = Run { frames: old, ..lent };
        if lent.frames != old {
            self.give_back((lent.frames - old) * FRAME);
        }
        if frames <= old {
            self.shorten_run(run, frames);
            return Some((block, Grown::default()));
        }
        // Small, and soon larger: a chunk that is warm saves all further copies.
        let small = old * FRAME < GROW_OWN && new.size() >= GROW_OWN;
        if small && self.has_spares() && self.ground.with(|g| g.large.has_spare(2 * new.size())) {
            // SAFETY: 1. and 2. the caller's.
            if let Some(moved) = unsafe { self.move_run(block, run, new) } {
                return Some(moved);
            }
        }
        if gets_run(new) {
            let grown = self.lengthen_run(run, frames)?;
            return Some((block, grown));
        }
        // SAFETY: 1. and 2. the caller's.
        unsafe { self.move_run(block, run, new) }
    }

    /// Whether any chunk keeps contents without a block; racy.
    fn has_spares(&self) -> bool {
        // Relaxed: a figure of no certain moment.
        self.spared.load(Ordering::Relaxed) != 0
    }

    fn shorten_run(&self, run: Run, frames: usize) {
        let less = run.frames - frames;
        if less == 0 {
            return;
        }
        self.ground.with(|ground| self.cut_run(ground, run, frames));
        self.give_back(less * FRAME);
    }

    /// Makes a run one of `frames` frames, which a block has all of and nobody keeps.
    pub(crate) fn cut_run(&self, ground: &mut Ground, run: Run, frames: usize) {
        let less = run.frames - frames;
        // Where a thread kept the run, that stands on the frames behind the first.
        let behind = Run { frame: run.frame + 1, frames: run.frames.min(FRONT) - 1, ..run };
        settle(&self.territories, behind, Use::Nothing);
        settle(&self.territories, run, whole(frames));
        if less != 0 {
            ground.runs -= less;
            ground.put_behind(&self.territories, run, frames);
        }
    }

    /// Adds the frames behind a run to it, if they are free.
    fn lengthen_run(&self, run: Run, frames: usize) -> Option<Grown> {
        self.allow((frames - run.frames) * FRAME).ok()?;
        let taken = self.ground.with(|ground| {
            let more = frames - run.frames;
            let taken = ground.take_behind(&self.source, &self.territories, run, more)?;
            self.cut_run(ground, run, run.frames);
            settle(&self.territories, run, whole(frames));
            ground.runs += more;
            Some(taken)
        })?;
        let grown = self.resident.grow(taken.fresh);
        self.learn(taken.purged);
        Some(grown)
    }

    /// Moves the block of a run, which grows, to a chunk of its own: by copying to one that has contents
    /// already, whose pages would be lost, and page by page to a new one.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block in `run`.
    /// 2. `new` is longer, and of the same alignment.
    unsafe fn move_run(
        &self,
        block: NonNull<u8>,
        run: Run,
        new: Layout,
    ) -> Option<(NonNull<u8>, Grown)> {
        let len = run.frames * FRAME;
        if len >= MOVED && self.may_move(len) {
            let longest = self.ground.with(|ground| ground.large.has_spare(new.size()));
            if !longest {
                // SAFETY: 1. and 2. the caller's.
                return unsafe { self.move_pages(block, run, new) };
            }
        }
        let (to, _, grown) = self.take_chunk(new, true).ok()?;
        // SAFETY: both are live, two blocks, and hold that much (1., 2.).
        unsafe { to.copy_from_nonoverlapping(block, len) };
        self.put_run(run, true);
        self.give_back(len);
        Some((to, grown))
    }

    /// Whether `len` bytes of a run can be moved to a chunk without copying.
    fn may_move(&self, len: usize) -> bool {
        // Relaxed: a failure more does no harm.
        S::RELOCATES
            && S::REMAPS
            && len.is_multiple_of(self.source.granule())
            && self.unmovable.load(Ordering::Relaxed) == 0
    }

    /// # Safety
    ///
    /// 1. and 2. as for `move_run`; `may_move` says yes.
    unsafe fn move_pages(
        &self,
        block: NonNull<u8>,
        run: Run,
        new: Layout,
    ) -> Option<(NonNull<u8>, Grown)> {
        let len = run.frames * FRAME;
        // Exactly as long: what was moved is one mapping then, which can be lengthened as a whole.
        let to = self.exact_chunk(len, new.align()).ok()?;
        // Nothing falls into the run's place: it stays mapped.
        // SAFETY: 1. in a territory and in a chunk of its own, both of the source and apart. 2. whole
        // granules. 3. the block's owner resizes it; the chunk is new.
        let Ok(contents) = (unsafe { self.source.relocate(block, to, len) }) else {
            // A system that cannot do this, or a run that is two mappings to it.
            self.unmovable.store(1, Ordering::Relaxed);
            if P::FORGETS {
                self.forget_chunk(to);
            } else {
                // SAFETY: 1. live, of that many bytes.
                unsafe { self.put_chunk(to, len) };
            }
            return None;
        };
        self.resident.shrink(len);
        // SAFETY: 1. live, of that many bytes.
        let Some((at, grown)) = (unsafe { self.resize_chunk(to, len, new) }) else {
            // There are no addresses for more: back to where it was, which needs none.
            self.resident.grow(len);
            // SAFETY: both hold that much, and are two blocks.
            unsafe { block.copy_from_nonoverlapping(to, len) };
            // SAFETY: 1. live, of that many bytes.
            unsafe { self.put_chunk(to, len) };
            return None;
        };
        if contents != Contents::Zero {
            self.ground.with(|ground| ground.zeroed = false);
        }
        self.put_run(run, false);
        Some((at, grown))
    }
}
