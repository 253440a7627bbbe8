//! `strata-bench record`.

use super::{Options, record};
use crate::error::Result;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

/// Record what a program asks of its allocator
///
/// Runs COMMAND with a recorder preloaded and writes one trace per process image: COMMAND's own to
/// FILE, others beside it with a number before the extension.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The trace to write; packed where the name ends in .xz
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Write a trace of every process image, however little it did
    #[arg(long)]
    all: bool,
    /// Keep the raw captures and say where they are
    #[arg(long)]
    keep_raw: bool,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// Runs the command. What it says goes to standard error, for standard output is the program's.
///
/// # Errors
/// Those of [`record()`].
pub fn main(args: Args) -> Result<ExitCode> {
    let Args { output, all, keep_raw, command } = args;
    let name = command.first().map(|name| name.display().to_string()).unwrap_or_default();
    let recording = record(&Options { output, command, all, keep_raw })?;
    match recording.status {
        Some(status) if status.success() => {}
        Some(status) => eprintln!("{name} {}; what it did until then is recorded", how(status)),
        None => eprintln!("{name}: how it ended is not known"),
    }
    for trace in &recording.traces {
        eprintln!(
            "{}: {} operations, {} thread{} of process {}: {}",
            trace.path.display(),
            trace.operations,
            trace.threads,
            if trace.threads == 1 { "" } else { "s" },
            trace.pid,
            shortened(&trace.program),
        );
        for note in &trace.notes {
            eprintln!("  {note}");
        }
    }
    if recording.left_out > 0 {
        eprintln!(
            "left out {} process image{} of fewer than {} operations (--all writes them)",
            recording.left_out,
            if recording.left_out == 1 { "" } else { "s" },
            super::FEW,
        );
    }
    if let Some(raw) = recording.raw {
        eprintln!("raw captures kept in {}", raw.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// The first words of a command line, for one line of a terminal.
fn shortened(program: &str) -> String {
    const MOST: usize = 60;
    let line = program.replace('\n', " ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
