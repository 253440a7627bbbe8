//! Stocks: stolen from, drained, left behind; and the steps of their paths.

use super::*;

#[test]
fn a_stock_is_stolen_from_while_its_owner_takes() {
    explore(|| {
        // Two parts with a frame each: one goes to the hand, one may be stolen.
        let zone = stocked(1 << 32 | 1);
        let other = beside(&zone, |zone| {
            let local = zone.frames.local(0).unwrap();
            let first = local.alloc(ONE).unwrap();
            let second = local.alloc(ONE);
            core::mem::forget(local);
            (first, second)
        });
        let given = zone.frames.drain();
        let mine = zone.tables().take_block(0, 0, 0, false, &());
        let (first, second) = other.join().unwrap();
        let all: Vec<_> = [Some(first), second.ok(), mine].into_iter().flatten().collect();
        assert!(all.len() <= 2 && given <= 1);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "handed out twice: {all:?}");
    });
}

#[test]
fn a_stolen_frame_comes_with_what_its_owner_did() {
    explore(|| {
        let zone = stocked(1 << 32 | 1);
        let local = zone.frames.local(0).unwrap();
        let first = local.alloc(ONE).unwrap();
        zone.touch((first.0, 1));
        zone.touch((32, 1));
        local.free(first, ONE).unwrap();
        core::mem::forget(local);
        let other = beside(&zone, |zone| zone.frames.drain());
        let mine = zone.tables().take_block(0, 0, 0, false, &());
        if let Some(frame) = mine {
            zone.touch((frame.0, 1));
        }
        other.join().unwrap();
    });
}

#[test]
fn one_who_stops_with_a_stock_loses_at_most_that() {
    at_each_step(24, |steps| {
        let zone = stocked(1 << 48 | 1 << 32 | 1);
        let other = beside(&zone, move |zone| {
            let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
            let take = || [local.alloc(ONE).ok(), local.alloc(ONE).ok()];
            stopped_after(steps, take)
        });
        zone.frames.drain();
        let mine = zone.tables().take_block(0, 0, 0, false, &());
        let theirs = other.join().unwrap().unwrap_or_default();
        let all = [theirs[0], theirs[1], mine];
        let mut all: Vec<_> = all.into_iter().flatten().collect();
        let owned = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), owned, "handed out twice");
    });
}

/// The number of atomic operations of `work` on the zone that `of` makes.
fn steps_of(of: impl Fn() -> Zone, work: impl Fn(&Zone)) -> usize {
    let finishes = |steps: usize| {
        let zone = of();
        stopped_after(steps, || work(&zone)).is_some()
    };
    // By halves: loom counts the operations of one model in 16 bits.
    let (mut start, mut end) = (0, 1);
    while !finishes(end) {
        end *= 2;
    }
    while start < end {
        let middle = usize::midpoint(start, end);
        if finishes(middle) {
            end = middle;
        } else {
            start = middle + 1;
        }
    }
    end
}

/// The hand, a refill, and the longest path: a request that fails after everything was looked at.
/// The formulas are those of the documentation of `Local::alloc`.
#[test]
fn the_steps_of_each_path_are_those_that_are_stated() {
    explore(|| {
        let ready = || {
            let zone = Zone::new(6, QUAD, 1);
            let local = zone.frames.local(0).unwrap();
            local.alloc(ONE).unwrap();
            core::mem::forget(local);
            zone
        };
        let again = |zone: &Zone| {
            zone.words.slots[0].store(0, Ordering::Relaxed);
            let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
            local.alloc(ONE).unwrap();
        };
        // Two of these are the owner's coming back.
        let hit = steps_of(ready, again) - 2;
        assert_eq!(hit, 3, "the hand is read, a record and the hand are written");
        for huge in [QUAD, 2 * QUAD, 3 * QUAD] {
            let full = || {
                let zone = Zone::new(6, huge, 1);
                for row in 0..huge {
                    assert!(zone.tables().charge(row, 64, false));
                    zone.words.rows[row].store(u64::MAX, Ordering::Relaxed);
                }
                // All were partly used when a search went by last.
                zone.words.planes[PLANES - 1].store((1 << huge) - 1, Ordering::Relaxed);
                zone
            };
            let fails = |zone: &Zone| {
                let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
                assert!(local.alloc(ONE).is_err());
            };
            let longest = steps_of(full, fails);
            let (quads, rows, groups, locals) = (huge / QUAD, huge, huge.div_ceil(GROUP), 1);
            let stated = 7 * quads + 12 * groups + 5 * huge + rows + 6 * locals + 50;
            assert!(longest <= stated, "{longest} steps, stated {stated}");
        }
    });
}
