//! `strata-bench pools`.

use super::rows::{Ended, deliver, ended};
use super::run::command_line;
use crate::error::Result;
use crate::pools::{Entry, Options, Row, Workload, judged, run, text};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `pools`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Workloads; all of them without a name.
    #[arg(value_enum)]
    workloads: Vec<Workload>,
    /// Pools, separated by commas; all that are linked without a name.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// The pool that ratios are to; the first one without it.
    #[arg(long, value_name = "NAME")]
    versus: Option<String>,
    /// Numbers of threads of pair and held, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = super::frames::threads)]
    threads: Vec<usize>,
    /// Timed pairs; fewer than 6 have no interval.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Calls of each kind and thread under the clock, and of check, about.
    #[arg(long, default_value_t = 1 << 19, value_parser = clap::value_parser!(u32).range(1..))]
    operations: u32,
    /// Blocks of the burst of idle and waste.
    #[arg(long, default_value_t = 1 << 18, value_parser = clap::value_parser!(u32).range(1024..=(1 << 24)))]
    burst: u32,
    /// What random orders begin with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with exit code 1 where a gate fails: of --versus, or of all without it.
    #[arg(long)]
    gate: bool,
    /// Print the rows as JSON lines instead of tables.
    #[arg(long)]
    json: bool,
    /// Write the rows as JSON lines.
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
}

pub(super) fn main(args: &Args, entries: &[Entry]) -> Result<ExitCode> {
    let options = Options {
        workloads: if args.workloads.is_empty() {
            clap::ValueEnum::value_variants().to_vec()
        } else {
            args.workloads.clone()
        },
        subjects: args.alloc.clone(),
        versus: args.versus.clone(),
        threads: args.threads.clone(),
        pairs: args.pairs.into(),
        operations: args.operations as usize,
        burst: args.burst as usize,
        seed: args.seed,
        command: command_line(),
    };
    let (header, rows) = run(entries, &options)?;
    deliver(&header, &rows, args.out.as_deref(), args.json, || text(&header, &rows))?;
    ended(Ended {
        faults: rows.iter().filter_map(Row::fault).collect(),
        missed: crate::interleaved::missed(judged(&rows, args.versus.as_deref())),
        gate: args.gate,
    })
}
