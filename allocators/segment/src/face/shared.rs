//! Many threads: a shard each, and frees from elsewhere by a list without a lock.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use strata_core::Source;
use strata_core::list::{InBand as Links, RemoteList};
use strata_core::lock::{Guarded, RawLock, SpinLock};

use super::Face;
use crate::Segments;
use crate::check::Broken;
use crate::error::{AllocError, FreeError};
use crate::growth::Growth;
use crate::memory::wrong_free;
use crate::metadata::{InBand, OWNERS};
use crate::policy::{GoodFit, Policy};

/// A heap of its own, and the blocks of it that other threads freed.
///
/// On cache lines of its own, two at once as processors fetch them.
#[repr(align(128))]
struct Shard<L, P: Policy> {
    heap: Guarded<Growth<P>, L>,
    /// Pushed to by any thread, taken by the holder of the lock.
    remote: RemoteList<Links>,
}

/// A heap that scales with threads: `SHARDS` heaps, of which each thread uses one.
///
/// A thread allocates from its shard, whose lock nobody else takes as long as there are no more threads
/// than shards. A block names its shard in its header. A thread that frees a block of another shard
/// pushes it onto that shard's list, lock-free; the next call in that shard that takes its lock frees
/// what is on the list. Where a shard has no memory and the source none either, the others are asked
/// before a request fails, and then all give back to the source what they can ([`trim`](Self::trim)), so
/// that free memory of several serves one.
///
/// Free memory of one shard serves no other, except then; what is on a list stays there until its shard
/// is used.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use strata_core::source::{Locked, Region};
/// use strata_segment::{Face, Shared};
///
/// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 1 << 20];
/// let heap: Shared<_> = Shared::new(Locked::new(Region::new(&mut buffer)));
/// let layout = Layout::new::<[u64; 9]>();
/// let block = heap.allocate(layout)?;
/// let address = block.as_ptr() as usize;
/// let there = std::thread::scope(|scope| {
///     let other = scope.spawn(|| {
///         let mine = heap.allocate(layout).unwrap();
///         // SAFETY: 1. from this heap with this layout, freed once. 2. unused.
///         unsafe { heap.deallocate(mine, layout) };
///         mine.as_ptr() as usize
///     });
///     other.join().unwrap()
/// });
/// assert_ne!(address, there);
/// // SAFETY: as above.
/// unsafe { heap.deallocate(block, layout) };
/// # Ok::<(), strata_segment::AllocError>(())
/// ```
///
/// # Invariants
///
/// 1. Blocks of shard n name n as their owner, from the first that it hands out.
/// 2. A block on `remote` of a shard is one of that shard's, was live, and is marked as sent.
pub struct Shared<
    S: Source<Address = NonNull<u8>>,
    L: RawLock = SpinLock,
    P: Policy = GoodFit,
    const SHARDS: usize = 8,
> {
    shards: [Shard<L, P>; SHARDS],
    source: S,
}

