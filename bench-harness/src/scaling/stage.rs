//! The child's side: windows in an order by chance, round by round.

use super::Load;
use super::crew::{Crew, window};
use super::job::{JOB, Job, Measured, Round};
use super::load::{Batches, Churn, Control, Endless, Pairs, Scratch, Thrash};
use crate::child::channel::UNUSABLE;
use crate::kernel::Random;
use crate::subject::Subject;
use std::io::{self, Write};
use std::time::Duration;

/// Runs the scaling job that this process was started for, on `subject`; the exit status. `None` in
/// every other process.
pub(crate) fn enter<S: Subject>(subject: &'static S) -> Option<i32> {
    let value = std::env::var(crate::heap::CHILD_VARIABLE.to_str().ok()?).ok()?;
    let job = value.strip_prefix(JOB)?;
    let outcome = serde_json::from_str(job).map_err(io::Error::other).and_then(|job| {
        let text = serde_json::to_string(&play(subject, &job))?;
        io::stdout().write_all(text.as_bytes())
    });
    Some(match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("strata-bench child: {error}");
            UNUSABLE
        }
    })
}

fn play<S: Subject>(subject: &S, job: &Job) -> Measured {
    match job.load {
        Load::Pairs => rounds::<S, Pairs>(subject, job),
        Load::Churn => rounds::<S, Churn>(subject, job),
        Load::Batches => rounds::<S, Batches>(subject, job),
        Load::Thrash => rounds::<S, Thrash>(subject, job),
        Load::Scratch => rounds::<S, Scratch>(subject, job),
    }
}

fn rounds<S: Subject, L: Endless<S>>(subject: &S, job: &Job) -> Measured {
    let counts = job.threads.len();
    let length = Duration::from_secs_f64(job.millis / 1e3);
    // The subject, the control twice, each on every count of threads; then the processes.
    let mut order = vec![0; 3 * counts + 1];
    let mut random = Random::new(job.seed);
    // One round more, which is thrown away: what an allocator needs once for all its life.
    let round = |_| {
        random.permutation(&mut order);
        let mut arms = [vec![0.0; counts], vec![0.0; counts], vec![0.0; counts]];
        let mut apart = 0.0;
        for &turn in &order {
            let (arm, count) = (turn as usize / counts, turn as usize % counts);
            let threads = job.threads[count];
            match arm {
                0 => arms[0][count] = window::<S, L>(subject, threads, length, Crew::Together),
                3 => apart = window::<S, L>(subject, 2, length, Crew::Apart),
                _ => {
                    arms[arm][count] =
                        window::<S, Control>(subject, threads, length, Crew::Together)
                }
            }
        }
        let [subject, control, again] = arms;
        Round { subject, apart, control, again }
    };
    Measured { rounds: (0..=job.rounds).map(round).skip(1).collect() }
}
