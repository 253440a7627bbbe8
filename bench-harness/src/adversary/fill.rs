//! How much of what is resident was asked for.

use super::Holder;
use super::held::Held;
use super::job::Job;
use crate::footprint::{Figure, Unit};
use crate::kernel::Random;
use crate::results::statistics::mean;
use crate::subject::Subject;
use std::io;

/// Rounds of replacing.
const ROUNDS: usize = 200;

/// What was asked for, of what is resident; `None` where that is less, being from before.
fn share<S: Subject>(held: &Held<S>) -> io::Result<Option<f64>> {
    let (live, resident) = (held.live as u64, held.resident()?);
    Ok((live <= resident).then(|| live as f64 / resident.max(1) as f64))
}

/// Random sizes until full, then random blocks given back and others taken for them: requested by resident
/// bytes when full, and their mean over the rounds.
pub(super) fn fill<S: Subject>(held: &mut Held<S>, job: &Job) -> io::Result<Vec<Figure>> {
    let mut random = Random::new(job.seed);
    held.take_until(job.live, || random.between(1, 4096) as usize)?;
    let full = share(held)?;
    let mut shares = Vec::new();
    for _ in 0..ROUNDS {
        let before = held.live;
        for _ in 0..held.count() / 20 {
            held.give(random.between(0, held.count() as u32 - 1) as usize);
        }
        let freed = before - held.live;
        held.take_until(freed, || random.between(1, 4096) as usize)?;
        shares.extend(share(held)?);
    }
    Ok(vec![
        Figure::new("when full", Unit::Share, full),
        Figure::new("replacing, mean", Unit::Share, mean(shares)),
        Figure::new("at the end", Unit::Share, share(held)?),
    ])
}
