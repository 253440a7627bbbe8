//! What placement leaves whole.

use super::indexes::Indexes;
use super::job::{Job, Map, Measured};
use super::zone::{Pot, below, fill, get, put};
use super::{FrameSubject, HUGE};
use crate::interleaved::team;
use crate::kernel::Random;
use std::sync::{Mutex, PoisonError};

/// The recipe of LLFree's `frag`: all blocks are taken, shuffled, dealt out anew, and half of them
/// given back. In each round every thread replaces random blocks of its own, one after the other, a
/// tenth of what is in use. Which huge frames are whole is read from the blocks that are held, the
/// same for every allocator.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let pot = Pot::new(job);
    let found = Mutex::new((Vec::new(), Vec::new(), Indexes::default()));
    let look = |round: usize| {
        let used = used(&pot, job);
        let whole = used.iter().filter(|&&used| used == 0).count();
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.0.push(whole);
        if round == job.rounds {
            found.2 = Indexes::of(&free(&pot, job));
        }
        if job.maps.contains(&round) {
            found.1.push(Map { round, used });
        }
    };
    let share = ((job.frames / 2) >> job.order) / job.threads;
    team(job.threads, |member| {
        let order = job.order;
        let mut local = subject.local(member.index);
        let mut random = Random::new(job.seed);
        pot.of(member.index, |held| fill(subject, &mut local, order, held));
        pot.deal(member, &mut random);
        pot.of(member.index, |held| {
            assert!(held.len() > share, "the zone could not be filled: {} blocks", held.len());
            for frame in held.drain(held.len() - share..) {
                put(subject, &mut local, frame, order);
            }
        });
        let mut random = Random::new(job.seed + 1 + member.index as u64);
        member.alone(|| look(0));
        for round in 1..=job.rounds {
            pot.of(member.index, |held| {
                for _ in 0..share / 10 {
                    let place = below(&mut random, held.len());
                    put(subject, &mut local, held[place], order);
                    held[place] = get(subject, &mut local, order);
                }
            });
            member.alone(|| look(round));
        }
    })?;
    let (free_huge, maps, indexes) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let huge = job.frames / HUGE;
    Ok(Measured::Fragment { free_huge, huge, ideal: huge / 2, maps, indexes })
}

/// Which frames are free.
fn free(pot: &Pot, job: &Job) -> Vec<bool> {
    let mut free = vec![true; job.frames];
    pot.each(|frame| free[frame as usize..frame as usize + (1 << job.order)].fill(false));
    free
}

/// Frames in use of each huge frame.
fn used(pot: &Pot, job: &Job) -> Vec<u16> {
    let mut used = vec![0_u16; job.frames / HUGE];
    pot.each(|frame| {
        let first = frame as usize / HUGE;
        match 1_usize << job.order {
            frames if frames < HUGE => used[first] += frames as u16,
            frames => used[first..first + frames / HUGE].fill(HUGE as u16),
        }
    });
    used
}
