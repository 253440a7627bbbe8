//! The checker told of calls by hand, over a buffer that stands for the subject's memory.

use super::{At, Checker, Kind, Limits, Violation};
use std::alloc::Layout;

/// Memory that a test hands out itself.
struct Buffer {
    words: Vec<u128>,
    checker: Checker,
    record: u64,
}

impl Buffer {
    fn new() -> Self {
        // Dirty, as memory that was in use before.
        let words = vec![u128::MAX / 3; 4096];
        let checker = Checker::new(Limits { regions: None, has_usable: true });
        Self { words, checker, record: 0 }
    }

    fn ptr(&mut self, offset: usize) -> *mut u8 {
        assert!(offset < self.words.len() * 16);
        self.words.as_mut_ptr().cast::<u8>().wrapping_add(offset)
    }

    fn bytes(&mut self) -> &mut [u8] {
        let length = self.words.len() * 16;
        // SAFETY: the words are initialised, any bytes are valid ones, and `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), length) }
    }

    fn at(&mut self, thread: u32) -> At {
        self.record += 1;
        At { record: self.record, thread }
    }

    fn allocated(&mut self, slot: u32, offset: usize, size: usize, usable: Option<usize>) {
        self.allocated_by(1, slot, offset, size, usable);
    }

    fn allocated_by(
        &mut self,
        thread: u32,
        slot: u32,
        offset: usize,
        size: usize,
        usable: Option<usize>,
    ) {
        let (at, ptr) = (self.at(thread), self.ptr(offset));
        let layout = Layout::from_size_align(size, 1).unwrap();
        // SAFETY: the tests keep to the buffer, and use it through the checker or on purpose.
        unsafe { self.checker.allocated(at, slot, ptr, layout, false, usable) };
    }

    fn free(&mut self, slot: u32) {
        let at = self.at(1);
        // SAFETY: as above; the buffer stays.
        unsafe {
            self.checker.freeing(at, slot);
            self.checker.freed(at, slot);
        }
    }

    fn reallocating(&mut self, slot: u32, size: usize) {
        let at = self.at(1);
        // SAFETY: as above.
        unsafe { self.checker.reallocating(at, slot, size) };
    }

    /// Of the same record as `reallocating`.
    fn reallocated(&mut self, slot: u32, offset: usize, size: usize, usable: Option<usize>) {
        let (at, ptr) = (At { record: self.record, thread: 1 }, self.ptr(offset));
        // SAFETY: as above.
        unsafe { self.checker.reallocated(at, slot, ptr, size, usable) };
    }

    fn refused(&mut self, slot: u32, size: usize) {
        let at = At { record: self.record, thread: 1 };
        // SAFETY: as above.
        unsafe { self.checker.reallocated(at, slot, std::ptr::null_mut(), size, None) };
    }

    fn found(&self) -> Vec<Violation> {
        // SAFETY: as above.
        unsafe { self.checker.finish() }
    }

    fn kinds(&self) -> Vec<(Kind, u64)> {
        self.found().into_iter().map(|violation| (violation.kind, violation.record)).collect()
    }
}

#[test]
fn any_changed_byte_of_a_small_block_is_found() {
    for size in [1, 2, 7, 8, 9, 31, 64, 100] {
        for byte in 0..size {
            let mut buffer = Buffer::new();
            buffer.allocated(0, 16, size, None);
            buffer.bytes()[16 + byte] ^= 1;
            buffer.free(0);
            assert_eq!(buffer.kinds(), [(Kind::NeighbourWritten, 2)], "byte {byte} of {size}");
        }
    }
}

#[test]
fn edges_and_pages_of_a_large_block_are_watched() {
    let size = 20_001;
    for byte in [0, 63, 4096, 8192, 16_384, size - 64, size - 1] {
        let mut buffer = Buffer::new();
        buffer.allocated(0, 3, size, None);
        buffer.bytes()[3 + byte] ^= 0x80;
        buffer.free(0);
        assert_eq!(buffer.kinds(), [(Kind::NeighbourWritten, 2)], "byte {byte}");
    }
}

#[test]
fn bytes_outside_the_block_are_never_written() {
    for (size, usable) in [(1, None), (100, Some(112)), (9000, None), (9000, Some(12_288))] {
        let mut buffer = Buffer::new();
        let before = buffer.bytes().to_vec();
        buffer.allocated(0, 4096, size, usable);
        buffer.reallocating(0, size / 2 + 1);
        buffer.reallocated(0, 4096, size / 2 + 1, usable);
        buffer.free(0);
        assert_eq!(buffer.kinds(), []);
        let end = 4096 + usable.unwrap_or(size);
        assert!(buffer.bytes()[..4096] == before[..4096]);
        assert!(buffer.bytes()[end..] == before[end..]);
    }
}

