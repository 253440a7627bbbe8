//! `strata-bench heap`.

use super::run::command_line;
use super::show;
use crate::error::{Failure, Result};
use crate::heap_report::{HeapReport, html, svg};
use crate::results::jsonl;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The words of `heap`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The JSON of strata-segregated's report, as a program wrote it; - reads the standard input.
    report: PathBuf,
    /// The page; the picture alone where the name ends in .svg.
    #[arg(long, short, default_value = "heap.html")]
    out: PathBuf,
    /// What the heap is called; the file's name without one.
    #[arg(long)]
    title: Option<String>,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let report = HeapReport::read(&args.report)?;
    let stem = args.report.file_stem().filter(|_| args.report != Path::new("-"));
    let stem = stem.map_or_else(|| "heap".into(), |stem| stem.to_string_lossy());
    let title = args.title.as_deref().unwrap_or(&stem);
    let drawn = match args.out.extension().is_some_and(|end| end == "svg") {
        true => svg(title, &report),
        false => html(title, &report, &command_line()),
    };
    let out = args.out.display();
    if args.out.is_dir() {
        return Err(Failure::input(format!("cannot write {out}: it is a folder")));
    }
    jsonl::write_whole(&args.out, |to| to.write_all(drawn.as_bytes()))?;
    show(&format!("wrote {out}\n"))?;
    Ok(ExitCode::SUCCESS)
}
