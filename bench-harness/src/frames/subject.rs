//! What a frame allocator implements to be measured.

use super::job::{Job, Measured};
use crate::interleaved::Contender;
use crate::subject::Description;

/// A frame allocator under measurement.
///
/// Only the first few items are required, so that adding an allocator is a dozen lines. What an
/// allocator does not count is `None` and shows as "n/a", never as zero.
///
/// Every method may be called by several threads at once, each with a [`Local`](Self::Local) of its
/// own; [`get`](Self::get) and [`put`](Self::put) stand inside the window and should be inlinable.
///
/// ```
/// use std::sync::Mutex;
/// use strata_bench::frames::FrameSubject;
/// use strata_bench::subject::Description;
///
/// /// Single frames from a list.
/// struct Singles(Mutex<Vec<usize>>);
///
/// impl FrameSubject for Singles {
///     type Local<'a> = ();
///     fn describe() -> Description {
///         Description { name: "singles".into(), ..Description::default() }
///     }
///     fn new(frames: usize, _locals: usize) -> Option<Self> {
///         Some(Self(Mutex::new((0..frames).rev().collect())))
///     }
///     fn max_order(&self) -> u8 {
///         0
///     }
///     fn local(&self, _index: usize) {}
///     fn get(&self, _local: &mut (), _order: u8) -> Option<usize> {
///         self.0.lock().unwrap().pop()
///     }
///     fn put(&self, _local: &mut (), frame: usize, _order: u8) -> bool {
///         self.0.lock().unwrap().push(frame);
///         true
///     }
/// }
///
/// let singles = Singles::new(2, 1).unwrap();
/// assert_eq!(singles.get(&mut (), 0), Some(0));
/// ```
pub trait FrameSubject: Sync + Sized + 'static {
    /// What one thread brings along: an index, or a stock of frames.
    type Local<'a>
    where
        Self: 'a;

    /// Whether several threads may have the local of one index at the same time. Where they may,
    /// `overlap` has them share one, which is where claims meet most.
    const SHARES_LOCALS: bool = false;

    /// Name, version and settings.
    fn describe() -> Description;

    /// An allocator of `frames` frames numbered from 0, all of them free, with `locals` locals;
    /// `None` where it cannot be so large. `frames` is a multiple of 512.
    fn new(frames: usize, locals: usize) -> Option<Self>;

    /// The greatest order that it serves.
    fn max_order(&self) -> u8;

    /// The local of an index below what `new` was told.
    fn local(&self, index: usize) -> Self::Local<'_>;

    /// Takes `2^order` frames that begin at a multiple of `2^order`; the number of the first.
    fn get(&self, local: &mut Self::Local<'_>, order: u8) -> Option<usize>;

    /// Gives back what `get` answered for `order`; false where the allocator refuses it.
    fn put(&self, local: &mut Self::Local<'_>, frame: usize, order: u8) -> bool;

    /// Gives back what locals keep, as far as that can be done from outside.
    fn drain(&self) {}

    /// Free frames, exact while nobody allocates.
    fn free_frames(&self) -> Option<usize> {
        None
    }

    /// Huge frames (512 frames, aligned) without a frame in use, exact while nobody allocates.
    fn free_huge(&self) -> Option<usize> {
        None
    }

    /// Checks its own tables against each other, while nobody allocates.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A frame allocator that the executable links, erased to what happens outside any window.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name, version and settings.
    pub describe: fn() -> Description,
    /// Runs a job on fresh allocators of the type.
    pub enter: fn(&Job) -> Result<Measured, String>,
}

impl Contender for Entry {
    fn description(&self) -> Description {
        (self.describe)()
    }
}

impl Entry {
    /// The entry of a type.
    pub fn of<F: FrameSubject>() -> Self {
        Self { describe: F::describe, enter: super::job::enter::<F> }
    }
}

/// The frame allocators that strata-bench itself links: the suite's own first, then the peers, then
/// those with known answers.
pub fn linked() -> Vec<Entry> {
    let mut entries = super::peers::linked();
    entries.extend([Entry::of::<super::LockedBitmap>(), Entry::of::<super::PrivateArrays>()]);
    entries
}
