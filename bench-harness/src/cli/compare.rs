//! `strata-bench compare`.

use super::show;
use crate::error::{Failure, Result};
use crate::results::jsonl;
use crate::run::{CompareOptions, Compared, compare, compare_stored, compared_table};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `compare`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The strata-bench executable to compare with, or a stored results.jsonl (memory and
    /// instructions only: stored times say nothing about today's machine).
    old: PathBuf,
    /// The executable, or stored results, to judge.
    new: PathBuf,
    /// Subjects, separated by commas.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// Workloads, separated by commas.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<String>,
    /// Timed pairs.
    #[arg(long, default_value_t = 20)]
    pairs: usize,
    /// How much worse is a regression, as a share.
    #[arg(long, default_value_t = 0.03)]
    tolerance: f64,
    /// Print the comparisons as JSON lines.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let stored = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "jsonl");
    let found = match (stored(&args.old), stored(&args.new)) {
        (true, true) => {
            let ((_, old), (_, new)) = (jsonl::read(&args.old)?, jsonl::read(&args.new)?);
            compare_stored(&old, &new, args.tolerance)?
        }
        (false, false) => compare(&CompareOptions {
            old: args.old.clone(),
            new: args.new.clone(),
            subjects: args.alloc.clone(),
            workloads: args.workload.clone(),
            pairs: args.pairs,
            tolerance: args.tolerance,
        })?,
        _ => {
            return Err(Failure::input(
                "compare takes two executables or two results (.jsonl), not one of each",
            ));
        }
    };
    if args.json {
        for one in &found {
            show(&format!("{}\n", serde_json::to_string(one).unwrap_or_default()))?;
        }
    } else {
        show(&compared_table(&found))?;
    }
    let worse = |one: &&Compared| one.regression;
    match found.iter().filter(worse).max_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median)) {
        None => Ok(ExitCode::SUCCESS),
        Some(worst) => Err(Failure::regression(format!(
            "{} of {} figures got worse, most of all {} of {} on {}: {:.4} times the old one",
            found.iter().filter(worse).count(),
            found.len(),
            worst.metric,
            worst.subject,
            worst.workload,
            worst.ratio.median,
        ))),
    }
}
