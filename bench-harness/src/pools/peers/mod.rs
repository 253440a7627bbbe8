//! The suite's own pools and the published ones, each behind the feature of its name.

use super::Entry;

#[cfg(feature = "bumpalo")]
mod bumpalo;
#[cfg(feature = "heapless")]
mod heapless;
#[cfg(feature = "lockfree-object-pool")]
mod linear;
#[cfg(feature = "object-pool")]
mod object_pool;
#[cfg(feature = "opool")]
mod opool;
#[cfg(feature = "sharded-slab")]
mod sharded_slab;
#[cfg(feature = "slab")]
mod slab;
#[cfg(feature = "slotmap")]
mod slotmap;
#[cfg(feature = "strata-pool")]
mod strata;
#[cfg(feature = "typed-arena")]
mod typed_arena;

#[cfg(feature = "bumpalo")]
pub use bumpalo::Bumpalo;
#[cfg(feature = "heapless")]
pub use heapless::Heapless;
#[cfg(feature = "lockfree-object-pool")]
pub use linear::LinearPool;
#[cfg(feature = "object-pool")]
pub use object_pool::ObjectPool;
#[cfg(feature = "opool")]
pub use opool::Opool;
#[cfg(feature = "sharded-slab")]
pub use sharded_slab::ShardedSlab;
#[cfg(feature = "slab")]
pub use slab::Slab;
#[cfg(feature = "slotmap")]
pub use slotmap::Slotmap;
#[cfg(feature = "strata-pool")]
pub use strata::{StrataLocal, StrataShared, StrataStatic};
#[cfg(feature = "typed-arena")]
pub use typed_arena::TypedArena;

/// Versions of the crates that state none; a test holds them to the lock file.
#[cfg(test)]
pub(crate) const VERSIONS: &[(&str, &str)] = &[
    #[cfg(feature = "bumpalo")]
    ("bumpalo", bumpalo::VERSION),
    #[cfg(feature = "heapless")]
    ("heapless", heapless::VERSION),
    #[cfg(feature = "lockfree-object-pool")]
    ("lockfree-object-pool", linear::VERSION),
    #[cfg(feature = "object-pool")]
    ("object-pool", object_pool::VERSION),
    #[cfg(feature = "opool")]
    ("opool", opool::VERSION),
    #[cfg(feature = "sharded-slab")]
    ("sharded-slab", sharded_slab::VERSION),
    #[cfg(feature = "slab")]
    ("slab", slab::VERSION),
    #[cfg(feature = "slotmap")]
    ("slotmap", slotmap::VERSION),
    #[cfg(feature = "strata-pool")]
    ("strata-pool", strata::VERSION),
    #[cfg(feature = "typed-arena")]
    ("typed-arena", typed_arena::VERSION),
];

/// The linked ones.
pub(super) fn linked() -> Vec<Entry> {
    vec![
        #[cfg(feature = "strata-pool")]
        Entry::shared::<StrataShared>(),
        #[cfg(feature = "strata-pool")]
        Entry::of::<StrataLocal>(),
        #[cfg(feature = "strata-pool")]
        Entry::shared::<StrataStatic>(),
        #[cfg(feature = "slab")]
        Entry::of::<Slab>().peer(),
        #[cfg(feature = "slotmap")]
        Entry::of::<Slotmap>().peer(),
        #[cfg(feature = "heapless")]
        Entry::shared::<Heapless>().peer(),
        #[cfg(feature = "sharded-slab")]
        Entry::shared::<ShardedSlab>().peer(),
        #[cfg(feature = "lockfree-object-pool")]
        Entry::shared::<LinearPool>().peer(),
        #[cfg(feature = "object-pool")]
        Entry::shared::<ObjectPool>().peer(),
        #[cfg(feature = "opool")]
        Entry::shared::<Opool>().peer(),
        #[cfg(feature = "typed-arena")]
        Entry::of::<TypedArena>().peer(),
        #[cfg(feature = "bumpalo")]
        Entry::of::<Bumpalo>().peer(),
    ]
}

/// A description of a crate at a version.
#[allow(dead_code, reason = "without a peer there is none")]
fn described(name: &str, version: &str, settings: &str) -> crate::subject::Description {
    crate::subject::Description {
        name: name.into(),
        version: version.into(),
        purge_settings: settings.into(),
        calibration: false,
    }
}
