//! What calls cost.

use super::job::{Job, Measured, pool};
use super::subject::{Held, PoolLocal, PoolSubject};
use crate::interleaved::{Phase, per_call, team};
use crate::kernel::Random;
use crate::results::statistics::median;
use std::hint::black_box;
use std::time::Instant;

/// Windows of one job; of one thread the median counts, of several the sum of the slowest.
const WINDOWS: usize = 9;

/// Blocks that `held` holds.
const LIVE: usize = 2000;
/// Blocks of a batch.
const BATCH: usize = 1000;

/// One kind of call: its name, and what does so many of them.
pub(super) type Call<'w> = (&'static str, Box<dyn FnMut(usize) + 'w>);

/// Does the work of a workload on a thread's local: `with` is called with its kinds of calls.
pub(super) type Work<P> =
    for<'a> fn(&Job, &mut <P as PoolSubject>::Local<'a>, with: &mut dyn FnMut(&mut [Call<'_>]));

/// One thread.
pub(super) fn alone<P: PoolSubject>(job: &Job, work: Work<P>) -> Result<Measured, String> {
    let pool = pool::<P>(capacity(1))?;
    let mut local = pool.local();
    expose(&mut local);
    let mut nanos = Vec::new();
    work(job, &mut local, &mut |calls| {
        for (name, call) in calls {
            let each = job.operations.div_ceil(WINDOWS);
            call(each);
            let window = |_| {
                let start = Instant::now();
                call(each);
                start.elapsed().as_nanos() as f64 / each as f64
            };
            let median = median((0..WINDOWS).map(window).collect()).unwrap_or(f64::NAN);
            nanos.push(Phase { name: (*name).into(), nanos: median });
        }
    });
    Ok(Measured::Time { nanos })
}

/// Several threads that start together, each with blocks of its own.
pub(super) fn together<P: PoolSubject + Sync>(
    job: &Job,
    work: Work<P>,
) -> Result<Measured, String> {
    let pool = pool::<P>(capacity(job.threads))?;
    let each = job.operations.div_ceil(WINDOWS);
    let spans = team(job.threads, |member| {
        let mut local = pool.local();
        expose(&mut local);
        let mut spans: Vec<(&str, Vec<[u64; 1]>)> = Vec::new();
        work(job, &mut local, &mut |calls| {
            for (name, call) in calls {
                member.window(|| call(each));
                let windows = (0..WINDOWS).map(|_| [member.window(|| call(each))]).collect();
                spans.push((name, windows));
            }
        });
        spans
    })?;
    let kinds = spans.first().map_or(0, Vec::len);
    let phase = |kind: usize| {
        let windows: Vec<_> = spans.iter().map(|spans| spans[kind].1.clone()).collect();
        per_call(&windows, 0, WINDOWS * each, spans[0][kind].0)
    };
    Ok(Measured::Time { nanos: (0..kinds).map(phase).collect() })
}

/// Shows a thread's local to others, as far as the compiler knows: no pool keeps its state in registers
/// from one pair to the next, as it could not in a program either.
fn expose<T>(local: &mut T) {
    black_box(local);
}

/// Blocks for so many threads, with room for what each keeps.
fn capacity(threads: usize) -> usize {
    threads * (LIVE + 48)
}

#[inline(always)]
fn take<'a, P: PoolSubject>(local: &mut P::Local<'a>, word: u64) -> Held<'a, P> {
    match local.take(word) {
        Some(held) => held,
        None => nothing(),
    }
}

#[cold]
#[inline(never)]
fn nothing() -> ! {
    panic!("no block although there must be one")
}

#[inline(always)]
fn pairs<P: PoolSubject>(local: &mut P::Local<'_>, calls: usize) {
    for word in 0..calls {
        let held = black_box(take::<P>(local, word as u64));
        local.give(held);
    }
}

/// One block at a time.
pub(super) fn pair<P: PoolSubject>(
    _job: &Job,
    local: &mut P::Local<'_>,
    with: &mut dyn FnMut(&mut [Call<'_>]),
) {
    with(&mut [("pair", Box::new(|calls| pairs::<P>(local, calls)))]);
}

/// Two thousand blocks are held: pairs on top, and random replacement among them.
pub(super) fn held<P: PoolSubject>(
    job: &Job,
    local: &mut P::Local<'_>,
    with: &mut dyn FnMut(&mut [Call<'_>]),
) {
    let mut random = Random::new(job.seed);
    let mut held: Vec<Option<Held<'_, P>>> =
        (0..LIVE).map(|word| Some(take::<P>(local, word as u64))).collect();
    with(&mut [("pair", Box::new(|calls| pairs::<P>(local, calls)))]);
    let replace = |calls: usize| {
        for word in 0..calls {
            let place = random.between(0, LIVE as u32 - 1) as usize;
            if let Some(old) = held[place].take() {
                local.give(old);
            }
            held[place] = Some(take::<P>(local, word as u64));
        }
    };
    with(&mut [("replace", Box::new(replace))]);
    held.into_iter().flatten().for_each(|held| local.give(held));
}

/// A thousand blocks, all taken, then all given back, the oldest first.
pub(super) fn batch<P: PoolSubject>(
    _job: &Job,
    local: &mut P::Local<'_>,
    with: &mut dyn FnMut(&mut [Call<'_>]),
) {
    let mut held: Vec<Held<'_, P>> = Vec::with_capacity(BATCH);
    let batches = |calls: usize| {
        for _ in 0..calls.div_ceil(BATCH) {
            for word in 0..BATCH {
                held.push(take::<P>(local, word as u64));
            }
            held.drain(..).for_each(|held| local.give(held));
            local.emptied();
        }
    };
    with(&mut [("pair", Box::new(batches))]);
}
