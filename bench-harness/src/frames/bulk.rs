//! Half of the zone at once.

use super::FrameSubject;
use super::job::{Job, Measured};
use super::zone::{Held, get, put};
use crate::interleaved::{Member, per_call, team};

/// Each thread takes its share of half the zone, then gives it back, the newest first.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let blocks = ((job.frames / 2) >> job.order) / job.threads;
    let rounds = job.operations.div_ceil(blocks.max(1));
    let spans = team(job.threads, |member| rounds_of(subject, job.order, member, blocks, rounds))?;
    Ok(Measured::Time {
        nanos: ["get", "put"]
            .into_iter()
            .enumerate()
            .map(|(kind, name)| per_call(&spans, kind, rounds * blocks, name))
            .collect(),
    })
}

fn rounds_of<F: FrameSubject>(
    subject: &F,
    order: u8,
    member: &Member<'_>,
    blocks: usize,
    rounds: usize,
) -> Vec<[u64; 2]> {
    let mut local = subject.local(member.index);
    let mut held = Held::with_capacity(blocks);
    let mut spans = Vec::with_capacity(rounds);
    // The round before the first is not kept: it touches all that is touched later.
    for round in 0..=rounds {
        let got = member.window(|| {
            for _ in 0..blocks {
                held.push(get(subject, &mut local, order));
            }
        });
        let back = member.window(|| {
            while let Some(frame) = held.pop() {
                put(subject, &mut local, frame, order);
            }
        });
        if round > 0 {
            spans.push([got, back]);
        }
    }
    spans
}
