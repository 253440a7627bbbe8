//! Single calls.

use super::FrameSubject;
use super::job::{Job, Measured};
use super::zone::{Pot, below, fill, get, put};
use crate::child::clock;
use crate::interleaved::{Member, Ticks, team};
use crate::kernel::Random;

/// Half of the zone is in use at random; each thread gives a random block of its own back and takes
/// another, each call timed.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let (picos, empty) = clock::calibrate();
    let pot = Pot::new(job);
    let found = team(job.threads, |member| calls(subject, job, member, &pot))?;
    let band = |kind: usize, operation: &str| {
        let mut all = Ticks::new();
        found.iter().for_each(|calls| all.add(&calls[kind]));
        all.band(operation, format!("order {}", job.order), (picos, empty))
    };
    Ok(Measured::Latency {
        bands: vec![band(0, "get"), band(1, "put")],
        timer_ns: empty as f64 * picos as f64 / 1e3,
    })
}

fn calls<F: FrameSubject>(subject: &F, job: &Job, member: &Member<'_>, pot: &Pot) -> [Ticks; 2] {
    let order = job.order;
    let mut local = subject.local(member.index);
    let mut random = Random::new(job.seed);
    pot.of(member.index, |held| fill(subject, &mut local, order, held));
    pot.deal(member, &mut random);
    let mut random = Random::new(job.seed + 1 + member.index as u64);
    let (mut gets, mut puts) = (Ticks::new(), Ticks::new());
    pot.of(member.index, |held| {
        for frame in held.drain(held.len() / 2..) {
            put(subject, &mut local, frame, order);
        }
        member.meet();
        let warm = job.operations / 8;
        for call in 0..warm + job.operations {
            let place = below(&mut random, held.len());
            let before = clock::ticks();
            put(subject, &mut local, held[place], order);
            let between = clock::ticks();
            held[place] = get(subject, &mut local, order);
            let after = clock::ticks();
            if call >= warm {
                puts.record(between.saturating_sub(before));
                gets.record(after.saturating_sub(between));
            }
        }
    });
    [gets, puts]
}
