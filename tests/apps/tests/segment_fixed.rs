//! Real programs whose whole heap is a fixed region in a `static`: nothing is asked of the system.

use core::ptr::NonNull;

use strata_apps::Scale;
use strata_apps::apps::ALL;
use strata_core::lock::SpinLock;
use strata_core::source::{Locked, Region};
use strata_segment::{GoodFit, SegmentAlloc, Shared};

const BYTES: usize = 256 << 20;
static mut MEMORY: [u8; BYTES] = [0; BYTES];

/// Four shards over one region.
type Fixed = Shared<Locked<Region<'static>>, SpinLock, GoodFit, 4>;

#[global_allocator]
static ALLOC: SegmentAlloc<Fixed> = SegmentAlloc::over(Shared::new(Locked::new(
    // SAFETY: 1. the bytes of a static, for ever. 2. nothing else names it.
    unsafe { Region::from_raw_parts(NonNull::new_unchecked((&raw mut MEMORY).cast()), BYTES) },
)));

#[test]
fn programs_run_twice_in_a_fixed_region() {
    let scale = || Scale::new(0.02).expect("it is in range");
    for (name, app) in ALL {
        assert_eq!(app(scale()), app(scale()), "{name}");
        ALLOC.face().validate().unwrap_or_else(|broken| panic!("after {name}: {broken}"));
    }
    let mut regions = 0;
    ALLOC.face().each_shard(|segments| {
        for region in segments.region_ids() {
            let (start, len) = segments.region(region).expect("it was listed");
            let memory = (&raw const MEMORY).addr();
            assert!(start >= memory && start + len <= memory + BYTES);
            regions += 1;
        }
    });
    assert!(regions >= 1);
}
