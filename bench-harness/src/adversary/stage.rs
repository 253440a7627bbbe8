//! The child's side.

use super::held::Held;
use super::job::{JOB, Job, Measured, Program};
use super::{fill, holes, idle};
use crate::child::channel::UNUSABLE;
use crate::subject::Subject;
use std::io::{self, Write};

/// Runs the adversary that this process was started for, on `subject`; the exit status. `None` in every
/// other process.
pub(crate) fn enter<S: Subject>(subject: &'static S) -> Option<i32> {
    let value = std::env::var(crate::heap::CHILD_VARIABLE.to_str().ok()?).ok()?;
    let job = value.strip_prefix(JOB)?;
    let outcome = serde_json::from_str(job).map_err(io::Error::other).and_then(|job| {
        let text = serde_json::to_string(&play(subject, &job)?)?;
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

fn play<S: Subject>(subject: &'static S, job: &Job) -> io::Result<Measured> {
    // The smallest mean size of any program is above 32 bytes, and trials need a thousand places.
    let mut held = Held::new(subject, job.live / 32 + 4096)?;
    let held = &mut held;
    let figures = match job.program {
        Program::Robson => holes::robson(held, job),
        Program::Phase => holes::phase(held, job),
        Program::Checkerboard => holes::checkerboard(held, job),
        Program::Fill => fill::fill(held, job),
        Program::Idle => idle::idle(held, job),
    }?;
    Ok(Measured { figures })
}
