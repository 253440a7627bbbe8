//! The crate `slab`: a vector of entries with a list through the free ones.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;

pub(super) const VERSION: &str = "0.4.12";

/// `Slab` with its capacity reserved, so that values stay where they are.
pub struct Slab(usize);

impl PoolSubject for Slab {
    type Local<'a> = slab::Slab<Payload>;

    fn describe() -> Description {
        described("slab", VERSION, "capacity reserved")
    }

    fn new(capacity: usize) -> Option<Self> {
        Some(Self(capacity))
    }

    fn local(&self) -> slab::Slab<Payload> {
        slab::Slab::with_capacity(self.0)
    }
}

impl PoolLocal for slab::Slab<Payload> {
    type Held = usize;

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

    fn trim(&mut self) -> bool {
        self.shrink_to_fit();
        true
    }
}
