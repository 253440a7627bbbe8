//! The judge of a checked replay: told of every call, answers with what was wrong.

use super::state::State;
use super::violation::Violation;
use std::alloc::Layout;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the replay is in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The record: its place in the order of `Event::seq`, from 0.
    pub record: u64,
    /// The recorded thread that makes the call.
    pub thread: u32,
}

/// What the subject has promised beyond `GlobalAlloc`.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// The address ranges that all blocks lie in, where it declares them.
    pub regions: Option<Vec<Range<usize>>>,
    /// Whether its answers of usable bytes count; without it they are ignored.
    pub has_usable: bool,
}

/// Judges the calls of one subject, from any number of threads.
///
/// A block is known by its slot of the replay. The checker fills every block with content of its
/// own and expects nobody but the subject to touch it: a checked replay writes nothing itself.
///
/// A correct subject is never accused, whatever the threads do. Before memory may change hands
/// ([`Checker::freeing`], [`Checker::reallocating`]) its addresses are forgotten, and they are
/// claimed again only after the subject has returned them, so another thread may be given them in
/// between. Content is read and written under one lock, and only while the block is claimed. The
/// price: a fault on one thread can be found first by a call of another, whose record is named then.
///
/// Each call costs O(log n) in the number of live blocks, and touches the block (whole up to a
/// page, else its edges and a word in each page) and the edges of its neighbours.
#[derive(Debug)]
pub struct Checker {
    state: Mutex<State>,
}

impl Checker {
    /// A checker that knows of no block yet.
    pub fn new(limits: Limits) -> Self {
        Self { state: Mutex::new(State::new(limits)) }
    }

    /// After the subject returned a new block, or null where it refused.
    ///
    /// `usable` is what the subject answers of this block's usable bytes, where it has the hook.
    ///
    /// # Safety
    ///
    /// 1. `ptr` is what the subject just returned for `layout`, whose size is not 0, and nobody
    ///    else has used it.
    /// 2. Where the block is one that the subject was right to return, its `layout.size()` and its
    ///    `usable` bytes may be read and written until [`Checker::freeing`] or
    ///    [`Checker::reallocating`] of this slot, and only this checker does.
    pub unsafe fn allocated(
        &self,
        at: At,
        slot: u32,
        ptr: *mut u8,
        layout: Layout,
        zeroed: bool,
        usable: Option<usize>,
    ) {
        // SAFETY: the same two obligations.
        unsafe { self.lock().allocated(at, slot, ptr, layout, zeroed, usable) }
    }

    /// Before the subject's dealloc: verifies the content, spoils it and forgets the addresses.
    ///
    /// # Safety
    ///
    /// 1. The block in `slot`, if any, has not been given to the subject's dealloc yet.
    pub unsafe fn freeing(&self, at: At, slot: u32) {
        // SAFETY: the same obligation.
        unsafe { self.lock().freeing(at, slot) }
    }

    /// After the dealloc of this thread's latest [`Checker::freeing`] returned: verifies that the
    /// live blocks beside it, and one more in turn, are unharmed.
    ///
    /// # Safety
    ///
    /// 1. The memory of every live block this checker was told of is still mapped.
    pub unsafe fn freed(&self, at: At, slot: u32) {
        // SAFETY: the same obligation.
        unsafe { self.lock().freed(at, slot) }
    }

    /// Before the subject's realloc: verifies the content and forgets the addresses.
    ///
    /// # Safety
    ///
    /// 1. The block in `slot`, if any, has not been given to the subject's realloc yet.
    pub unsafe fn reallocating(&self, at: At, slot: u32, new_size: usize) {
        // SAFETY: the same obligation.
        unsafe { self.lock().reallocating(at, slot, new_size) }
    }

    /// After the subject's realloc returned; null where it refused, and the block stays as it was.
    ///
    /// # Safety
    ///
    /// 1. `ptr` is what the subject just returned for the block of the slot's latest
    ///    [`Checker::reallocating`] and `new_size`, which is not 0, and nobody else has used it.
    /// 2. As for [`Checker::allocated`], with `new_size` for `layout.size()`.
    pub unsafe fn reallocated(
        &self,
        at: At,
        slot: u32,
        ptr: *mut u8,
        new_size: usize,
        usable: Option<usize>,
    ) {
        // SAFETY: the same two obligations.
        unsafe { self.lock().reallocated(at, slot, ptr, new_size, usable) }
    }

    /// Verifies every live block and answers the first violations, 16 at most.
    ///
    /// # Safety
    ///
    /// 1. The memory of every live block this checker was told of is still mapped.
    pub unsafe fn finish(&self) -> Vec<Violation> {
        let mut state = self.lock();
        // SAFETY: the same obligation.
        unsafe { state.verify_all() };
        state.first_violations()
    }

    /// How many violations there were so far.
    pub fn violations(&self) -> usize {
        self.lock().violations()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in here has nothing half-done that a reader of the violations could trip over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
