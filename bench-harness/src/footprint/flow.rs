//! Scenarios in which blocks flow from thread to thread.

use super::blocks::{Block, Law, Random, table};
use super::rounds::warm;
use super::stage::Stage;
use crate::subject::Subject;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Blocks that are handed on at once.
const BATCH: usize = 256;
/// Batches that wait in a channel.
const WAITING: usize = 64;

type Batch = [Block; BATCH];

/// A channel of batches, which lies in a table and never grows.
struct Channel {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: &'static mut [Block],
    /// Batches that wait at most.
    room: usize,
    /// Batches taken out and put in so far.
    taken: usize,
    put: usize,
    closed: bool,
}

impl Channel {
    /// A channel in which `room` batches wait at most.
    fn new(room: usize) -> io::Result<Self> {
        let waiting = table(room * BATCH)?;
        let state = State { waiting, room, taken: 0, put: 0, closed: false };
        Ok(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No change of the state can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while `busy`.
    fn when<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        busy: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        while busy(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Puts a batch in, once there is room and `may` allows it; loses it in a closed channel.
    fn put(&self, batch: &Batch, may: impl Fn() -> bool) {
        let busy = |state: &State| state.put - state.taken == state.room || !may();
        let mut state = self.when(self.lock(), |state| !state.closed && busy(state));
        if state.closed {
            return;
        }
        let at = state.put % state.room * BATCH;
        state.waiting[at..at + BATCH].copy_from_slice(batch);
        state.put += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Takes the oldest batch. `None` once the channel is closed and empty.
    fn take(&self) -> Option<Batch> {
        let mut state = self.when(self.lock(), |state| state.put == state.taken && !state.closed);
        if state.put == state.taken {
            return None;
        }
        let at = state.taken % state.room * BATCH;
        let mut batch = [Block::default(); BATCH];
        batch.copy_from_slice(&state.waiting[at..at + BATCH]);
        state.taken += 1;
        drop(state);
        self.changed.notify_all();
        Some(batch)
    }

    /// Wakes who waits for a change that is not the channel's own.
    fn nudge(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// Bytes of live blocks, over threads: a statistic that orders nothing.
#[derive(Default)]
struct Live(AtomicU64);

impl Live {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn allocate<S: Subject>(&self, subject: &S, random: &mut Random) -> Batch {
        let mut bytes = 0;
        let batch = std::array::from_fn(|_| {
            let block = Block::allocate(subject, Law::Mixed.bytes(random), 1);
            bytes += block.bytes() as u64;
            block
        });
        self.0.fetch_add(bytes, Ordering::Relaxed);
        batch
    }

    /// # Safety
    ///
    /// 1. The blocks are live and `subject` allocated them.
    unsafe fn free<S: Subject>(&self, subject: &S, batch: &[Block]) {
        let mut bytes = 0;
        for block in batch {
            // SAFETY: 1. by the same obligation.
            unsafe { block.free(subject) };
            bytes += block.bytes() as u64;
        }
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// One thread allocates, another frees.
pub(super) fn free_only<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    const CAP: usize = 16 << 20;
    let channel = Channel::new(WAITING)?;
    warm(2)?;
    if !stage.begin()? {
        return Ok(());
    }
    let subject = stage.subject;
    let cap = stage.job.scaled(CAP, 1 << 20) as u64;
    let (length, step) = (stage.job.time(3000), stage.job.time(50));
    let (live, stop) = (Live::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let produce = || {
            let mut random = Random::new(1);
            while !stop.load(Ordering::Relaxed) {
                let batch = live.allocate(subject, &mut random);
                // The batch in hand is live already; the next one must fit too.
                channel.put(&batch, || live.now() < cap);
            }
            channel.close();
        };
        let consume = || {
            while let Some(batch) = channel.take() {
                // SAFETY: 1. the producer allocated them and gave them away.
                unsafe { live.free(subject, &batch) };
                channel.nudge();
            }
        };
        std::thread::Builder::new().spawn_scoped(scope, consume)?;
        let producer = std::thread::Builder::new().spawn_scoped(scope, produce);
        if producer.is_err() {
            channel.close();
        }
        producer?;
        let sampled = watch(stage, length, step, &live);
        // Relaxed: the flag is all that is said; the scope's joins order everything else.
        stop.store(true, Ordering::Relaxed);
        sampled
    })?;
    stage.point("end")
}

/// Samples every `step` until `length` has passed.
fn watch<S: Subject>(
    stage: &mut Stage<S>,
    length: Duration,
    step: Duration,
    live: &Live,
) -> io::Result<()> {
    let start = Instant::now();
    while start.elapsed() < length {
        std::thread::sleep(step);
        stage.sample(start.elapsed().as_secs_f64() * 1e3, live.now())?;
    }
    Ok(())
}

/// Threads of the ring, and batches that each holds.
const RING: usize = 4;
const HELD: usize = 64;
/// Pools that sleep, and blocks of each.
const POOLS: usize = 2;
const POOL: usize = 8192;

/// Threads of the chain: one that only allocates, one that hands on, one that only frees; and batches
/// that wait between two of them: few, so that what is live hardly depends on who is behind. (A ring
/// has as many under way always: each of its threads takes one for one that it gives.)
const CHAIN: usize = 3;
const LINKED: usize = 4;

/// Four threads, each of which frees what the one before it allocated; a chain whose ends only
/// allocate and only free; and pools that work for a moment and sleep for longer.
pub(super) fn soak<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    let channels = [
        Channel::new(WAITING)?,
        Channel::new(WAITING)?,
        Channel::new(WAITING)?,
        Channel::new(WAITING)?,
    ];
    let chain = [Channel::new(LINKED)?, Channel::new(LINKED)?];
    let held = table::<Block>(RING * HELD * BATCH)?;
    let pools = table::<Block>(POOLS * POOL)?;
    warm(RING + CHAIN + POOLS)?;
    if !stage.begin()? {
        return Ok(());
    }
    let subject = stage.subject;
    let length = Duration::from_secs_f64(stage.job.minutes * 60.0);
    // As many samples as there is room for, at most one a second.
    let step = Duration::from_secs(1).min(length / 200).max(length / 4000);
    let (live, stop) = (Live::default(), AtomicBool::new(false));
    let (live, stop, channels, chain) = (&live, &stop, &channels, &chain);
    std::thread::scope(|scope| {
        let start = move || {
            for (index, held) in { held }.chunks_mut(HELD * BATCH).enumerate() {
                let work = move || ring(subject, index, channels, held, live, stop);
                std::thread::Builder::new().spawn_scoped(scope, work)?;
            }
            std::thread::Builder::new()
                .spawn_scoped(scope, move || make(subject, chain, live, stop))?;
            std::thread::Builder::new().spawn_scoped(scope, move || hand_on(chain))?;
            std::thread::Builder::new().spawn_scoped(scope, move || end(subject, chain, live))?;
            for (index, blocks) in { pools }.chunks_mut(POOL).enumerate() {
                let work = move || pool(subject, index, blocks, live, stop, step);
                std::thread::Builder::new().spawn_scoped(scope, work)?;
            }
            io::Result::Ok(())
        };
        let outcome = start().and_then(|()| watch(stage, length, step, live));
        // Relaxed: as in `free_only`.
        stop.store(true, Ordering::Relaxed);
        // Nobody may wait for one that has left, or was never there.
        channels.iter().chain(chain).for_each(Channel::close);
        outcome
    })?;
    stage.point("end")
}

/// A thread of the ring: gives a new batch to the next, takes one from its own channel, and puts it
/// in the place of a random one that it holds, which it frees.
fn ring<S: Subject>(
    subject: &S,
    index: usize,
    channels: &[Channel; RING],
    held: &mut [Block],
    live: &Live,
    stop: &AtomicBool,
) {
    let mut random = Random::new(index as u64 + 1);
    while !stop.load(Ordering::Relaxed) {
        let batch = live.allocate(subject, &mut random);
        channels[(index + 1) % RING].put(&batch, || true);
        let Some(batch) = channels[index].take() else { break };
        let at = random.below(HELD as u64) as usize * BATCH;
        let place = &mut held[at..at + BATCH];
        if place[0] != Block::default() {
            // SAFETY: 1. the batch was taken from the channel once and lay here since.
            unsafe { live.free(subject, place) };
        }
        place.copy_from_slice(&batch);
    }
}

/// The chain's first thread, which only allocates.
fn make<S: Subject>(subject: &S, chain: &[Channel; CHAIN - 1], live: &Live, stop: &AtomicBool) {
    let mut random = Random::new(50);
    while !stop.load(Ordering::Relaxed) {
        chain[0].put(&live.allocate(subject, &mut random), || true);
    }
}

/// Its second thread, which calls no allocator.
fn hand_on(chain: &[Channel; CHAIN - 1]) {
    while let Some(batch) = chain[0].take() {
        chain[1].put(&batch, || true);
    }
}

/// Its last thread, which only frees.
fn end<S: Subject>(subject: &S, chain: &[Channel; CHAIN - 1], live: &Live) {
    while let Some(batch) = chain[1].take() {
        // SAFETY: 1. the first thread allocated them and they were handed on once.
        unsafe { live.free(subject, &batch) };
    }
}

/// A pool: fills itself, naps, empties itself, sleeps.
fn pool<S: Subject>(
    subject: &S,
    index: usize,
    blocks: &mut [Block],
    live: &Live,
    stop: &AtomicBool,
    step: Duration,
) {
    let mut random = Random::new(100 + index as u64);
    while !stop.load(Ordering::Relaxed) {
        for part in blocks.chunks_exact_mut(BATCH) {
            part.copy_from_slice(&live.allocate(subject, &mut random));
        }
        std::thread::sleep(step / 2);
        // SAFETY: 1. they were allocated above.
        unsafe { live.free(subject, blocks) };
        std::thread::sleep(step * 2 + step / 3 * index as u32);
    }
}
