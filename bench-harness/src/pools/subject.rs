//! What a pool implements to be measured.

use super::job::{Job, Measured};
use crate::interleaved::Contender;
use crate::subject::Description;
use std::fmt;
use std::mem::MaybeUninit;

/// The value of every pool: 64 bytes, of which the first word is written.
///
/// A union, since of a structure with an unwritten part the compiler writes that part too, as zeros,
/// in some pools and not in others: it copies a constant of which nothing is known.
///
/// # Invariants
///
/// 1. `word` is written.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Payload {
    word: u64,
    whole: [MaybeUninit<u64>; 8],
}

impl Payload {
    /// Bytes of it.
    pub const BYTES: usize = size_of::<Self>();

    /// A value that begins with `word`; nothing is said of the rest.
    #[inline(always)]
    pub const fn new(word: u64) -> Self {
        Self { word }
    }

    /// Its first word.
    #[inline(always)]
    pub const fn word(&self) -> u64 {
        // SAFETY: invariant 1.
        unsafe { self.word }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("word", &self.word()).finish_non_exhaustive()
    }
}

static_assertions::const_assert_eq!(Payload::BYTES, 64);

/// A pool of [`Payload`]s.
///
/// A pool for one thread may be all in its [`Local`](Self::Local); one that threads share is in `Self`,
/// and each thread's `Local` is a reference, or a cache beside it.
///
/// ```
/// use strata_bench::pools::{Payload, PoolLocal, PoolSubject};
/// use strata_bench::subject::Description;
///
/// /// A box for each value.
/// struct Boxes;
///
/// impl PoolSubject for Boxes {
///     type Local<'a> = Boxes;
///     fn describe() -> Description {
///         Description { name: "boxes".into(), ..Description::default() }
///     }
///     fn new(_capacity: usize) -> Option<Self> {
///         Some(Self)
///     }
///     fn local(&self) -> Boxes {
///         Boxes
///     }
/// }
///
/// impl PoolLocal for Boxes {
///     type Held = Box<Payload>;
///     fn take(&mut self, word: u64) -> Option<Box<Payload>> {
///         Some(Box::new(Payload::new(word)))
///     }
///     fn give(&mut self, held: Box<Payload>) {
///         drop(held);
///     }
///     fn value<'b>(&'b self, held: &'b Box<Payload>) -> &'b Payload {
///         held
///     }
/// }
///
/// let mut boxes = Boxes::new(1).unwrap().local();
/// let held = boxes.take(7).unwrap();
/// assert_eq!(boxes.value(&held).word(), 7);
/// ```
pub trait PoolSubject: Sized + 'static {
    /// What one thread brings along.
    type Local<'a>: PoolLocal
    where
        Self: 'a;

    /// Which gates it is held to.
    const CLAIMS: Claims = Claims::Nothing;

    /// Whether single blocks come back. Where they do not, [`emptied`](PoolLocal::emptied) gives all
    /// of them back.
    const FREES: bool = true;

    /// Whether a value stays where it is while it is out.
    const STAYS: bool = true;

    /// Blocks that it can hold at most, where that is part of its type.
    const MOST: usize = usize::MAX;

    /// Name, version and settings.
    fn describe() -> Description;

    /// A pool from which `capacity` blocks can be taken at once; `None` where it cannot be so large.
    fn new(capacity: usize) -> Option<Self>;

    /// The local of a thread.
    fn local(&self) -> Self::Local<'_>;
}

/// A pool as one thread has it.
///
/// [`take`](Self::take) and [`give`](Self::give) stand inside the window and should be inlinable. What a
/// pool cannot do or does not count is `None` and shows as "n/a", never as zero.
pub trait PoolLocal {
    /// A block that is out: a box, a guard or a key.
    type Held;

    /// Takes a block and puts a value with that word into it.
    fn take(&mut self, word: u64) -> Option<Self::Held>;

    /// Gives a block back, which any local of the pool may have taken.
    fn give(&mut self, held: Self::Held);

    /// What is in a block.
    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload;

    /// Everything was given back.
    fn emptied(&mut self) {}

    /// Gives back as much memory as it can, now; false where it has no such call.
    fn trim(&mut self) -> bool {
        false
    }

    /// Its own figures.
    fn figures(&self) -> PoolFigures {
        PoolFigures::default()
    }

    /// Checks its own tables, while no other thread is at work.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What is out of a pool, as one of its threads has it.
pub(super) type Held<'a, P> = <<P as PoolSubject>::Local<'a> as PoolLocal>::Held;

/// A pool's own figures in bytes; one that it does not keep is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PoolFigures {
    /// Of the blocks that are out.
    pub live: Option<u64>,
    /// Of all blocks that it has, out or not.
    pub capacity: Option<u64>,
    /// Of one chunk, the unit in which it gets memory and gives it back.
    pub chunk: Option<u64>,
}

/// What a pool is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// The time of a list, and nothing kept that is not in use.
    Local,
    /// A part of the shared peers' time, scaling, and nothing kept.
    Shared,
    /// The time of heapless.
    Static,
    /// Nothing.
    Nothing,
}

/// A pool that the executable links, erased to what happens outside any window.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name, version and settings.
    pub describe: fn() -> Description,
    /// Runs a job on fresh pools of the type.
    pub enter: fn(&Job) -> Result<Measured, String>,
    /// What it is held to.
    pub claims: Claims,
    /// Whether threads may share it.
    pub shared: bool,
    /// Whether others are measured by it.
    pub peer: bool,
}

impl Contender for Entry {
    fn description(&self) -> Description {
        (self.describe)()
    }
}

impl Entry {
    /// The entry of a pool for one thread.
    pub fn of<P: PoolSubject>() -> Self {
        Self {
            describe: P::describe,
            enter: super::job::enter::<P>,
            claims: P::CLAIMS,
            shared: false,
            peer: false,
        }
    }

    /// The entry of a pool that threads share.
    pub fn shared<P: PoolSubject + Sync>() -> Self
    where
        for<'a> <P::Local<'a> as PoolLocal>::Held: Send,
    {
        Self { enter: super::job::enter_shared::<P>, shared: true, ..Self::of::<P>() }
    }

    /// The same as a published one, which others are measured by.
    #[must_use]
    pub fn peer(self) -> Self {
        Self { claims: Claims::Nothing, peer: true, ..self }
    }
}

/// The pools that strata-bench itself links: the suite's own first, then the peers, then those with
/// known answers.
pub fn linked() -> Vec<Entry> {
    let mut entries = super::peers::linked();
    entries.extend([Entry::of::<super::RawList>(), Entry::shared::<super::PrivateArrays>()]);
    entries
}
