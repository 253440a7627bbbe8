//! Random order, and a zone with holes.

use super::FrameSubject;
use super::job::{Job, Measured};
use super::zone::{Pot, fill, get, put};
use crate::interleaved::{Member, per_call, team};
use crate::kernel::Random;

/// All blocks are taken, shuffled and dealt out anew. Each thread then gives half of its blocks
/// back, in that order, and takes half as many again from the zone that is now half free at random.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let blocks = (job.frames >> job.order) / job.threads;
    let (puts, gets) = (blocks / 2, blocks / 4);
    let rounds = job.operations.div_ceil(puts.max(1)).min(64);
    let pot = Pot::new(job);
    let spans =
        team(job.threads, |member| rounds_of(subject, job, member, &pot, (puts, gets), rounds))?;
    Ok(Measured::Time {
        nanos: vec![
            per_call(&spans, 0, rounds * puts, "put"),
            per_call(&spans, 1, rounds * gets, "get"),
        ],
    })
}

fn rounds_of<F: FrameSubject>(
    subject: &F,
    job: &Job,
    member: &Member<'_>,
    pot: &Pot,
    (puts, gets): (usize, usize),
    rounds: usize,
) -> Vec<[u64; 2]> {
    let order = job.order;
    let mut local = subject.local(member.index);
    let mut random = Random::new(job.seed);
    let mut spans = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        pot.of(member.index, |held| fill(subject, &mut local, order, held));
        pot.deal(member, &mut random);
        pot.of(member.index, |held| {
            assert!(held.len() >= puts, "the zone could not be filled: {} blocks", held.len());
            let back = member.window(|| {
                for frame in held.drain(held.len() - puts..).rev() {
                    put(subject, &mut local, frame, order);
                }
            });
            let got = member.window(|| {
                for _ in 0..gets {
                    held.push(get(subject, &mut local, order));
                }
            });
            if round > 0 {
                spans.push([back, got]);
            }
        });
    }
    spans
}
