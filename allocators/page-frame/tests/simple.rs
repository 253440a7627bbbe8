//! One thread: what each call does, at each order.

mod common;

use common::{order, zone};
use strata_core::{Exhausted, FrameId};
use strata_page_frame::{ClaimError, FreeError, Geometry};

const FRAMES: u64 = 64 * 512 + 77;

#[test]
fn a_zone_is_taken_whole_and_given_back_at_each_order() {
    for n in 0..=15 {
        zone(FRAMES, 1, Geometry::DEFAULT, |frames| {
            assert_eq!(frames.free_frames(), FRAMES);
            let mut owner = vec![false; FRAMES as usize];
            let mut blocks = Vec::new();
            while let Ok(block) = frames.alloc(order(n)) {
                assert!(block.is_aligned(order(n)));
                for frame in block.0..block.0 + order(n).frames() {
                    assert!(!std::mem::replace(&mut owner[frame as usize], true));
                }
                blocks.push(block);
            }
            assert_eq!(blocks.len() as u64, FRAMES >> n, "order {n}");
            let checked = frames.validate().unwrap();
            assert_eq!(checked.taken, (blocks.len() as u64) << n);
            assert_eq!(frames.free_frames(), FRAMES - (blocks.len() as u64) * order(n).frames());
            for block in &blocks {
                assert_eq!(frames.free(*block, order(n)), Ok(()));
            }
            assert_eq!(frames.free_frames(), FRAMES);
            assert_eq!(frames.free(blocks[0], order(n)), Err(FreeError::DoubleFree));
        });
    }
}

#[test]
fn a_local_takes_a_zone_whole_and_gives_it_back() {
    for n in 0..=12 {
        zone(FRAMES, 1, Geometry::DEFAULT, |frames| {
            let local = frames.local(0).unwrap();
            let mut owner = vec![false; FRAMES as usize];
            let mut blocks = Vec::new();
            while let Ok(block) = local.alloc(order(n)) {
                for frame in block.0..block.0 + order(n).frames() {
                    assert!(!std::mem::replace(&mut owner[frame as usize], true));
                }
                blocks.push(block);
            }
            assert_eq!(blocks.len() as u64, FRAMES >> n, "order {n}");
            assert_eq!(frames.validate().unwrap().taken, (blocks.len() as u64) << n);
            assert_eq!(frames.stats().taken, (blocks.len() as u64) << n);
            for block in &blocks {
                assert_eq!(local.free(*block, order(n)), Ok(()));
                assert_eq!(local.free(*block, order(n)), Err(FreeError::DoubleFree));
            }
            assert_eq!(frames.stats().taken, 0);
            assert_eq!(frames.validate().unwrap().taken, 0);
            drop(local);
            assert_eq!(frames.free_frames(), FRAMES);
            assert_eq!(frames.validate().unwrap().free, FRAMES);
        });
    }
}

#[test]
fn ranges_of_any_length_at_any_place() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        for (start, len) in [(0, 1), (63, 2), (500, 600), (1024, 512 * 9), (7000, 10_000)] {
            assert_eq!(frames.alloc_at(FrameId(start), len), Ok(()), "{start} {len}");
            assert_eq!(frames.free_frames(), FRAMES - len);
            let again = frames.alloc_at(FrameId(start.saturating_sub(1)), len + 1);
            assert_eq!(again, Err(ClaimError::Busy(FrameId(start))));
            assert_eq!(frames.free_run(FrameId(start), len), Ok(()));
            assert_eq!(frames.free_frames(), FRAMES);
            assert_eq!(frames.free_run(FrameId(start), len), Err(FreeError::DoubleFree));
        }
        assert_eq!(frames.alloc_at(FrameId(FRAMES - 1), 2), Err(ClaimError::OutOfRange));
        for len in [1, 3, 64, 65, 511, 512, 513, 4096, 5000] {
            let run = frames.alloc_run(len, order(4)).unwrap();
            assert!(run.is_aligned(order(4)));
            assert_eq!(frames.free_run(run, len), Ok(()));
        }
        assert_eq!(frames.alloc_run(FRAMES + 1, order(0)), Err(Exhausted));
        assert_eq!(frames.alloc_run(FRAMES, order(0)), Ok(FrameId(0)));
        assert_eq!(frames.alloc(order(0)), Err(Exhausted));
        assert_eq!(frames.free_run(FrameId(0), FRAMES), Ok(()));
        assert_eq!(frames.free_frames(), FRAMES);
    });
}

