//! The whole `strata-bench` command with a pool of your own among those of `pools`.
//!
//! ```sh
//! cargo run --release --example my_pool -- pools --alloc my-pool,object-pool pair
//! ```
//!
//! With `FAULTY` in its environment it hands one block out twice, which `pools check` finds.

use std::sync::{Mutex, PoisonError};
use strata_bench::pools::{Payload, PoolLocal, PoolSubject};
use strata_bench::subject::Description;

/// Your pool: here boxes in a vector under a lock.
#[derive(Default)]
struct MyPool(Mutex<Vec<Block>>);

/// A block, in the pool or out.
struct Block(*mut Payload);

// SAFETY: a block has one owner at a time, and belongs to no thread.
unsafe impl Send for Block {}

impl PoolSubject for MyPool {
    type Local<'a> = &'a Self;

    fn describe() -> Description {
        Description { name: "my-pool".into(), ..Description::default() }
    }

    fn new(capacity: usize) -> Option<Self> {
        let mut blocks: Vec<Block> =
            (0..capacity).map(|_| Block(Box::into_raw(Box::new(Payload::new(0))))).collect();
        if std::env::var_os("FAULTY").is_some() {
            blocks.push(Block(blocks.last()?.0));
        }
        Some(Self(Mutex::new(blocks)))
    }

    fn local(&self) -> &Self {
        self
    }
}

impl PoolLocal for &MyPool {
    type Held = Block;

    fn take(&mut self, word: u64) -> Option<Block> {
        let block = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        // SAFETY: a block of the pool's, which nobody else has.
        unsafe { block.0.write(Payload::new(word)) };
        Some(block)
    }

    fn give(&mut self, held: Block) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(held);
    }

    fn value<'b>(&'b self, held: &'b Block) -> &'b Payload {
        // SAFETY: it is out, and holds a value since it was taken.
        unsafe { &*held.0 }
    }
}

strata_bench::main!(shared pools MyPool);
