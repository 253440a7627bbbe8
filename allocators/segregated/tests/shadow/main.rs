//! Generated programs on every kind of heap, beside a shadow that remembers what is out.
#![cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]

mod large;
mod laws;
mod poison;
mod runner;
mod subjects;

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use proptest::prelude::*;
use runner::play;
use strata_core::lock::SpinLock;
use strata_core::source::{FailWhen, Failing, Locked, Region};
use strata_core::{ByteCount, Source};
use strata_os::{FutexLock, OsReserve, OsSource};
use strata_segregated::{GiveBack, Heap, SegregatedAlloc};
use subjects::{BUFFER, MAPPED, ProcessHeap, buffer, play_over};

fn programs(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..len)
}

fn modes() -> impl Strategy<Value = GiveBack> {
    prop_oneof![
        Just(GiveBack::Budget),
        Just(GiveBack::AfterPeaks),
        Just(GiveBack::Eager),
        Just(GiveBack::Lazy),
        Just(GiveBack::Never)
    ]
}

fn rules() -> impl Strategy<Value = FailWhen> {
    prop_oneof![
        (1..9_usize).prop_map(FailWhen::Every),
        (0..40_usize).prop_map(FailWhen::AfterCalls),
        Just(FailWhen::Schedule(&[false, true, false, false, true, true, false, false, true])),
    ]
}

fn cases(cases: u32) -> ProptestConfig {
    // Failing programs are printed; files of past failures would be machine's litter.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn the_process_heap(programs in prop::collection::vec((modes(), programs(1500)), 1..4)) {
        // The one test here that uses it, so its figures are exact.
        for (mode, program) in programs {
            SegregatedAlloc.set_give_back(mode);
            prop_assert_eq!(play(&ProcessHeap, MAPPED, &program), 0);
        }
        SegregatedAlloc.flush_thread_cache();
        prop_assert_eq!(SegregatedAlloc.stats().allocated, Some(ByteCount(0)));
    }

    #[test]
    fn a_heap_in_a_buffer(program in programs(2500)) {
        let mut buffer = buffer();
        play_over(Locked::new(Region::new(&mut buffer)), GiveBack::Budget, BUFFER, &program);
    }

    #[test]
    fn a_heap_in_a_buffer_that_fails(program in programs(1500), rule in rules()) {
        let mut buffer = buffer();
        let region = Locked::new(Region::new(&mut buffer));
        play_over(Failing::new(region, rule), GiveBack::Budget, BUFFER, &program);
    }

    #[test]
    fn a_heap_over_the_system(program in programs(2000), mode in modes()) {
        prop_assert_eq!(play_over(OsSource::new(), mode, MAPPED, &program), 0);
    }

    #[test]
    fn a_heap_over_the_system_that_fails(program in programs(1500), mode in modes(), rule in rules()) {
        play_over(Failing::new(OsSource::new(), rule), mode, MAPPED, &program);
    }

    #[test]
    fn a_heap_over_reserved_addresses(program in programs(2000), mode in modes()) {
        prop_assert_eq!(play_over(OsReserve, mode, MAPPED, &program), 0);
    }

    #[test]
    fn a_heap_over_reserved_addresses_that_fails(
        program in programs(1500),
        mode in modes(),
        rule in rules(),
    ) {
        play_over(Failing::new(OsReserve, rule), mode, MAPPED, &program);
    }
}

/// A heap in a `static`, with a lock of the system's.
#[test]
fn a_static_heap_in_a_static_buffer() {
    static mut BUFFER_: [MaybeUninit<u8>; 1 << 20] = [MaybeUninit::uninit(); 1 << 20];
    static HEAP: Heap<Locked<Region<'static>>, FutexLock> = {
        let start = (&raw mut BUFFER_).cast::<u8>();
        // SAFETY: a static is not null. 1. and 2. nobody else names it.
        let region = unsafe { Region::from_raw_parts(NonNull::new_unchecked(start), 1 << 20) };
        Heap::new(Locked::new(region))
    };
    let program: Vec<u8> =
        (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    play(&HEAP, BUFFER, &program);
}

/// A source that never has anything: every request fails, and nothing else happens.
#[test]
fn a_heap_over_nothing() {
    let source = Failing::new(OsSource::new(), FailWhen::Always);
    let program: Vec<u8> = (0..3000_u32).map(|n| (n * 37) as u8).collect();
    assert!(play_over(source, GiveBack::Budget, MAPPED, &program) > 0);
}

