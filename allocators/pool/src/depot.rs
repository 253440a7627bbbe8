//! Magazines, and the depot in which threads exchange them.
//!
//! A magazine is an array of free blocks that one owner at a time has: a thread, or a stack of the
//! depot. The depot has two: magazines with blocks, and magazines without (Bonwick and Adams,
//! "Magazines and Vmem"). Both are [`IndexStack`]s of the magazines' numbers, whose links lie in the
//! magazines' heads and never in a block.
//!
//! ```text
//!   head ┬ next, len ┬ null │ block │ block │ …                        one magazine
//!        └───────────┴──────┴───────┴───────┴─
//!   full:  7 ─► 2 ─► 9            empty:  4 ─► 1                        the depot
//! ```

use core::ptr::{self, NonNull};

use strata_core::list::{IndexHead, IndexStack, Links, SharedLinks};
use strata_core::sync::{AtomicU32, AtomicUsize, Ordering, UnsafeCell, unexplored};

use crate::store::segments::Segments;

/// The number of a magazine; [`NO_MAGAZINE`] is none.
pub(crate) type MagazineId = u32;
pub(crate) const NO_MAGAZINE: MagazineId = u32::MAX;

/// The head of a magazine. Behind it stand a null and the blocks, oldest first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Magazine {
    /// The link of the stack that it is on: the next number plus one, zero for none.
    next: AtomicU32,
    /// Blocks, while no thread takes or puts any.
    len: AtomicU32,
    /// What its owner alone may reach: stands for the array, so that models see who does.
    array: UnsafeCell<()>,
}

/// Where the blocks' null stands, from the head.
const ARRAY: usize = size_of::<Magazine>().next_multiple_of(size_of::<*mut u8>());

impl Magazine {
    /// Bytes of a magazine of `rounds` blocks.
    pub(crate) const fn stride(rounds: usize) -> usize {
        ARRAY + (rounds + 1) * size_of::<*mut u8>()
    }
}

/// The place below the oldest block.
pub(crate) fn array(magazine: NonNull<Magazine>) -> *mut *mut u8 {
    // SAFETY: the array is behind the head, in the same item.
    unsafe { magazine.cast::<u8>().add(ARRAY) }.cast::<*mut u8>().as_ptr()
}

/// The links of magazines, in their heads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLinks<'d>(&'d Segments);

impl HeadLinks<'_> {
    fn head(&self, id: MagazineId) -> &Magazine {
        // SAFETY: 1. numbers of magazines come from `Segments::grow`, and go through the stacks'
        // Release and Acquire; heads are written before and stay.
        unsafe { self.0.get(id).cast::<Magazine>().as_ref() }
    }
}

// SAFETY: 1. an atomic store and load of one place. 2. numbers. 3. nothing here can.
unsafe impl Links for HeadLinks<'_> {
    type Block = MagazineId;
    type Head = IndexHead;

    #[inline]
    unsafe fn link(&self, block: MagazineId, next: Option<MagazineId>) {
        // Relaxed: the stack's top publishes the link together with the magazine.
        self.head(block).next.store(next.map_or(0, |next| next + 1), Ordering::Relaxed);
    }

    #[inline]
    unsafe fn next(&self, block: MagazineId) -> Option<MagazineId> {
        // Relaxed: the caller's Acquire of the top orders it after the store; where it lost a race
        // the value is not used.
        self.head(block).next.load(Ordering::Relaxed).checked_sub(1)
    }
}

// SAFETY: 1. an atomic load of one place, whoever stores there.
unsafe impl SharedLinks for HeadLinks<'_> {}

/// Full magazines that the depot keeps at least, before blocks go back to their chunks.
const FULLS: usize = 8;
/// And at most, whatever is asked for: what they take themselves stays.
const MOST_FULLS: usize = 64;

/// All that an exchange of magazines writes, on a line of its own: who has the line has all of it, and a
/// full magazine left for an empty one moves it between two processors once.
#[derive(Debug)]
#[repr(align(128))]
struct Exchange {
    full: IndexStack,
    empty: IndexStack,
    /// Magazines on `full`, as of a moment; never less than there are.
    fulls: AtomicUsize,
    /// The fewest of them since the last decay.
    low: AtomicUsize,
    /// How many may be there.
    most: unexplored::AtomicUsize,
    /// Not zero where one was refused since the last [`Depot::note_missing`].
    refused: unexplored::AtomicUsize,
}

/// The magazines of a pool that no thread has.
#[derive(Debug)]
pub(crate) struct Depot {
    exchange: Exchange,
    pub(crate) magazines: Segments,
}

impl Depot {
    strata_core::const_unless_loom! {
        /// A depot of magazines of `rounds` blocks at most; there are none yet.
        pub(crate) fn new(rounds: usize) -> Self {
            Self {
                exchange: Exchange {
                    full: IndexStack::new(),
                    empty: IndexStack::new(),
                    fulls: AtomicUsize::new(0),
                    low: AtomicUsize::new(0),
                    most: unexplored::AtomicUsize::new(FULLS),
                    refused: unexplored::AtomicUsize::new(0),
                },
                magazines: Segments::new(Magazine::stride(rounds)),
            }
        }
    }

