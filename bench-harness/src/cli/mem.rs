//! `strata-bench mem`.

use super::run::command_line;
use super::show;
use crate::error::{Failure, Result};
use crate::mem::{Depth, Kernel, Options, Terminal, html, once, svg, watch};
use crate::results::jsonl;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The words of `mem`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A process; without one the machine and its largest processes.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..=(1 << 30)))]
    pid: Option<u32>,
    /// Read again every so many seconds: drawn in place on a terminal, a line each elsewhere.
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    watch: Option<f64>,
    /// End after so many readings.
    #[arg(long, short = 'n', value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Sums only: the kernel walks over mappings, this command does not.
    #[arg(long, requires = "pid")]
    summary: bool,
    /// List every mapping by address, as pmap does.
    #[arg(long, requires = "pid", conflicts_with = "summary")]
    maps: bool,
    /// How many mappings or processes are listed, the largest.
    #[arg(long, value_name = "N", default_value_t = 10)]
    most: u16,
    /// Print as JSON, with Node's names where Node has one.
    #[arg(long)]
    json: bool,
    /// Write the JSON to a file.
    #[arg(long, value_name = "FILE.json", conflicts_with = "watch")]
    out: Option<PathBuf>,
    /// Draw the address space.
    #[arg(long, value_name = "FILE.svg", requires = "pid", conflicts_with_all = ["summary", "watch"])]
    picture: Option<PathBuf>,
    /// Write all of it as a page.
    #[arg(long, value_name = "FILE.html", requires = "pid", conflicts_with_all = ["summary", "watch"])]
    report: Option<PathBuf>,
    /// Read recorded files instead of /proc.
    #[arg(long, hide = true, value_name = "FOLDER")]
    proc: Option<PathBuf>,
    /// Read recorded files instead of /sys/fs/cgroup.
    #[arg(long, hide = true, value_name = "FOLDER")]
    cgroups: Option<PathBuf>,
}

fn seconds(word: &str) -> std::result::Result<f64, String> {
    match word.parse() {
        Ok(value) if (0.05..=86_400.0).contains(&value) => Ok(value),
        _ => Err("give seconds from 0.05 to 86400, for example 0.5".into()),
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let folder = |given: &Option<PathBuf>, usual: &str| given.clone().unwrap_or(usual.into());
    let kernel = Kernel::at(folder(&args.proc, "/proc"), folder(&args.cgroups, "/sys/fs/cgroup"));
    let options = Options {
        pid: args.pid,
        depth: if args.summary { Depth::Summary } else { Depth::Mappings },
        most: args.most.into(),
        all: args.maps,
        json: args.json,
        interval: Duration::from_secs_f64(args.watch.unwrap_or(1.0)),
        count: args.count.unwrap_or(0),
    };
    if args.watch.is_some() {
        // A line tells sums only.
        let lines = !args.json && !std::io::IsTerminal::is_terminal(&std::io::stdout());
        let depth = if lines { Depth::Summary } else { options.depth };
        watch(&kernel, &Options { depth, ..options }, &mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (text, json, report) = once(&kernel, &options, Terminal::here())?;
    let mut files: Vec<(&PathBuf, String)> = Vec::new();
    if let Some(path) = &args.out {
        files.push((path, json.clone()));
    }
    if let Some(report) = &report {
        files.extend(args.picture.as_ref().map(|path| (path, svg(report))));
        files.extend(args.report.as_ref().map(|path| (path, html(report, &command_line()))));
    }
    for (path, text) in &files {
        if path.is_dir() {
            let path = path.display();
            return Err(Failure::input(format!("cannot write {path}: it is a folder")));
        }
        jsonl::write_whole(path, |to| to.write_all(text.as_bytes()))?;
    }
    show(if args.json { &json } else { &text })?;
    Ok(ExitCode::SUCCESS)
}
