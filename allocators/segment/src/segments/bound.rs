//! The bound in steps, counted over sequences that are made to be slow.

use core::cell::Cell;
use std::vec;
use std::vec::Vec;

use super::Segments;
use crate::metadata::{Bookkeeping, Entry, Metadata, Name, OutOfBand, Piece, SegmentState};
use crate::policy::GoodFit;

/// Bookkeeping that counts what it is asked and told.
struct Counting {
    inner: OutOfBand<Vec<Entry>>,
    steps: Cell<u32>,
}

impl Counting {
    fn step(&self) -> &OutOfBand<Vec<Entry>> {
        self.steps.set(self.steps.get() + 1);
        &self.inner
    }

    fn step_mut(&mut self) -> &mut OutOfBand<Vec<Entry>> {
        self.steps.set(self.steps.get() + 1);
        &mut self.inner
    }
}

/// Each method is a step, and then the inner one.
macro_rules! count {
    (asks { $($method:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)* }
     changes { $($change:ident($($name:ident: $of:ty),*) $(-> $changed:ty)?;)* }) => {
        impl Bookkeeping for Counting {
            $(fn $method(&self, $($argument: $type),*) $(-> $result)? {
                self.step().$method($($argument),*)
            })*
            $(fn $change(&mut self, $($name: $of),*) $(-> $changed)? {
                self.step_mut().$change($($name),*)
            })*
        }
    };
}

count! {
asks {
    len(segment: Name) -> u32;
    unit_shift() -> u32;
    base(segment: Name) -> u64;
    place(segment: Name) -> u32;
    is_free(segment: Name) -> bool;
    free_below(segment: Name) -> Option<Piece>;
    above(segment: Piece) -> Name;
    link(segment: Name, which: usize) -> Name;
    can_split(count: u32) -> bool;
    mark(segment: Name) -> SegmentState;
    first_region() -> Option<Name>;
    next_region(region: Name) -> Option<Name>;
    lowest(region: Name) -> Name;
    bounds(region: Name) -> (u32, u32);
    is_end(segment: Name) -> bool;
}
changes {
    set_link(segment: Name, which: usize, to: Name);
    split(piece: Piece, keep: u32) -> Piece;
    join(low: Piece, high: Piece) -> Piece;
    lower_begin(below: Piece, segment: Piece, by: u32) -> Piece;
    split_low(segment: Piece, by: u32) -> (Piece, Piece);
    mark_free(piece: Piece, known: bool);
    mark_used(piece: Piece, whole: bool);
    mark_quick(segment: Name);
    unmark_quick(segment: Name);
}
}

impl Metadata for Counting {}

/// Segments, and the most steps that a request and a free took.
struct Counted<const QUICK: usize, const LONG: usize> {
    segments: Segments<GoodFit<QUICK, LONG>, Counting>,
    request: u32,
    free: u32,
}

impl<const QUICK: usize, const LONG: usize> Counted<QUICK, LONG> {
    fn new(len: u32) -> Self {
        let inner = OutOfBand::new(vec![Entry::EMPTY; 40_000], 0);
        let mut segments = Segments::with_metadata(Counting { inner, steps: Cell::new(0) });
        let (_, piece) = segments.meta.inner.add_region(1 << 10, len);
        segments.total = u64::from(len);
        segments.give_range(piece);
        Self { segments, request: 0, free: 0 }
    }

    fn take(&mut self, len: u32, align: u32) -> Option<Piece> {
        self.segments.meta.steps.set(0);
        let piece = match align {
            1 => self.segments.take(len),
            align => self.segments.take_aligned(len, align),
        };
        self.request = self.request.max(self.segments.meta.steps.get());
        piece
    }

    fn give(&mut self, piece: Piece) {
        self.segments.meta.steps.set(0);
        self.segments.give(piece);
        self.free = self.free.max(self.segments.meta.steps.get());
    }

    /// Frees that all join on both sides, requests that all cut, lists full of what is just too short, and
    /// requests that fail.
    fn adversary(&mut self) {
        // Segments of one class, all a little shorter than what will be asked for.
        for len in [33, 64, 66, 1000, 2047] {
            let mut held = Vec::new();
            while let Some(piece) = self.take(len, 1) {
                let Some(wall) = self.take(1, 1) else {
                    self.give(piece);
                    break;
                };
                held.push((piece, wall));
            }
            for &(piece, _) in &held {
                self.give(piece);
            }
            for more in 1..4 {
                for align in [1, 2, 64] {
                    if let Some(piece) = self.take(len + more, align) {
                        self.give(piece);
                    }
                }
            }
            // Walls between free neighbours: both sides join, each time.
            held.into_iter().for_each(|(_, wall)| self.give(wall));
        }
        let mut seed = 1_u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % most
        };
        let mut live = Vec::new();
        for _ in 0..60_000 {
            if below(100) < 52 {
                let scale = below(12);
                let len = 1 + below(1 << scale) as u32;
                live.extend(self.take(len, 1 << below(8).saturating_sub(3)));
            } else if !live.is_empty() {
                let place = below(live.len() as u64) as usize;
                let piece = live.swap_remove(place);
                self.give(piece);
            }
        }
        live.into_iter().for_each(|piece| self.give(piece));
    }
}

#[test]
fn without_quick_lists_no_call_exceeds_the_bound() {
    let mut counted = Counted::<0, 0>::new(100_000);
    counted.adversary();
    let (request, free) = (counted.request, counted.free);
    assert!(request <= GoodFit::<0, 0>::REQUEST_STEPS, "{request} steps of a request");
    assert!(free <= GoodFit::<0, 0>::FREE_STEPS, "{free} steps of a free");
    // The bound is near what can happen, so that it says something.
    assert!(2 * request > GoodFit::<0, 0>::REQUEST_STEPS && 2 * free > GoodFit::<0, 0>::FREE_STEPS);
    counted.segments.validate().unwrap();
}

#[test]
fn with_quick_lists_no_call_exceeds_the_bound_that_empties_them() {
    let mut counted = Counted::<8, 4>::new(100_000);
    counted.adversary();
    assert!(counted.request <= GoodFit::<8, 4>::REQUEST_STEPS, "{}", counted.request);
    assert!(counted.free <= GoodFit::<8, 4>::FREE_STEPS, "{}", counted.free);
}
