//! `strata-bench gallery`.

use super::run::{Folder, command_line, faults};
use super::show;
use crate::child::Touch;
use crate::error::{Failure, Result};
use crate::report::gallery;
use crate::results::{Header, Row, jsonl};
use crate::run::{RunOptions, Suite, run};
use crate::trace::every_shipped;
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `gallery`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Stored results (.jsonl) to draw, of one run or several; without them memory is measured now.
    results: Vec<PathBuf>,
    /// Subjects to measure, separated by commas: names from `subjects`, or lib:PATH.so; all that are linked
    /// without a name.
    #[arg(long, value_delimiter = ',', conflicts_with = "results")]
    alloc: Vec<String>,
    /// Workloads to measure, separated by commas; all shipped traces without a name.
    #[arg(long, value_delimiter = ',', conflicts_with = "results")]
    workload: Vec<String>,
    /// The folder for README.md and the pictures.
    #[arg(long, default_value = "gallery")]
    out: PathBuf,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let folder = Folder::make(&args.out)?;
    let (headers, rows) = match args.results.as_slice() {
        [] => {
            let (header, rows) = measured(args)?;
            (vec![header], rows)
        }
        paths => {
            let (mut headers, mut rows) = (Vec::new(), Vec::new());
            for path in paths {
                let (header, more) = jsonl::read(path)?;
                headers.push(header);
                rows.extend(more);
            }
            (headers, rows)
        }
    };
    let files = gallery::files(&headers, &rows);
    if files.is_empty() {
        return Err(Failure::input("there is no row with memory of an allocator to show"));
    }
    folder.keep();
    for file in &files {
        let path = args.out.join(&file.name);
        jsonl::write_whole(&path, |to| to.write_all(file.text.as_bytes()))?;
    }
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    let pictures = files.len() - 1;
    show(&format!(
        "wrote {} and {pictures} pictures beside it, {} KiB\n",
        args.out.join("README.md").display(),
        bytes.div_ceil(1024)
    ))?;
    faults(&rows)
}

fn measured(args: &Args) -> Result<(Header, Vec<Row>)> {
    let workloads = match args.workload.as_slice() {
        [] => every_shipped().map(|trace| trace.name.to_owned()).collect(),
        some => some.to_vec(),
    };
    run(&RunOptions {
        suite: Suite::Quick,
        subjects: args.alloc.clone(),
        workloads,
        pairs: None,
        until_steady: None,
        checkpoints: 48,
        memory_runs: Some(1),
        touch: Touch::Pages,
        absorption: false,
        ten_seconds: false,
        instructions: false,
        check: false,
        no_time: true,
        no_memory: false,
        versus: None,
        kernel_scale: 1.0,
        command: command_line(),
    })
}
