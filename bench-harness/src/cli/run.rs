//! `strata-bench run`.

use super::show;
use crate::child::Touch;
use crate::error::{Context, Failure, Result};
use crate::results::{Mode, Outcome, Row, jsonl, kernels, table};
use crate::run::{RunOptions, Suite, run};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The words of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which suite.
    #[arg(long, value_enum, default_value = "quick")]
    suite: Suite,
    /// Subjects, separated by commas: names from `subjects`, or lib:PATH.so. System and the no-op
    /// are always there.
    #[arg(long, value_delimiter = ',')]
    alloc: Vec<String>,
    /// Workloads, separated by commas: names from `workloads`, or trace files.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<String>,
    /// Timed pairs, instead of the suite's 6, 12, 20 or 40.
    #[arg(long)]
    pairs: Option<usize>,
    /// Seconds for which a kernel gets more pairs while its A/A interval is beyond ±2%, instead of
    /// 60, or of none where --pairs is given.
    #[arg(long, value_name = "SECONDS")]
    until_steady: Option<u64>,
    /// Stops of the memory pass.
    #[arg(long, default_value_t = 24)]
    checkpoints: usize,
    /// Memory passes of each serial row, instead of the suite's 1, 2 or 3.
    #[arg(long)]
    memory_runs: Option<usize>,
    /// What is written into new blocks: none, first, pages or all.
    #[arg(long, default_value = "pages")]
    touch: TouchWord,
    /// Probe what the free memory at the peak can serve; serial replays only.
    #[arg(long)]
    absorption: bool,
    /// Wait ten seconds once all is freed, to see what is given back by then.
    #[arg(long)]
    ten_seconds: bool,
    /// Count instructions with callgrind (std and full do).
    #[arg(long)]
    instructions: bool,
    /// Replay everything under the judge first.
    #[arg(long)]
    check: bool,
    /// Leave out the timing and latency passes.
    #[arg(long)]
    no_time: bool,
    /// Leave out the memory pass.
    #[arg(long)]
    no_memory: bool,
    /// The subject whose every kernel is judged against the fastest peer of the row.
    #[arg(long)]
    versus: Option<String>,
    /// What the rounds of kernels are multiplied with, for trials of the harness itself.
    #[arg(long, default_value_t = 1.0, hide = true)]
    kernel_scale: f64,
    /// Show a table for every workload, not only the summary.
    #[arg(long, short)]
    verbose: bool,
    /// Print the rows as JSON lines instead of tables.
    #[arg(long)]
    json: bool,
    /// Folder for results.jsonl and report.html.
    #[arg(long, default_value = ".")]
    out: PathBuf,
}

/// A touch policy as a word.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum TouchWord {
    None,
    First,
    Pages,
    All,
}

