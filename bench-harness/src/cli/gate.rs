//! `strata-bench gate`.

use super::run::{TouchWord, command_line};
use super::show;
use crate::error::{Failure, Result};
use crate::results::jsonl;
use crate::run::gate::{Baseline, GateOptions, Limits, Verdict, against, markdown, record, text};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `gate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The stored baseline.
    #[arg(value_name = "BASELINE.jsonl")]
    baseline: PathBuf,
    /// Measure and store the baseline instead of judging by it.
    #[arg(long)]
    record: bool,
    /// Subjects, separated by commas: names from `subjects`, or lib:PATH.so.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// Workloads, separated by commas: names from `workloads`, or trace files.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<String>,
    /// Children of each row at most; six that agree to the byte are enough.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Stops of a memory pass; a baseline remembers its own.
    #[arg(long, default_value_t = 24)]
    checkpoints: usize,
    /// What is written into new blocks; a baseline remembers its own.
    #[arg(long, default_value = "pages")]
    touch: TouchWord,
    /// How much more memory is a breach, as a share.
    #[arg(long, default_value_t = 0.005, value_parser = share)]
    memory: f64,
    /// How many more instructions are a breach, as a share.
    #[arg(long, default_value_t = 0.005, value_parser = share)]
    instructions: f64,
    /// Count no instructions: memory only.
    #[arg(long)]
    no_instructions: bool,
    /// Write the verdicts as Markdown, for the summary of a CI job.
    #[arg(long, value_name = "FILE.md", conflicts_with = "record")]
    markdown: Option<PathBuf>,
    /// Write what was measured as a baseline of its own.
    #[arg(long, value_name = "FILE.jsonl", conflicts_with = "record")]
    out: Option<PathBuf>,
    /// Print the verdicts as JSON lines.
    #[arg(long)]
    json: bool,
}

fn share(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("give a share, for example 0.01 for a percent".into()),
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let options = GateOptions {
        subjects: args.alloc.clone(),
        workloads: args.workload.clone(),
        pairs: args.pairs.into(),
        checkpoints: args.checkpoints,
        touch: args.touch.into(),
        instructions: !args.no_instructions,
        command: command_line(),
    };
    if args.record {
        let found = record(&options)?;
        found.write(&args.baseline)?;
        show(&format!("wrote {}: {} rows\n", args.baseline.display(), found.rows.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let baseline = Baseline::read(&args.baseline)?;
    let limits = Limits { memory: args.memory, instructions: args.instructions };
    let (found, verdicts) = against(&baseline, &options, limits)?;
    if let Some(path) = &args.out {
        found.write(path)?;
    }
    if let Some(path) = &args.markdown {
        let text = markdown(&verdicts, &baseline.header, &found.header);
        jsonl::write_whole(path, |to| to.write_all(text.as_bytes()))?;
    }
    if args.json {
        for verdict in &verdicts {
            show(&format!("{}\n", serde_json::to_string(verdict).unwrap_or_default()))?;
        }
    } else {
        show(&text(&verdicts))?;
    }
    ended(&verdicts)
}

/// A breach ends the command with exit code 1 and the worst one's name.
fn ended(verdicts: &[Verdict]) -> Result<ExitCode> {
    let breaches: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.breach).collect();
    let times = |verdict: &Verdict| verdict.ratio.map_or(f64::INFINITY, |ratio| ratio.median);
    match breaches.iter().max_by(|a, b| times(a).total_cmp(&times(b))) {
        None => Ok(ExitCode::SUCCESS),
        Some(worst) => Err(Failure::regression(format!(
            "{} of {} figures are beyond their limits, most of all {} of {} on {}: {}",
            breaches.len(),
            verdicts.len(),
            worst.metric.word(),
            worst.subject,
            worst.workload,
            match worst.ratio {
                Some(ratio) => format!("{:.4} times the baseline's", ratio.median),
                None => "the baseline's is nothing".to_owned(),
            }
        ))),
    }
}
