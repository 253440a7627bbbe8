//! A sitting: a child of every arm, all alive, and their windows in turn.
//!
//! ```text
//! sitting:  A ─ start, calibrate │ B ─ start, calibrate │ C …          a child each
//! visit 1:  A ─ warm, 4 windows  │ B ─ warm, 4 windows  │ C …
//! visit 2:  … C │ B │ A                                                the other way round
//! ```
//!
//! A machine's speed drifts over seconds and jumps when somebody else runs. Windows of a few
//! milliseconds in turn see the same drift in all arms, and mostly fit between the jumps. Those that
//! do not are repeated: the process lost its processor, or the reference beside the window, which
//! does not depend on the subject, was slower than usual. What the window itself took is not looked
//! at, so that repeating chooses among moments and not among results. Windows that stay disturbed
//! count where there are no others.
//!
//! A sitting gives one value an arm, the median of its windows: windows of one process share its
//! addresses and pages, and are not independent. Intervals are over sittings.

use super::arm::Arm;
use super::process::{Job, Running, Stopped};
use super::time::Sample;
use crate::child::Touch;
use crate::child::channel::{END, MORE, WARM, Word};
use crate::child::control::Pass;
use crate::kernel::{Family, Order};
use crate::results::statistics::median;
use crate::script::Script;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

/// Visits of an arm in a sitting.
const VISITS: usize = 2;
/// Windows of a visit that may be disturbed and are repeated.
const REPEATED: usize = 32;
/// So many undisturbed windows are enough to do without the others.
const ENOUGH: usize = 3;

/// How long the reference usually takes: learned on the way, since it is the machine's.
#[derive(Clone, Debug, Default)]
pub(super) struct Usual {
    recent: VecDeque<u64>,
}

impl Usual {
    /// References that are remembered.
    const REMEMBERED: usize = 512;
    /// One that takes so much longer than the usual fast one was disturbed.
    const SLOWER: f64 = 1.05;

    /// Whether a reference was disturbed; it is remembered either way.
    fn disturbed(&mut self, nanos: u64) -> bool {
        if self.recent.len() == Self::REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(nanos);
        let mut sorted: Vec<u64> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        // The fastest tenth: on a busy machine most are slow.
        nanos as f64 > sorted[sorted.len() / 10] as f64 * Self::SLOWER
    }
}

/// An arm in a sitting.
struct Seat {
    child: Running,
    /// Nanoseconds a pair, by windows: undisturbed ones, and the others.
    nanos: Vec<f64>,
    disturbed: Vec<f64>,
    heap_calls: u64,
}

/// What a kernel needs of its windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The processor to stay on, or -1.
    processor: i32,
    /// Whether a process that lost its processor was disturbed: not where its own threads take
    /// turns.
    alone: bool,
    /// Windows of a visit.
    windows: usize,
    /// Whether the most that a child had resident is asked for.
    peaks: bool,
}

impl Terms {
    /// For one thread the last processor, since the first serves interrupts; a second thread goes
    /// to the one beside; more are the system's to place.
    pub(super) fn of(order: Order) -> Self {
        let threads = order.kernel.threads;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let processor = if threads <= 2 { processors as i32 - 1 } else { -1 };
        // Threads that take turns are less alike from window to window.
        let windows = if threads == 1 { 4 } else { 8 };
        let peaks = order.kernel.family == Family::Growth;
        Self { processor, alone: threads == 1, windows, peaks }
    }
}

/// Seats every arm, and answers what each one's windows say, in the arms' order.
pub(super) fn sit(
    arms: &[&Arm],
    script: &Script,
    terms: Terms,
    usual: &mut Usual,
) -> Vec<Result<Sample, Stopped>> {
    let mut seats: Vec<Result<Seat, Stopped>> =
        arms.iter().map(|arm| Seat::take(arm, script, terms)).collect();
    for visit in 0..VISITS {
        let mut order: Vec<usize> = (0..seats.len()).collect();
        if visit % 2 == 1 {
            order.reverse();
        }
        for index in order {
            if let Ok(seat) = &mut seats[index]
                && let Err(stopped) = seat.visit(terms, usual)
            {
                seats[index] = Err(stopped);
            }
        }
    }
    seats.into_iter().map(|seat| seat?.leave(terms)).collect()
}

impl Seat {
    fn take(arm: &Arm, script: &Script, terms: Terms) -> Result<Self, Stopped> {
        let (pass, touch, processor) = (Pass::Time, Touch::None, terms.processor);
        let job = Job { pass, touch, repeat: 1, processor, asked: true };
        let mut child = Running::start(arm, script, job)?;
        child.expect(Word::Ready)?;
        child.answer();
        child.expect(Word::Window)?;
        Ok(Self { child, nanos: Vec::new(), disturbed: Vec::new(), heap_calls: 0 })
    }

    fn visit(&mut self, terms: Terms, usual: &mut Usual) -> Result<(), Stopped> {
        let (mut answer, mut left) = (WARM, REPEATED);
        let mut done = 0;
        while done < terms.windows {
            self.child.say(answer);
            answer = MORE;
            self.child.expect(Word::Window)?;
            let control = self.child.table.control();
            let pairs = control.operations.load(Relaxed).max(1) as f64;
            let nanos = control.nanos.load(Relaxed) as f64 / pairs;
            self.heap_calls += control.heap_calls.load(Relaxed);
            let lost = terms.alone && control.switches.load(Relaxed) > 0;
            if !usual.disturbed(control.reference.load(Relaxed)) && !lost {
                self.nanos.push(nanos);
            } else if left > 0 {
                left -= 1;
                continue;
            } else {
                self.disturbed.push(nanos);
            }
            done += 1;
        }
        Ok(())
    }

    fn leave(mut self, terms: Terms) -> Result<Sample, Stopped> {
        let peak = if terms.peaks { self.child.peak() } else { None };
        self.child.say(END);
        self.child.expect(Word::Finished)?;
        self.child.finish()?;
        let disturbed = self.disturbed.len() as f64;
        let all = self.nanos.len() as f64 + disturbed;
        if self.nanos.len() < ENOUGH {
            self.nanos.append(&mut self.disturbed);
        }
        Ok(Sample {
            nanos: median(self.nanos).unwrap_or(f64::NAN),
            stall_share: None,
            heap_calls: self.heap_calls,
            disturbed: Some(disturbed / all.max(1.0)),
            peak,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Usual;

    #[test]
    fn a_reference_is_judged_by_the_fast_ones() {
        let mut usual = Usual::default();
        assert!(!usual.disturbed(1000), "the first one is all that is known");
        for _ in 0..10 {
            assert!(!usual.disturbed(1020));
            assert!(usual.disturbed(1300));
        }
        // A machine that became slower for good is the usual one after a while.
        let slow = (0..2 * Usual::REMEMBERED).filter(|_| usual.disturbed(2000)).count();
        assert!(slow < Usual::REMEMBERED && !usual.disturbed(2050), "{slow}");
    }
}
