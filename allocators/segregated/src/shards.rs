//! The shelves of a class: one, and some more where threads wait for one another at it.
//!
//! Which of them a span stands on is its number's doing, so that whoever frees a block finds the shelf by
//! what stands on the block's frame, and spans that are cut one after the other stand on different ones. A
//! thread takes from a shelf that it has in common with few others, then from the next ones, and has a
//! span cut only where none has a free block: more shelves do not mean more spans.

use core::array;
use core::ptr::{self, NonNull};
use core::slice;

use strata_core::Source;
use strata_core::span::Taken;
use strata_core::sync::Ordering;

use crate::central::{Central, Platform};
use crate::class::{self, CLASSES, FRAME, Length};
use crate::shelf::{self, Lists, Others, Shelf};
use crate::span::SpanId;

/// Shelves of a class that has more than one.
pub(crate) const SHARDS: usize = 8;
/// Blocks for one shelf that are collected before they are put there.
const CHUNK: usize = 64;

static_assertions::const_assert!(SHARDS.is_power_of_two());

/// The shelf that a span stands on, by its number or its place.
fn shard_of(id: SpanId) -> usize {
    id as usize % SHARDS
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// The shelves of a class beyond its first one: none, or all.
    pub(crate) fn others(&self, class: usize) -> &[Shelf<P::Lock>] {
        // Relaxed: under the lock of the first shelf it is right, and elsewhere who takes it for zero comes
        // to that lock.
        if self.spread.load(Ordering::Relaxed) == 0 {
            return &[];
        }
        // Acquire: its partner is the Release in `spread`.
        let others = self.shelves[class].others.load(Ordering::Acquire);
        // SAFETY: null, or made by `spread`, and there as long as the heap.
        unsafe { others.as_ref() }.map_or(&[], |others| others)
    }

    /// All shelves with their classes.
    pub(crate) fn all_shelves(&self) -> impl Iterator<Item = (usize, &Shelf<P::Lock>)> {
        let class = |class| (class, slice::from_ref(&self.shelves[class]), self.others(class));
        (0..CLASSES)
            .map(class)
            .flat_map(|(class, first, others)| first.iter().chain(others).map(move |s| (class, s)))
    }

    /// Blocks of a class that are handed out; racy.
    pub(crate) fn live_of(&self, class: usize) -> usize {
        let others = self.others(class).iter().map(Shelf::live);
        let live = others.fold(self.shelves[class].live(), usize::wrapping_add);
        // Read one by one while blocks change shelves, the parts may come to less than nothing.
        if live > isize::MAX as usize { 0 } else { live }
    }

    /// Idle pages in spans of a class; racy.
    pub(crate) fn idle_of(&self, class: usize) -> usize {
        self.shelves[class].idle() + self.others(class).iter().map(Shelf::idle).sum::<usize>()
    }

    fn shard(&self, class: usize, shard: usize) -> &Shelf<P::Lock> {
        match shard {
            0 => &self.shelves[class],
            _ => &self.others(class)[shard - 1],
        }
    }

    /// Calls `work` with the lists of a class that has one shelf; `None` where it has more. Where threads
    /// wait for one another, it has more from then on.
    pub(crate) fn with_only<R>(
        &self,
        class: usize,
        work: impl FnOnce(&mut Lists) -> R,
    ) -> Option<R> {
        let is_only = || self.others(class).is_empty();
        if !is_only() {
            return None;
        }
        let shelf = &self.shelves[class];
        // Others may have come while this thread waited for the lock.
        let result = shelf.with(|lists| is_only().then(|| work(lists)));
        if P::SHARDED && shelf.is_crowded() && is_only() {
            self.spread(class);
        }
        result
    }

    /// Calls `work` with the lists that the span at `place` belongs to.
    pub(crate) fn with_shelf_of<R>(
        &self,
        class: usize,
        place: u32,
        work: impl FnOnce(&mut Lists) -> R,
    ) -> R {
        let mut work = Some(work);
        let mut call = |lists: &mut Lists| work.take().map(|work| work(lists));
        loop {
            let result = match self.others(class).is_empty() {
                true => self.with_only(class, &mut call).flatten(),
                false => self.shard(class, shard_of(place)).with(&mut call),
            };
            if let Some(result) = result {
                return result;
            }
        }
    }

    /// Gives a class more shelves, and each of them its spans. Full spans are on no list: they come to
    /// theirs with the first block that is freed.
    #[cold]
    pub(crate) fn spread(&self, class: usize) {
        type Of<P> = Others<<P as Platform>::Lock>;
        let len = size_of::<Of<P>>() + align_of::<Of<P>>();
        let (source, all) = (&self.source, &self.territories);
        let Ok(scrap) = self.ground.with(|ground| ground.take_scrap(source, all, len)) else {
            return;
        };
        let at = scrap.as_ptr().map_addr(|at| at.next_multiple_of(align_of::<Of<P>>()));
        let at = at.cast::<Of<P>>();
        // SAFETY: in the scrap, which is that much longer, and ours alone.
        let others = unsafe {
            at.write(array::from_fn(|_| Shelf::new()));
            &*at
        };
        let first = &self.shelves[class];
        let was_only = first.with(|lists| {
            // Relaxed: written under this lock only.
            if !first.others.load(Ordering::Relaxed).is_null() {
                return false;
            }
            for (shard, other) in (1..).zip(others) {
                other.with(|other| lists.part(all, other, |id| shard_of(id) == shard));
            }
            // Release: its partner is the Acquire in `others`.
            first.others.store(at, Ordering::Release);
            // Relaxed: see `others`.
            self.spread.fetch_add(1, Ordering::Relaxed);
            true
        });
        if !was_only {
            // SAFETY: 1. taken above, and nobody else knows it.
            self.ground.with(|ground| unsafe { ground.put_scrap(scrap, len) });
        }
    }

    /// Takes blocks of a class that has several shelves, from one of them, or from a new span.
    pub(crate) fn take_around(&self, class: usize, new_memory: bool, out: &mut [*mut u8]) -> Taken {
        let own = P::shard();
        let mut look = |closed_too: bool| {
            (0..SHARDS)
                .map(|shard| self.shard(class, (own + shard) % SHARDS))
                .filter(|shelf| closed_too || shelf.is_open())
                .map(|shelf| shelf.with(|lists| self.take_from(class, lists, out)))
                .find(|taken| taken.blocks != 0)
        };
        if let Some(taken) = look(false) {
            return taken;
        }
        let Ok(id) = self.cut_span(class, new_memory) else {
            // Before a request fails, each shelf is looked at under its lock.
            return if new_memory { look(true).unwrap_or_default() } else { Taken::default() };
        };
        self.shard(class, shard_of(id)).with(|lists| {
            let before = lists.figures();
            lists.add(&self.territories, id);
            self.count(before, lists.figures());
            self.transit.arrive();
            self.take_from(class, lists, out)
        })
    }

    /// Puts blocks of a class back that has several shelves. Answers how many bytes became idle.
    pub(crate) fn put_around(&self, class: usize, blocks: &[*mut u8]) -> usize {
        let mut chunks = [[ptr::null_mut(); CHUNK]; SHARDS];
        let mut lens = [0; SHARDS];
        let mut grew = 0;
        let put = |shard: usize, blocks: &[*mut u8]| {
            let shelf = self.shard(class, shard);
            self.settle_flushed(shelf.with(|lists| self.put_on(class, lists, blocks)))
        };
        let (mut base, mut len, mut shard) = (0, 0, 0);
        for &block in blocks {
            let address = block.addr();
            if address.wrapping_sub(base) >= len {
                let id = shelf::find(&self.territories, class, address);
                // SAFETY: a span with a live block, which stays as it lies; others may change what else
                // it says.
                base = unsafe { (&raw const (*self.territories.span(id).as_ptr()).base).read() }
                    .addr()
                    .get();
                len = class::span_frames(class, Length::Short) * FRAME;
                shard = shard_of(id);
            }
            chunks[shard][lens[shard]] = block;
            lens[shard] += 1;
            if lens[shard] == CHUNK {
                grew += put(shard, &chunks[shard]);
                lens[shard] = 0;
            }
        }
        for shard in 0..SHARDS {
            if lens[shard] != 0 {
                grew += put(shard, &chunks[shard][..lens[shard]]);
            }
        }
        grew
    }
}
