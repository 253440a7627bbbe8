//! Collections on the heaps, through the `Allocator` of allocator-api2.
#![cfg(all(feature = "std", feature = "allocator-api2", target_os = "linux", not(strata_loom)))]

use core::alloc::Layout;
use core::mem::MaybeUninit;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use strata_core::ByteCount;
use strata_core::lock::SpinLock;
use strata_core::source::{Locked, Region};
use strata_os::OsSource;
use strata_segregated::{Heap, SegregatedAlloc};

/// Every kind of layout: the block is as long as it says, may be written to its end, and is taken
/// back for every size that fits it.
fn true_lengths(heap: impl Allocator, good_size: impl Fn(Layout) -> usize) {
    for size in [0, 1, 8, 9, 100, 129, 1000, 5000, 32_768, 32_769, 100_000, 1 << 20, 3_000_001] {
        for align in [1, 8, 16, 64, 4096, 65_536, 1 << 21] {
            let layout = Layout::from_size_align(size, align).expect("small");
            for (zeroed, freed_as) in [(false, 0), (true, 1), (true, 2)] {
                let block =
                    if zeroed { heap.allocate_zeroed(layout) } else { heap.allocate(layout) };
                let block = block.expect("memory");
                assert_eq!(block.len(), good_size(layout), "{layout:?}");
                assert!(block.len() >= size);
                let at = block.cast::<u8>();
                assert!(at.addr().get().is_multiple_of(align));
                // SAFETY: a block as long as it says; zeroed where asked.
                unsafe {
                    let bytes = core::slice::from_raw_parts(at.as_ptr(), block.len());
                    assert!(!zeroed || bytes.iter().all(|byte| *byte == 0), "{layout:?}");
                    at.write_bytes(0x5a, block.len());
                }
                // Any size between the one asked for and the one given is as good.
                let size = [size, block.len(), size.midpoint(block.len())][freed_as];
                let fitting = Layout::from_size_align(size, align).expect("small");
                // SAFETY: a live block that `fitting` fits.
                unsafe { heap.deallocate(at, fitting) };
            }
        }
    }
}

#[test]
fn blocks_have_their_true_lengths() {
    let heap: Heap<_, SpinLock> = Heap::new(OsSource::new());
    true_lengths(&heap, |layout| heap.good_size(layout));
    assert_eq!(heap.stats().allocated, Some(ByteCount(0)));
    true_lengths(SegregatedAlloc, |layout| SegregatedAlloc.good_size(layout));
    SegregatedAlloc.validate().expect("valid");
}

#[test]
fn collections_live_in_a_heap_in_a_buffer() {
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); 4 << 20];
    let heap: Heap<_, SpinLock> = Heap::new(Locked::new(Region::new(&mut buffer)));
    let mut lists: Vec<Vec<u32, &_>, &_> = Vec::new_in(&heap);
    for n in 0..500 {
        let mut list = Vec::new_in(&heap);
        list.extend(0..n);
        list.shrink_to_fit();
        lists.push(list);
    }
    lists.retain(|list| list.len() % 3 != 0);
    assert!(lists.iter().all(|list| list.iter().copied().eq(0..list.len() as u32)));
    heap.validate().expect("valid");
    drop(lists);
    assert_eq!(heap.stats().allocated, Some(ByteCount(0)));
}

#[test]
fn threads_share_a_heap_and_hand_its_collections_on() {
    let heap: Heap<_, SpinLock> = Heap::new(OsSource::new());
    let lists: Vec<Vec<u32, &Heap<_, _>>> = std::thread::scope(|scope| {
        let filling = |n: u32| {
            let heap = &heap;
            scope.spawn(move || {
                let mut list = Vec::new_in(heap);
                list.extend(0..1000 * n);
                list
            })
        };
        let threads: Vec<_> = (1..5).map(filling).collect();
        threads.into_iter().map(|thread| thread.join().expect("a list")).collect()
    });
    assert!(lists.iter().all(|list| list.iter().copied().eq(0..list.len() as u32)));
    let bytes: usize = lists.iter().map(|list| 4 * list.len()).sum();
    assert!(heap.stats().allocated.is_some_and(|allocated| allocated.get() >= bytes));
    drop(lists);
    heap.destroy().expect("no block is live");
}

#[test]
fn a_box_in_the_process_heap_goes_to_another_thread() {
    let boxed = Box::new_in([7_u64; 100], SegregatedAlloc);
    let sum = std::thread::spawn(move || boxed.iter().sum::<u64>()).join().expect("a sum");
    assert_eq!(sum, 700);
    let layout = Layout::from_size_align(isize::MAX as usize, 1).expect("a layout");
    assert!(SegregatedAlloc.allocate(layout).is_err());
}
