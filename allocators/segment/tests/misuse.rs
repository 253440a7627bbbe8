//! Wrong requests and wrong frees: errors that name the cause, or the end of the process with a message.

#![cfg(all(unix, feature = "std"))]

use std::alloc::Layout;
use std::env;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::ptr::NonNull;

use strata_core::source::{Locked as LockedSource, Region};
use strata_segment::{
    AllocError, ClaimError, Entry, Face, FreeError, GoodFit, InBand, OutOfBand, RegionError,
    ResizeError, SegmentId, Segments, Shared,
};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// Segments of 64 KiB, which live as long as the process.
fn segments() -> Segments<GoodFit, InBand> {
    let mut segments = Segments::new();
    segments.add_buffer(Box::leak(vec![MaybeUninit::uninit(); 64 << 10].into())).unwrap();
    segments
}

#[test]
fn requests_that_make_no_sense_say_why() {
    let mut segments = segments();
    let before = segments.stats();
    assert_eq!(segments.allocate(layout(0)), Err(AllocError::ZeroLen));
    assert_eq!(segments.allocate(layout(isize::MAX as usize - 7)), Err(AllocError::TooLong));
    let absurd = Layout::from_size_align(1, 1 << 62).unwrap();
    assert_eq!(segments.allocate(absurd), Err(AllocError::Align));
    assert_eq!(segments.allocate(layout(64 << 10)), Err(AllocError::Exhausted));
    let large = Layout::from_size_align(16, 1 << 20).unwrap();
    assert_eq!(segments.allocate(large), Err(AllocError::Exhausted));
    assert_eq!(segments.allocate_at(16, 100), Err(ClaimError::OutOfRange));
    assert_eq!(segments.allocate_at(17, 100), Err(ClaimError::Misaligned));
    assert_eq!(segments.allocate_at(16, 0), Err(ClaimError::ZeroLen));
    let block = segments.allocate(layout(100)).unwrap();
    let taken = segments.allocate_at(block.addr().get() + 16, 16);
    assert_eq!(taken, Err(ClaimError::Busy));
    // SAFETY: 1. live, of this layout. 2. unused.
    unsafe { segments.deallocate(block, layout(100)) };
    segments.flush_quick();
    assert_eq!(segments.stats(), before);
}

#[test]
fn regions_that_make_no_sense_say_why() {
    let mut buffer = vec![0_u128; 4096];
    let start = NonNull::from(buffer.as_mut_slice()).cast::<u8>();
    let mut segments: Segments<GoodFit, InBand> = Segments::new();
    // SAFETY: 1. to 3. the buffer is nobody else's; what is refused is not used.
    unsafe {
        assert_eq!(segments.add_region(start, 31), Err(RegionError::TooShort));
        let region = segments.add_region(start, 1024).unwrap();
        assert_eq!(segments.add_region(start.add(512), 1024), Err(RegionError::Overlaps));
        let far = NonNull::new(std::ptr::without_provenance_mut(1 << 60)).unwrap();
        assert_eq!(segments.add_region(far, 1024), Err(RegionError::OutOfReach));
        let above = segments.add_region(start.add(2048), 1024).unwrap();
        assert_eq!(segments.extend(region, 4096), Err(RegionError::Overlaps));
        assert_eq!(segments.extend(region, 1024), Err(RegionError::TooShort));
        segments.remove_region(above).unwrap();
        assert_eq!(segments.remove_region(above), Err(RegionError::NotARegion));
        assert_eq!(segments.truncate(above, 512), Err(RegionError::NotARegion));
        let block = segments.allocate(layout(100)).unwrap();
        assert_eq!(segments.remove_region(region), Err(RegionError::InUse));
        segments.deallocate(block, layout(100));
        segments.remove_region(region).unwrap();
    }
}

#[test]
fn wrong_frees_of_memory_are_errors_where_asked_for() {
    let mut segments = segments();
    let (a, b) = (segments.allocate(layout(100)).unwrap(), segments.allocate(layout(100)).unwrap());
    let mut foreign = 0_u128;
    let foreign = NonNull::from(&mut foreign).cast::<u8>();
    // SAFETY: wrong on purpose, in ways that are recognised: all addresses are of readable memory.
    unsafe {
        let mut free = |at, size| segments.try_deallocate(at, layout(size));
        assert_eq!(free(a, 200), Err(FreeError::WrongLen));
        assert_eq!(free(a.add(16), 100), Err(FreeError::NotASegment));
        assert_eq!(free(a.add(1), 100), Err(FreeError::NotASegment));
        assert_eq!(free(foreign, 8), Err(FreeError::Foreign));
        assert_eq!(free(a, 100), Ok(()));
        assert_eq!(free(a, 100), Err(FreeError::DoubleFree));
        assert_eq!(free(b, 100), Ok(()));
    }
    segments.flush_quick();
    // SAFETY: as above.
    let joined = unsafe { segments.try_deallocate(b, layout(100)) };
    assert_eq!(joined, Err(FreeError::NotASegment), "joined with others by now");
    segments.validate().unwrap();
}

