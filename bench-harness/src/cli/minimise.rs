//! `strata-bench minimise`.

use super::replay::ThreadsWord;
use super::show;
use crate::error::Result;
use crate::run::minimise::{Goal, MinimiseOptions, minimise};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `minimise`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A trace file, or the name of a built-in workload.
    workload: String,
    /// The trace to write; packed where the name ends in .xz.
    out: PathBuf,
    /// The subject: a name from `subjects`, or lib:PATH.so.
    #[arg(long)]
    alloc: String,
    /// Keep this share of resident by live bytes at the peak, instead of a failure under the judge.
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "1", value_parser = share)]
    fragmentation: Option<f64>,
    /// One thread in the recorded order, or the recorded threads.
    #[arg(long, value_enum)]
    threads: Option<ThreadsWord>,
    /// Seconds after which what was found stands.
    #[arg(long, default_value = "60", value_parser = seconds)]
    seconds: f64,
}

fn share(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("give a share above 0 and up to 1, for example 0.95".into()),
    }
}

fn seconds(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if (0.0..=1e6).contains(&value) => Ok(value),
        _ => Err("give seconds, for example 60".into()),
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let found = minimise(&MinimiseOptions {
        workload: args.workload.clone(),
        subject: args.alloc.clone(),
        threads: args.threads.map(Into::into),
        goal: args.fragmentation.map_or(Goal::Failure, Goal::Fragmentation),
        seconds: args.seconds,
        out: args.out.clone(),
    })?;
    show(&format!(
        "wrote {}: {} of {} blocks, {} events, after {} parts{}; it shows {}\n",
        args.out.display(),
        found.blocks,
        found.blocks_before,
        found.summary.totals.events,
        found.tried,
        if found.unfinished { " (time ran out)" } else { "" },
        found.shows
    ))?;
    Ok(ExitCode::SUCCESS)
}
