//! `strata-pool`: the pools of this suite.

use crate::pools::{Claims, Payload, PoolFigures, PoolLocal, PoolSubject};
use crate::subject::Description;
use strata_pool::{LocalPool, Pool, PoolBox, PoolStats, StaticPool};

pub(super) const VERSION: &str = "0.1.0";

fn described(name: &str, settings: &str) -> Description {
    super::described(name, VERSION, settings)
}

fn figures(stats: &PoolStats) -> PoolFigures {
    let bytes = |blocks: usize| (blocks * stats.block_len) as u64;
    PoolFigures {
        live: Some(bytes(stats.live)),
        capacity: Some(bytes(stats.capacity)),
        chunk: stats.capacity.checked_div(stats.chunks).map(bytes),
    }
}

/// What one thread does with a pool, whose blocks come back when their boxes are dropped.
macro_rules! boxes {
    ($pool:ty; $($more:item)*) => {
        impl<'a> PoolLocal for &'a $pool {
            type Held = PoolBox<'a, Payload, $pool>;

            #[inline(always)]
            fn take(&mut self, word: u64) -> Option<Self::Held> {
                self.alloc(Payload::new(word)).ok()
            }

            #[inline(always)]
            fn give(&mut self, held: Self::Held) {
                drop(held);
            }

            fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
                held
            }

            $($more)*
        }
    };
}

/// The rest, of pools that get memory and give it back.
macro_rules! growing {
    ($pool:ty) => {
        boxes! {
            $pool;
            fn trim(&mut self) -> bool {
                <$pool>::trim(self, 0);
                true
            }

            fn figures(&self) -> PoolFigures {
                figures(&self.stats())
            }

            fn validate(&self) -> Result<(), String> {
                <$pool>::validate(self).map_err(|broken| format!("{broken:?}"))
            }
        }
    };
}

growing!(LocalPool<Payload>);
growing!(Pool<Payload>);
boxes!(StaticPool<Payload, SLOTS>;);

/// `LocalPool` over the system's memory.
pub struct StrataLocal(LocalPool<Payload>);

impl PoolSubject for StrataLocal {
    type Local<'a> = &'a LocalPool<Payload>;
    const CLAIMS: Claims = Claims::Local;

    fn describe() -> Description {
        described("strata-pool-local", "one thread")
    }

    fn new(_capacity: usize) -> Option<Self> {
        LocalPool::new().ok().map(Self)
    }

    fn local(&self) -> Self::Local<'_> {
        &self.0
    }
}

/// `Pool` over the system's memory, with its automatic caches of threads.
pub struct StrataShared(Pool<Payload>);

impl PoolSubject for StrataShared {
    type Local<'a> = &'a Pool<Payload>;
    const CLAIMS: Claims = Claims::Shared;

    fn describe() -> Description {
        described("strata-pool", "shared")
    }

    fn new(_capacity: usize) -> Option<Self> {
        Pool::new().ok().map(Self)
    }

    fn local(&self) -> Self::Local<'_> {
        &self.0
    }
}

/// Slots of the static pool: as many as its two levels of bits serve in one step each.
const SLOTS: usize = 4096;

/// `StaticPool`, in memory of its own.
pub struct StrataStatic(Box<StaticPool<Payload, SLOTS>>);

impl PoolSubject for StrataStatic {
    type Local<'a> = &'a StaticPool<Payload, SLOTS>;
    const CLAIMS: Claims = Claims::Static;
    const MOST: usize = SLOTS;

    fn describe() -> Description {
        described("strata-pool-static", "4096 slots")
    }

    fn new(_capacity: usize) -> Option<Self> {
        Some(Self(Box::new(StaticPool::new())))
    }

    fn local(&self) -> Self::Local<'_> {
        &self.0
    }
}
