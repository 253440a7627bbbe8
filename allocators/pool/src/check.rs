//! A walk over all tables of a pool.

use core::fmt;
use core::ptr::NonNull;

use strata_core::Source;
use strata_core::lock::RawLock;

use crate::block_pool::BlockPool;

/// A law that a pool's tables break: memory was overwritten, or a block put back that was not the
/// pool's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(pub(crate) &'static str);

impl Broken {
    /// The law.
    pub fn law(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this does not hold: {}", self.0)
    }
}

impl core::error::Error for Broken {}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// Walks all chunks and checks them against each other and the figures. Other threads may go
    /// on; they wait meanwhile when they need the chunks. O(blocks).
    ///
    /// # Errors
    ///
    /// The law that is broken first.
    pub fn validate(&self) -> Result<(), Broken> {
        self.central(|central| central.store.validate()).map_err(Broken)
    }

    /// As [`validate`](Self::validate), and besides that each block in a magazine is one of this
    /// pool's and is out. Empties all magazines by the way: nobody else uses the pool.
    ///
    /// # Errors
    ///
    /// The law that is broken first.
    pub fn validate_all(&mut self) -> Result<(), Broken> {
        self.validate()?;
        for cache in self.caches() {
            if let Some(hot) = cache.take_hot() {
                self.check_block(hot.as_ptr())?;
            }
            let Some((loaded, previous)) = cache.unload(&self.depot) else { continue };
            self.check_magazine(loaded)?;
            self.check_magazine(previous)?;
            cache.load(&self.depot, loaded, previous, self.rounds());
        }
        while let Some(id) = self.depot.take_full() {
            self.check_magazine(id)?;
            self.depot.put_empty(id);
        }
        self.validate()
    }

    /// Puts the blocks of a magazine back one by one.
    fn check_magazine(&self, id: crate::depot::MagazineId) -> Result<(), Broken> {
        let len = self.depot.len(id);
        // SAFETY: 1. taken out of its cache or stack, so ours. 2. it has `len` blocks.
        for &block in unsafe { self.depot.blocks(id, len) }.iter() {
            self.check_block(block)?;
        }
        self.depot.set_len(id, 0);
        Ok(())
    }

    fn check_block(&self, block: *mut u8) -> Result<(), Broken> {
        self.central(|central| central.store.try_put(&[block]))
            .map_err(|_| Broken("a block in a magazine is one of the pool's that is out"))
    }
}
