//! Large blocks, which grow and shrink and are kept, on sources that have all that they need and fail.

use core::ptr::NonNull;

use proptest::prelude::*;
use strata_core::source::{FailWhen, Failing, rounded_len};
use strata_core::{Chunk, Contents, Exhausted, Source};
use strata_os::{OsReserve, memory};
use strata_segregated::{GiveBack, SegregatedAlloc};

use crate::runner::{Limits, Regime, play};
use crate::subjects::{ProcessHeap, play_over};
use crate::{cases, modes, programs, rules};

/// What is asked for: few blocks, most of them large.
const LARGE: Limits =
    Limits { live: 12 << 20, block: 6 << 20, align: 1 << 22, regime: Regime::Large };

/// All that the process heap's source can do.
struct Whole(OsReserve);

// SAFETY: 1. to 3. those of `OsReserve`; remapping moves a mapping that was committed as a whole.
unsafe impl Source for Whole {
    type Address = NonNull<u8>;
    const SPLITS: bool = true;
    const ZEROED: bool = true;
    const COMMITS: bool = true;
    const PURGES: bool = true;
    const REMAPS: bool = true;
    const RELOCATES: bool = true;

    fn granule(&self) -> usize {
        self.0.granule()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        self.0.acquire(len, align)
    }

    unsafe fn release(&self, chunk: Chunk) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.0.release(chunk) }
    }

    unsafe fn commit(&self, at: NonNull<u8>, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.0.commit(at, len) }
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.0.purge(at, len) }
    }

    unsafe fn remap(&self, chunk: Chunk, len: usize, align: usize) -> Result<Chunk, Chunk> {
        let len = rounded_len(len, align, self.granule()).expect("small");
        // SAFETY: 1. the caller's chunk. 2. whole pages, not shorter.
        match unsafe { memory::remap(chunk.base(), chunk.len(), len, align) } {
            // SAFETY: 1. to 3. moved as a whole.
            Ok(at) => Ok(unsafe { Chunk::from_raw_parts(at, len) }),
            Err(_) => Err(chunk),
        }
    }

    unsafe fn relocate(
        &self,
        from: NonNull<u8>,
        to: NonNull<u8>,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.0.relocate(from, to, len) }
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn large_blocks_over_all_that_a_source_can_do(program in programs(800), mode in modes()) {
        prop_assert_eq!(play_over(Whole(OsReserve), mode, LARGE, &program), 0);
    }

    #[test]
    fn large_blocks_over_a_source_that_fails(
        program in programs(600),
        mode in modes(),
        rule in rules(),
    ) {
        play_over(Failing::new(Whole(OsReserve), rule), mode, LARGE, &program);
    }
}

/// Every call to the source fails once, each in a run of its own: nothing is lost.
#[test]
fn every_call_that_large_blocks_make_may_fail() {
    let program: Vec<u8> =
        (0..160_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 15) as u8).collect();
    for nth in 0..40 {
        let source = Failing::new(Whole(OsReserve), FailWhen::AfterCalls(nth));
        play_over(source, GiveBack::Budget, LARGE, &program);
        let source = Failing::new(Whole(OsReserve), FailWhen::Every(nth + 1));
        play_over(source, GiveBack::Budget, LARGE, &program);
    }
}

/// Large blocks of the process heap, in a process of its own: its figures are exact.
#[test]
fn large_blocks_of_the_process_heap() {
    const CHILD: &str = "STRATA_LARGE_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let this = std::env::current_exe().expect("this test");
        let ended = std::process::Command::new(this)
            .args(["--exact", "large::large_blocks_of_the_process_heap"])
            .env(CHILD, "1")
            .output()
            .expect("a child");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        return;
    }
    for (round, mode) in
        [GiveBack::Budget, GiveBack::AfterPeaks, GiveBack::Eager, GiveBack::Lazy, GiveBack::Never]
            .into_iter()
            .cycle()
            .take(10)
            .enumerate()
    {
        SegregatedAlloc.set_give_back(mode);
        let program: Vec<u8> = (0..800_u32)
            .map(|n| ((n + 7919 * round as u32).wrapping_mul(2_654_435_761) >> 17) as u8)
            .collect();
        assert_eq!(play(&ProcessHeap, LARGE, &program), 0);
    }
    SegregatedAlloc.set_give_back(GiveBack::Budget);
    SegregatedAlloc.purge();
    let stats = SegregatedAlloc.stats();
    assert_eq!(stats.allocated.map(|bytes| bytes.0), Some(0));
    assert!(stats.cached.is_some_and(|bytes| bytes.0 < 1 << 20), "{stats:?}");
}
