//! The crate `lockfree-object-pool`: pages of 32 values with a word of bits each, searched from the
//! first one.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use lockfree_object_pool::{LinearObjectPool, LinearReusable};

pub(super) const VERSION: &str = "0.1.6";

/// `LinearObjectPool`, whose values are made before they are needed and never unmade.
pub struct LinearPool(LinearObjectPool<Payload>);

impl PoolSubject for LinearPool {
    type Local<'a> = &'a LinearObjectPool<Payload>;

    fn describe() -> Description {
        described("lockfree-object-pool", VERSION, "linear")
    }

    fn new(_capacity: usize) -> Option<Self> {
        Some(Self(LinearObjectPool::new(|| Payload::new(0), |_| ())))
    }

    fn local(&self) -> Self::Local<'_> {
        &self.0
    }
}

impl<'a> PoolLocal for &'a LinearObjectPool<Payload> {
    type Held = LinearReusable<'a, Payload>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        let mut held = self.pull();
        *held = Payload::new(word);
        Some(held)
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        drop(held);
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        held
    }
}
