//! No frame is ever handed out twice: two threads on one zone, an owner for each frame.

mod common;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Random, order, zone};
use strata_core::FrameId;
use strata_page_frame::{Geometry, PageFrames};

/// The orders of which each pair is tried.
const ORDERS: [u8; 9] = [0, 3, 6, 7, 8, 9, 10, 12, 18];

/// Marks frames as owned, and counts those that were owned already.
struct Owners {
    owned: Vec<AtomicU8>,
    overlaps: AtomicU64,
    frames: AtomicU64,
}

impl Owners {
    fn new(frames: u64) -> Self {
        let owned = (0..frames).map(|_| AtomicU8::new(0)).collect();
        Self { owned, overlaps: AtomicU64::new(0), frames: AtomicU64::new(0) }
    }

    fn set(&self, start: FrameId, frames: u64, owned: u8) {
        for frame in &self.owned[start.0 as usize..(start.0 + frames) as usize] {
            if frame.swap(owned, Ordering::Relaxed) == owned {
                self.overlaps.fetch_add(1, Ordering::Relaxed);
            }
        }
        if owned == 1 {
            self.frames.fetch_add(frames, Ordering::Relaxed);
        }
    }
}

/// Takes and frees blocks of one order at random until `until` says so.
fn churn(
    frames: &PageFrames<'_>,
    owners: &Owners,
    (local, n, shared): (usize, u8, bool),
    until: impl Fn() -> bool,
) {
    let own = (!shared).then(|| frames.local(local).unwrap());
    let mut random = Random(u64::from(n) << 8 | local as u64);
    let most = (frames.frames() >> n).clamp(1, 600);
    let mut blocks = Vec::new();
    while !until() {
        if (blocks.len() as u64) < random.below(most + 1) {
            let taken = match &own {
                Some(own) => own.alloc(order(n)),
                None => frames.alloc(order(n)),
            };
            let Ok(block) = taken else { continue };
            assert!(block.is_aligned(order(n)));
            owners.set(block, order(n).frames(), 1);
            blocks.push(block);
        } else if !blocks.is_empty() {
            let block = blocks.swap_remove(random.below(blocks.len() as u64) as usize);
            owners.set(block, order(n).frames(), 0);
            match &own {
                Some(own) => own.free(block, order(n)).unwrap(),
                None => frames.free(block, order(n)).unwrap(),
            }
        }
    }
    for block in blocks {
        owners.set(block, order(n).frames(), 0);
        frames.free(block, order(n)).unwrap();
    }
}

/// Two threads with an order each on a zone small enough that they meet.
fn pair(a: u8, b: u8, shared: bool, until: impl Fn(&Owners) -> bool + Sync) -> u64 {
    let most = a.max(b);
    let count = if most == 18 { 1 << 19 } else { (4u64 << most).clamp(2048, 1 << 15) } + 100;
    let owners = Owners::new(count);
    zone(count, 2, Geometry::DEFAULT, |frames| {
        std::thread::scope(|scope| {
            for (local, n) in [a, b].into_iter().enumerate() {
                let (owners, until) = (&owners, &until);
                scope.spawn(move || churn(frames, owners, (local, n, shared), || until(owners)));
            }
        });
        assert_eq!(owners.overlaps.load(Ordering::Relaxed), 0, "orders {a} and {b}");
        assert_eq!(frames.free_frames(), count, "orders {a} and {b}");
        let checked = frames.validate().unwrap_or_else(|broken| panic!("{a} and {b}: {broken}"));
        assert_eq!(checked.free, count);
    });
    owners.frames.into_inner()
}

fn all_pairs(until: impl Fn(&Owners) -> bool + Sync) {
    for (i, a) in ORDERS.into_iter().enumerate() {
        for b in ORDERS.into_iter().skip(i) {
            for shared in [false, true] {
                let frames = pair(a, b, shared, &until);
                println!("orders {a} and {b}: {frames} frames, no overlap");
            }
        }
    }
}

#[test]
fn two_threads_never_own_one_frame() {
    for (i, a) in ORDERS.into_iter().enumerate() {
        for b in ORDERS.into_iter().skip(i) {
            let begin = Instant::now();
            pair(a, b, a != b, |_| begin.elapsed() > Duration::from_millis(40));
        }
    }
}

#[test]
#[ignore = "takes minutes: a hundred million frames for each pair of orders"]
fn two_threads_never_own_one_frame_for_long() {
    all_pairs(|owners| owners.frames.load(Ordering::Relaxed) >= 100_000_000);
}
