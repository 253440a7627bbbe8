//! Recording a program: what it asks of its allocator becomes a trace.
//!
//! [`record()`] runs a command with a small library preloaded that stands before the C library's
//! malloc family and writes each operation into shared file mappings (`format` is their layout), then merges what each process image left behind into one [trace](crate::trace).
//! A Rust program keeps the alignment of its requests, and is recorded whatever its allocator is,
//! with one line: [`Recorder`].
//!
//! - `executable`: what can be recorded; `launch`: running it; `capture` and `merge`: from what the
//!   recorder left to events; `outputs`: which image goes to which file; `command`: the words.

mod capture;
mod command;
mod executable;
#[path = "../../recorder/format.rs"]
#[allow(dead_code, reason = "the recorder uses the rest")]
mod format;
mod global;
mod launch;
mod merge;
mod outputs;
#[cfg(test)]
mod tests;

pub use command::{Args, main};
pub use global::Recorder;

use crate::error::{Context, Failure, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;

/// The recorder, compiled by the build script; empty on a platform that it does not know.
static RECORDER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/strata_recorder.so"));

/// Images with fewer operations than this are left out, unless there is no other.
const FEW: u64 = 1000;

/// What to record, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The trace of the command; those of further process images lie beside it.
    pub output: PathBuf,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Write a trace of every process image, however few its operations.
    pub all: bool,
    /// Keep the raw captures, and say where.
    pub keep_raw: bool,
}

/// A trace that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its file.
    pub path: PathBuf,
    /// The command line of the process image.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// Allocations, frees and reallocs in it.
    pub operations: u64,
    /// Threads in it.
    pub threads: u32,
    /// What a reader of the trace should know, a sentence each.
    pub notes: Vec<String>,
}

/// What a recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// How the command ended; `None` where that is not known.
    pub status: Option<ExitStatus>,
    /// The traces, the command's own first.
    pub traces: Vec<Recorded>,
    /// Process images left out because they did little.
    pub left_out: usize,
    /// Where the raw captures are, if they were kept.
    pub raw: Option<PathBuf>,
}

/// Runs a command and records it and all its descendants.
///
/// Waits for all of them: the calling process must have no other children, and signals that would
/// end it go to the command meanwhile.
///
/// # Errors
/// Where the command cannot be recorded or run, where nothing was recorded, or where a trace cannot
/// be written; a trace that is there is whole.
pub fn record(options: &Options) -> Result<Recording> {
    if RECORDER.is_empty() {
        return Err(Failure::input(
            "this build of strata-bench cannot record; on x86-64 Linux with glibc it can",
        ));
    }
    if std::env::var_os(format::DIRECTORY_VARIABLE).is_some() {
        return Err(Failure::input(format!(
            "cannot record within a recording ({} is set); record one program at a time",
            format::DIRECTORY_VARIABLE
        )));
    }
    let folder = outputs::folder(&options.output)?;
    let program = executable::find(&options.command)?;
    let raw = tempfile::Builder::new()
        .prefix(".strata-record-")
        .tempdir_in(&folder)
        .context(|| format!("cannot write into {}", folder.display()))?;
    let _signals = launch::Signals::pass_on()?;
    let ended = launch::run(&program, &options.command, raw.path())?;
    let captures = capture::open_all(raw.path())?;
    let chosen = outputs::choose(captures, ended.pid, options);
    let kept = options.keep_raw.then(|| raw.path().to_owned());
    if chosen.images.is_empty() {
        return Err(Failure::input(format!(
            "{} allocated nothing that could be seen{}; no trace was written",
            program.display(),
            if chosen.left_out == 0 { ", or the recorder could not be loaded into it" } else { "" },
        )));
    }
    let mut traces = Vec::new();
    for image in &chosen.images {
        traces.push(outputs::write(image)?);
    }
    if kept.is_some() {
        let _ = raw.keep();
    }
    Ok(Recording { status: ended.status, traces, left_out: chosen.left_out, raw: kept })
}