#[test]
fn a_faithful_realloc_between_any_sizes_is_accepted() {
    let sizes = [1, 40, 4000, 4096, 4099, 8191, 8192, 8195, 12_290];
    let room = [0, 3, 5000];
    for (&old, &new) in sizes.iter().flat_map(|old| sizes.iter().map(move |new| (old, new))) {
        for (&behind, &room) in room.iter().flat_map(|a| room.iter().map(move |b| (a, b))) {
            let mut buffer = Buffer::new();
            buffer.allocated(0, 0, old, Some(old + behind));
            // Moves there and back, keeping not a byte more than it has to.
            buffer.reallocating(0, new);
            buffer.bytes().copy_within(0..old.min(new), 30_000);
            buffer.bytes()[..old + behind].fill(7);
            buffer.reallocated(0, 30_000, new, Some(new + room));
            buffer.reallocating(0, old);
            buffer.bytes().copy_within(30_000..30_000 + old.min(new), 0);
            buffer.bytes()[30_000..].fill(9);
            buffer.reallocated(0, 0, old, None);
            buffer.free(0);
            assert_eq!(buffer.kinds(), [], "{old} + {behind} to {new} + {room}");
        }
    }
}

#[test]
fn the_last_and_the_first_kept_byte_of_a_realloc_are_watched() {
    for (old, new) in [(100, 300), (300, 100), (9000, 20_000), (20_000, 9001), (20_000, 10)] {
        let kept = std::cmp::min::<usize>(old, new);
        for byte in [0, kept - 1] {
            let mut buffer = Buffer::new();
            buffer.allocated(0, 0, old, None);
            buffer.reallocating(0, new);
            buffer.bytes().copy_within(0..kept, 30_000);
            buffer.bytes()[30_000 + byte] ^= 2;
            buffer.reallocated(0, 30_000, new, None);
            // Lost once, reported once: the block is whole again.
            buffer.free(0);
            assert_eq!(buffer.kinds(), [(Kind::ReallocLost, 2)], "byte {byte} of {old} to {new}");
        }
    }
}

#[test]
fn a_block_that_comes_back_does_not_pass_for_its_old_self() {
    let mut buffer = Buffer::new();
    buffer.allocated(0, 0, 100, None);
    buffer.reallocating(0, 200);
    buffer.bytes().copy_within(0..100, 1000);
    buffer.reallocated(0, 1000, 200, None);
    buffer.reallocating(0, 100);
    buffer.reallocated(0, 0, 100, None);
    assert_eq!(buffer.kinds(), [(Kind::ReallocLost, 3)]);
}

#[test]
fn an_overlap_is_one_report_however_the_blocks_end() {
    let mut buffer = Buffer::new();
    buffer.allocated(0, 0, 64, None);
    buffer.allocated(1, 63, 64, None);
    buffer.reallocating(1, 128);
    buffer.reallocated(1, 63, 128, None);
    buffer.free(0);
    buffer.free(1);
    buffer.allocated(2, 0, 64, None);
    assert_eq!(buffer.kinds(), [(Kind::Overlap, 2)]);
}

#[test]
fn a_block_that_covers_others_meets_all_of_them() {
    let mut buffer = Buffer::new();
    for slot in 0..4 {
        buffer.allocated(slot, slot as usize * 100, 50, None);
    }
    // Touches neither the first nor the last.
    buffer.allocated(4, 50, 250, None);
    // Were the covered two still live, this would be reported too.
    buffer.allocated(5, 100, 150, None);
    assert_eq!(buffer.kinds(), [(Kind::Overlap, 5)]);
    buffer.allocated(6, 349, 1, None);
    assert_eq!(buffer.kinds(), [(Kind::Overlap, 5), (Kind::Overlap, 7)]);
}

#[test]
fn the_same_address_is_another_kind_from_another_thread() {
    for (thread, kind) in [(1, Kind::Overlap), (2, Kind::SameBlockTwice)] {
        let mut buffer = Buffer::new();
        buffer.allocated_by(1, 0, 0, 64, None);
        buffer.allocated_by(thread, 1, 0, 32, None);
        let found = buffer.found();
        assert_eq!((found.len(), found[0].kind, found[0].thread), (1, kind, thread));
    }
}

#[test]
fn usable_bytes_are_judged_in_both_directions() {
    let mut buffer = Buffer::new();
    buffer.allocated(0, 100, 50, Some(50));
    buffer.allocated(1, 40, 30, Some(61));
    buffer.allocated(2, 200, 30, Some(101));
    buffer.allocated(3, 300, 30, Some(29));
    buffer.allocated(4, 400, 30, Some(30));
    let wanted = [(Kind::UsableOverlap, 2), (Kind::UsableOverlap, 3), (Kind::UsableTooSmall, 4)];
    assert_eq!(buffer.kinds(), wanted);
    for slot in 0..5 {
        buffer.free(slot);
    }
    assert_eq!(buffer.kinds(), wanted);
}

