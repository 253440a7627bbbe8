//! The whole `strata-bench` command with an allocator of your own among those of `regions`.
//!
//! ```sh
//! cargo run --release --example my_region -- regions --alloc my-region,rlsf fill churn
//! ```
//!
//! With `FAULTY` in its environment it hands one block out twice, which `regions check` finds.

use std::alloc::Layout;
use std::ptr::NonNull;
use strata_bench::regions::{Claims, RegionSubject};
use strata_bench::subject::Description;

/// Your allocator: here slots of one length, and nothing longer.
struct MyRegion {
    free: Vec<usize>,
    faulty: bool,
}

const SLOT: usize = 16 << 10;

impl RegionSubject for MyRegion {
    type Block = usize;
    const CLAIMS: Claims = Claims::Nothing;

    fn describe() -> Description {
        Description { name: "my-region".into(), ..Description::default() }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let free = (0..region.len() / SLOT).rev().map(|slot| slot * SLOT).collect();
        Some(Self { free, faulty: std::env::var_os("FAULTY").is_some() })
    }

    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        if layout.size() > SLOT {
            return None;
        }
        let slot = self.free.pop()?;
        if self.faulty && slot == 4 * SLOT {
            self.free.insert(0, slot);
        }
        Some(slot)
    }

    unsafe fn free(&mut self, block: usize, _layout: Layout) {
        self.free.push(block);
    }

    fn start(&self, block: usize) -> usize {
        block
    }
}

strata_bench::main!(regions MyRegion);
