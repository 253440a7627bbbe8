//! The report of a heap against what is known of it.
#![cfg(target_os = "linux")]

use std::alloc::Layout;
use std::mem::MaybeUninit;

use strata_core::ByteCount;
use strata_core::source::{Locked, Region};
use strata_segregated::{Heap, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

#[test]
fn a_heap_s_report_is_what_was_done_to_it() {
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); 4 << 20];
    let heap: Heap<_> = Heap::new(Locked::new(Region::new(&mut buffer)));
    let empty = heap.report();
    assert!(empty.classes.iter().all(|class| class.spans == 0 && class.taken == 0));
    assert_eq!((empty.external_fragmentation(), empty.given_back), (None, None));

    let small = Layout::new::<[u8; 64]>();
    let blocks: Vec<_> = (0..1000).map(|_| heap.allocate(small).unwrap()).collect();
    let large = Layout::new::<[u8; 200_000]>();
    let run = heap.allocate(large).unwrap();
    for block in blocks.iter().step_by(2) {
        // SAFETY: 1. allocated above, freed once.
        unsafe { heap.deallocate(*block, small) };
    }
    let report = heap.report();
    let class = report.classes.iter().find(|class| class.block_len == 64).unwrap();
    assert_eq!((class.taken, class.live(), class.stocked), (500, 500, 0));
    assert_eq!(class.allocated(), ByteCount(32_000));
    assert_eq!(class.occupancy.iter().sum::<usize>(), class.spans);
    assert!(class.occupancy[4] > 0, "most spans are half taken: {class:?}");
    // Every second block is a hole, but for the last span's rest.
    assert!((32_000..48_000).contains(&class.holes), "{class:?}");
    assert_eq!(report.holes().get(), class.holes);
    let external = report.external_fragmentation().unwrap();
    assert!((0.5..0.6).contains(&external), "{external}");
    assert_eq!((report.large.runs, report.large.run_bytes), (1, 49 * 4096));
    assert_eq!(report.stats, heap.stats());
    assert!(report.budget.unwrap().get() >= 1 << 20 && report.learned.get() == 0);

    for block in blocks.iter().skip(1).step_by(2) {
        // SAFETY: 1. allocated above, freed once.
        unsafe { heap.deallocate(*block, small) };
    }
    // SAFETY: 1. allocated above, freed once.
    unsafe { heap.deallocate(run, large) };
    let report = heap.report();
    assert!(report.classes.iter().all(|class| class.taken == 0 && class.holes == 0));
    assert_eq!(report.large.runs, 0);
}

/// Keys and values of the object, by a look at its brackets and quotes.
fn is_json(text: &str) -> bool {
    let mut depth = 0_i32;
    let balanced = text.chars().all(|c| {
        depth += match c {
            '{' | '[' => 1,
            '}' | ']' => -1,
            _ => 0,
        };
        depth >= 0
    });
    balanced
        && depth == 0
        && text.matches('"').count().is_multiple_of(2)
        && !["NaN", "inf", ",}", ",]", "{,", "[,", "::", "None", "Some"]
            .iter()
            .any(|bad| text.contains(bad))
}

#[test]
fn the_process_heap_s_report_and_usage_are_of_this_process() {
    /// Bytes of the blocks below; the other test's are gone or not there yet.
    const LEAST: usize = 1000 * 3000 + (5 << 20);
    let kept: Vec<Box<[u8; 3000]>> = (0..1000).map(|_| Box::new([1; 3000])).collect();
    let big = vec![1_u8; 5 << 20];
    let report = ALLOC.report();
    let class = report.classes.iter().find(|class| class.block_len == 3072).unwrap();
    // Some may have got pages of their own.
    let sampled = if cfg!(feature = "sampled-guards") { 3 } else { 0 };
    assert!(class.live() + sampled >= 1000, "{class:?}");
    assert!(report.large.chunk_bytes >= 5 << 20 && report.large.chunks >= 1);
    assert!(report.stats.allocated.unwrap().get() >= LEAST);
    report.stats.check_laws().unwrap();
    let text = report.to_string();
    assert!(text.lines().any(|line| line.trim_start().starts_with("3072 ")), "{text}");
    let json = report.json().to_string();
    assert!(is_json(&json), "{json}");
    assert!(json.contains("{\"block_len\":3072,\"spans\":"), "{json}");

    let usage = ALLOC.memory_usage();
    assert!(usage.heap_used <= usage.heap_total && usage.heap_used.get() >= LEAST);
    assert!(usage.rss.unwrap().get() >= LEAST);
    assert!(usage.external.unwrap() < usage.rss.unwrap());
    drop((kept, big));
    let before = ALLOC.report().given_back.unwrap();
    assert!(ALLOC.purge() > 0);
    let after = ALLOC.report().given_back.unwrap();
    assert!(after.purges > before.purges && after.purged > before.purged);
}
