//! Seats with threads that come and go, until enough was done.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, RwLock};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use std::{env, process};

use strata_segregated::GiveBack;

use crate::ALLOC;
use crate::block::{self, Block};
use crate::fault::Fault;
use crate::law::Dice;
use crate::tally::Tally;
use crate::worker::{Shared, Worker};

/// Between two moments at which all threads stand still.
const STANDSTILL: Duration = Duration::from_millis(500);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);
/// Bytes that the heap may count beside blocks: threads' own, and the lists of blocks here.
const BESIDE: usize = 40 << 20;
/// The same when all threads are gone.
const LEFT: usize = 1 << 20;

fn number(name: &str, usual: u64) -> u64 {
    env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

/// A thread that ended.
type Ended = (usize, Result<Tally, Fault>);

pub(crate) fn main() -> ExitCode {
    let wanted = number("STRATA_SOAK", 2_000_000);
    let threads = number("STRATA_SOAK_THREADS", 12) as usize;
    let mut dice = Dice::new(number("STRATA_SOAK_SEED", 1));
    let shared = Shared {
        gate: RwLock::new(()),
        wanted,
        done: AtomicU64::new(0),
        live: AtomicIsize::new(0),
        mail: (0..threads).map(|_| Mutex::new(Vec::new())).collect(),
    };
    let begun = Instant::now();
    block::checks_check().unwrap_or_else(|fault| fail(&fault, &shared));
    let mut tally = Tally::default();
    let (ended, ends) = channel();
    thread::scope(|scope| {
        (0..threads).for_each(|seat| sit(scope, &shared, seat, dice.roll(), &ended));
        let (mut sitting, mut stood, mut told) = (threads, begun, begun);
        while sitting != 0 {
            match ends.recv_timeout(STANDSTILL / 10) {
                Ok((seat, result)) => {
                    tally.add(&result.unwrap_or_else(|fault| fail(&fault, &shared)));
                    if shared.is_done() {
                        sitting -= 1;
                    } else {
                        sit(scope, &shared, seat, dice.roll(), &ended);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is here"),
            }
            if stood.elapsed() > STANDSTILL {
                stand_still(&shared).unwrap_or_else(|fault| fail(&fault, &shared));
                tally.standstills += 1;
                stood = Instant::now();
            }
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                // Relaxed: sums of no certain moment.
                let done = shared.done.load(Ordering::Relaxed);
                let live = shared.live.load(Ordering::Relaxed) >> 20;
                let seconds = begun.elapsed().as_secs();
                eprintln!("{done} of {wanted} operations in {seconds} s, {live} MiB in blocks");
            }
        }
    });
    let mut rest = Tally::default();
    let left = end(&shared, &mut rest).unwrap_or_else(|fault| fail(&fault, &shared));
    tally.add(&rest);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{{{tally},\"left_bytes\":{left},\"seconds\":{seconds:.1},\"faults\":0}}");
    ExitCode::SUCCESS
}

/// Begins a thread.
fn sit<'scope>(
    scope: &'scope Scope<'scope, '_>,
    shared: &'scope Shared,
    seat: usize,
    seed: u64,
    ended: &Sender<Ended>,
) {
    let ended = ended.clone();
    scope.spawn(move || {
        let mut worker = Worker::new(shared, seat, seed);
        let result = worker.live().map(|()| worker.tally);
        // Who listens goes when all threads have.
        let _ = ended.send((seat, result));
    });
}

/// Looks at all tables and figures while no thread is in the heap.
fn stand_still(shared: &Shared) -> Result<(), Fault> {
    let _all = shared.gate.write().expect("nobody panics");
    whole(shared, BESIDE)
}

/// Checks the tables, and that the heap counts the blocks that there are, and `beside` at most.
fn whole(shared: &Shared, beside: usize) -> Result<(), Fault> {
    ALLOC.validate()?;
    let stats = ALLOC.stats();
    stats.check_laws().map_err(Fault::Stats)?;
    // Relaxed: who adds has the gate, or is gone.
    let live = shared.live.load(Ordering::Relaxed) as usize;
    let counted = stats.allocated.expect("always counted").0;
    if (live..=live + beside).contains(&counted) {
        Ok(())
    } else {
        Err(Fault::Figures { counted, live })
    }
}

/// Frees what waits for threads that are gone, and looks whether that was all. Answers the bytes that
/// the heap still has after a purge.
fn end(shared: &Shared, tally: &mut Tally) -> Result<usize, Fault> {
    for mail in &shared.mail {
        let blocks = std::mem::take(&mut *mail.lock().expect("nobody panics"));
        tally.freed += blocks.len() as u64;
        let live: usize = blocks.iter().map(Block::counted).sum();
        blocks.into_iter().try_for_each(Block::free)?;
        shared.live.fetch_sub(live as isize, Ordering::Relaxed);
    }
    ALLOC.set_give_back(GiveBack::Budget);
    ALLOC.purge();
    whole(shared, LEFT)?;
    let live = shared.live.load(Ordering::Relaxed);
    assert_eq!(live, 0, "the soak counts its own blocks");
    Ok(ALLOC.stats().committed.expect("always counted").0)
}

/// Says what is wrong, and ends.
fn fail(fault: &dyn Display, shared: &Shared) -> ! {
    let done = shared.done.load(Ordering::Relaxed);
    println!("{{\"operations\":{done},\"faults\":1,\"fault\":\"{fault}\"}}");
    process::exit(1)
}
