//! The crate `sharded-slab`: pages for each thread, which others give back to.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;

pub(super) const VERSION: &str = "0.1.7";

/// `Slab` with its default configuration.
pub struct ShardedSlab(sharded_slab::Slab<Payload>);

/// A slab whose values are looked at by reference.
pub struct Shard<'a>(&'a sharded_slab::Slab<Payload>);

/// The key of a value.
#[derive(Debug)]
pub struct Key(usize);

impl PoolSubject for ShardedSlab {
    type Local<'a> = Shard<'a>;

    fn describe() -> Description {
        described("sharded-slab", VERSION, "default configuration")
    }

    fn new(_capacity: usize) -> Option<Self> {
        Some(Self(sharded_slab::Slab::new()))
    }

    fn local(&self) -> Shard<'_> {
        Shard(&self.0)
    }
}

impl<'a> PoolLocal for Shard<'a> {
    type Held = Key;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        self.0.insert(Payload::new(word)).map(Key)
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        self.0.remove(held.0);
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        let entry = self.0.get(held.0).expect("the harness holds the key");
        let value: *const Payload = &*entry;
        // SAFETY: the value stays in its slot until the key is given back, which takes `held`.
        unsafe { &*value }
    }
}
