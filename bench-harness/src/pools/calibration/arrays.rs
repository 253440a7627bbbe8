//! The control: no thread ever sees what another one does.

use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use std::ptr::NonNull;

/// An array of free blocks for each thread: what the harness's own loop costs, and how far the machine
/// itself lets two threads run beside each other.
///
/// A block that comes back on another thread stays with it; where a thread has none left, it takes one
/// of those that went away long ago. So it is no pool, and its blocks may be handed out twice where
/// more of them are out than its capacity.
#[derive(Debug)]
pub struct PrivateArrays {
    capacity: usize,
}

/// The array of one thread.
pub struct Array {
    back: Vec<NonNull<Payload>>,
    /// The next block that was never handed out, or not for long.
    next: usize,
    /// Given back by whoever has the last of its blocks: never.
    blocks: &'static [std::cell::UnsafeCell<Payload>],
}

/// A block on its way between threads.
#[derive(Debug)]
pub struct Block(NonNull<Payload>);

// SAFETY: a block has one owner at a time, and belongs to no thread.
unsafe impl Send for Block {}

impl PoolSubject for PrivateArrays {
    type Local<'a> = Array;

    fn describe() -> Description {
        Description {
            name: "private-arrays".into(),
            purge_settings: "control".into(),
            calibration: true,
            ..Description::default()
        }
    }

    fn new(capacity: usize) -> Option<Self> {
        Some(Self { capacity })
    }

    fn local(&self) -> Array {
        let fresh = |_| std::cell::UnsafeCell::new(Payload::new(0));
        // Leaked, since another thread may have some of them when this one ends.
        let blocks = Box::leak((0..self.capacity).map(fresh).collect());
        Array { back: Vec::with_capacity(self.capacity), next: 0, blocks }
    }
}

impl PoolLocal for Array {
    type Held = Block;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        let block = match self.back.pop() {
            Some(block) => block,
            None => {
                let place = self.next;
                self.next = if place + 1 == self.blocks.len() { 0 } else { place + 1 };
                NonNull::new(self.blocks[place].get())?
            }
        };
        // SAFETY: the block is nobody's, as long as no more are out than there are.
        unsafe { block.as_ptr().write(Payload::new(word)) };
        Some(Block(block))
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        if self.back.len() < self.back.capacity() {
            self.back.push(held.0);
        }
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        // SAFETY: it is out, and holds a value since it was taken.
        unsafe { held.0.as_ref() }
    }
}
