//! What every command that measures does with its rows.

use super::show;
use crate::error::{Context, Failure, Result};
use crate::results::{Header, jsonl};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Whom to compare, how often, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Allocators, separated by commas; all that are linked without a name.
    #[arg(long, value_delimiter = ',')]
    pub(super) alloc: Vec<String>,
    /// The allocator that ratios are to; the first one without it.
    #[arg(long, value_name = "NAME")]
    pub(super) versus: Option<String>,
    /// Timed pairs, and runs of what is not timed; fewer than 6 have no interval.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) pairs: u16,
    /// What random orders and sizes begin with.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Print the rows as JSON lines instead of tables.
    #[arg(long)]
    pub(super) json: bool,
    /// Write the rows as JSON lines.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(super) out: Option<PathBuf>,
}

/// The workloads that were named; all of them without a name.
pub(super) fn named<W: clap::ValueEnum>(workloads: &[W]) -> Vec<W> {
    match workloads {
        [] => W::value_variants().to_vec(),
        some => some.to_vec(),
    }
}

/// Writes the rows to the file where one is named, and shows them: as lines, or as `text` says.
pub(super) fn deliver<R: Serialize>(
    header: &Header,
    rows: &[R],
    out: Option<&Path>,
    json: bool,
    text: impl FnOnce() -> String,
) -> Result<()> {
    if let Some(path) = out {
        jsonl::write_whole(path, |to| jsonl::lines(to, header, rows))?;
    }
    if json {
        // A reader that went away is no error.
        let _ = jsonl::lines(&mut std::io::stdout().lock(), header, rows);
        return Ok(());
    }
    show(&text())
}

/// Makes the folder that pictures are written to, where one is named.
pub(super) fn make_folder(folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .context(|| format!("cannot make the folder {}", folder.display()))
}

/// What a command found against its allocators.
#[derive(Debug)]
pub(super) struct Ended {
    /// Those that crashed or corrupted memory.
    pub(super) faults: Vec<String>,
    /// Gates that fail.
    pub(super) missed: Vec<String>,
    /// Whether gates matter.
    pub(super) gate: bool,
}

/// How a command ends: a fault tells first, then, where asked for, a gate that fails.
pub(super) fn ended(ended: Ended) -> Result<ExitCode> {
    let told = |lines: &[String]| lines.iter().for_each(|line| eprintln!("{line}"));
    if !ended.faults.is_empty() {
        told(&ended.faults);
        return Err(Failure::subject(format!("{} row(s) failed; see above", ended.faults.len())));
    }
    if ended.gate && !ended.missed.is_empty() {
        told(&ended.missed);
        return Err(Failure::regression(format!("{} gate(s) missed", ended.missed.len())));
    }
    Ok(ExitCode::SUCCESS)
}
