//! A job in a process of its own: what may die there, and whose memory is to be seen alone.

use crate::run::signal_name;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The first word of such a process; the command, the allocator's name and the job follow.
pub(crate) const SIDE: &str = "__side";

/// Has this executable run `job` of `command` on the allocator `name`.
///
/// # Errors
///
/// How the job or the process failed, in words.
pub(crate) fn aside<J: Serialize, M: DeserializeOwned>(
    command: &str,
    name: &str,
    job: &J,
) -> Result<M, String> {
    let words = |error: &dyn std::fmt::Display| format!("no process of its own: {error}");
    let job = serde_json::to_string(job).map_err(|error| words(&error))?;
    // The executable itself, even where a newer one has its name by now.
    let child = Command::new("/proc/self/exe")
        .args([SIDE, command, name, &job])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| words(&error))?;
    if let Some(signal) = child.status.signal() {
        return Err(format!("it died of {}", signal_name(signal)));
    }
    match serde_json::from_slice::<Result<M, String>>(&child.stdout) {
        Ok(answer) => answer,
        Err(_) => Err(format!("it ended with {}", child.status)),
    }
}

/// The other side: runs the job that the words name and prints what came of it.
pub(crate) fn answer<J: DeserializeOwned, M: Serialize>(
    job: &str,
    run: impl FnOnce(&J) -> Result<M, String>,
) -> std::process::ExitCode {
    let outcome = serde_json::from_str(job)
        .map_err(|error| format!("unreadable job: {error}"))
        .and_then(|job| run(&job));
    match serde_json::to_string(&outcome) {
        Ok(text) => {
            println!("{text}");
            std::process::ExitCode::SUCCESS
        }
        Err(_) => std::process::ExitCode::from(2),
    }
}
