//! The crate `slotmap`: a vector of slots with versions.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use slotmap::{DefaultKey, SlotMap};

pub(super) const VERSION: &str = "1.1.1";

/// `SlotMap` with its capacity reserved, so that values stay where they are.
pub struct Slotmap(usize);

impl PoolSubject for Slotmap {
    type Local<'a> = SlotMap<DefaultKey, Payload>;

    fn describe() -> Description {
        described("slotmap", VERSION, "capacity reserved")
    }

    fn new(capacity: usize) -> Option<Self> {
        Some(Self(capacity))
    }

    fn local(&self) -> SlotMap<DefaultKey, Payload> {
        SlotMap::with_capacity(self.0)
    }
}

impl PoolLocal for SlotMap<DefaultKey, Payload> {
    type Held = DefaultKey;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        Some(self.insert(Payload::new(word)))
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        self.remove(held);
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        &self[*held]
    }
}
