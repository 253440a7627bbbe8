//! What was wished for shows in the system's own account of the process.
#![cfg(target_os = "linux")]

use std::fs;

use strata_segregated::{HugePages, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// The mapping of `/proc/self/smaps` that a block of the heap lies in.
fn mapping_of(address: usize) -> String {
    let all = fs::read_to_string("/proc/self/smaps").expect("Linux has smaps");
    let mut lines: Vec<&str> = Vec::new();
    for line in all.lines() {
        let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
        let bounds = range.and_then(|(from, to)| {
            let from = usize::from_str_radix(from, 16).ok()?;
            Some(from..usize::from_str_radix(to, 16).ok()?)
        });
        if bounds.is_some() {
            if !lines.is_empty() {
                break;
            }
            if bounds.is_some_and(|bounds| bounds.contains(&address)) {
                lines.push(line);
            }
        } else if !lines.is_empty() {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn mappings_bear_the_name_and_the_advice_those_that_came_later_too() {
    let small = Box::new(7_u64);
    let named = ALLOC.name_memory();
    let advised = ALLOC.set_huge_pages(HugePages::Avoid);
    let large = vec![1_u8; 8 << 20];
    for address in [&raw const *small as usize, large.as_ptr() as usize] {
        let mapping = mapping_of(address);
        assert!(!mapping.is_empty());
        assert!(!named || mapping.contains("[anon:strata heap]"), "{mapping}");
        let flags = mapping.lines().find(|line| line.starts_with("VmFlags:")).unwrap_or("");
        assert!(!advised || flags.split_whitespace().any(|flag| flag == "nh"), "{flags}");
    }
    assert_eq!(ALLOC.validate().map(drop), Ok(()));
}
