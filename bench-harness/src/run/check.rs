//! The check pass: a replay under the judge.

use super::arm::Arm;
use super::process::{Job, Running, Stopped};
use crate::check::Violation;
use crate::child::Touch;
use crate::child::control::Pass;
use crate::results::Outcome;
use crate::script::Script;
use std::sync::atomic::Ordering::Relaxed;

/// Replays once under the judge.
pub(crate) fn check(arm: &Arm, script: &Script) -> Result<Outcome, Stopped> {
    let job = Job { pass: Pass::Check, touch: Touch::None, repeat: 1, processor: -1, asked: false };
    let table = Running::start(arm, script, job)?.through()?;
    let count = table.control().text_bytes.load(Relaxed) as usize;
    let text: Vec<u8> = table.text().iter().take(count).map(|b| b.load(Relaxed)).collect();
    let violations: Vec<Violation> = serde_json::from_slice(&text).unwrap_or_default();
    Ok(if violations.is_empty() { Outcome::Ok } else { Outcome::Corrupted { violations } })
}
