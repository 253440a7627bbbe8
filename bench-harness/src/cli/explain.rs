//! `strata-bench explain`.

use super::replay::ThreadsWord;
use super::run::{TouchWord, faults};
use super::show;
use crate::error::{Failure, Result};
use crate::results::{Row, jsonl};
use crate::run::{ReplayOptions, replay};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The words of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Stored results (.jsonl), or a trace file or built-in workload to measure now.
    of: String,
    /// Subjects, separated by commas; of stored results all without a name.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// Workloads of stored results, separated by commas; all without a name.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<String>,
    /// One thread in the recorded order, or the recorded threads.
    #[arg(long, value_enum)]
    threads: Option<ThreadsWord>,
    /// What is written into new blocks.
    #[arg(long, default_value = "pages")]
    touch: TouchWord,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let path = PathBuf::from(&args.of);
    let stored = path.extension().is_some_and(|ext| ext == "jsonl");
    let rows = if stored { chosen(args, &path)? } else { measured(args)? };
    let told: Vec<String> = rows.iter().filter_map(crate::explain).collect();
    show(&told.join("\n"))?;
    let ended = faults(&rows)?;
    if told.is_empty() {
        return Err(Failure::input(format!("{} has no memory figure to explain", args.of)));
    }
    Ok(ended)
}

fn chosen(args: &Args, path: &Path) -> Result<Vec<Row>> {
    let (_, mut rows) = jsonl::read(path)?;
    let wanted = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    rows.retain(|row| {
        !row.a_a
            && wanted(&args.alloc, &row.subject.name)
            && wanted(&args.workload, &row.workload.name)
            && args.threads.is_none_or(|threads| row.workload.threads == threads.into())
    });
    match rows.is_empty() {
        true => Err(Failure::input(format!("{} has no row of what was asked for", path.display()))),
        false => Ok(rows),
    }
}

fn measured(args: &Args) -> Result<Vec<Row>> {
    if args.alloc.is_empty() {
        return Err(Failure::input("name the allocators to explain with --alloc"));
    }
    let one = |alloc: &String| {
        replay(&ReplayOptions {
            workload: args.of.clone(),
            subject: alloc.clone(),
            threads: args.threads.map(Into::into),
            check: false,
            instructions: false,
            repeat: 0,
            checkpoints: 24,
            touch: args.touch.into(),
            absorption: true,
            ten_seconds: false,
        })
    };
    args.alloc.iter().map(one).collect()
}
