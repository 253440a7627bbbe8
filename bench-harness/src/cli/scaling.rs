//! `strata-bench scaling`.

use super::rows::{Ended, deliver, ended};
use super::run::command_line;
use crate::error::{Failure, Result};
use crate::scaling::{Load, Options, Row, judged, run, text};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `scaling`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Loads; pairs, churn and batches without a name.
    #[arg(value_enum)]
    loads: Vec<Load>,
    /// Subjects, separated by commas: names from `subjects`, or lib:PATH.so. System is always there.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// Counts of threads, separated by commas, 64 at most; 1 and 2 are always there.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Vec<u16>,
    /// Children of each row; fewer than six have no interval.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    sittings: u16,
    /// Rounds of each child.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Milliseconds for which a window is counted.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    millis: u16,
    /// How often a sitting is repeated at most because others were at work meanwhile.
    #[arg(long, default_value_t = 2)]
    again: u16,
    /// The subject whose gates count; without it those of every allocator but System.
    #[arg(long, value_name = "NAME")]
    versus: Option<String>,
    /// End with exit code 1 where a gate fails.
    #[arg(long)]
    gate: bool,
    /// Print the rows as JSON lines instead of tables.
    #[arg(long)]
    json: bool,
    /// Write the rows as JSON lines.
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    /// Multiplies how far the control may stray from itself where a row is judged, for tests.
    #[arg(long, hide = true, default_value_t = 1.0)]
    noise: f64,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let all = || Load::USUAL.to_vec();
    let options = Options {
        loads: if args.loads.is_empty() { all() } else { args.loads.clone() },
        subjects: args.alloc.clone(),
        threads: args.threads.iter().map(|&threads| threads.into()).collect(),
        sittings: args.sittings.into(),
        rounds: args.rounds.into(),
        millis: args.millis.into(),
        again: args.again.into(),
        noise: args.noise,
        command: command_line(),
    };
    let (header, rows) = run(&options)?;
    if let Some(name) = &args.versus
        && !rows.iter().any(|row| row.subject.name == *name)
    {
        return Err(Failure::input(format!("{name} was not measured: name it in --alloc too")));
    }
    deliver(&header, &rows, args.out.as_deref(), args.json, || text(&header, &rows))?;
    let fault = |row: &Row| {
        let how = row.failed.as_ref()?;
        Some(format!("{} under {}: {how}", row.subject.name, row.load.name()))
    };
    ended(Ended {
        faults: rows.iter().filter_map(fault).collect(),
        missed: judged(&rows, args.versus.as_deref()),
        gate: args.gate,
    })
}
