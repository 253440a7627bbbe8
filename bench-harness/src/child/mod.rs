//! The child process: one subject, one workload, one repetition.
//!
//! The parent hands over a table (`control`) with the job in it and a [script](crate::script). The
//! child follows the script serially (`serial`) or on the recorded threads (`threads`), in one of
//! the passes (`pass`), and says on its `channel` where it stands.

pub(crate) mod absorb;
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod history;
mod pass;
mod segments;
mod serial;
mod stop;
mod stride;
mod threads;
pub(crate) mod touch;

pub use control::Touch;

use crate::check::{Checker, Limits};
use crate::kernel::{self, Pace, Turn, Window, Wish};
use crate::script::{NO_CHECKPOINT, kind};
use crate::subject::Subject;
use channel::{MORE, PROBE, REFUSED, UNUSABLE, WARM, Word, say};
use control::Table;
use pass::{Checked, Pass, Sampled, Timed, Watched};
use segments::Segments;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Runs the job that the parent process hands over, on `subject`; the exit status of the child.
///
/// For [`main!`](crate::main); does nothing useful in any other process.
pub fn enter<S: Subject>(subject: &'static S) -> i32 {
    subject.begin();
    let others = crate::footprint::enter(subject).or_else(|| crate::scaling::enter(subject));
    let others = others.or_else(|| crate::adversary::enter(subject));
    if let Some(status) = others {
        return status;
    }
    // Threads that a refusal left in the middle use the table until the process ends.
    match job().and_then(|table| run(subject, Box::leak(Box::new(table)))) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("strata-bench child: {error}");
            UNUSABLE
        }
    }
}

fn job() -> std::io::Result<Table> {
    let name = crate::heap::CHILD_VARIABLE.to_str().map_err(std::io::Error::other)?;
    let fd = std::env::var(name).ok().and_then(|value| value.parse().ok());
    Table::open(fd.ok_or_else(|| std::io::Error::other("this process is not a child"))?)
}

fn run<S: Subject>(subject: &'static S, table: &'static Table) -> std::io::Result<i32> {
    let control = table.control();
    stay_on(control.processor);
    if let Some(index) = control.kernel.checked_sub(1) {
        return time_kernel(subject, control, index as usize);
    }
    let touch = match control.touch {
        _ if !S::TOUCHABLE => Touch::None,
        0 => Touch::None,
        1 => Touch::First,
        2 => Touch::Pages,
        _ => Touch::All,
    };
    const TIME: u32 = control::Pass::Time as u32;
    const MEMORY: u32 = control::Pass::Memory as u32;
    const CHECK: u32 = control::Pass::Check as u32;
    const LATENCY: u32 = control::Pass::Latency as u32;
    match control.pass {
        TIME => match touch {
            Touch::None => replay(subject, table, Timed::<0>),
            Touch::First => replay(subject, table, Timed::<1>),
            Touch::Pages => replay(subject, table, Timed::<2>),
            Touch::All => replay(subject, table, Timed::<3>),
        },
        MEMORY => replay(subject, table, Watched { table, how: touch }),
        CHECK => {
            let limits = Limits { regions: subject.regions(), has_usable: true };
            let judge = &*Box::leak(Box::new(Checker::new(limits)));
            let status = replay(subject, table, Checked { control, judge });
            stop::report(table, judge);
            status
        }
        LATENCY => {
            let (picos, ticks) = clock::calibrate();
            control.picos_per_tick.store(picos, Relaxed);
            control.timer_ticks.store(ticks, Relaxed);
            replay(subject, table, Sampled { table, how: touch, left: 0, random: 0x9E37_79B9 })
        }
        _ => {
            say(Word::Ready, 0)?;
            stride::measure(subject, table);
            say(Word::Finished, 0)?;
            Ok(0)
        }
    }
}

