//! What one thread does for itself, a chunk at a time, for as long as it is let.

use crate::kernel::{Random, Room, Slot, give, layout, take, to_a_kib};
use crate::subject::Subject;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicPtr, Ordering::AcqRel};

/// Which allocations and frees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Load {
    /// One block of 64 bytes at a time, the size a constant.
    Pairs,
    /// 512 live blocks of 8 B to 1 KiB, a random one replaced each time.
    Churn,
    /// 1000 blocks of 64 bytes allocated, then freed in random order.
    Batches,
    /// One block of 8 bytes at a time, written a thousand times: cache-thrash. By name only.
    Thrash,
    /// The same; the first block of each comes from another thread, beside one that stays with it:
    /// cache-scratch. By name only.
    Scratch,
}

impl Load {
    /// All that run without being named.
    pub(crate) const USUAL: [Self; 3] = [Self::Pairs, Self::Churn, Self::Batches];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pairs => "pairs",
            Self::Churn => "churn",
            Self::Batches => "batches",
            Self::Thrash => "thrash",
            Self::Scratch => "scratch",
        }
    }

    /// What it does, in one line.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::Pairs => "one block of 64 B at a time",
            Self::Churn => "512 live blocks of 8 B to 1 KiB, a random one replaced each time",
            Self::Batches => "1000 blocks of 64 B allocated, then freed in random order",
            Self::Thrash => {
                "one block of 8 B at a time, written 1000 times: who shares its cache line?"
            }
            Self::Scratch => "the same, after a block that another thread allocated was freed",
        }
    }
}

/// A load as a thread's own.
pub(super) trait Endless<S> {
    /// Pairs of allocation and free in a chunk: some microseconds.
    const PAIRS: u64;

    /// Sets up; different seeds give different numbers.
    fn new(subject: &S, seed: u64) -> Self;

    /// Does some of it.
    fn chunk(&mut self, subject: &S);

    /// Frees what it holds.
    fn end(self, subject: &S);
}

/// [`Load::Pairs`].
pub(super) struct Pairs;

impl<S: Subject> Endless<S> for Pairs {
    const PAIRS: u64 = 256;

    fn new(_: &S, _: u64) -> Self {
        Self
    }

    #[inline(never)]
    fn chunk(&mut self, subject: &S) {
        for _ in 0..<Self as Endless<S>>::PAIRS {
            let block = take(subject, const { layout(64, 8) });
            // SAFETY: 1: taken just now.
            unsafe { give(subject, block, const { layout(64, 8) }) };
        }
    }

    fn end(self, _: &S) {}
}

/// Live blocks of a thread: what 64 threads hold together still fits a processor's caches, so that
/// going from thread to thread costs as little as it can.
const LIVE: usize = 512;

/// [`Load::Churn`].
pub(super) struct Churn {
    slots: Room<[Slot; LIVE]>,
    random: Random,
}

impl<S: Subject> Endless<S> for Churn {
    const PAIRS: u64 = 128;

    fn new(subject: &S, seed: u64) -> Self {
        let mut slots = Room::<[Slot; LIVE]>::new();
        let mut random = Random::new(seed);
        for slot in slots.iter_mut() {
            slot.fill(subject, to_a_kib(random.next()));
        }
        Self { slots, random }
    }

    #[inline(never)]
    fn chunk(&mut self, subject: &S) {
        let mut random = self.random;
        for _ in 0..<Self as Endless<S>>::PAIRS {
            let number = random.next();
            let slot = &mut self.slots[number as usize % LIVE];
            // SAFETY: 1: the slot's block is live; the slot is filled again at once.
            unsafe { slot.free(subject) };
            slot.fill(subject, to_a_kib(number));
        }
        self.random = random;
    }

    fn end(self, subject: &S) {
        for slot in self.slots.iter() {
            // SAFETY: 1: every slot holds a live block, and none is looked at again.
            unsafe { slot.free(subject) };
        }
    }
}

/// Blocks of a batch.
const BATCH: usize = 1000;

/// [`Load::Batches`].
pub(super) struct Batches {
    blocks: Room<[*mut u8; BATCH]>,
    order: Room<[u32; BATCH]>,
}

impl<S: Subject> Endless<S> for Batches {
    const PAIRS: u64 = BATCH as u64;

    fn new(_: &S, seed: u64) -> Self {
        let mut order = Room::<[u32; BATCH]>::new();
        Random::new(seed).permutation(&mut *order);
        Self { blocks: Room::new(), order }
    }