    fn links(&self) -> HeadLinks<'_> {
        HeadLinks(&self.magazines)
    }

    /// The head of a magazine.
    pub(crate) fn magazine(&self, id: MagazineId) -> NonNull<Magazine> {
        // SAFETY: 1. see `HeadLinks::head`.
        unsafe { self.magazines.get(id) }.cast()
    }

    /// Writes the head of a new magazine.
    ///
    /// # Safety
    ///
    /// 1. The number is fresh from the magazines' `grow`, and the caller's alone.
    pub(crate) unsafe fn make(&self, id: MagazineId) {
        let (head, at) = (self.magazine(id), array(self.magazine(id)));
        let magazine = Magazine {
            next: AtomicU32::new(0),
            len: AtomicU32::new(0),
            array: UnsafeCell::new(()),
        };
        // SAFETY: an item of its own (1.), of the length that `new` said.
        unsafe {
            head.write(magazine);
            at.write(ptr::null_mut());
        }
    }

    /// Blocks in a magazine that no thread takes from or puts to.
    pub(crate) fn len(&self, id: MagazineId) -> usize {
        // SAFETY: written by `make`, and it stays.
        let head = unsafe { self.magazine(id).as_ref() };
        // Relaxed: the owner's own, or a figure.
        head.len.load(Ordering::Relaxed) as usize
    }

    /// Says how many blocks a magazine of the caller's has.
    pub(crate) fn set_len(&self, id: MagazineId, len: usize) {
        // SAFETY: written by `make`, and it stays.
        let head = unsafe { self.magazine(id).as_ref() };
        head.array.with_mut(|_| ());
        // Relaxed: goes on with the magazine, whose Release publishes it.
        head.len.store(len as u32, Ordering::Relaxed);
    }

    /// The blocks of a magazine, room for `room` of them.
    ///
    /// # Safety
    ///
    /// 1. The caller has the magazine, which is made for that many, and makes no second reference.
    /// 2. The first `room` are written.
    #[expect(clippy::mut_from_ref, reason = "the magazine is the caller's (1.)")]
    pub(crate) unsafe fn blocks(&self, id: MagazineId, room: usize) -> &mut [*mut u8] {
        // SAFETY: of `room` blocks behind the null (1.), which are written (2.).
        unsafe { core::slice::from_raw_parts_mut(array(self.magazine(id)).add(1), room) }
    }

    /// Takes a magazine with blocks. Lock-free.
    pub(crate) fn take_full(&self) -> Option<MagazineId> {
        let Exchange { full, fulls, low, .. } = &self.exchange;
        // SAFETY: 1. always the heads' links.
        let id = unsafe { full.pop(self.links()) }?;
        // Relaxed, all: hints. Counted down after the pop: never less than there are.
        let left = fulls.fetch_sub(1, Ordering::Relaxed) - 1;
        if low.load(Ordering::Relaxed) > left {
            low.store(left, Ordering::Relaxed);
        }
        Some(id)
    }

    /// Whether one more magazine with blocks would be refused, in a pool of which `part` magazines may
    /// always be here.
    pub(crate) fn is_full(&self, part: usize) -> bool {
        // Relaxed: a hint.
        let most = part.max(self.exchange.most.load(Ordering::Relaxed)).min(MOST_FULLS);
        let full = self.fulls() >= most;
        if full {
            // Relaxed: a hint. Written where it is new alone: the line is everybody's.
            if self.exchange.refused.load(Ordering::Relaxed) == 0 {
                self.exchange.refused.store(1, Ordering::Relaxed);
            }
        }
        full
    }

    /// Says that blocks come from the chunks since there was no magazine with any. Where one was refused
    /// before, the same blocks go back and forth: twice as many may stay.
    pub(crate) fn note_missing(&self) {
        let Exchange { most, refused, .. } = &self.exchange;
        // Relaxed, all: hints, and a change that is lost comes again.
        if refused.load(Ordering::Relaxed) != 0 {
            refused.store(0, Ordering::Relaxed);
            let now = most.load(Ordering::Relaxed);
            most.store((2 * now).min(MOST_FULLS), Ordering::Relaxed);
        }
    }

    /// Leaves a magazine with blocks. Lock-free.
    pub(crate) fn put_full(&self, id: MagazineId) {
        debug_assert!(self.len(id) > 0);
        // Relaxed: a hint, counted before the push.
        self.exchange.fulls.fetch_add(1, Ordering::Relaxed);
        // SAFETY: 1. the caller's. 2. always the heads' links.
        unsafe { self.exchange.full.push(self.links(), id) };
    }

    /// Takes a magazine without blocks. Lock-free.
    pub(crate) fn take_empty(&self) -> Option<MagazineId> {
        // SAFETY: 1. always the heads' links.
        unsafe { self.exchange.empty.pop(self.links()) }
    }

    /// Leaves a magazine without blocks. Lock-free.
    pub(crate) fn put_empty(&self, id: MagazineId) {
        debug_assert_eq!(self.len(id), 0);
        // SAFETY: 1. the caller's. 2. always the heads' links.
        unsafe { self.exchange.empty.push(self.links(), id) };
    }

    /// Magazines with blocks, about.
    pub(crate) fn fulls(&self) -> usize {
        // Relaxed: a figure.
        self.exchange.fulls.load(Ordering::Relaxed)
    }

    /// The fewest magazines with blocks since the last call; counts anew from now on. Half as many more
    /// than usual may be here from now on.
    pub(crate) fn unused(&self) -> usize {
        let Exchange { low, most, .. } = &self.exchange;
        // Relaxed, all: what is a little off only delays a decay.
        most.store((most.load(Ordering::Relaxed) / 2).max(FULLS), Ordering::Relaxed);
        low.swap(self.fulls(), Ordering::Relaxed)
    }
}
