//! The bitmap of static pools.

use std::sync::Arc;
use std::vec::Vec;

use strata_core::sync::{UnsafeCell, stopped_after, thread};

use super::explore;
use crate::static_pool::Bits;

/// Slots, and a cell for each that its owner alone may touch.
struct Slots<const N: usize, const WORDS: usize> {
    bits: Bits<WORDS>,
    cells: Vec<UnsafeCell<u32>>,
}

// SAFETY: cells are touched by owners only: that is what the models check.
unsafe impl<const N: usize, const WORDS: usize> Sync for Slots<N, WORDS> {}
// SAFETY: as above.
unsafe impl<const N: usize, const WORDS: usize> Send for Slots<N, WORDS> {}

impl<const N: usize, const WORDS: usize> Slots<N, WORDS> {
    fn new() -> Arc<Self> {
        let cells = (0..N).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Self { bits: Bits::new(), cells })
    }

    fn take(&self) -> Option<usize> {
        self.take_from(0)
    }

    /// Takes a slot, looking at that word first.
    fn take_from(&self, word: usize) -> Option<usize> {
        let slot = self.bits.take(N, word)?;
        // SAFETY: the slot is ours; loom reports it if it is somebody else's too.
        self.cells[slot].with_mut(|cell| unsafe { *cell += 1 });
        Some(slot)
    }

    fn put(&self, slot: usize) {
        // SAFETY: as above.
        self.cells[slot].with_mut(|cell| unsafe { *cell += 1 });
        assert!(self.bits.put(slot, N).is_ok());
    }
}

#[test]
fn two_threads_and_one_slot_never_have_it_at_once() {
    explore(|| {
        let slots = Slots::<1, 1>::new();
        let other = Arc::clone(&slots);
        let thread = thread::spawn(move || other.take().map(|slot| other.put(slot)).is_some());
        let mine = slots.take().map(|slot| slots.put(slot)).is_some();
        assert!(thread.join().unwrap() | mine, "one of them found it");
        assert_eq!(slots.take(), Some(0), "the hint is right when all is quiet");
        assert_eq!(slots.take(), None);
    });
}

#[test]
fn a_word_that_fills_while_a_slot_comes_back_is_not_hidden() {
    explore(|| {
        let slots = Slots::<2, 1>::new();
        let first = slots.take().unwrap();
        let other = Arc::clone(&slots);
        let thread = thread::spawn(move || other.put(first));
        let mine = slots.take();
        thread.join().unwrap();
        assert!(mine.is_some());
        assert!(slots.take().is_some(), "the one that came back");
        assert!(slots.take().is_none());
    });
}

#[test]
fn a_thread_that_stops_for_ever_in_a_static_pool_costs_one_slot_at_most() {
    for steps in 0..14 {
        explore(move || {
            let slots = Slots::<3, 1>::new();
            let other = Arc::clone(&slots);
            let thread = thread::spawn(move || {
                stopped_after(steps, || {
                    let slot = other.bits.take(3, 0);
                    if let Some(slot) = slot {
                        let _ = other.bits.put(slot, 3);
                    }
                })
            });
            let mine = slots.take();
            let ended = thread.join().unwrap().is_some();
            assert!(mine.is_some(), "there was room for both");
            let more = core::iter::from_fn(|| slots.take()).count();
            assert!(more == 2 || !ended && more == 1, "{more} more");
        });
    }
}

#[test]
fn threads_that_begin_at_different_words_get_different_slots_of_the_only_open_one() {
    explore(|| {
        let slots = Slots::<66, 2>::new();
        for slot in 0..64 {
            assert_eq!(slots.take(), Some(slot));
        }
        let other = Arc::clone(&slots);
        let thread = thread::spawn(move || other.take_from(1));
        let mine = slots.take();
        let mut both = [mine, thread.join().unwrap()];
        both.sort_unstable();
        assert_eq!(both, [Some(64), Some(65)]);
    });
}
