//! Single calls.

use super::FrameSubject;
use super::job::{Job, Measured};
use super::team::{Member, team};
use super::zone::{Pot, below, fill, get, put};
use crate::child::clock;
use crate::kernel::Random;
use crate::results::LatencyBand;
use hdrhistogram::Histogram;

/// Calls of one kind.
type Ticks = Histogram<u64>;

/// Half of the zone is in use at random; each thread gives a random block of its own back and takes
/// another, each call timed.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let (picos, empty) = clock::calibrate();
    let pot = Pot::new(job);
    let found = team(job.threads, |member| calls(subject, job, member, &pot))?;
    let band = |kind: usize, operation: &str| {
        let mut all = ticks();
        for histograms in &found {
            // Made alike, so that every value of one fits in the other.
            let _ = all.add(&histograms[kind]);
        }
        let nanos = |ticks: u64| ticks.saturating_sub(empty) as f64 * picos as f64 / 1e3;
        LatencyBand {
            operation: operation.into(),
            band: format!("order {}", job.order),
            samples: all.len(),
            p50: nanos(all.value_at_quantile(0.5)),
            p99: nanos(all.value_at_quantile(0.99)),
            p999: nanos(all.value_at_quantile(0.999)),
            max: nanos(all.max()),
        }
    };
    Ok(Measured::Latency {
        bands: vec![band(0, "get"), band(1, "put")],
        timer_ns: empty as f64 * picos as f64 / 1e3,
    })
}

/// Up to some seconds, to a thousandth.
fn ticks() -> Ticks {
    Ticks::new_with_bounds(1, 1 << 34, 3).expect("the bounds are constants that fit")
}

fn calls<F: FrameSubject>(subject: &F, job: &Job, member: &Member<'_>, pot: &Pot) -> [Ticks; 2] {
    let order = job.order;
    let mut local = subject.local(member.index);
    let mut random = Random::new(job.seed);
    pot.of(member.index, |held| fill(subject, &mut local, order, held));
    pot.deal(member, &mut random);
    let mut random = Random::new(job.seed + 1 + member.index as u64);
    let (mut gets, mut puts) = (ticks(), ticks());
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
                puts.saturating_record(between.saturating_sub(before));
                gets.saturating_record(after.saturating_sub(between));
            }
        }
    });
    [gets, puts]
}