#[test]
fn a_huge_frame_is_split_and_merged() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        let huge = frames.alloc(order(9)).unwrap();
        assert_eq!(frames.free(huge, order(0)), Err(FreeError::WrongOrder));
        assert_eq!(frames.split(huge, order(9), order(3)), Ok(()));
        assert_eq!(frames.free(huge, order(9)), Err(FreeError::WrongOrder));
        let eight = FrameId(huge.0 + 8);
        assert_eq!(frames.free(eight, order(3)), Ok(()));
        assert_eq!(frames.merge(huge), Err(FreeError::DoubleFree));
        assert_eq!(frames.alloc_at(eight, 8), Ok(()));
        assert_eq!(frames.merge(huge), Ok(()));
        assert_eq!(frames.free(huge, order(9)), Ok(()));
        assert_eq!(frames.free_frames(), FRAMES);
    });
}

#[test]
fn bulk_takes_and_gives_as_many_as_there_are() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        let mut out = vec![FrameId(0); FRAMES as usize + 5];
        assert_eq!(frames.alloc_bulk(order(0), &mut out), FRAMES as usize);
        out.truncate(FRAMES as usize);
        assert_eq!(frames.free_bulk(&out, order(0)), Ok(()));
        assert_eq!(frames.free_frames(), FRAMES);
        assert_eq!(frames.free_bulk(&out[..3], order(0)), Err((0, FreeError::DoubleFree)));
    });
}

#[test]
fn offline_frames_are_neither_free_nor_anybodys() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        frames.offline(FrameId(100), 5000).unwrap();
        assert_eq!(frames.offline_frames(), 5000);
        assert_eq!(frames.offline(FrameId(5099), 2), Err(ClaimError::Busy(FrameId(5099))));
        frames.online(FrameId(700), 100).unwrap();
        frames.online(FrameId(100), 600).unwrap();
        frames.online(FrameId(800), 4300).unwrap();
        assert_eq!(frames.offline_frames(), 0);
        assert_eq!(frames.free_frames(), FRAMES);
    });
}

#[test]
fn bad_constructor_arguments_are_named() {
    use std::mem::MaybeUninit;
    use strata_page_frame::PageFrames;
    let mut few = [MaybeUninit::uninit(); 300];
    let error = PageFrames::new(512, 0, Geometry::DEFAULT, &mut few[..100]).unwrap_err();
    assert_eq!(error.argument(), "metadata");
    let error = PageFrames::new(0, 0, Geometry::DEFAULT, &mut few).unwrap_err();
    assert_eq!(error.argument(), "frames");
    assert!(Geometry::new(11, 8).is_err() && Geometry::new(9, 3).is_err());
}

/// What is resident of the mapping at an address, in KiB, as the system says.
#[cfg(target_os = "linux")]
fn resident(at: usize) -> u64 {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if let Some((from, end)) = first.split_once('-')
            && let (Ok(from), Ok(end)) =
                (usize::from_str_radix(from, 16), usize::from_str_radix(end, 16))
        {
            inside = (from..end).contains(&at);
        }
        if inside && let Some(rest) = line.strip_prefix("Rss:") {
            return rest.trim().trim_end_matches(" kB").parse().unwrap();
        }
    }
    panic!("no mapping at {at:x}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_tebibyte_is_ready_without_touching_its_metadata() {
    use memmap2::MmapOptions;
    use std::ptr::NonNull;
    use strata_page_frame::PageFrames;

    let frames = 1 << 28;
    let layout = PageFrames::metadata_layout(frames, 2, Geometry::DEFAULT).unwrap();
    // Of a file, so that the system does not join it with its neighbours.
    let path = std::env::temp_dir().join(format!("strata-tebibyte-{}", std::process::id()));
    let mut options = std::fs::File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    file.set_len(layout.size() as u64).unwrap();
    let mapping = MmapOptions::new().map_raw(&file).unwrap();
    std::fs::remove_file(&path).unwrap();
    let base = NonNull::new(mapping.as_mut_ptr()).unwrap();
    let metadata = NonNull::slice_from_raw_parts(base, layout.size());
    // SAFETY: 1. and 2. a mapping of its own, which outlives the zone. 3. a hole in a file is zero.
    let zone = unsafe { PageFrames::from_zeroed(frames, 2, Geometry::DEFAULT, metadata).unwrap() };
    assert_eq!(resident(base.addr().get()), 0);
    let block = zone.alloc(order(0)).unwrap();
    assert!(resident(base.addr().get()) > 0);
    zone.free(block, order(0)).unwrap();
}
