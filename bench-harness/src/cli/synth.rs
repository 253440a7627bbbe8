//! `strata-bench synth`.

use super::show;
use crate::error::Result;
use crate::results::words;
use crate::synth::{Law, SynthOptions, synth};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `synth`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The profile: CSV of a size in bytes, its rate and its live count a line, as weights.
    profile: PathBuf,
    /// The trace to write; packed where the name ends in .xz.
    out: PathBuf,
    /// MiB that are live; sizes above an eighth of it are left out.
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = mebibytes)]
    heap: u64,
    /// Allocations and frees, those of the first live blocks with them.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(2..=100_000_000_000))]
    operations: u64,
    /// Threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Share of the frees that another thread does.
    #[arg(long, default_value = "0", value_parser = share)]
    cross: f64,
    /// How long blocks live about the mean of their size, which is its live count by its rate.
    #[arg(long, value_enum, default_value = "memoryless")]
    lifetimes: Law,
    /// What chance begins with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn mebibytes(word: &str) -> std::result::Result<u64, String> {
    match word.parse::<f64>() {
        Ok(value) if (0.01..=1_048_576.0).contains(&value) => Ok((value * 1_048_576.0) as u64),
        _ => Err("give MiB from 0.01 to 1048576, for example 64".into()),
    }
}

fn share(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("give a share from 0 to 1, for example 0.05".into()),
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    if args.cross > 0.0 && args.threads == 1 {
        let why = "--cross is about other threads: give --threads 2 or more with it";
        return Err(crate::error::Failure::input(why));
    }
    let made = synth(&SynthOptions {
        profile: args.profile.clone(),
        out: args.out.clone(),
        heap: args.heap,
        operations: args.operations,
        threads: args.threads,
        cross: args.cross,
        law: args.lifetimes,
        seed: args.seed,
    })?;
    let totals = made.summary.totals;
    let mut text = format!(
        "wrote {}: {} events in {} bytes; at most {} live in {} blocks",
        args.out.display(),
        totals.events,
        made.summary.file_bytes,
        words::bytes(totals.peak_bytes),
        words::count(totals.peak_blocks)
    );
    if made.left_out > 0 {
        text += &format!(
            "; {} sizes above {} left out, {}% of the profile's live bytes",
            made.left_out,
            words::bytes(args.heap / 8),
            words::percent(made.left_out_share)
        );
    }
    show(&(text + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
