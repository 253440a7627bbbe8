//! `strata-bench pools`.

use super::rows::{Common, Ended, deliver, ended, named};
use super::run::command_line;
use crate::error::Result;
use crate::pools::{Entry, Options, Row, Workload, judged, run, text};
use std::process::ExitCode;

/// The words of `pools`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Workloads; all of them without a name.
    #[arg(value_enum)]
    workloads: Vec<Workload>,
    #[command(flatten)]
    common: Common,
    /// Numbers of threads of pair and held, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = super::frames::threads)]
    threads: Vec<usize>,
    /// Calls of each kind and thread under the clock, and of check, about.
    #[arg(long, default_value_t = 1 << 19, value_parser = clap::value_parser!(u32).range(1..))]
    operations: u32,
    /// Blocks of the burst of idle and waste.
    #[arg(long, default_value_t = 1 << 18, value_parser = clap::value_parser!(u32).range(1024..=(1 << 24)))]
    burst: u32,
    /// End with exit code 1 where a gate fails: of --versus, or of all without it.
    #[arg(long)]
    gate: bool,
}

pub(super) fn main(args: &Args, entries: &[Entry]) -> Result<ExitCode> {
    let common = &args.common;
    let options = Options {
        workloads: named(&args.workloads),
        subjects: common.alloc.clone(),
        versus: common.versus.clone(),
        threads: args.threads.clone(),
        pairs: common.pairs.into(),
        operations: args.operations as usize,
        burst: args.burst as usize,
        seed: common.seed,
        command: command_line(),
    };
    let (header, rows) = run(entries, &options)?;
    deliver(&header, &rows, common.out.as_deref(), common.json, || text(&header, &rows))?;
    ended(Ended {
        faults: rows.iter().filter_map(Row::fault).collect(),
        missed: crate::interleaved::missed(judged(&rows, common.versus.as_deref())),
        gate: args.gate,
    })
}
