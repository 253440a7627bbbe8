//! Every source of memory in the suite, played by the one runner.

use std::mem::MaybeUninit;

use proptest::prelude::*;
use strata_core::ByteCount;
use strata_core::source::{Counted, FailWhen, Failing, Limited, Locked, Region};
use strata_os::{FileMap, FutexLock, OsReserve, OsSource};
use strata_page_frame::FrameSource;
use strata_tests::source::{play, play_threads, programs};

/// Bytes of the regions here: small enough for programs to exhaust them.
const ROOM: usize = 96 << 10;

/// Memory for a region. (A `Box` of an array would be built on the stack.)
fn buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); ROOM]
}

fn cases(cases: u32) -> ProptestConfig {
    // Failing programs are printed; files of past failures would be machine's litter.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_region_conforms_and_every_byte_comes_back(program in programs(80, 12_000)) {
        let mut buffer = buffer();
        let region = Region::new(&mut buffer);
        let free = region.free_bytes();
        play(&region, &program);
        prop_assert_eq!(region.largest_free(), free);
    }

    #[test]
    fn a_locked_region_conforms(program in programs(40, 12_000)) {
        let mut buffer = buffer();
        let mut locked = Locked::with_lock(Region::new(&mut buffer), FutexLock::new());
        let free = locked.get_mut().free_bytes();
        play(&locked, &program);
        prop_assert_eq!(locked.into_inner().largest_free(), free);
    }

    #[test]
    fn a_region_that_fails_conforms(
        program in programs(80, 4_000),
        when in prop_oneof![
            (1..5usize).prop_map(FailWhen::Every),
            (0..60usize).prop_map(FailWhen::AfterCalls),
            (0..80_000usize).prop_map(FailWhen::AfterBytes),
            Just(FailWhen::Schedule(&[true, false, false, true, true, false, true])),
        ],
    ) {
        let mut buffer = buffer();
        let failing = Failing::new(Region::new(&mut buffer), when);
        let free = failing.get_ref().free_bytes();
        play(&failing, &program);
        prop_assert_eq!(failing.get_ref().largest_free(), free);
    }

    #[test]
    fn memory_in_a_file_conforms(program in programs(30, 12_000)) {
        let folder = tempfile::tempdir().unwrap();
        let mut file = FileMap::create(&folder.path().join("region"), ROOM).unwrap();
        play(&file.region(), &program);
        file.flush().unwrap();
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_system_conforms(program in programs(50, 40_000)) {
        play(&OsSource::new(), &program);
    }

    #[test]
    fn reserved_address_space_conforms(program in programs(40, 40_000)) {
        play(&OsReserve, &program);
    }

    #[test]
    fn a_budget_is_never_overrun_and_comes_back(program in programs(50, 40_000)) {
        let source = Counted::new(Limited::new(OsSource::new(), ByteCount::kib(128)));
        play(&source, &program);
        let counts = source.counts();
        prop_assert!(counts.peak <= ByteCount::kib(128));
        prop_assert_eq!(counts.held, ByteCount(0));
        prop_assert_eq!(source.get_ref().left(), ByteCount::kib(128));
    }

    #[test]
    fn a_budget_over_failures_comes_back(program in programs(50, 20_000), n in 1..6usize) {
        let failing = Failing::new(OsSource::new(), FailWhen::Every(n));
        let source = Limited::new(Counted::new(failing), ByteCount::kib(256));
        play(&source, &program);
        prop_assert_eq!(source.left(), source.budget());
    }

    #[test]
    fn failing_commits_conform(program in programs(40, 20_000), n in 2..6usize) {
        // `play` must not see a grown chunk that cannot be committed: reserves do not grow.
        play(&Failing::new(OsReserve, FailWhen::Every(n)), &program);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn page_frames_over_the_system_conform(program in programs(60, 40_000)) {
        let source = FrameSource::new(OsSource::new(), 96, 4096).unwrap();
        play(&source, &program);
        prop_assert_eq!(source.frames().free_frames(), 96);
        prop_assert!(source.frames().validate().is_ok());
    }

    #[test]
    fn small_frames_over_a_region_conform(program in programs(80, 12_000)) {
        let mut buffer = buffer();
        let region = Region::new(&mut buffer);
        let free = region.free_bytes();
        {
            let source = FrameSource::new(&region, 1200, 64).unwrap();
            play(&source, &program);
            prop_assert_eq!(source.frames().free_frames(), 1200);
            prop_assert!(source.frames().validate().is_ok());
        }
        prop_assert_eq!(region.free_bytes(), free);
    }

    #[test]
    fn small_frames_over_reserved_address_space_conform(program in programs(60, 40_000)) {
        let source = FrameSource::new(OsReserve, 8192, 64).unwrap();
        play(&source, &program);
        prop_assert_eq!(source.frames().free_frames(), 8192);
    }
}

#[test]
fn threads_share_page_frames() {
    let source = FrameSource::new(OsSource::new(), 4096, 256).unwrap();
    play_threads(&source, 400);
    assert_eq!(source.frames().free_frames(), 4096);
    assert!(source.frames().validate().is_ok());
}

/// The general heap over page frames: blocks of every size, from several threads.
#[test]
fn a_heap_stands_on_page_frames() {
    use std::alloc::{GlobalAlloc, Layout};
    let source = FrameSource::new(OsSource::new(), 1 << 15, 4096).unwrap();
    {
        let heap: strata_segregated::Heap<_> = strata_segregated::Heap::new(&source);
        std::thread::scope(|scope| {
            for thread in 1..=4_u8 {
                let heap = &heap;
                scope.spawn(move || {
                    let mut blocks = Vec::new();
                    for turn in 0..2000_usize {
                        let size = 1 + turn * 7919 % (64 << (turn % 12));
                        let layout = Layout::from_size_align(size, 8 << (turn % 5)).unwrap();
                        // SAFETY: not empty; filled within the layout.
                        unsafe {
                            let block = heap.alloc(layout);
                            assert!(!block.is_null());
                            block.write_bytes(thread, size);
                            blocks.push((block, layout));
                        }
                        if turn % 3 == 2 {
                            let (block, layout) = blocks.swap_remove(turn % blocks.len());
                            // SAFETY: live, with its layout.
                            unsafe {
                                assert_eq!(block.add(layout.size() - 1).read(), thread);
                                heap.dealloc(block, layout);
                            }
                        }
                    }
                    for (block, layout) in blocks {
                        // SAFETY: as above.
                        unsafe { heap.dealloc(block, layout) };
                    }
                });
            }
        });
        assert_eq!(heap.stats().allocated.unwrap(), ByteCount(0));
        assert!(heap.validate().is_ok());
    }
    assert_eq!(source.frames().free_frames(), 1 << 15);
    assert!(source.frames().validate().is_ok());
}

#[test]
fn threads_share_a_locked_region_and_a_budget() {
    let mut buffer = buffer();
    let counted =
        Counted::new(Limited::new(Locked::new(Region::new(&mut buffer)), ByteCount::kib(64)));
    play_threads(&counted, 400);
    let counts = counted.counts();
    assert!(counts.peak <= ByteCount::kib(64));
    assert_eq!((counts.held, counts.acquired), (ByteCount(0), counts.released));
    assert!(counts.acquired > 400, "most requests were served");
}

#[test]
fn threads_share_the_system() {
    play_threads(&OsSource::new(), 100);
    play_threads(&Locked::with_lock(OsSource::new(), FutexLock::new()), 100);
}
