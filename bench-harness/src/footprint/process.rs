//! A child process from the parent's side: a job in, JSON out.

use super::job::{JOB, Job, Measured};
use crate::child::channel::REFUSED;
use crate::error::{Context, Result};
use crate::run::{Arm, CHILD, signal_name};
use serde::de::DeserializeOwned;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a child may take beyond what it was told to.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a child found, or how it failed, in words.
pub(super) type Outcome = std::result::Result<Measured, String>;

/// Runs one job in a child of its own.
pub(super) fn measure(arm: &Arm, job: &Job) -> Result<Outcome> {
    let words = serde_json::to_string(job).unwrap_or_default();
    answer(arm, &format!("{JOB}{words}"), Duration::from_secs_f64(job.minutes * 60.0))
}

/// What a child that is told `words` answers, which should take it no longer than `length`; or how
/// it failed, in words.
pub(crate) fn answer<T: DeserializeOwned>(
    arm: &Arm,
    words: &str,
    length: Duration,
) -> Result<std::result::Result<T, String>> {
    let name = arm.executable.display();
    let mut command = Command::new(&arm.executable);
    command.args([CHILD, &arm.subject]).env_clear();
    for keep in ["LD_LIBRARY_PATH", "TMPDIR", "PATH"] {
        if let Some(value) = std::env::var_os(keep) {
            command.env(keep, value);
        }
    }
    command.env(crate::heap::CHILD_VARIABLE.to_string_lossy().as_ref(), words);
    if let Some(library) = &arm.preload {
        command.env("LD_PRELOAD", library);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ended(command.spawn().context(|| format!("cannot start {name}"))?);
    let length = PATIENCE + length;
    let Some(said) = hear(&mut child.0, Instant::now() + length) else {
        return Ok(Err(format!("not done after {} s and killed", length.as_secs())));
    };
    let status = child.0.wait().context(|| "cannot wait for a child".into())?;
    if !status.success() {
        return Ok(Err(how(status, &mut child.0)));
    }
    let unlike = |error| format!("answered what this strata-bench does not read ({error})");
    Ok(serde_json::from_slice(&said).map_err(unlike))
}

/// A child that does not outlive its measurement.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All that a child says until it closes its output. `None` where that takes too long.
fn hear(child: &mut Child, until: Instant) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    let out = child.stdout.as_mut()?;
    let mut part = vec![0; 1 << 16];
    loop {
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        let mut poll = libc::pollfd { fd: out.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which outlives the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, left.min(i32::MAX as u128) as i32) };
        if ready == 0 {
            return None;
        }
        match out.read(&mut part) {
            Ok(0) | Err(_) => return Some(said),
            Ok(more) => said.extend_from_slice(&part[..more]),
        }
    }
}

/// How a child ended that did not end well.
fn how(status: ExitStatus, child: &mut Child) -> String {
    if status.code() == Some(REFUSED) {
        return "refused an allocation".into();
    }
    let how = match status.signal() {
        Some(signal) => format!("killed by {}", signal_name(signal)),
        None => format!("ended with status {}", status.code().unwrap_or(-1)),
    };
    let mut said = String::new();
    if let Some(errors) = &mut child.stderr {
        // What it said before it died, for the person who looks for the reason.
        let _ = errors.take(4096).read_to_string(&mut said);
    }
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{how}: {line}"),
        None => how,
    }
}
