//! A process is killed at random moments; every frame is accounted for afterwards.

#![cfg(unix)]

mod common;

use std::collections::HashSet;
use std::env;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{Random, order};
use memmap2::{MmapOptions, MmapRaw};
use strata_core::FrameId;
use strata_page_frame::{Geometry, Local, PageFrames};

const FRAMES: u64 = 8 * 512 + 200;
const THREADS: usize = 2;
/// Blocks that each thread can write down.
const RECORDS: usize = 400;
/// The orders that are taken.
const ORDERS: [u8; 8] = [0, 0, 0, 1, 3, 7, 9, 10];

/// Set while a block is being freed: it counts as nobody's.
const FREEING: u64 = 1 << 63;

/// The file: records of all threads, then metadata.
struct Shared {
    map: MmapRaw,
}

/// Where metadata begins in the file: at a page.
const METADATA: usize = (THREADS * RECORDS * 8).next_multiple_of(4096);

impl Shared {
    fn open(path: &Path) -> Self {
        let layout = PageFrames::metadata_layout(FRAMES, THREADS, Geometry::DEFAULT).unwrap();
        let len = METADATA + layout.size();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len(len as u64).unwrap();
        Self { map: MmapOptions::new().len(len).map_raw(&file).unwrap() }
    }

    fn metadata(&self) -> NonNull<[u8]> {
        let base = NonNull::new(self.map.as_mut_ptr().wrapping_add(METADATA)).unwrap();
        NonNull::slice_from_raw_parts(base, self.map.len() - METADATA)
    }

    fn records(&self, thread: usize) -> &[AtomicU64] {
        let first = self.map.as_mut_ptr().cast::<AtomicU64>().wrapping_add(thread * RECORDS);
        // SAFETY: inside the mapping, in front of the metadata; atomics from all sides.
        unsafe { std::slice::from_raw_parts(first, RECORDS) }
    }

    /// All blocks that are written down: first frame, order, and whether it is being freed.
    fn blocks(&self) -> Vec<(FrameId, u8, bool)> {
        let words = (0..THREADS).flat_map(|thread| self.records(thread));
        let words = words.map(|word| word.load(Ordering::Relaxed)).filter(|word| *word != 0);
        words
            .map(|word| (FrameId((word & !FREEING) >> 8), word as u8 - 1, word & FREEING != 0))
            .collect()
    }
}

/// Takes and frees, until the process is killed.
fn work(local: &Local<'_>, records: &[AtomicU64], seed: u64) {
    let mut random = Random(seed);
    loop {
        let record = &records[random.below(RECORDS as u64) as usize];
        let word = record.load(Ordering::Relaxed);
        if word == 0 {
            let n = ORDERS[random.below(ORDERS.len() as u64) as usize];
            if let Ok(frame) = local.alloc(order(n)) {
                // Release: what is written down is so before the next call.
                record.store((frame.0 << 8) | (u64::from(n) + 1), Ordering::Release);
                local.confirm();
            }
        } else {
            record.store(word | FREEING, Ordering::Release);
            local.free(FrameId(word >> 8), order(word as u8 - 1)).unwrap();
            record.store(0, Ordering::Release);
        }
        if random.below(5000) == 0 {
            local.drain();
        }
    }
}

/// The process that is killed.
fn child(path: &Path) -> ! {
    let shared = Shared::open(path);
    // SAFETY: 1. and 2. the mapping is there till the end and used by this process alone. 3. it is
    // what an allocator of the same shape left, or a file without contents.
    let (frames, _) = unsafe {
        PageFrames::recover(FRAMES, THREADS, Geometry::DEFAULT, shared.metadata(), |_| true)
            .unwrap()
    };
    let seed = u64::from(std::process::id());
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (frames, records) = (&frames, shared.records(index));
            scope.spawn(move || {
                work(&frames.local(index).unwrap(), records, seed << 8 | index as u64);
            });
        }
    });
    unreachable!("the threads go on for ever")
}

/// What must hold after a crash.
fn account(path: &Path) {
    let shared = Shared::open(path);
    let blocks = shared.blocks();
    let mut owned = HashSet::new();
    for (start, n, freeing) in &blocks {
        if !freeing {
            for frame in start.0..start.0 + order(*n).frames() {
                assert!(owned.insert(frame), "frame {frame} is written down twice");
            }
        }
    }
    // SAFETY: 1. and 2. the other process is gone. 3. it left this.
    let (frames, recovered) = unsafe {
        let is_owned = |frame: FrameId| owned.contains(&frame.0);
        PageFrames::recover(FRAMES, THREADS, Geometry::DEFAULT, shared.metadata(), is_owned)
            .unwrap()
    };
    // Frees that had not begun are done now. Of a block that another call had given back before, the
    // recovery may have freed a part: then frame by frame.
    for (start, n, freeing) in blocks {
        if freeing && !owned.contains(&start.0) && frames.free(start, order(n)).is_err() {
            let rest = start.0..start.0 + order(n).frames();
            for frame in rest.filter(|frame| !owned.contains(frame)) {
                let _ = frames.free(FrameId(frame), order(0));
            }
        }
    }
    for thread in 0..THREADS {
        for record in shared.records(thread) {
            if record.load(Ordering::Relaxed) & FREEING != 0 {
                record.store(0, Ordering::Relaxed);
            }
        }
    }
    let checked = frames.validate().unwrap_or_else(|broken| panic!("{broken} {recovered:?}"));
    assert_eq!(checked.taken, owned.len() as u64, "{recovered:?}");
    frames.walk(|start, count, state| {
        let taken = state != strata_page_frame::FrameState::Free;
        for frame in start.0..start.0 + count {
            assert_eq!(taken, owned.contains(&frame), "frame {frame} {recovered:?}");
        }
    });
}

#[test]
fn every_frame_is_accounted_for_after_a_crash() {
    const NAME: &str = "every_frame_is_accounted_for_after_a_crash";
    if let Some(path) = env::var_os("STRATA_CRASH") {
        child(Path::new(&path));
    }
    let path: PathBuf = env::temp_dir().join(format!("strata-crash-{}", std::process::id()));
    let mut random = Random(u64::from(std::process::id()));
    let rounds = env::var("STRATA_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    for _ in 0..rounds {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([NAME, "--exact", "--test-threads=1"])
            .env("STRATA_CRASH", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(10_000 + random.below(40_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        account(&path);
    }
    std::fs::remove_file(&path).unwrap();
}
