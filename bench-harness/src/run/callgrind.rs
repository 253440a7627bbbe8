//! The instruction pass: (I(2n) − I(n)) / n by callgrind.
//!
//! The child replays the script once, and in another run twice; the difference is one replay without
//! start-up. The second replay finds the blocks that the first left alive. Of a kernel, the part
//! under the clock is what is done twice.

use super::arm::Arm;
use super::process::{Job, Running, Stopped};
use crate::child::Touch;
use crate::child::control::Pass;
use crate::error::{Context, Failure};
use crate::results::{Outcome, Threads};
use crate::script::Script;
use std::process::{Command, Stdio};

/// Instructions an operation.
pub(crate) fn instructions(arm: &Arm, script: &Script, touch: Touch) -> Result<f64, Stopped> {
    if script.mode == Threads::Recorded {
        return Err(missing("callgrind runs one thread at a time: serial workloads only"));
    }
    if !available() {
        return Err(missing("no valgrind on this machine: install it and run again"));
    }
    let shorter = script.kernel.map(|order| Script::of_kernel(order.counted())).transpose()?;
    let script = shorter.as_ref().unwrap_or(script);
    let once = count(arm, script, touch, 1)?;
    let twice = count(arm, script, touch, 2)?;
    Ok(twice.saturating_sub(once) as f64 / script.operations.max(1) as f64)
}

/// Whether valgrind can be run.
pub(crate) fn available() -> bool {
    let mut command = Command::new("valgrind");
    let command = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn missing(reason: &str) -> Stopped {
    Stopped::Row(Outcome::NotAvailable { reason: reason.into() })
}

fn count(arm: &Arm, script: &Script, touch: Touch, repeat: u32) -> Result<u64, Stopped> {
    let folder = tempfile::tempdir().context(|| "cannot make a temporary folder".into())?;
    let out = folder.path().join("callgrind");
    let option = format!("--callgrind-out-file={}", out.display());
    let under = ["valgrind", "--tool=callgrind", "--quiet", &option];
    let job = Job { pass: Pass::Time, touch, repeat, processor: -1, asked: false };
    Running::start_under(arm, script, job, &under)?.through()?;
    let text = std::fs::read_to_string(&out)
        .context(|| "cannot read callgrind's result".into())
        .map_err(Stopped::Run)?;
    // callgrind names one event (Ir) unless told otherwise; older versions say "summary".
    let total = text.lines().find_map(|line| {
        line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:"))?.trim().parse().ok()
    });
    total.ok_or_else(|| Failure::input("callgrind left no total: is its version known?").into())
}
