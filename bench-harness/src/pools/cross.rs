//! One thread takes, another gives back.

use super::job::{Job, Measured, pool};
use super::ring::{ROUND, Ring};
use super::subject::{Held, PoolLocal, PoolSubject};
use crate::interleaved::{per_call, team};

/// Windows of one job.
const WINDOWS: usize = 9;

/// Thread 0 takes blocks and sends them, thread 1 gives them back; a window ends for both when the last
/// block is back.
pub(super) fn run<P: PoolSubject + Sync>(job: &Job) -> Result<Measured, String>
where
    for<'a> Held<'a, P>: Send,
{
    let pool = pool::<P>(1 << 12)?;
    let ring = Ring::<Held<'_, P>>::new();
    let rounds = job.operations.div_ceil(WINDOWS * ROUND);
    let spans = team(2, |member| {
        let mut local = pool.local();
        let mut spans = Vec::new();
        for window in 0..=WINDOWS {
            let span = member.window(|| {
                for _ in 0..rounds {
                    let mut word = 0;
                    if member.index == 0 {
                        let make = || {
                            word += 1;
                            match local.take(word) {
                                Some(held) => held,
                                None => panic!("no block although there must be one"),
                            }
                        };
                        // SAFETY: 1. thread 0 alone.
                        unsafe { ring.send(make, || member.deserted()) };
                    } else {
                        let back = |held| local.give(held);
                        // SAFETY: 1. thread 1 alone.
                        unsafe { ring.receive(back, || member.deserted()) };
                    }
                }
            });
            if window > 0 {
                spans.push([span]);
            }
        }
        spans
    })?;
    Ok(Measured::Time { nanos: vec![per_call(&spans, 0, WINDOWS * rounds * ROUND, "block")] })
}
