//! Several threads at once: what is taken is taken once, nothing is lost, all of it comes back.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};

use common::{Metadata, Random, order, zone};
use strata_core::{Exhausted, FrameId};
use strata_page_frame::{FreeError, Geometry, PageFrames};

const FRAMES: u64 = 32 * 512;
const THREADS: usize = 4;

/// Runs `work` in as many threads as there are locals, and collects what they answer.
fn parallel<R: Send>(work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || work(t))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Sorts, and asserts that no block is there twice.
fn distinct(blocks: Vec<Vec<FrameId>>) -> Vec<FrameId> {
    let mut all: Vec<_> = blocks.into_iter().flatten().collect();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    all
}

fn settled(frames: &PageFrames<'_>, taken: u64) {
    let checked = frames.validate().unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(checked.taken, taken);
}

#[test]
fn all_threads_together_take_every_frame_once() {
    for n in [0, 1, 5, 6, 7, 8, 9, 10, 11, 12] {
        zone(FRAMES, THREADS, Geometry::DEFAULT, |frames| {
            let barrier = Barrier::new(THREADS);
            let taken = parallel(|t| {
                let local = frames.local(t).unwrap();
                barrier.wait();
                let taken: Vec<_> = std::iter::from_fn(|| local.alloc(order(n)).ok()).collect();
                barrier.wait();
                taken
            });
            let all = distinct(taken);
            settled(frames, (all.len() as u64) << n);
            // Those who failed last knew that nothing was left, but for what another had in hand.
            assert_eq!(all.len() as u64, FRAMES >> n, "order {n}");
            all.iter().for_each(|block| frames.free(*block, order(n)).unwrap());
            settled(frames, 0);
        });
    }
}

#[test]
fn threads_without_a_local_share_a_zone() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        let taken =
            parallel(|_| std::iter::from_fn(|| frames.alloc(order(2)).ok()).collect::<Vec<_>>());
        assert_eq!(distinct(taken).len() as u64, FRAMES / 4);
    });
}

#[test]
fn frames_are_freed_by_other_threads_than_took_them() {
    zone(FRAMES, THREADS, Geometry::DEFAULT, |frames| {
        let pool = Mutex::new(Vec::new());
        let barrier = Barrier::new(THREADS);
        parallel(|t| {
            let local = frames.local(t).unwrap();
            let taken: Vec<_> = (0..2000).map(|_| local.alloc(order(0)).unwrap()).collect();
            pool.lock().unwrap().extend(taken);
            if barrier.wait().is_leader() {
                Random(7).shuffle(&mut pool.lock().unwrap());
            }
            barrier.wait();
            for _ in 0..2000 {
                let frame = pool.lock().unwrap().pop().unwrap();
                local.free(frame, order(0)).unwrap();
            }
        });
        settled(frames, 0);
        assert_eq!(frames.free_frames(), FRAMES);
    });
}

#[test]
fn orders_and_runs_are_mixed() {
    zone(FRAMES, THREADS, Geometry::DEFAULT, |frames| {
        parallel(|t| {
            let local = frames.local(t).unwrap();
            let mut random = Random(t as u64);
            let mut blocks = Vec::new();
            for _ in 0..6000 {
                let n = random.below(12) as u8;
                if random.below(2) == 0 && blocks.len() < 200 {
                    if n == 11 {
                        let count = 1 + random.below(1500);
                        let run = frames.alloc_run(count, order(0)).ok();
                        blocks.extend(run.map(|run| (run, Err(count))));
                    } else if let Ok(block) = local.alloc(order(n)) {
                        blocks.push((block, Ok(n)));
                    }
                } else if !blocks.is_empty() {
                    let which = random.below(blocks.len() as u64) as usize;
                    match blocks.swap_remove(which) {
                        (block, Ok(n)) => local.free(block, order(n)).unwrap(),
                        (run, Err(count)) => frames.free_run(run, count).unwrap(),
                    }
                }
            }
            for (block, n) in blocks {
                match n {
                    Ok(n) => local.free(block, order(n)).unwrap(),
                    Err(count) => frames.free_run(block, count).unwrap(),
                }
            }
        });
        settled(frames, 0);
        assert_eq!(frames.stats().late_double_frees, 0);
    });
}

#[test]
fn one_of_all_who_ask_for_a_frame_gets_it() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        for (start, count) in [(5, 1), (100, 200), (512, 512), (1024, 3000)] {
            let winners = parallel(|_| frames.alloc_at(FrameId(start), count).is_ok());
            assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{start} {count}");
        }
        settled(frames, 1 + 200 + 512 + 3000);
    });
}