#[test]
fn out_of_band_every_mistake_is_an_error() {
    let mut segments: Segments<GoodFit, OutOfBand<[Entry; 12]>> =
        Segments::out_of_band([Entry::EMPTY; 12], 16);
    assert_eq!(segments.add_range(8, 160), Err(RegionError::Misaligned));
    assert_eq!(segments.add_range(0, 0), Err(RegionError::TooShort));
    assert_eq!(segments.add_range(0, u64::MAX - 15), Err(RegionError::OutOfReach));
    let range = segments.add_range(1600, 1600).unwrap();
    assert_eq!(segments.add_range(3184, 160), Err(RegionError::Overlaps));
    assert_eq!(segments.allocate_range(0, 1), Err(AllocError::ZeroLen));
    assert_eq!(segments.allocate_range(16, 3), Err(AllocError::Align));
    assert_eq!(segments.allocate_range(16, 0), Err(AllocError::Align));
    assert_eq!(segments.allocate_range(u64::MAX, 1), Err(AllocError::TooLong));
    assert_eq!(segments.allocate_range(1616, 1), Err(AllocError::Exhausted));
    assert_eq!(segments.allocate_range_at(1608, 16), Err(ClaimError::Misaligned));
    assert_eq!(segments.allocate_range_at(0, 16), Err(ClaimError::OutOfRange));
    let id = segments.allocate_range(100, 16).unwrap();
    assert_eq!(segments.resize_range(id, 0), Err(ResizeError::ZeroLen));
    assert_eq!(segments.resize_range(id, 3200), Err(ResizeError::NoRoom));
    assert_eq!(segments.rebase(id, 1592), Err(ResizeError::Misaligned));
    assert_eq!(segments.rebase(id, 1584), Err(ResizeError::NoRoom));
    assert_eq!(segments.remove_range(range), Err(RegionError::InUse));
    assert_eq!(segments.free(SegmentId::from_index(0)), Err(FreeError::NotASegment));
    assert_eq!(segments.free(SegmentId::from_index(99)), Err(FreeError::Foreign));
    assert_eq!(segments.free(id), Ok(()));
    assert_eq!(segments.free(id), Err(FreeError::DoubleFree));
    assert_eq!(segments.resize_range(id, 16), Err(ResizeError::NotASegment));
    assert_eq!((segments.base(id), segments.tag(id)), (None, None));
    // Twelve entries: none, the range's end, and ten segments.
    let taken = std::iter::from_fn(|| segments.allocate_range(16, 1).ok()).count();
    assert_eq!(segments.allocate_range(16, 1), Err(AllocError::NoEntry), "after {taken}");
    segments.validate().unwrap();
}

/// Set in a child: which case it is.
const CHILD: &str = "STRATA_SEGMENT_MISUSE";

const CASES: [(&str, &str); 6] = [
    ("double", "a block was freed twice"),
    ("foreign", "a freed block is not of these regions"),
    ("interior", "not where a block begins"),
    ("layout", "with another layout than it has"),
    ("sent twice", "a freed block is none"),
    ("sent with another layout", "with another layout than it has"),
];

fn commit(case: &str) {
    let mut segments = segments();
    let block = segments.allocate(layout(48)).unwrap();
    let mut foreign = 0_u128;
    let shared: Shared<_> = Shared::new(LockedSource::new(Region::new(Box::leak(
        vec![MaybeUninit::uninit(); 64 << 10].into(),
    ))));
    let sent = shared.allocate_in(1, layout(48)).unwrap();
    // SAFETY: none: each case breaks a contract on purpose, in a child that ends.
    unsafe {
        match case {
            "double" => {
                segments.deallocate(block, layout(48));
                segments.deallocate(block, layout(48));
            }
            "foreign" => segments.deallocate(NonNull::from(&mut foreign).cast(), layout(8)),
            "interior" => segments.deallocate(block.add(16), layout(16)),
            "layout" => segments.deallocate(block, layout(480)),
            "sent twice" => {
                shared.deallocate_in(2, sent, layout(48));
                shared.deallocate_in(2, sent, layout(48));
            }
            _ => {
                shared.deallocate_in(2, sent, layout(480));
                let _ = shared.allocate_in(1, layout(48));
            }
        }
        let _ = shared.allocate(layout(8));
    }
}

#[test]
fn wrong_raw_frees_end_the_process_with_the_cause() {
    const NAME: &str = "wrong_raw_frees_end_the_process_with_the_cause";
    if let Ok(case) = env::var(CHILD) {
        commit(&case);
        return;
    }
    for (case, words) in CASES {
        let out = Command::new(env::current_exe().expect("a path"))
            .args([NAME, "--exact", "--test-threads=1", "--nocapture"])
            .env(CHILD, case)
            .output()
            .expect("a child");
        let text = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.signal(), Some(6), "{case} ends in SIGABRT: {text}");
        let message = text.lines().find(|line| line.starts_with("strata: "));
        assert!(message.is_some_and(|line| line.contains(words)), "{case}: {text}");
    }
}
