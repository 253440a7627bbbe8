//! A pool in a program that has neither `std` nor an allocator, as firmware: build it with
//! `--no-default-features`. Two "cores" share a pool of messages; one of them also has chunks in a
//! buffer of its own, through a cache by hand.

#![no_std]

extern crate std; // for `main` of a hosted target; nothing below names it

use core::mem::MaybeUninit;

use strata_core::lock::SpinLock;
use strata_core::source::Region;
use strata_pool::{Config, Pool, PoolBox, StaticPool};

type Messages = StaticPool<[u8; 64], 40, 1>;
static MESSAGES: Messages = StaticPool::new();

/// What one core hands to the other.
fn send(byte: u8) -> Option<PoolBox<'static, [u8; 64], Messages>> {
    MESSAGES.alloc([byte; 64]).ok()
}

fn main() {
    let message = send(7).expect("the pool has 40 slots");
    assert_eq!(message[63], 7);
    drop(message);
    assert_eq!(MESSAGES.live(), 0);

    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 << 10];
    // The pool's own lock is enough.
    let source = Region::new(&mut buffer);
    let pool: Pool<[u32; 8], _, SpinLock> =
        Pool::with_source(source, Config::new().capacity(100)).expect("a pool of 100");
    let core = pool.thread_cache();
    let value = core.alloc([1; 8]).expect("room in the buffer");
    assert_eq!(value[7], 1);
}
