//! What the profiler knows: stacks with their sums, and the samples that are live.
//!
//! Nothing in here allocates from the heap. Where there is no memory for a new stack, its sums go to one
//! without frames; where there is none for a live sample, it is missing from the live view, and is counted.

use strata_core::Exhausted;
use strata_core::lock::Guarded;

use super::gap;
use super::mapped::{Mapped, Zeroed};
use crate::fork::ForkLock;

/// The one table.
pub(crate) static TABLE: Guarded<Table, ForkLock> = Guarded::new(ForkLock::new(), Table::NEW);

/// Parts of a request that sums count in.
pub(super) const PARTS: u64 = 1024;

/// What some requests come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Requests, in [`PARTS`].
    pub(super) parts: u64,
    pub(super) bytes: u64,
    /// Samples that it was estimated from.
    pub(super) samples: u64,
}

impl Sum {
    /// What a sampled request of `bytes` stands for.
    fn of(bytes: usize, rate: usize) -> Self {
        let weight = gap::weight(bytes, rate);
        let parts = (weight * PARTS as f64).round() as u64;
        Self { parts, bytes: (weight * bytes as f64).round() as u64, samples: 1 }
    }

    fn add(&mut self, other: Self) {
        self.parts = self.parts.wrapping_add(other.parts);
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.samples = self.samples.wrapping_add(other.samples);
    }

    pub(super) fn sub(&mut self, other: Self) {
        self.parts = self.parts.wrapping_sub(other.parts);
        self.bytes = self.bytes.wrapping_sub(other.bytes);
        self.samples = self.samples.wrapping_sub(other.samples);
    }
}

/// A stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stack {
    hash: u64,
    /// Its addresses among all.
    pub(super) first: usize,
    pub(super) len: usize,
    pub(super) allocated: Sum,
    pub(super) live: Sum,
}
// SAFETY: 1. numbers.
unsafe impl Zeroed for Stack {}

/// A live sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Zero where there is none.
    pub(super) address: usize,
    bytes: usize,
    pub(super) stack: usize,
}
// SAFETY: 1. numbers.
unsafe impl Zeroed for Sample {}

/// Everything about one profile.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) rate: usize,
    /// The first one has no frames: see the module.
    pub(super) stacks: Mapped<Stack>,
    pub(super) stack_count: usize,
    /// Numbers of stacks by their hash; zero is none.
    index: Mapped<u32>,
    pub(super) frames: Mapped<usize>,
    pub(super) frame_count: usize,
    /// By address. Never more than half full.
    pub(super) live: Mapped<Sample>,
    pub(super) live_count: usize,
    /// Samples that there was no memory for.
    pub(super) lost: u64,
}

const FIRST: usize = 512;