impl From<TouchWord> for Touch {
    fn from(word: TouchWord) -> Self {
        match word {
            TouchWord::None => Self::None,
            TouchWord::First => Self::First,
            TouchWord::Pages => Self::Pages,
            TouchWord::All => Self::All,
        }
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let folder = Folder::make(&args.out)?;
    let options = RunOptions {
        suite: args.suite,
        subjects: args.alloc.clone(),
        workloads: args.workload.clone(),
        pairs: args.pairs,
        until_steady: args.until_steady,
        checkpoints: args.checkpoints,
        memory_runs: args.memory_runs,
        touch: args.touch.into(),
        absorption: args.absorption,
        ten_seconds: args.ten_seconds,
        instructions: args.instructions || matches!(args.suite, Suite::Std | Suite::Full),
        check: args.check,
        no_time: args.no_time,
        no_memory: args.no_memory,
        versus: args.versus.clone(),
        kernel_scale: args.kernel_scale,
        command: command_line(),
    };
    let (header, rows) = run(&options)?;
    folder.keep();
    let results = args.out.join("results.jsonl");
    jsonl::write(&results, &header, &rows)?;
    let report = args.out.join("report.html");
    let page = crate::report::html(&header, &rows);
    jsonl::write_whole(&report, |to| to.write_all(page.as_bytes()))?;
    if args.json {
        let text = std::fs::read_to_string(&results);
        show(&text.context(|| format!("cannot read {}", results.display()))?)?;
    } else {
        show(&table::summary(&header, &rows))?;
        show(&kernels::text(&rows, header.kernels.as_ref()))?;
        if args.verbose {
            show(&table::details(&rows))?;
        }
        show(&truth(&rows))?;
        show(&format!("\nwrote {} and {}\n", results.display(), report.display()))?;
    }
    faults(&rows)
}

/// How far the figures can be trusted: the page scan against the kernel's own account, and which
/// subjects did not repeat.
fn truth(rows: &[Row]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let mut worst: Option<(u64, f64, &Row)> = None;
    let mut passes = 0;
    for row in rows.iter().filter(|row| row.mode != Mode::Computed) {
        for checkpoint in row.memory.iter().flat_map(|memory| &memory.checkpoints) {
            let kernel = checkpoint.kernel.max(0) as u64;
            let off = checkpoint.resident.abs_diff(kernel);
            passes += 1;
            if worst.is_none_or(|(most, _, _)| off > most) {
                worst = Some((off, off as f64 / kernel.max(1) as f64, row));
            }
        }
    }
    if let Some((off, share, row)) = worst {
        let _ = writeln!(
            text,
            "waterfall against the kernel's own figure, {passes} checkpoints: at most {} KiB off \
             ({:.2}%, {} on {})",
            off / 1024,
            share * 100.0,
            row.subject.name,
            row.workload.name
        );
    }
    let unlike = rows.iter().filter(|row| {
        row.memory.as_ref().is_some_and(|memory| memory.deterministic == Some(false))
    });
    for row in unlike {
        let (name, load) = (&row.subject.name, &row.workload.name);
        let _ = writeln!(text, "not the same in two serial replays: {name} on {load}");
    }
    text
}

/// The folder for results, which is made before a run, so that one that cannot be written costs no
/// minutes, and taken away again where the run leaves nothing in it.
pub(super) struct Folder {
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
}

impl Folder {
    pub(super) fn make(path: &Path) -> Result<Self> {
        let shown = path.display();
        let missing = path.ancestors().take_while(|folder| {
            !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err()
        });
        let folder = Self { made: missing.map(Path::to_owned).collect() };
        std::fs::create_dir_all(path).context(|| format!("cannot make the folder {shown}"))?;
        tempfile::tempfile_in(path).context(|| format!("cannot write into the folder {shown}"))?;
        Ok(folder)
    }

    pub(super) fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for folder in &self.made {
            // One that someone else has put something into stays.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// The command that repeats the run, with words quoted where a shell needs it.
pub(super) fn command_line() -> String {
    let quote = |word: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let words = std::env::args().skip(1).map(quote);
    std::iter::once("strata-bench".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Names every row that crashed or was corrupted, and ends with exit code 3 if there is one.
pub(super) fn faults(rows: &[Row]) -> Result<ExitCode> {
    let mut count = 0;
    for row in rows {
        let (name, load) = (&row.subject.name, &row.workload.name);
        match &row.outcome {
            Outcome::Ok | Outcome::NotAvailable { .. } => continue,
            Outcome::Crashed { how, record } => {
                let place = record.map_or(String::new(), |record| format!(" at record {record}"));
                eprintln!("{name} on {load}: {how}{place}");
            }
            Outcome::Corrupted { violations } => {
                for v in violations {
                    let kind = serde_json::to_string(&v.kind).unwrap_or_default();
                    let kind = kind.trim_matches('"');
                    let (record, thread, detail) = (v.record, v.thread, &v.detail);
                    eprintln!(
                        "{name} on {load}: {kind} at record {record}, thread {thread}: {detail}"
                    );
                }
            }
        }
        count += 1;
    }
    match count {
        0 => Ok(ExitCode::SUCCESS),
        _ => Err(Failure::subject(format!("{count} row(s) crashed or were corrupted; see above"))),
    }
}