// SAFETY: each shard is reached under its lock, its list by atomics, and the source by `&S`.
unsafe impl<S, L, P, const SHARDS: usize> Sync for Shared<S, L, P, SHARDS>
where
    S: Source<Address = NonNull<u8>> + Sync,
    L: RawLock + Sync,
    P: Policy + Send,
{
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock, P: Policy, const SHARDS: usize>
    Shared<S, L, P, SHARDS>
{
    const VALID: () = assert!(SHARDS >= 1 && SHARDS <= OWNERS as usize, "1 to 128 shards");

    /// Heaps without memory yet.
    #[cfg(not(strata_loom))]
    pub const fn new(source: S) -> Self {
        let () = Self::VALID;
        Self { shards: [const { Shard::new(L::OPEN) }; SHARDS], source }
    }

    /// Heaps without memory yet.
    #[cfg(strata_loom)]
    pub fn new(source: S) -> Self {
        let () = Self::VALID;
        Self { shards: core::array::from_fn(|_| Shard::new(L::open())), source }
    }

    /// The shard of the calling thread.
    #[inline]
    fn own(&self) -> usize {
        #[cfg(feature = "std")]
        return super::thread::number() % SHARDS;
        #[cfg(not(feature = "std"))]
        0
    }

    /// A block for `layout` of the shard with this number, taken modulo their count: for threads that
    /// know a better one than their own number, or that have none without `std`.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause.
    #[inline]
    pub fn allocate_in(&self, shard: usize, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let own = shard % SHARDS;
        match self.allocate_of(own, layout) {
            Err(AllocError::Exhausted) => self.allocate_elsewhere_slow(own, layout),
            done => done,
        }
    }

    #[inline]
    fn allocate_of(&self, shard: usize, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.enter(shard, |heap| {
            // A store each time: no branch, and before the first block.
            heap.segments.meta.set_owner(shard);
            // SAFETY: 1. the one source of all shards.
            unsafe { heap.allocate(&self.source, layout) }
        })
    }

    /// Asks the other shards; then, with what all of them give back to the source, the own one again.
    #[cold]
    #[inline(never)]
    fn allocate_elsewhere_slow(
        &self,
        own: usize,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        for step in 1..SHARDS {
            let done = self.allocate_of((own + step) % SHARDS, layout);
            if done != Err(AllocError::Exhausted) {
                return done;
            }
        }
        // Free memory of several shards may be enough where that of none is.
        if S::RELEASES && self.trim() > 0 {
            return self.allocate_of(own, layout);
        }
        Err(AllocError::Exhausted)
    }

    /// Frees what others sent, and calls `work`, both under the shard's lock.
    #[inline]
    fn enter<T>(&self, shard: usize, work: impl FnOnce(&mut Growth<P>) -> T) -> T {
        let Shard { heap, remote } = &self.shards[shard];
        heap.with(|heap| {
            if !remote.is_empty() {
                self.receive_slow(shard, heap);
            }
            work(heap)
        })
    }

    /// Frees what others sent to a shard, whose lock is held.
    #[cold]
    #[inline(never)]
    fn receive_slow(&self, shard: usize, heap: &mut Growth<P>) {
        let mut taken = self.shards[shard].remote.take_all();
        // SAFETY: 1. links in blocks, as `deallocate_in` pushed them.
        while let Some(block) = unsafe { taken.pop(&Links) } {
            let piece = heap.segments.piece_of(block);
            if heap.segments.meta.sent_len(piece.name) != Some(piece.len) {
                wrong_free(FreeError::WrongLen);
            }
            // SAFETY: 1. invariant 2: it was sent by who owned it. 2. the one source of all shards.
            unsafe { heap.give(&self.source, piece) };
        }
    }

    /// Takes a block back, as a thread that uses the shard with this number.
    ///
    /// A double free of a block, or one of an address that none of the shards handed out, ends the process
    /// where the header shows it; a wrong length is seen when the block's shard takes it.
    ///
    /// # Safety
    ///
    /// 1. `block` came from here with this layout (or was resized to it), and was not freed since.
    /// 2. Nobody uses it any more.
    #[inline]
    pub unsafe fn deallocate_in(&self, shard: usize, block: NonNull<u8>, layout: Layout) {
        // SAFETY: 1. a block has a header.
        let owner = match unsafe { InBand::owner_of(block) } {
            Some(owner) if owner < SHARDS => owner,
            _ => wrong_free(FreeError::NotASegment),
        };
        if owner == shard % SHARDS {
            self.enter(owner, |heap| {
                // SAFETY: 1. the caller's. 2. the one source of all shards.
                unsafe { heap.deallocate(&self.source, block, layout) }
            });
        } else {
            // SAFETY: 1. and 2. the caller's.
            unsafe { self.send(owner, block, layout) };
        }
    }

    /// Sends a block to the shard that owns it.
    ///
    /// # Safety
    ///
    /// 1. and 2. as for [`deallocate_in`](Self::deallocate_in); `owner` is the block's.
    #[inline]
    unsafe fn send(&self, owner: usize, block: NonNull<u8>, layout: Layout) {
        let Ok((len, _)) = Segments::<P>::shape(layout) else { wrong_free(FreeError::WrongLen) };
        // SAFETY: 1. the caller's block; from here on it is the list's. The list's obligations: 1. ours
        // to hand over, and 8 bytes at least. 2. always `Links`.
        unsafe {
            InBand::mark_sent(block, len);
            self.shards[owner].remote.push(&Links, block);
        }
    }

    /// Gives all memory back that holds no block, as far as the source takes it. Takes every shard's lock,
    /// one after the other. Bytes that went.
    pub fn trim(&self) -> usize {
        // SAFETY: 1. the one source of all shards.
        (0..SHARDS).map(|shard| self.enter(shard, |heap| unsafe { heap.trim(&self.source) })).sum()
    }

    /// Calls `visit` with the segments of each shard, under its lock and after what was sent to it is
    /// freed. `visit` must not come here again.
    pub fn each_shard(&self, mut visit: impl FnMut(&Segments<P, InBand>)) {
        for shard in 0..SHARDS {
            self.enter(shard, |heap| visit(&heap.segments));
        }
    }

    /// Walks all shards and checks them, each under its lock.
    ///
    /// # Errors
    ///
    /// What was found wrong first.
    pub fn validate(&self) -> Result<(), Broken> {
        let mut result = Ok(());
        self.each_shard(|segments| result = result.and_then(|()| segments.validate()));
        result
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<L, P: Policy> Shard<L, P> {
    strata_core::const_unless_loom! {
        fn new(lock: L) -> Self {
            Self { heap: Guarded::new(lock, Growth::new()), remote: RemoteList::<Links>::new() }
        }
    }
}

// SAFETY: 1. blocks lie in the source's chunks; a shard's lock lets one thread at a time reach its
// heap, and a sent block is its shard's alone. 2. nothing unwinds.
unsafe impl<S: Source<Address = NonNull<u8>>, L: RawLock, P: Policy, const SHARDS: usize> Face
    for Shared<S, L, P, SHARDS>
{
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocate_in(self.own(), layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: 1. and 2. the caller's.
        unsafe { self.deallocate_in(self.own(), block, layout) }
    }

    /// In place, in the shard that owns the block, or by a new block of the caller's shard.
    unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: 1. a block has a header.
        let owner = match unsafe { InBand::owner_of(block) } {
            Some(owner) if owner < SHARDS => owner,
            _ => wrong_free(FreeError::NotASegment),
        };
        let own = self.own();
        if owner == own {
            let done = self.enter(owner, |heap| {
                // SAFETY: 1. the caller's. 2. the one source of all shards.
                unsafe { heap.reallocate(&self.source, block, old, new) }
            });
            if done != Err(AllocError::Exhausted) {
                return done;
            }
        } else {
            let resized = self.enter(owner, |heap| {
                // SAFETY: 1. and 2. the caller's.
                unsafe { heap.segments.resize_in_place(block, old, new) }
            });
            if resized.is_ok() {
                return Ok(block);
            }
        }
        let to = self.allocate_in(own, new)?;
        // SAFETY: both are live blocks and long enough; a fresh block overlaps none. 1. and 2. the
        // caller's.
        unsafe {
            to.copy_from_nonoverlapping(block, old.size().min(new.size()));
            self.deallocate_in(own, block, old);
        }
        Ok(to)
    }

    fn usable_size(&self, layout: Layout) -> Option<usize> {
        Segments::<P>::usable_size(layout)
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock, P: Policy, const SHARDS: usize> fmt::Debug
    for Shared<S, L, P, SHARDS>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("shards", &SHARDS).finish_non_exhaustive()
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock, P: Policy, const SHARDS: usize> Drop
    for Shared<S, L, P, SHARDS>
{
    fn drop(&mut self) {
        for shard in &mut self.shards {
            // SAFETY: 1. who holds a block has lost it, as with every allocator that ends; what is on the
            // list goes with its region. 2. the one source of all shards.
            unsafe { shard.heap.get_mut().release_all(&self.source) };
        }
    }
}

static_assertions::assert_impl_all!(
    Shared<strata_core::source::Locked<strata_core::source::Region<'static>>>: Send, Sync
);
static_assertions::assert_not_impl_any!(Shared<strata_core::source::Region<'static>>: Sync);
