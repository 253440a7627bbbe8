//! The answers that the calibration subjects promise, from their addresses alone.

use super::region::page_bytes;
use super::{Header64, NeverFrees, Noop, PowersOfTwo, granules};
use crate::subject::Subject;
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn alloc<S: Subject>(subject: &S, size: usize, align: usize) -> usize {
    // SAFETY: no size here is 0.
    let ptr = unsafe { subject.alloc(layout(size, align)) };
    assert!(!ptr.is_null());
    ptr.addr()
}

fn free<S: Subject>(subject: &S, address: usize, size: usize, align: usize) {
    // SAFETY: the tests free live blocks with their layouts.
    unsafe { subject.dealloc(address as *mut u8, layout(size, align)) };
}

/// Resident pages of a range of whole pages, as the system sees them.
fn resident_pages(range: Range<usize>) -> usize {
    let page = page_bytes();
    let mut map = vec![0_u8; range.len() / page];
    // SAFETY: the range is mapped and the vector has a byte for each of its pages.
    let rc = unsafe { libc::mincore(range.start as *mut _, range.len(), map.as_mut_ptr()) };
    assert_eq!(rc, 0);
    map.iter().filter(|&&state| state & 1 == 1).count()
}

#[test]
fn noop_gives_aligned_disjoint_addresses_and_goes_round() {
    let noop = Noop::new();
    let window = noop.regions().unwrap().remove(0);
    let mut above = window.end;
    for (size, align) in [(1, 1), (24, 8), (100, 4096), (5000, 2 << 20)] {
        let address = alloc(&noop, size, align);
        assert!(address.is_multiple_of(align) && address + size <= above);
        above = address;
    }
    // Half the window does not fit twice below what is taken, so that it starts from the end again.
    let half = window.len() / 2;
    let (first, second) = (alloc(&noop, half, 1), alloc(&noop, half, 1));
    assert!(window.contains(&first) && window.contains(&second));
    assert!(second > first);
    // SAFETY: a size that no window has is refused, not used.
    assert!(unsafe { noop.alloc(layout(window.len() + 1, 1)) }.is_null());
    const { assert!(!Noop::TOUCHABLE) };
}

#[test]
fn never_frees_never_gives_an_address_twice_and_leaves_no_gaps() {
    let subject = NeverFrees::new();
    let mut end = None;
    for size in 1..500 {
        let address = alloc(&subject, size, 8);
        assert_eq!(address, end.unwrap_or(address));
        end = Some(address + granules(size));
        free(&subject, address, size, 8);
    }
    let total: usize = (1..500).map(granules).sum();
    let figures = subject.figures();
    assert_eq!((figures.allocated, figures.mapped), (Some(0), Some(total as u64)));
}

#[test]
fn never_frees_touches_nothing_itself() {
    let subject = NeverFrees::new();
    let page = page_bytes();
    let start = alloc(&subject, 64 * page, page);
    assert_eq!(resident_pages(start..start + 64 * page), 0);
}

#[test]
fn powers_of_two_round_exactly_and_align_naturally() {
    let subject = PowersOfTwo::new();
    let page = page_bytes();
    for size in (1..300).chain([4095, 4096, 4097, 100_000]) {
        let address = alloc(&subject, size, 1);
        let power = size.next_power_of_two().max(16);
        // SAFETY: the block is live.
        let usable = unsafe { subject.usable_size(address as *mut u8, layout(size, 1)) };
        assert_eq!(usable, Some(power));
        assert!(address.is_multiple_of(power.min(page)));
    }
    // Alignment beyond a page, fresh and reused among blocks that lack it.
    let wide = alloc(&subject, 10, 1 << 16);
    // One page in between, so that the next block of this power lacks the alignment.
    alloc(&subject, page, 1);
    let plain = alloc(&subject, 1 << 16, 1);
    assert!(wide.is_multiple_of(1 << 16) && !plain.is_multiple_of(1 << 16));
    free(&subject, wide, 10, 1 << 16);
    free(&subject, plain, 1 << 16, 1);
    assert_eq!(alloc(&subject, 20, 1 << 16), wide);
    assert_eq!(alloc(&subject, 1 << 16, 1), plain);
}

#[test]
fn powers_of_two_reuse_the_last_freed_first_and_report_the_free() {
    let subject = PowersOfTwo::new();
    let blocks: Vec<usize> = (0..10).map(|_| alloc(&subject, 100, 1)).collect();
    for &block in &blocks {
        free(&subject, block, 100, 1);
    }
    let mut free_bytes = 0;
    assert!(subject.for_each_free_range(&mut |range| free_bytes += range.len()));
    assert_eq!(free_bytes, page_bytes());
    for &block in blocks.iter().rev() {
        assert_eq!(alloc(&subject, 65, 1), block);
    }
    assert_eq!(subject.figures().allocated, Some(10 * 128));
}

#[test]
fn powers_of_two_are_resident_as_a_whole() {
    let subject = PowersOfTwo::new();
    let start = alloc(&subject, 33 * page_bytes(), 1);
    assert_eq!(resident_pages(start..start + 64 * page_bytes()), 64);
}

#[test]
fn header_64_puts_64_bytes_between_neighbours() {
    let subject = Header64::new();
    let blocks: Vec<usize> = (0..1000).map(|_| alloc(&subject, 100, 8)).collect();
    assert!(blocks.windows(2).all(|pair| pair[1] - pair[0] == 112 + 64));
    assert_eq!(subject.figures().metadata, Some(64 * 1000));
    let first = blocks[0] - 64;
    let page = page_bytes();
    let pages = first / page * page..(blocks[999] + 112).div_ceil(page) * page;
    assert_eq!(resident_pages(pages.clone()), pages.len() / page);
}

#[test]
fn header_64_reuses_its_own_payload_and_alignment_only() {
    let subject = Header64::new();
    // The second pair of payloads shares a list's head with the first.
    let shapes = [(100, 8), (100, 256), (100 + 512 * 16, 8), (300, 8)];
    let blocks = shapes.map(|(size, align)| [(); 3].map(|()| alloc(&subject, size, align)));
    for (&(size, align), blocks) in shapes.iter().zip(&blocks) {
        for &block in blocks {
            assert!(block.is_multiple_of(align.max(16)));
            free(&subject, block, size, align);
        }
    }
    let mut free_bytes = 0;
    assert!(subject.for_each_free_range(&mut |range| free_bytes += range.len()));
    let expected: usize = shapes.iter().map(|&(size, _)| 3 * (granules(size) + 64)).sum();
    assert_eq!(free_bytes, expected);
    for (&(size, align), blocks) in shapes.iter().zip(&blocks) {
        for &block in blocks.iter().rev() {
            assert_eq!(alloc(&subject, size, align), block);
        }
    }
    assert!(subject.for_each_free_range(&mut |range| panic!("{range:x?} is free")));
    let fresh = alloc(&subject, 100, 8);
    assert!(blocks.iter().flatten().all(|&block| block != fresh));
}
