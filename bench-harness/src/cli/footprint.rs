//! `strata-bench footprint`.

use super::rows::{Ended, deliver, ended};
use super::run::command_line;
use crate::error::{Failure, Result};
use crate::footprint::{Options, Row, Scenario, html, judged, run, text};
use crate::results::jsonl;
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `footprint`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenarios; all but the soak without a name.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Subjects, separated by commas: names from `subjects`, or lib:PATH.so. System is always there.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// The subject whose gates count; without it those of every allocator but System.
    #[arg(long, value_name = "NAME")]
    versus: Option<String>,
    /// Children of each row; figures are medians over them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// How long a soak lasts.
    #[arg(long, default_value = "10", value_parser = positive)]
    minutes: f64,
    /// End with exit code 1 where a gate is missed.
    #[arg(long)]
    gate: bool,
    /// Print the rows as JSON lines instead of tables.
    #[arg(long)]
    json: bool,
    /// Write the rows as JSON lines.
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    /// Write tables and curves as a page.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Make every scenario smaller, for tests: the gates are those of the whole size.
    #[arg(long, hide = true, default_value = "1", value_parser = positive)]
    scale: f64,
}

fn positive(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if value > 0.0 && value <= 1e4 => Ok(value),
        _ => Err("give a number above 0, for example 1.5".into()),
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let named = || args.scenarios.iter().copied();
    let options = Options {
        scenarios: if args.scenarios.is_empty() { Scenario::usual() } else { named().collect() },
        subjects: args.alloc.clone(),
        runs: args.runs.into(),
        minutes: args.minutes,
        scale: args.scale,
        curves: args.json || args.out.is_some() || args.report.is_some(),
        command: command_line(),
    };
    let (header, rows) = run(&options)?;
    if let Some(name) = &args.versus
        && !rows.iter().any(|row| row.subject.name == *name)
    {
        return Err(Failure::input(format!("{name} was not measured: name it in --alloc too")));
    }
    if let Some(path) = &args.report {
        let page = html(&header, &rows);
        jsonl::write_whole(path, |to| to.write_all(page.as_bytes()))?;
    }
    deliver(&header, &rows, args.out.as_deref(), args.json, || text(&header, &rows))?;
    let fault = |row: &Row| {
        let how = row.failed.as_ref()?;
        Some(format!("{} on {}: {how}", row.subject.name, row.scenario.name()))
    };
    ended(Ended {
        faults: rows.iter().filter_map(fault).collect(),
        missed: judged(&rows, args.versus.as_deref()),
        gate: args.gate,
    })
}
