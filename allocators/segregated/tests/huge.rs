//! Large blocks that are used again and again get huge pages if the program touches all of them.
#![cfg(all(
    feature = "std",
    target_os = "linux",
    not(miri),
    not(feature = "checked"),
    not(feature = "measures")
))]

use std::alloc::{GlobalAlloc, Layout};
use std::fs;

use strata_os::{limits, memory};
use strata_segregated::SegregatedAlloc;

static HEAP: SegregatedAlloc = SegregatedAlloc::new();
const LEN: usize = 16 << 20;

/// Bytes of huge pages in this process.
fn huge() -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let kib = |line: &str| {
        line.strip_prefix("AnonHugePages:")?.split_whitespace().next()?.parse::<usize>().ok()
    };
    maps.lines().filter_map(kib).sum::<usize>() << 10
}

/// Uses blocks of up to [`LEN`], of which every page is written, or of `sparse` ones the first.
fn use_often(sparse: bool) {
    for round in 0..600 {
        let layout = Layout::from_size_align(LEN - round % 7 * 4096, 8).unwrap();
        let pages = if sparse { 1 } else { layout.size() / 4096 };
        // SAFETY: the layout has a size; the pages are the block's.
        unsafe {
            let block = HEAP.alloc(layout);
            assert!(!block.is_null());
            (0..pages).for_each(|page| block.add(page * 4096).write(1));
            HEAP.dealloc(block, layout);
        }
    }
}

/// Whether this system makes huge pages of memory that is there.
fn collapses() -> bool {
    let at = memory::map(4 << 20, 2 << 20).unwrap();
    // SAFETY: the test's own.
    unsafe {
        at.write_bytes(1, 4 << 20);
        let collapses = memory::collapse(at, 4 << 20).is_ok();
        memory::release(at, 4 << 20).unwrap();
        collapses
    }
}

#[test]
fn blocks_that_are_touched_all_over_get_huge_pages_and_others_do_not() {
    let before = huge();
    use_often(true);
    assert_eq!(huge(), before, "most of it would be resident for nothing");
    use_often(false);
    if limits::huge_pages() && collapses() {
        assert!(huge() > before);
    }
}
