//! The lower bound: a list through the blocks themselves, and nothing else.

use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use std::ptr::NonNull;

/// Blocks in one array, linked while they are free. No pool does less for a pair: a load, two stores.
///
/// # Invariants
///
/// 1. `head` and the links of the list are places of `_blocks` that are not out, each once.
#[derive(Debug)]
pub struct RawList {
    capacity: usize,
}

/// A block, out or free.
#[repr(C)]
union Slot {
    payload: Payload,
    next: Option<NonNull<Slot>>,
}

/// The list of one thread.
pub struct List {
    head: Option<NonNull<Slot>>,
    _blocks: Box<[Slot]>,
}

impl PoolSubject for RawList {
    type Local<'a> = List;

    fn describe() -> Description {
        Description {
            name: "raw-list".into(),
            purge_settings: "lower bound".into(),
            calibration: true,
            ..Description::default()
        }
    }

    fn new(capacity: usize) -> Option<Self> {
        Some(Self { capacity })
    }

    fn local(&self) -> List {
        let mut blocks: Box<[Slot]> = (0..self.capacity).map(|_| Slot { next: None }).collect();
        let base = NonNull::from(&mut *blocks).cast::<Slot>();
        let mut head = None;
        for index in (0..self.capacity).rev() {
            // SAFETY: a place of the array, which nobody else knows yet.
            let slot = unsafe { base.add(index) };
            // SAFETY: as above.
            unsafe { slot.as_ptr().write(Slot { next: head }) };
            head = Some(slot);
        }
        List { head, _blocks: blocks }
    }
}

impl PoolLocal for List {
    type Held = NonNull<Payload>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        let slot = self.head?;
        // SAFETY: a free place of the array, which holds a link (invariant 1).
        self.head = unsafe { slot.as_ref().next };
        let block = slot.cast::<Payload>();
        // SAFETY: as above; it is out from here on.
        unsafe { block.as_ptr().write(Payload::new(word)) };
        Some(block)
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        let slot = held.cast::<Slot>();
        // SAFETY: the harness gives back what `take` answered, once.
        unsafe { slot.as_ptr().write(Slot { next: self.head }) };
        self.head = Some(slot);
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        // SAFETY: it is out, and holds a value since it was taken.
        unsafe { held.as_ref() }
    }
}