/// Spreads the bits of a number over its upper half.
fn spread(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

fn hash(frames: &[usize]) -> u64 {
    frames.iter().fold(frames.len() as u64, |hash, frame| spread(hash ^ *frame as u64))
}

impl Table {
    const NEW: Self = Self {
        rate: 0,
        stacks: Mapped::NONE,
        stack_count: 0,
        index: Mapped::NONE,
        frames: Mapped::NONE,
        frame_count: 0,
        live: Mapped::NONE,
        live_count: 0,
        lost: 0,
    };

    /// An empty table for a profile.
    pub(super) fn begin(rate: usize) -> Result<Self, Exhausted> {
        Ok(Self {
            rate,
            stacks: Mapped::new(FIRST)?,
            stack_count: 1,
            index: Mapped::new(FIRST)?,
            frames: Mapped::new(FIRST)?,
            live: Mapped::new(FIRST)?,
            ..Self::NEW
        })
    }

    /// Counts a sampled request, and one that is live where it got a block. Answers whether it is in the
    /// live view.
    pub(super) fn note(&mut self, bytes: usize, frames: &[usize], address: Option<usize>) -> bool {
        let stack = self.stack_of(frames).unwrap_or(0);
        let sum = Sum::of(bytes, self.rate);
        let Some(entry) = self.stacks.entries_mut().get_mut(stack) else { return false };
        entry.allocated.add(sum);
        let Some(address) = address else { return false };
        if self.insert(Sample { address, bytes, stack }).is_err() {
            self.lost += 1;
            return false;
        }
        if let Some(entry) = self.stacks.entries_mut().get_mut(stack) {
            entry.live.add(sum);
        }
        true
    }

    /// Takes the live sample at an address out. Answers whether there was one.
    pub(crate) fn forget(&mut self, address: usize) -> bool {
        let Some(sample) = self.remove(address) else { return false };
        let sum = self.sum_of(&sample);
        if let Some(stack) = self.stacks.entries_mut().get_mut(sample.stack) {
            stack.live.sub(sum);
        }
        true
    }

    /// What a live sample stands for.
    pub(super) fn sum_of(&self, sample: &Sample) -> Sum {
        Sum::of(sample.bytes, self.rate)
    }

    /// The number of a stack, which is a new one if need be.
    fn stack_of(&mut self, frames: &[usize]) -> Result<usize, Exhausted> {
        let hash = hash(frames);
        if 2 * (self.stack_count + 1) > self.index.len() {
            self.widen_index()?;
        }
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let number = self.index.entries()[place] as usize;
            if number == 0 {
                break;
            }
            let stack = &self.stacks.entries()[number];
            let known = stack.hash == hash && stack.len == frames.len();
            if known && self.frames.entries()[stack.first..stack.first + stack.len] == *frames {
                return Ok(number);
            }
            place = (place + 1) & mask;
        }
        let (number, first) = (self.stack_count, self.frame_count);
        let short = u32::try_from(number).map_err(|_| Exhausted)?;
        self.stacks.grow(number + 1)?;
        self.frames.grow(first + frames.len())?;
        self.frames.entries_mut()[first..first + frames.len()].copy_from_slice(frames);
        self.stacks.entries_mut()[number] =
            Stack { hash, first, len: frames.len(), ..Stack::default() };
        self.index.entries_mut()[place] = short;
        (self.stack_count, self.frame_count) = (number + 1, first + frames.len());
        Ok(number)
    }

    fn widen_index(&mut self) -> Result<(), Exhausted> {
        let mut wider = Mapped::<u32>::new(2 * self.index.len().max(FIRST / 2))?;
        let mask = wider.len() - 1;
        for number in 1..self.stack_count {
            let mut place = self.stacks.entries()[number].hash as usize & mask;
            while wider.entries()[place] != 0 {
                place = (place + 1) & mask;
            }
            wider.entries_mut()[place] = number as u32;
        }
        self.index = wider;
        Ok(())
    }

    /// Where the sample of an address should be, in a table of `2^n` places.
    fn home(address: usize, places: usize) -> usize {
        spread(address as u64) as usize & (places - 1)
    }

    fn insert(&mut self, sample: Sample) -> Result<(), Exhausted> {
        // A power of two fits: entries are of three words, and mappings of whole pages.
        let places = usable(self.live.len());
        if 2 * (self.live_count + 1) > places {
            let wider = Mapped::<Sample>::new(2 * places.max(FIRST / 2))?;
            let narrow = core::mem::replace(&mut self.live, wider);
            let there = narrow.entries().iter().filter(|sample| sample.address != 0);
            there.for_each(|sample| place(&mut self.live, *sample));
        }
        place(&mut self.live, sample);
        self.live_count += 1;
        Ok(())
    }

    /// Takes a sample out, and moves those behind it forward that would not be found any more.
    fn remove(&mut self, address: usize) -> Option<Sample> {
        if self.live_count == 0 {
            return None;
        }
        let places = usable(self.live.len());
        let mut at = Self::home(address, places);
        while self.live.entries()[at].address != address {
            if self.live.entries()[at].address == 0 {
                return None;
            }
            at = (at + 1) & (places - 1);
        }
        let entries = self.live.entries_mut();
        let sample = entries[at];
        let mut next = at;
        loop {
            next = (next + 1) & (places - 1);
            if entries[next].address == 0 {
                break;
            }
            let home = Self::home(entries[next].address, places);
            // It may go to `at` unless its home lies behind that.
            let from_home = next.wrapping_sub(home) & (places - 1);
            if from_home >= next.wrapping_sub(at) & (places - 1) {
                entries[at] = entries[next];
                at = next;
            }
        }
        entries[at] = Sample::default();
        self.live_count -= 1;
        Some(sample)
    }
}

/// The places of a table with room for `len`: a power of two.
fn usable(len: usize) -> usize {
    if len == 0 { 0 } else { 1 << len.ilog2() }
}

/// Puts a sample where it belongs; there is a place.
fn place(live: &mut Mapped<Sample>, sample: Sample) {
    let places = usable(live.len());
    let mut at = Table::home(sample.address, places);
    while live.entries()[at].address != 0 {
        at = (at + 1) & (places - 1);
    }
    live.entries_mut()[at] = sample;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;
    use std::vec::Vec;

    /// Random samples come and go, beside a map that does the same by simpler means.
    #[test]
    fn sums_are_those_of_the_samples_that_are_live() {
        let mut table = Table::begin(1 << 10).unwrap();
        let mut live = BTreeMap::new();
        let mut random = 1_u64;
        for round in 0..60_000_usize {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let dice = (random >> 33) as usize;
            let address = 4096 + 16 * (dice % 5000);
            let removes = dice.is_multiple_of(3) == (round < 30_000);
            if removes {
                assert_eq!(table.forget(address), live.remove(&address).is_some());
            } else if let Entry::Vacant(free) = live.entry(address) {
                let frames: Vec<_> = (0..dice / 7 % 9).map(|n| 7000 + n * (dice % 300)).collect();
                assert!(table.note(dice % 9000 + 1, &frames, Some(address)));
                free.insert((dice % 9000 + 1, frames));
            }
            assert_eq!(table.live_count, live.len());
        }
        let mut by_stack = BTreeMap::<&[usize], Sum>::new();
        for (bytes, frames) in live.values() {
            by_stack.entry(frames).or_default().add(Sum::of(*bytes, 1 << 10));
        }
        let frames = table.frames.entries();
        for stack in &table.stacks.entries()[1..table.stack_count] {
            let frames = &frames[stack.first..stack.first + stack.len];
            assert_eq!(stack.live, by_stack.remove(frames).unwrap_or_default());
        }
        assert!(by_stack.is_empty(), "a stack each");
    }

    #[test]
    fn a_request_without_a_block_is_in_the_allocated_view_alone() {
        let mut table = Table::begin(1).unwrap();
        assert!(!table.note(100, &[1 << 20], None));
        let stack = table.stacks.entries()[1];
        assert_eq!((stack.allocated.bytes, stack.allocated.parts), (100, PARTS));
        assert_eq!(stack.live, Sum::default());
        assert!(!table.forget(1 << 20));
    }
}