    #[inline(never)]
    fn chunk(&mut self, subject: &S) {
        for block in self.blocks.iter_mut() {
            *block = take(subject, const { layout(64, 8) });
        }
        for &index in self.order.iter() {
            // SAFETY: 1: every block was taken above, and the order names each index once.
            unsafe { give(subject, self.blocks[index as usize], const { layout(64, 8) }) };
        }
    }

    fn end(self, _: &S) {}
}

/// Writes into a block while it lives.
const WRITES: u64 = 1000;

/// [`Load::Thrash`].
pub(super) struct Thrash;

/// Pairs of these loads in a chunk.
const WRITTEN: u64 = 4;

fn written<S: Subject>(subject: &S) {
    for _ in 0..WRITTEN {
        let block = take(subject, const { layout(8, 8) });
        if S::TOUCHABLE {
            for number in 0..WRITES {
                // SAFETY: the block has a word. The write is volatile, since that it reaches the cache
                // line each time is all that is measured.
                unsafe { block.cast::<u64>().write_volatile(number) };
            }
        }
        // SAFETY: 1: taken just now.
        unsafe { give(subject, block, const { layout(8, 8) }) };
    }
}

impl<S: Subject> Endless<S> for Thrash {
    const PAIRS: u64 = WRITTEN;

    fn new(_: &S, _: u64) -> Self {
        Self
    }

    #[inline(never)]
    fn chunk(&mut self, subject: &S) {
        written(subject);
    }

    fn end(self, _: &S) {}
}

/// [`Load::Scratch`]: a block of another thread, which is freed first, and one that stays.
pub(super) struct Scratch {
    handed: *mut u8,
    own: *mut u8,
}

/// The block that the next thread is handed; one stays there when all threads have ended.
static HANDED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

impl<S: Subject> Endless<S> for Scratch {
    const PAIRS: u64 = WRITTEN;

    fn new(subject: &S, _: u64) -> Self {
        let [own, beside] = [(); 2].map(|()| take(subject, const { layout(8, 8) }));
        // Release and acquire pair with one another: what the allocator wrote into the block is seen by
        // who frees it.
        Self { handed: HANDED.swap(beside, AcqRel), own }
    }

    #[inline(never)]
    fn chunk(&mut self, subject: &S) {
        let handed = std::mem::replace(&mut self.handed, std::ptr::null_mut());
        if !handed.is_null() {
            // SAFETY: 1: taken by another thread with this subject, and handed to nobody else.
            unsafe { give(subject, handed, const { layout(8, 8) }) };
        }
        written(subject);
    }

    fn end(self, subject: &S) {
        for block in [self.handed, self.own] {
            if !block.is_null() {
                // SAFETY: 1: taken with this subject, and not freed before.
                unsafe { give(subject, block, const { layout(8, 8) }) };
            }
        }
    }
}

/// The control: steps through an array of the thread's own, and no allocator.
pub(super) struct Control {
    array: Room<[u64; WORDS]>,
    random: Random,
}

/// Half of a first-level cache.
const WORDS: usize = 2048;

impl<S> Endless<S> for Control {
    const PAIRS: u64 = 1024;

    fn new(_: &S, seed: u64) -> Self {
        Self { array: Room::new(), random: Random::new(seed) }
    }

    #[inline(never)]
    fn chunk(&mut self, _: &S) {
        let mut random = self.random;
        for _ in 0..<Self as Endless<S>>::PAIRS {
            let number = random.next();
            let word = &mut self.array[number as usize % WORDS];
            *word = word.wrapping_add(number);
        }
        self.random = random;
    }

    fn end(self, _: &S) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::System;
    use clap::ValueEnum;

    #[test]
    fn a_load_has_one_name_everywhere() {
        for &load in Load::value_variants() {
            let name = load.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(load.name()));
            let json = serde_json::to_string(&load).unwrap();
            assert_eq!(json.trim_matches('"'), load.name());
        }
    }

    #[test]
    fn every_load_goes_on_and_ends() {
        fn played<L: Endless<System>>() {
            let subject = System::new();
            let mut load = L::new(&subject, 7);
            (0..3).for_each(|_| load.chunk(&subject));
            load.end(&subject);
        }
        played::<Pairs>();
        played::<Churn>();
        played::<Batches>();
        played::<Thrash>();
        played::<Scratch>();
        played::<Scratch>();
        played::<Control>();
    }
}
