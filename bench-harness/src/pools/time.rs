//! What calls cost.

use super::job::{Job, Measured, pool};
use super::subject::{Held, PoolLocal, PoolSubject};
use crate::interleaved::{Phase, per_call, team};
use crate::kernel::Random;
use crate::results::statistics::median;
use std::hint::black_box;
use std::marker::PhantomData;
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

/// A thread's local at an address that others know, as far as the compiler does: no pool keeps its state
/// in registers from one call to the next, as it could not in a program either. (A reference would say
/// that nobody else writes there.)
struct Exposed<'l, L>(*mut L, PhantomData<&'l mut L>);

impl<'l, L> Exposed<'l, L> {
    fn of(local: &'l mut L) -> Self {
        Self(black_box(local), PhantomData)
    }

    /// The same, in a register of the caller's: a loop's calls do not load the address each.
    #[inline(always)]
    fn near(&mut self) -> Exposed<'_, L> {
        Exposed(self.0, PhantomData)
    }

    #[inline(always)]
    fn get(&mut self) -> &mut L {
        // SAFETY: borrowed for `'l`, and lent on by whoever has this alone.
        unsafe { &mut *self.0 }
    }
}

/// Blocks for so many threads, with room for what each keeps.
fn capacity(threads: usize) -> usize {
    threads * (LIVE + 48)
}

#[inline(always)]
fn take<'a, P: PoolSubject>(local: &mut Exposed<'_, P::Local<'a>>, word: u64) -> Held<'a, P> {
    match local.get().take(word) {
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
fn pairs<P: PoolSubject>(local: &mut Exposed<'_, P::Local<'_>>, calls: usize) {
    let mut local = local.near();
    for word in 0..calls {
        let held = black_box(take::<P>(&mut local, word as u64));
        local.get().give(held);
    }
}

/// One block at a time.
pub(super) fn pair<P: PoolSubject>(
    _job: &Job,
    local: &mut P::Local<'_>,
    with: &mut dyn FnMut(&mut [Call<'_>]),
) {
    let mut local = Exposed::of(local);
    with(&mut [("pair", Box::new(|calls| pairs::<P>(&mut local, calls)))]);
}

/// Two thousand blocks are held: pairs on top, and random replacement among them.
pub(super) fn held<P: PoolSubject>(
    job: &Job,
    local: &mut P::Local<'_>,
    with: &mut dyn FnMut(&mut [Call<'_>]),
) {
    let mut local = Exposed::of(local);
    let mut random = Random::new(job.seed);
    let mut held: Vec<Option<Held<'_, P>>> =
        (0..LIVE).map(|word| Some(take::<P>(&mut local, word as u64))).collect();
    with(&mut [("pair", Box::new(|calls| pairs::<P>(&mut local, calls)))]);
    let replace = |calls: usize| {
        let mut local = local.near();
        for word in 0..calls {
            let place = random.between(0, LIVE as u32 - 1) as usize;
            if let Some(old) = held[place].take() {
                local.get().give(old);
            }
            held[place] = Some(take::<P>(&mut local, word as u64));
        }
    };
    with(&mut [("replace", Box::new(replace))]);
    held.into_iter().flatten().for_each(|held| local.get().give(held));
}

/// A thousand blocks, all taken, then all given back, the oldest first.
pub(super) fn batch<P: PoolSubject>(
    _job: &Job,
    local: &mut P::Local<'_>,
    with: &mut dyn FnMut(&mut [Call<'_>]),
) {
    let mut local = Exposed::of(local);
    let mut held: Vec<Held<'_, P>> = Vec::with_capacity(BATCH);
    let batches = |calls: usize| {
        let mut local = local.near();
        for _ in 0..calls.div_ceil(BATCH) {
            for word in 0..BATCH {
                held.push(take::<P>(&mut local, word as u64));
            }
            held.drain(..).for_each(|held| local.get().give(held));
            local.get().emptied();
        }
    };
    with(&mut [("pair", Box::new(batches))]);
}