/// Layouts near the end of what there is are refused by all, and leave nothing behind.
#[test]
fn absurd_layouts_are_refused() {
    let heap: Heap<_, SpinLock> = Heap::new(OsSource::new());
    for (size, align) in [
        (isize::MAX as usize, 1),
        (isize::MAX as usize - 4095, 4096),
        (isize::MAX as usize / 2, 1 << 40),
        (1, 1 << 62),
    ] {
        let layout = Layout::from_size_align(size, align).expect("a layout by the letter");
        assert!(heap.allocate(layout).is_err() && heap.allocate_zeroed(layout).is_err());
        // SAFETY: layouts of any size are served or refused.
        assert!(unsafe { core::alloc::GlobalAlloc::alloc(&SegregatedAlloc, layout) }.is_null());
        assert!(heap.good_size(layout) >= size);
    }
    heap.validate().expect("nothing changed");
    assert_eq!(heap.stats().allocated, Some(ByteCount(0)));
}

/// Pages that the system may take or leave are not zero, wherever they were: in free frames, or in
/// a span that emptied later.
#[test]
fn lazily_purged_pages_are_not_taken_for_zero() {
    // A source whose purge leaves everything as it is and says so: the worst that a lazy one does.
    struct Forgetful(OsSource);
    // SAFETY: 1. and 2. the system's. 3. a purged range may read as anything.
    unsafe impl Source for Forgetful {
        type Address = NonNull<u8>;
        const SPLITS: bool = OsSource::SPLITS;
        const ZEROED: bool = OsSource::ZEROED;
        const PURGES: bool = true;
        fn granule(&self) -> usize {
            self.0.granule()
        }
        fn acquire(
            &self,
            len: usize,
            align: usize,
        ) -> Result<strata_core::Chunk, strata_core::Exhausted> {
            self.0.acquire(len, align)
        }
        unsafe fn release(&self, chunk: strata_core::Chunk) {
            // SAFETY: the caller's obligations are the same ones.
            unsafe { self.0.release(chunk) }
        }
        unsafe fn purge(&self, _at: NonNull<u8>, _len: usize) -> strata_core::Contents {
            strata_core::Contents::Undefined
        }
    }
    let heap: Heap<_, SpinLock> = Heap::new(Forgetful(OsSource::new()));
    let small = Layout::from_size_align(1024, 8).expect("a layout");
    /// Bytes of a span of blocks of this length.
    const SPAN: usize = 64 << 10;
    let mut blocks: Vec<_> = (0..256).map(|_| heap.allocate(small).expect("memory")).collect();
    for block in &blocks {
        // SAFETY: a block of this layout.
        unsafe { block.write_bytes(0xa5, small.size()) };
    }
    let len = heap.good_size(small);
    blocks.sort();
    // One block a span stays, in its last page, and the others go.
    let (kept, freed): (Vec<_>, Vec<_>) =
        blocks.iter().enumerate().partition(|(n, _)| n % (SPAN / len) == SPAN / len - 1);
    for (_, block) in freed {
        // SAFETY: 1. allocated above.
        unsafe { heap.deallocate(*block, small) };
    }
    assert!(heap.purge() > 0);
    for (_, block) in kept {
        // SAFETY: 1. allocated above.
        unsafe { heap.deallocate(*block, small) };
    }
    for _ in 0..6 {
        let large = Layout::from_size_align(33 << 10, 8).expect("a layout");
        let block = heap.allocate_zeroed(large).expect("memory");
        // SAFETY: zeroed, says the heap.
        let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), large.size()) };
        assert!(bytes.iter().all(|byte| *byte == 0), "a zeroed block is zero");
    }
}

/// The sanitizer knows of blocks what the tests tell it: else ci/san would find nothing.
#[cfg(strata_poison)]
#[test]
fn blocks_that_are_not_out_are_poisoned() {
    use poison::{back, is_poisoned, out};
    let heap: Heap<_, SpinLock> = Heap::new(OsSource::new());
    let layout = Layout::from_size_align(100, 8).expect("a layout");
    let [one, other] = [0, 1].map(|_| heap.allocate(layout).expect("memory").as_ptr());
    for block in [one, other] {
        out(block, layout.size());
        assert!(!is_poisoned(block) && !is_poisoned(block.wrapping_add(99)));
    }
    back(one, layout.size());
    // The sanitizer's unit is 8 bytes: the last 4 of a block may stay as they were.
    assert!(is_poisoned(one) && is_poisoned(one.wrapping_add(95)) && !is_poisoned(other));
    out(one, layout.size());
    assert!(!is_poisoned(one));
    // Where nothing is out the memory is the heap's own.
    for block in [one, other] {
        back(block, layout.size());
    }
    assert!(!is_poisoned(one) && !is_poisoned(other));
    for block in [one, other] {
        // SAFETY: 1. allocated above.
        unsafe { heap.deallocate(NonNull::new(block).expect("a block"), layout) };
    }
}
