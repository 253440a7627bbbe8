//! The crate `buddy_system_allocator`: a set of free blocks for each order, as kernels written in
//! Rust use it.

use crate::frames::FrameSubject;
use crate::subject::Description;
use buddy_system_allocator::FrameAllocator;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.13.0";

/// Orders of the crate's type: its greatest order is one less.
const ORDERS: usize = 33;

/// `FrameAllocator` of the crate `buddy_system_allocator`, behind a lock.
///
/// It counts free blocks but does not tell the count, and takes any number back without looking.
pub struct Buddy(Mutex<FrameAllocator<ORDERS>>);

impl Buddy {
    /// The allocator, also after another thread panicked inside it: that thread's job has failed.
    fn lock(&self) -> MutexGuard<'_, FrameAllocator<ORDERS>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrameSubject for Buddy {
    type Local<'a> = ();
    const SHARES_LOCALS: bool = true;

    fn describe() -> Description {
        Description {
            name: "buddy_system_allocator".into(),
            version: VERSION.into(),
            ..Description::default()
        }
    }

    fn new(frames: usize, _locals: usize) -> Option<Self> {
        let mut allocator = FrameAllocator::new();
        allocator.add_frame(0, frames);
        Some(Self(Mutex::new(allocator)))
    }

    fn max_order(&self) -> u8 {
        ORDERS as u8 - 1
    }

    fn local(&self, _index: usize) {}

    #[inline]
    fn get(&self, (): &mut (), order: u8) -> Option<usize> {
        self.lock().alloc(1 << order)
    }

    #[inline]
    fn put(&self, (): &mut (), frame: usize, order: u8) -> bool {
        self.lock().dealloc(frame, 1 << order);
        true
    }
}
