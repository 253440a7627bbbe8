//! Commands about files, and listings.

use super::show;
use crate::error::{Failure, Result};
use crate::results::{SCHEMA, export, jsonl};
use crate::run::{subjects, workload_names};
use crate::trace::{Reader, convert, every_shipped, info};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The words of `info`.
#[derive(Debug, clap::Args)]
pub(super) struct InfoArgs {
    /// A trace file, or the name of a shipped trace.
    trace: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn info_main(args: &InfoArgs) -> Result<ExitCode> {
    let name = args.trace.to_string_lossy();
    let shipped = every_shipped().find(|trace| trace.name == name);
    let reader = match shipped {
        Some(trace) if !args.trace.exists() => trace.open()?,
        _ => Reader::open(&args.trace)?,
    };
    let found = info(reader)?;
    if args.json {
        show(&format!("{}\n", serde_json::to_string_pretty(&found).unwrap_or_default()))?;
    } else {
        show(&format!("{found}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The words of `convert`.
#[derive(Debug, clap::Args)]
pub(super) struct ConvertArgs {
    /// The trace to read.
    from: PathBuf,
    /// The trace to write; packed where the name ends in .xz.
    to: PathBuf,
}

pub(super) fn convert_main(args: &ConvertArgs) -> Result<ExitCode> {
    let reader = Reader::open(&args.from)?;
    let meta = reader.meta().clone();
    let summary = convert(reader, &args.to, meta)?;
    let (events, bytes) = (summary.totals.events, summary.file_bytes);
    show(&format!("wrote {}: {events} events in {bytes} bytes\n", args.to.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The words of `report`.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// Stored results of run; or those of run, pools, regions and frames, for a page of all layers.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// The page; of run alone, CSV or Markdown where the name ends in .csv or .md.
    #[arg(long, short, default_value = "report.html")]
    out: PathBuf,
}

pub(super) fn report_main(args: &ReportArgs) -> Result<ExitCode> {
    let page = match &args.results[..] {
        [one] if jsonl::schema(one)? == SCHEMA => {
            let (header, rows) = jsonl::read(one)?;
            match args.out.extension().and_then(std::ffi::OsStr::to_str) {
                Some("csv") => export::csv(&rows),
                Some("md") => export::markdown(&header, &rows),
                _ => crate::report::html(&header, &rows),
            }
        }
        several => layers(several, &args.out)?,
    };
    jsonl::write_whole(&args.out, |to| to.write_all(page.as_bytes()))?;
    show(&format!("wrote {}\n", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The page of several layers, from the program down.
fn layers(files: &[PathBuf], out: &Path) -> Result<String> {
    if out.extension().is_some_and(|end| end == "csv" || end == "md") {
        let why = "CSV and Markdown are of one file of run's results: give that alone, or a page";
        return Err(Failure::input(why));
    }
    let mut parts =
        files.iter().map(|file| crate::layers::read(file)).collect::<Result<Vec<_>>>()?;
    crate::layers::sort(&mut parts);
    Ok(crate::layers::html(&parts))
}

pub(super) fn subjects_main() -> Result<ExitCode> {
    show(&subjects()?)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn workloads_main() -> Result<ExitCode> {
    show(&workload_names()?)?;
    Ok(ExitCode::SUCCESS)
}
