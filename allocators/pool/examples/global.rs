//! A program whose small blocks come from pools, and the rest from the system.

use std::alloc::System;
use std::collections::BTreeMap;

use strata_pool::PoolAlloc;

#[global_allocator]
static ALLOC: PoolAlloc<System> = PoolAlloc::new(System);

fn main() {
    let words: BTreeMap<String, usize> = (0..50_000).map(|n| (format!("word {n}"), n)).collect();
    let total: usize = words.values().sum();
    println!("{total}");
    for pool in ALLOC.pools() {
        let stats = pool.stats();
        println!("{:4} bytes: {} of {} live", stats.block_len, stats.live, stats.capacity);
    }
    drop(words);
    println!("{} bytes went back", ALLOC.trim());
}
