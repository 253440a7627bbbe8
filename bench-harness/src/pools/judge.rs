//! The judge: who holds which block, and what is in it.

use super::job::{CANNOT, Found, Job, Measured, pool};
use super::ring::Ring;
use super::subject::{Held, Payload, PoolLocal, PoolSubject};
use crate::interleaved::team;
use crate::kernel::Random;
use std::collections::HashSet;
use std::sync::Mutex;

/// Blocks that a thread holds at most.
const MOST: usize = 1300;

/// Addresses of the blocks that are out.
type Out = Mutex<HashSet<usize>>;

struct Player<'o, 'a, P: PoolSubject + 'a> {
    local: P::Local<'a>,
    held: Vec<(Held<'a, P>, u64)>,
    out: &'o Out,
    found: Found,
    random: Random,
    /// What the next value holds.
    word: u64,
}

impl<'o, 'a, P: PoolSubject + 'a> Player<'o, 'a, P> {
    fn new(pool: &'a P, out: &'o Out, seed: u64, index: usize) -> Self {
        Self {
            local: pool.local(),
            held: Vec::new(),
            out,
            found: Found::default(),
            random: Random::new(seed + index as u64),
            word: (index as u64) << 48,
        }
    }

    /// Takes a block and looks where it is; `None` where there is none.
    fn take(&mut self) -> Option<(Held<'a, P>, u64)> {
        self.word += 1;
        let held = self.local.take(self.word)?;
        self.found.blocks += 1;
        let place = (&raw const *self.local.value(&held)).addr();
        if !place.is_multiple_of(align_of::<Payload>()) {
            self.found.misaligned += 1;
        }
        if P::STAYS && !lock(self.out).insert(place) {
            self.found.twice += 1;
        }
        Some((held, self.word))
    }

    /// Looks at a block that somebody took and gives it back.
    fn give(&mut self, (held, word): (Held<'a, P>, u64)) {
        let value = self.local.value(&held);
        if value.word() != word {
            self.found.changed += 1;
        }
        if P::STAYS {
            lock(self.out).remove(&(&raw const *value).addr());
        }
        self.local.give(held);
    }

    /// Takes and gives at random, in phases that grow and shrink.
    fn play(&mut self, calls: usize) {
        let mut growing = true;
        for _ in 0..calls {
            if (self.random.next() >> 61 < 6) == growing && self.held.len() < MOST {
                match self.take() {
                    Some(held) => self.held.push(held),
                    None => growing = false,
                }
            } else if self.held.is_empty() {
                growing = true;
            } else {
                let place = self.random.between(0, self.held.len() as u32 - 1) as usize;
                let held = self.held.swap_remove(place);
                self.give(held);
            }
            growing &= self.held.len() < MOST;
        }
    }

    /// Gives everything back.
    fn end(mut self) -> Found {
        while let Some(held) = self.held.pop() {
            self.give(held);
        }
        self.found
    }
}

fn lock(out: &Out) -> std::sync::MutexGuard<'_, HashSet<usize>> {
    out.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One thread.
pub(super) fn alone<P: PoolSubject>(job: &Job) -> Result<Measured, String> {
    if !P::FREES {
        return Err(format!("{CANNOT} take single blocks back"));
    }
    let (pool, out) = (pool::<P>(MOST + 64)?, Out::default());
    let mut player = Player::<P>::new(&pool, &out, job.seed, 0);
    player.play(job.operations);
    player.found.invalid = player.local.validate().err();
    Ok(Measured::Check(player.end()))
}

/// Two threads, of which each also gives back what the other one took.
pub(super) fn together<P: PoolSubject + Sync>(job: &Job) -> Result<Measured, String>
where
    for<'a> Held<'a, P>: Send,
{
    let (pool, out) = (pool::<P>(3 * MOST)?, Out::default());
    let rings = [Ring::<(Held<'_, P>, u64)>::new(), Ring::new()];
    let all = team(2, |member| {
        let mut player = Player::<P>::new(&pool, &out, job.seed, member.index);
        let (to, from) = (&rings[member.index], &rings[1 - member.index]);
        for _ in 0..16 {
            player.play(job.operations / 32);
            let taken = || match player.take() {
                Some(held) => held,
                None => panic!("no block although there must be one"),
            };
            // SAFETY: 1. each thread sends on its own ring alone.
            unsafe { to.send(taken, || member.deserted()) };
            // SAFETY: 1. and receives on the other's alone.
            unsafe { from.receive(|held| player.give(held), || member.deserted()) };
        }
        player.end()
    })?;
    let mut sum = Found::default();
    for found in all {
        sum.blocks += found.blocks;
        sum.twice += found.twice;
        sum.changed += found.changed;
        sum.misaligned += found.misaligned;
    }
    sum.invalid = pool.local().validate().err();
    Ok(Measured::Check(sum))
}
