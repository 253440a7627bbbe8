//! What an allocator over a region implements to be measured.

use super::ground::Ground;
use super::job::{Job, Measured};
use crate::interleaved::Contender;
use crate::subject::Description;
use std::alloc::Layout;
use std::ptr::NonNull;
use std::time::Duration;

/// An allocator of blocks of any size over a region of bytes.
///
/// Only the first few items are required. What an allocator cannot do or does not count is `None`
/// and shows as "n/a", never as zero.
///
/// [`allocate`](Self::allocate), [`free`](Self::free) and [`start`](Self::start) stand inside the
/// window and should be inlinable.
///
/// ```
/// use std::alloc::Layout;
/// use std::ptr::NonNull;
/// use strata_bench::regions::{Ground, RegionSubject};
/// use strata_bench::subject::Description;
///
/// /// Never reuses anything.
/// struct Bump {
///     used: usize,
///     end: usize,
/// }
///
/// impl RegionSubject for Bump {
///     type Block = usize;
///     fn describe() -> Description {
///         Description { name: "bump".into(), ..Description::default() }
///     }
///     unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
///         Some(Self { used: 0, end: region.len() })
///     }
///     fn allocate(&mut self, layout: Layout) -> Option<usize> {
///         let start = self.used.next_multiple_of(layout.align());
///         let end = start.checked_add(layout.size()).filter(|&end| end <= self.end)?;
///         self.used = end;
///         Some(start)
///     }
///     unsafe fn free(&mut self, _block: usize, _layout: Layout) {}
///     fn start(&self, block: usize) -> usize {
///         block
///     }
/// }
///
/// let ground = Ground::new(4096)?;
/// // SAFETY: 1. nobody else has a region of this ground. 2. it outlives the allocator.
/// let mut bump = unsafe { Bump::new(ground.region(4096)) }.unwrap();
/// assert_eq!(bump.allocate(Layout::new::<u64>()), Some(0));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait RegionSubject: Sized + 'static {
    /// What names a block: its address, an offset, or a handle of a block that may move.
    type Block: Copy;

    /// Whether a program touches its blocks. An allocator that writes nothing into its region says
    /// false: the region may then be anything that has offsets, so the timed workloads touch nothing,
    /// and `check` holds it to that word.
    const IN_MEMORY: bool = true;

    /// Which gates it is held to.
    const CLAIMS: Claims = Claims::Time;

    /// Name, version and settings.
    fn describe() -> Description;

    /// An allocator of blocks in `region`; `None` where the region does not suit it. The region is
    /// aligned to the next power of two of its length, and its contents are anything.
    ///
    /// # Safety
    ///
    /// 1. The region's bytes may be read and written, and nobody else does so but with blocks.
    /// 2. It outlives the allocator.
    unsafe fn new(region: NonNull<[u8]>) -> Option<Self>;

    /// Takes a block; `None` where there is no room.
    fn allocate(&mut self, layout: Layout) -> Option<Self::Block>;

    /// Gives a block back.
    ///
    /// # Safety
    ///
    /// 1. `allocate` or `resize` of this allocator answered `block` for `layout`, and it was not given
    ///    back since.
    unsafe fn free(&mut self, block: Self::Block, layout: Layout);

    /// Makes a block longer or shorter and keeps its contents; `None` where it has no such call, or no
    /// room, and the block is as it was.
    ///
    /// # Safety
    ///
    /// 1. As for [`free`](Self::free).
    /// 2. `bytes` is not 0.
    unsafe fn resize(
        &mut self,
        _block: Self::Block,
        _layout: Layout,
        _bytes: usize,
    ) -> Option<Self::Block> {
        None
    }

    /// Where a live block begins, in bytes from the region's beginning.
    fn start(&self, block: Self::Block) -> usize;

    /// Free bytes as the allocator counts them.
    fn free_bytes(&self) -> Option<FreeBytes> {
        None
    }

    /// Moves blocks together; `None` where it cannot. What a block holds goes with it.
    fn compact(&mut self, _budget: Budget) -> Option<Compacted> {
        None
    }

    /// The address of some bytes of a block, as a checked call of the allocator's finds it; `None`
    /// where it has none.
    fn translate(&self, _block: Self::Block, _offset: usize, _bytes: usize) -> Option<NonNull<u8>> {
        None
    }

    /// Checks its own tables against each other.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What an allocator is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// Time and space.
    Time,
    /// The best placement that its headers allow.
    Placement,
    /// Blocks move when there is no room.
    Moves,
    /// Short headers alone.
    Headers,
    /// Nothing: a reference.
    Nothing,
}

/// How much compaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// As many bytes as it moves.
    Bytes(usize),
    /// As long as it takes.
    Time(Duration),
    /// Everything.
    Whole,
}

/// What compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes that were moved.
    pub moved: usize,
    /// Whether nothing is left to do.
    pub done: bool,
}

/// Free bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeBytes {
    /// All of them.
    pub total: usize,
    /// The most that lie together.
    pub largest: usize,
}

/// An allocator that the executable links, erased to what happens outside any window.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name, version and settings.
    pub describe: fn() -> Description,
    /// Runs a job on fresh allocators of the type.
    pub enter: fn(&Ground, &Job) -> Result<Measured, String>,
    /// What it is held to.
    pub claims: Claims,
    /// Whether a program touches its blocks.
    pub in_memory: bool,
    /// Whether others are measured by it.
    pub peer: bool,
}

impl Contender for Entry {
    fn description(&self) -> Description {
        (self.describe)()
    }
}

impl Entry {
    /// The entry of a type, which is held to its claims.
    pub fn of<R: RegionSubject>() -> Self {
        Self {
            describe: R::describe,
            enter: super::job::enter::<R>,
            claims: R::CLAIMS,
            in_memory: R::IN_MEMORY,
            peer: false,
        }
    }

    /// The entry of a published one, which others are measured by.
    pub fn peer<R: RegionSubject>() -> Self {
        Self { claims: Claims::Nothing, peer: true, ..Self::of::<R>() }
    }
}

/// The allocators that strata-bench itself links: the suite's own first, then the peers, then those
/// with known answers.
pub fn linked() -> Vec<Entry> {
    let mut entries = super::peers::linked();
    entries.extend([
        Entry::of::<super::FirstFit>(),
        Entry::of::<super::Buddies>(),
        Entry::of::<super::Sliding>(),
        Entry::of::<super::FixedSlots>(),
    ]);
    entries
}
