//! Many live blocks, of which a random one is replaced each time.

use super::random::{Random, by_powers, to_a_kib};
use super::room::{Room, Zero};
use super::window::{Window, give, take};
use crate::subject::Subject;
use std::alloc::Layout;

/// A block and its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    block: *mut u8,
    bytes: usize,
}

impl Slot {
    #[inline(always)]
    fn layout(self) -> Layout {
        // SAFETY: the laws give sizes far below the limit, and 8 is a power of two.
        unsafe { Layout::from_size_align_unchecked(self.bytes, 8) }
    }

    /// Puts a new block into the slot.
    #[inline(always)]
    pub(crate) fn fill<S: Subject>(&mut self, subject: &S, bytes: usize) {
        self.bytes = bytes;
        self.block = take(subject, self.layout());
    }

    /// Frees the slot's block.
    ///
    /// # Safety
    ///
    /// 1. The slot was filled with a block of this subject, which was not freed since.
    #[inline(always)]
    pub(crate) unsafe fn free<S: Subject>(self, subject: &S) {
        // SAFETY: 1: by obligation 1.
        unsafe { give(subject, self.block, self.layout()) };
    }
}

// SAFETY: 1: a null pointer and 0.
unsafe impl Zero for Slot {}

/// 65,536 blocks from 16 B to 2 KiB.
pub(super) fn live_set<S: Subject>(subject: &S, window: &mut Window) {
    replaced::<S, 65_536>(subject, window, by_powers);
}

/// 4096 blocks from 8 B to 1 KiB.
pub(super) fn churn<S: Subject>(subject: &S, window: &mut Window) {
    replaced::<S, 4096>(subject, window, to_a_kib);
}

fn replaced<S: Subject, const SLOTS: usize>(
    subject: &S,
    window: &mut Window,
    law: impl Fn(u64) -> usize + Copy,
) {
    /// Every slot holds a live block before and after.
    #[inline(never)]
    fn rounds<S: Subject, const SLOTS: usize>(
        subject: &S,
        slots: &mut [Slot; SLOTS],
        random: &mut Random,
        law: impl Fn(u64) -> usize,
        rounds: u64,
    ) {
        let mut numbers = *random;
        for _ in 0..rounds {
            let number = numbers.next();
            let slot = &mut slots[number as usize % SLOTS];
            // SAFETY: 1: the slot's block is live; the slot is filled again at once.
            unsafe { slot.free(subject) };
            slot.fill(subject, law(number));
        }
        *random = numbers;
    }
    // The index takes the low half of a number, the laws the upper one.
    const { assert!(SLOTS.is_power_of_two() && SLOTS <= 1 << 32) };
    let mut slots = Room::<[Slot; SLOTS]>::new();
    let mut random = Random::new(3);
    for slot in slots.iter_mut() {
        slot.fill(subject, law(random.next()));
    }
    window.run(|count| rounds(subject, &mut slots, &mut random, law, count));
    for slot in slots.iter() {
        // SAFETY: 1: every slot holds a live block, and none is looked at again.
        unsafe { slot.free(subject) };
    }
}
