//! `strata-bench adversary`.

use super::rows::{Ended, deliver, ended, named};
use super::run::command_line;
use crate::adversary::{Options, Program, html, run, text};
use crate::error::Result;
use crate::results::jsonl;
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `adversary`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Programs; all of them without a name.
    #[arg(value_enum)]
    programs: Vec<Program>,
    /// Subjects, separated by commas: names from `subjects`, or lib:PATH.so; all that are linked without a
    /// name.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// MiB that are live at most.
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    live: u32,
    /// Seconds after which idle looks again; and after a tenth of them.
    #[arg(long, default_value = "10", value_parser = seconds)]
    seconds: f64,
    /// What random sizes and orders begin with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the rows as JSON lines instead of tables.
    #[arg(long)]
    json: bool,
    /// Write the rows as JSON lines.
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    /// Write tables and pictures as a page.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

fn seconds(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if (0.0..=3600.0).contains(&value) => Ok(value),
        _ => Err("give seconds from 0 to 3600, for example 10".into()),
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let options = Options {
        programs: named(&args.programs),
        subjects: args.alloc.clone(),
        live: (args.live as usize) << 20,
        seconds: args.seconds,
        seed: args.seed,
        command: command_line(),
    };
    let (header, rows) = run(&options)?;
    if let Some(path) = &args.report {
        let page = html(&header, &rows);
        jsonl::write_whole(path, |to| to.write_all(page.as_bytes()))?;
    }
    deliver(&header, &rows, args.out.as_deref(), args.json, || text(&header, &rows))?;
    let fault = |row: &crate::adversary::Row| {
        let how = row.failed.as_ref()?;
        Some(format!("{} on {}: {how}", row.label(), row.program.name()))
    };
    let faults = rows.iter().filter_map(fault).collect();
    ended(Ended { faults, missed: Vec::new(), gate: false })
}