/// Keeps the process on one processor, if one is named. Advice: a refusal changes nothing.
pub(crate) fn stay_on(processor: i32) {
    if let Ok(processor) = usize::try_from(processor) {
        // SAFETY: a zeroed set is an empty set; the call reads it.
        unsafe {
            let mut set = std::mem::zeroed::<libc::cpu_set_t>();
            libc::CPU_SET(processor, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }
}

/// Moves the calling thread to the processor beside the one that it is kept on, if it is kept on one:
/// two threads that wait for each other are not to share it. Advice, as above.
pub(crate) fn move_beside() {
    // SAFETY: a zeroed set is an empty set; the call writes it.
    let set = unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
        set
    };
    // SAFETY: reads the set within its bounds; asks for a number.
    let (kept, online) = unsafe {
        let most = 8 * size_of::<libc::cpu_set_t>();
        let mut kept = (0..most).filter(|&processor| libc::CPU_ISSET(processor, &set));
        let only = kept.next().filter(|_| kept.next().is_none());
        (only, libc::sysconf(libc::_SC_NPROCESSORS_ONLN))
    };
    if let Some(kept) = kept
        && online > 1
    {
        stay_on(if kept == 0 { 1 } else { kept as i32 - 1 });
    }
}

/// Runs a kernel, which is timed and nothing else.
fn time_kernel<S: Subject>(
    subject: &S,
    control: &control::Control,
    index: usize,
) -> std::io::Result<i32> {
    say(Word::Ready, 0)?;
    let repeat = control.repeat.max(1);
    let mut windows = 0;
    // The parent reads what the window before was like while this process waits for its answer.
    let mut ask = |turn: Option<Turn>| {
        let turn = turn.unwrap_or_default();
        control.nanos.store(turn.nanos, Relaxed);
        control.heap_calls.store(turn.heap_calls, Relaxed);
        control.operations.store(kernel::pairs(index, turn.rounds), Relaxed);
        control.reference.store(turn.reference, Relaxed);
        control.switches.store(turn.switches, Relaxed);
        windows += 1;
        match say(Word::Window, windows) {
            Ok(WARM) => Wish::Warm,
            Ok(MORE) => Wish::More,
            // The parent is gone, or wants no more.
            _ => Wish::End,
        }
    };
    let asked = control.asked == 1;
    let pace = if asked { Pace::Asked(&mut ask) } else { Pace::Fixed(repeat) };
    let mut window = Window::new(control.rounds, pace);
    if control.pass != control::Pass::Time as u32 || !kernel::run(subject, index, &mut window) {
        return Err(std::io::Error::other("the parent asks for what is no kernel"));
    }
    let (nanos, heap_calls) = (window.nanos, window.heap_calls);
    if !asked {
        control.nanos.store(nanos, Relaxed);
        control.heap_calls.store(heap_calls, Relaxed);
        control.operations.store(u64::from(repeat) * kernel::pairs(index, control.rounds), Relaxed);
    }
    say(Word::Finished, 0)?;
    Ok(0)
}

fn replay<S: Subject, P: Pass<S>>(
    subject: &'static S,
    table: &Table,
    mut pass: P,
) -> std::io::Result<i32> {
    let control = table.control();
    let memory = control.pass == control::Pass::Memory as u32;
    let threaded = control.threaded == 1;
    let with_places = memory || control.pass == control::Pass::Check as u32;
    let mut segments = Segments::new(table, with_places);
    let crew = if threaded {
        let (blocks, versions) = (table.blocks(), table.versions());
        let crew = threads::Crew::new(subject, pass.clone(), blocks, versions, control.threads)?;
        let stacks = crew.stacks();
        control.stacks_start.store(stacks.start as u64, Relaxed);
        control.stacks_end.store(stacks.end as u64, Relaxed);
        // Threads that never ended in the recording, or that a refusal left in the middle, still
        // stand in the crew when this process ends.
        Some(&*Box::leak(crew))
    } else {
        None
    };
    say(Word::Ready, 0)?;
    let mut number = 0;
    for _ in 0..control.repeat.max(1) {
        segments.rewind();
        loop {
            // SAFETY: 1: the segment before was replayed to its end and all threads stand still.
            let segment = unsafe { segments.next()? };
            number += 1;
            control.record.store(segment.head.first_record, Relaxed);
            let calls = crate::heap::calls();
            let outcome = if segment.head.ops == 0 {
                Ok(0)
            } else if let Some(crew) = crew {
                crew.run(number, &segment)
            } else {
                let start = Instant::now();
                // SAFETY: 1: segments come in their order.
                let outcome = unsafe {
                    serial::follow(subject, &mut pass, segment.ops, segment.places, table.blocks())
                };
                outcome.map(|()| start.elapsed().as_nanos() as u64)
            };
            control.heap_calls.fetch_add(crate::heap::calls() - calls, Relaxed);
            match outcome {
                Ok(nanos) => control.nanos.fetch_add(nanos, Relaxed),
                Err(refused) => {
                    // Only with places is the very record known; else it is its segment's first.
                    if let Some(place) = segment.places.get(refused.0).filter(|_| with_places) {
                        control.record.store(place.record, Relaxed);
                    }
                    return Ok(REFUSED);
                }
            };
            control.operations.fetch_add(u64::from(segment.head.operations), Relaxed);
            if memory && segment.head.checkpoint != NO_CHECKPOINT {
                stop::prepare(subject, table);
                if say(Word::Checkpoint, segment.head.checkpoint)? == PROBE {
                    absorb::probe(subject, table);
                    say(Word::Probed, 0)?;
                }
            }
            if segment.head.last == 1 {
                break;
            }
        }
    }
    if let Some(crew) = crew {
        let (stalled, active) = crew.waits();
        control.stalled_wall.store(stalled.wall.load(Relaxed), Relaxed);
        control.active_wall.store(active.wall.load(Relaxed), Relaxed);
        control.stalled.store(stalled.processor.load(Relaxed), Relaxed);
        control.active.store(active.processor.load(Relaxed), Relaxed);
    }
    if memory {
        stop::drain(subject, table)?;
    }
    say(Word::Finished, 0)?;
    Ok(0)
}

// A script's kinds are told apart by their low bits; `WAIT` is the top one.
const _: () = assert!(kind::MORE < 8);