#[test]
fn one_of_all_who_free_a_block_is_right() {
    for n in [0, 3, 6, 7, 8, 9, 10, 12] {
        zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
            for _ in 0..50 {
                let block = frames.alloc(order(n)).unwrap();
                let barrier = Barrier::new(THREADS);
                let results = parallel(|_| {
                    barrier.wait();
                    frames.free(block, order(n))
                });
                assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
                settled(frames, 0);
            }
        });
    }
}

#[test]
fn a_stock_is_drained_when_memory_runs_out() {
    zone(512, 2, Geometry::DEFAULT, |frames| {
        let idle = frames.local(0).unwrap();
        let _ = idle.alloc(order(0)).unwrap();
        // It has 63 frames in stock, 15 of them in hand.
        let other = frames.local(1).unwrap();
        let taken = std::iter::from_fn(|| other.alloc(order(0)).ok()).count();
        assert_eq!(taken, 512 - 16);
        assert_eq!(idle.drain(), 15);
        assert_eq!(std::iter::from_fn(|| other.alloc(order(0)).ok()).count(), 15);
    });
}

#[test]
fn a_local_has_one_owner_at_a_time() {
    zone(512, 1, Geometry::DEFAULT, |frames| {
        let owners = AtomicU64::new(0);
        let barrier = Barrier::new(THREADS);
        parallel(|_| {
            let local = frames.local(0);
            owners.fetch_add(u64::from(local.is_some()), Ordering::Relaxed);
            barrier.wait();
        });
        assert_eq!(owners.load(Ordering::Relaxed), 1);
        assert!(frames.local(0).is_some() && frames.local(1).is_none());
    });
}

#[test]
fn little_memory_and_many_threads() {
    zone(70, THREADS, Geometry::new(6, 4).unwrap(), |frames| {
        parallel(|t| {
            let local = frames.local(t).unwrap();
            let mut mine = Vec::new();
            for _ in 0..3000 {
                match local.alloc(order(0)) {
                    Ok(frame) => mine.push(frame),
                    Err(Exhausted) => mine.drain(..).for_each(|f| local.free(f, order(0)).unwrap()),
                }
            }
            mine.drain(..).for_each(|frame| local.free(frame, order(0)).unwrap());
        });
        settled(frames, 0);
    });
}

#[test]
fn stocks_are_left_while_others_free() {
    zone(70, THREADS, Geometry::new(6, 4).unwrap(), |frames| {
        parallel(|t| {
            for _ in 0..5000 {
                // Dropped each time, with what was freed into it.
                let local = frames.local(t).unwrap();
                let mine: Vec<_> = (0..9).filter_map(|_| local.alloc(order(0)).ok()).collect();
                mine.iter().for_each(|frame| local.free(*frame, order(0)).unwrap());
            }
        });
        settled(frames, 0);
    });
}

#[test]
fn a_zone_that_begins_taken_is_freed_piece_by_piece() {
    zone(FRAMES, 0, Geometry::DEFAULT, |frames| {
        frames.offline(FrameId(0), FRAMES).unwrap();
        assert_eq!(frames.alloc(order(0)), Err(Exhausted));
        parallel(|t| {
            let share = FRAMES / THREADS as u64;
            for start in (0..share).step_by(32) {
                frames.online(FrameId(t as u64 * share + start), 32).unwrap();
            }
        });
        settled(frames, 0);
        assert_eq!((frames.stats().free, frames.stats().offline), (FRAMES, 0));
    });
}

#[test]
fn scattered_free_frames_are_all_found() {
    zone(FRAMES, 1, Geometry::DEFAULT, |frames| {
        let local = frames.local(0).unwrap();
        let mut all: Vec<_> = std::iter::from_fn(|| local.alloc(order(0)).ok()).collect();
        all.sort_unstable();
        let free: Vec<_> = all.iter().copied().step_by(2).collect();
        free.iter().for_each(|frame| local.free(*frame, order(0)).unwrap());
        assert_eq!(local.alloc(order(1)), Err(Exhausted));
        let again = std::iter::from_fn(|| local.alloc(order(0)).ok()).count();
        assert_eq!(again, free.len());
    });
}

#[test]
fn a_tebibyte_is_ready_at_once_and_touches_nothing() {
    let (frames, geometry) = (1 << 28, Geometry::DEFAULT);
    // 35 MB of addresses, of which the system gives pages when they are touched.
    let metadata = Metadata::new(frames, 1, geometry);
    // SAFETY: 1. and 2. this zone's alone. 3. zeroed.
    let zone = unsafe { PageFrames::from_zeroed(frames, 1, geometry, metadata.bytes()).unwrap() };
    let local = zone.local(0).unwrap();
    let frame = local.alloc(order(0)).unwrap();
    assert_eq!(local.free(frame, order(0)), Ok(()));
    assert_eq!(local.free(frame, order(0)), Err(FreeError::DoubleFree));
}
