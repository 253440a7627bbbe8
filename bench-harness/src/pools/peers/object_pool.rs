//! The crate `object-pool`: values in a vector under a lock, moved in and out.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use object_pool::{Pool, Reusable};

pub(super) const VERSION: &str = "0.6.0";

/// `Pool`, full of values from the beginning.
pub struct ObjectPool(Pool<Payload>);

impl PoolSubject for ObjectPool {
    type Local<'a> = &'a Pool<Payload>;
    /// A value lies in its guard.
    const STAYS: bool = false;

    fn describe() -> Description {
        described("object-pool", VERSION, "filled")
    }

    fn new(capacity: usize) -> Option<Self> {
        Some(Self(Pool::new(capacity, || Payload::new(0))))
    }

    fn local(&self) -> Self::Local<'_> {
        &self.0
    }
}

impl<'a> PoolLocal for &'a Pool<Payload> {
    type Held = Reusable<'a, Payload>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        let mut held = self.pull(|| Payload::new(0));
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