#[test]
fn a_usable_byte_that_somebody_else_wrote_was_promised_wrongly() {
    for size in [40, 9000] {
        let mut buffer = Buffer::new();
        buffer.allocated(0, 0, size, Some(size + 24));
        buffer.bytes()[size + 23] ^= 1;
        buffer.allocated(1, 20_000, 16, None);
        buffer.free(1);
        buffer.free(0);
        assert_eq!(buffer.kinds(), [(Kind::UsableOverlap, 1)]);
    }
}

#[test]
fn usable_answers_count_only_where_the_hook_is_there() {
    let mut buffer = Buffer::new();
    buffer.checker = Checker::new(Limits::default());
    buffer.allocated(0, 0, 64, Some(3));
    assert_eq!(buffer.kinds(), []);
}

#[test]
fn a_write_into_a_neighbour_is_found_by_the_call_that_made_it() {
    let mut buffer = Buffer::new();
    for slot in 0..3 {
        buffer.allocated(slot, slot as usize * 64, 64, None);
    }
    for victim in [63, 128] {
        buffer.bytes()[victim] ^= 4;
    }
    buffer.free(1);
    buffer.free(0);
    buffer.free(2);
    let wanted = [(Kind::NeighbourWritten, 4), (Kind::NeighbourWritten, 4)];
    assert_eq!(buffer.kinds(), wanted);
}

#[test]
fn harm_to_a_block_that_nobody_touches_again_is_found_in_the_end() {
    let mut buffer = Buffer::new();
    buffer.allocated(0, 0, 1000, None);
    buffer.allocated(1, 2000, 10, None);
    buffer.bytes()[500] ^= 1;
    assert_eq!(buffer.kinds(), [(Kind::NeighbourWritten, 2)]);
}

#[test]
fn a_refusal_leaves_the_block_as_it_was() {
    let mut buffer = Buffer::new();
    buffer.allocated(0, 0, 64, Some(80));
    buffer.reallocating(0, 1 << 40);
    buffer.refused(0, 1 << 40);
    buffer.allocated(1, 60, 8, None);
    assert_eq!(buffer.kinds(), [(Kind::Refused, 2), (Kind::Overlap, 3)]);
}

#[test]
fn memory_outside_the_regions_is_not_touched() {
    let mut buffer = Buffer::new();
    let start = buffer.ptr(0).addr();
    let regions = Some(vec![start..start + 100, start + 100..start + 200]);
    buffer.checker = Checker::new(Limits { regions, has_usable: false });
    let before = buffer.bytes().to_vec();
    buffer.allocated(0, 195, 6, None);
    buffer.free(0);
    assert!(buffer.bytes() == before);
    // Two regions side by side are still two.
    buffer.allocated(1, 90, 20, None);
    buffer.allocated(2, 110, 90, None);
    assert_eq!(buffer.kinds(), [(Kind::OutsideRegion, 1), (Kind::OutsideRegion, 3)]);
}

#[test]
fn memory_may_change_hands_before_the_old_owner_has_reported_back() {
    let mut buffer = Buffer::new();
    buffer.allocated(0, 0, 64, None);
    let (free, other) = (buffer.at(1), 2);
    // SAFETY: as in `Buffer`.
    unsafe { buffer.checker.freeing(free, 0) };
    buffer.allocated_by(other, 0, 0, 64, None);
    // SAFETY: as in `Buffer`.
    unsafe { buffer.checker.freed(free, 0) };
    // A realloc that moves frees its old place before it returns.
    buffer.reallocating(0, 100);
    buffer.bytes().copy_within(0..64, 1000);
    buffer.allocated_by(other, 1, 10, 64, None);
    buffer.reallocated(0, 1000, 100, None);
    buffer.free(0);
    buffer.free(1);
    assert_eq!(buffer.kinds(), []);
}

#[test]
fn the_first_sixteen_violations_are_kept_and_all_are_counted() {
    let mut buffer = Buffer::new();
    for slot in 0..40 {
        let at = buffer.at(1);
        let layout = Layout::new::<u64>();
        // SAFETY: as in `Buffer`.
        unsafe {
            buffer.checker.allocated(at, slot, std::ptr::null_mut(), layout, false, None);
        }
    }
    assert_eq!(buffer.checker.violations(), 40);
    let records: Vec<u64> = buffer.found().iter().map(|violation| violation.record).collect();
    assert_eq!(records, (1..=16).collect::<Vec<_>>());
}

#[test]
fn zeroed_memory_is_read_to_its_end() {
    for dirty in [0, 4095, 4096, 9999] {
        let mut buffer = Buffer::new();
        buffer.bytes()[..10_000].fill(0);
        buffer.bytes()[dirty] = 1;
        let layout = Layout::from_size_align(10_000, 16).unwrap();
        let (at, ptr) = (buffer.at(1), buffer.ptr(0));
        // SAFETY: as in `Buffer`.
        unsafe { buffer.checker.allocated(at, 0, ptr, layout, true, None) };
        buffer.free(0);
        assert_eq!(buffer.kinds(), [(Kind::DirtyZeroed, 1)]);
    }
}
