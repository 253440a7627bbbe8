//! What several workloads do to a zone.

use super::FrameSubject;
use super::job::Job;
use crate::interleaved::Member;
use crate::kernel::Random;
use std::sync::{Mutex, PoisonError};

/// Blocks that a thread holds, by their first frames.
pub(super) type Held = Vec<u32>;

/// Takes a block where there must be one.
#[inline(always)]
pub(super) fn get<F: FrameSubject>(subject: &F, local: &mut F::Local<'_>, order: u8) -> u32 {
    match subject.get(local, order) {
        Some(frame) => frame as u32,
        None => nothing(order),
    }
}

/// Gives a block back that must be taken.
#[inline(always)]
pub(super) fn put<F: FrameSubject>(subject: &F, local: &mut F::Local<'_>, frame: u32, order: u8) {
    if !subject.put(local, frame as usize, order) {
        refused(frame, order);
    }
}

#[cold]
#[inline(never)]
fn nothing(order: u8) -> ! {
    panic!("nothing of order {order} although there must be room")
}

#[cold]
#[inline(never)]
fn refused(frame: u32, order: u8) -> ! {
    panic!("block {frame} of order {order} was not taken back")
}

/// Blocks that all threads hold, each thread's in its place.
#[derive(Debug)]
pub(super) struct Pot(Vec<Mutex<Held>>);

impl Pot {
    /// Empty hands.
    pub(super) fn new(job: &Job) -> Self {
        let room = job.frames >> job.order;
        Self((0..job.threads).map(|_| Mutex::new(Held::with_capacity(room))).collect())
    }

    /// Does something to the blocks of one thread.
    pub(super) fn of<R>(&self, index: usize, work: impl FnOnce(&mut Held) -> R) -> R {
        work(&mut self.0[index].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shuffles all blocks and deals them out evenly again, as one thread while the others wait.
    pub(super) fn deal(&self, member: &Member<'_>, random: &mut Random) {
        member.alone(|| {
            let mut all = Held::new();
            for index in 0..self.0.len() {
                self.of(index, |held| all.append(held));
            }
            shuffle(&mut all, random);
            let share = all.len().div_ceil(self.0.len()).max(1);
            for (index, part) in all.chunks(share).enumerate() {
                self.of(index, |held| held.extend_from_slice(part));
            }
        });
    }

    /// Calls back with each block.
    pub(super) fn each(&self, mut visit: impl FnMut(u32)) {
        for index in 0..self.0.len() {
            self.of(index, |held| held.iter().copied().for_each(&mut visit));
        }
    }
}

/// Takes blocks until there are none, and fails where fewer than nearly all of a zone were there:
/// what is short of it may be in another thread's stock.
pub(super) fn fill<F: FrameSubject>(
    subject: &F,
    local: &mut F::Local<'_>,
    order: u8,
    held: &mut Held,
) {
    while let Some(frame) = subject.get(local, order) {
        held.push(frame as u32);
    }
}

/// An order by chance.
pub(super) fn shuffle(held: &mut Held, random: &mut Random) {
    for index in (1..held.len()).rev() {
        held.swap(index, below(random, index + 1));
    }
}

/// A number below `end`, which fits in 32 bits.
#[inline(always)]
pub(super) fn below(random: &mut Random, end: usize) -> usize {
    (((random.next() >> 32) * end as u64) >> 32) as usize
}
