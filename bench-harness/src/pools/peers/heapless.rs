//! The crate `heapless`: a box pool, which is a list of blocks under one tagged word.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use heapless::pool::boxed::{Box as Boxed, BoxBlock};
use std::sync::Mutex;

pub(super) const VERSION: &str = "0.9.3";

heapless::box_pool!(Blocks: Payload);

/// Blocks that the one pool of this type was ever given.
static GIVEN: Mutex<usize> = Mutex::new(0);

/// The pool, which is one for its type: every job has it, with as many blocks as the greatest asked
/// for.
pub struct Heapless;

impl PoolSubject for Heapless {
    type Local<'a> = ();

    fn describe() -> Description {
        described("heapless", VERSION, "box pool")
    }

    fn new(capacity: usize) -> Option<Self> {
        let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let more = capacity.saturating_sub(*given);
        *given += more;
        // It never gives blocks back: they are leaked as its documentation does.
        let blocks: Vec<_> = (0..more).map(|_| BoxBlock::new()).collect();
        for block in Vec::leak(blocks) {
            Blocks.manage(block);
        }
        Some(Self)
    }

    fn local(&self) -> Self::Local<'_> {}
}

impl PoolLocal for () {
    type Held = Boxed<Blocks>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        Blocks.alloc(Payload::new(word)).ok()
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        drop(held);
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        held
    }
}
