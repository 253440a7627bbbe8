//! One block over and over.

use super::FrameSubject;
use super::job::{Job, Measured};
use super::zone::{Held, get, put};
use crate::interleaved::{per_call, team};
use std::hint::black_box;

/// Each thread holds its share of half the zone, then takes and gives back one block at a time.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let blocks = ((job.frames / 2) >> job.order) / job.threads;
    let order = job.order;
    let spans = team(job.threads, |member| {
        let mut local = subject.local(member.index);
        let held: Held = (0..blocks).map(|_| get(subject, &mut local, order)).collect();
        let mut pairs = |calls: usize| {
            for _ in 0..calls {
                let frame = black_box(get(subject, &mut local, order));
                put(subject, &mut local, frame, order);
            }
        };
        pairs(job.operations.div_ceil(4));
        let span = member.window(|| pairs(job.operations));
        for frame in held {
            put(subject, &mut local, frame, order);
        }
        vec![[span]]
    })?;
    Ok(Measured::Time { nanos: vec![per_call(&spans, 0, job.operations, "pair")] })
}
