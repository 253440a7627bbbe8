//! `strata-bench replay` and `strata-bench map`.

use super::run::{TouchWord, faults};
use super::show;
use crate::error::Result;
use crate::results::{Row, Threads, jsonl};
use crate::run::{At, MapOptions, ReplayOptions, map, replay};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A trace file, or the name of a built-in workload.
    workload: String,
    /// The subject: a name from `subjects`, ideal, or lib:PATH.so.
    #[arg(long)]
    alloc: String,
    /// One thread in the recorded order, or the recorded threads.
    #[arg(long, value_enum)]
    threads: Option<ThreadsWord>,
    /// Replay under the judge: overlaps, alignment, contents, zeroes.
    #[arg(long)]
    check: bool,
    /// Count instructions with callgrind.
    #[arg(long)]
    instructions: bool,
    /// Timed repetitions.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Stops of the memory pass.
    #[arg(long, default_value_t = 24)]
    checkpoints: usize,
    /// What is written into new blocks.
    #[arg(long, default_value = "pages")]
    touch: TouchWord,
    /// Probe what the free memory at the peak can serve; serial replay only.
    #[arg(long)]
    absorption: bool,
    /// Wait ten seconds once all is freed, to see what is given back by then.
    #[arg(long)]
    ten_seconds: bool,
    /// Print the row as JSON.
    #[arg(long)]
    json: bool,
}

/// How to replay, as a word.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum ThreadsWord {
    Serial,
    Recorded,
}

impl From<ThreadsWord> for Threads {
    fn from(word: ThreadsWord) -> Self {
        match word {
            ThreadsWord::Serial => Self::Serial,
            ThreadsWord::Recorded => Self::Recorded,
        }
    }
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let row = replay(&ReplayOptions {
        workload: args.workload.clone(),
        subject: args.alloc.clone(),
        threads: args.threads.map(Into::into),
        check: args.check,
        instructions: args.instructions,
        repeat: args.repeat,
        checkpoints: args.checkpoints,
        touch: args.touch.into(),
        absorption: args.absorption,
        ten_seconds: args.ten_seconds,
    })?;
    if args.json {
        let text = serde_json::to_string_pretty(&row).unwrap_or_default();
        show(&format!("{text}\n"))?;
    } else {
        show(&words(&row, args.check))?;
    }
    faults(std::slice::from_ref(&row))
}

fn words(row: &Row, checked: bool) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let load = &row.workload;
    let how = format!("{:?}", load.threads).to_lowercase();
    let _ = writeln!(
        text,
        "{} on {} ({how}, {} operations, {} threads recorded)",
        row.subject.name, load.name, load.operations, load.recorded_threads
    );
    if checked && row.outcome == crate::results::Outcome::Ok {
        let _ = writeln!(text, "  no violation");
    }
    if let Some(time) = &row.time {
        let best = time.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let mode = format!("{:?}", row.mode).to_lowercase();
        let _ = writeln!(
            text,
            "  time      {:.2} ns/op (best {best:.2}; {mode}, {})",
            time.median, row.profile
        );
        if let Some(share) = time.stall_share {
            let void = if time.void { ": above 95%, the time is void" } else { "" };
            let _ = writeln!(text, "  stalled   {:.1}% of the threads' time{void}", share * 100.0);
        }
    }
    if let Some(count) = row.instructions {
        let _ = writeln!(text, "  instructions {count:.1} an operation");
    }
    if let Some(why) = &row.instructions_missing {
        let _ = writeln!(text, "  instructions n/a: {why}");
    }
    if let Some(calls) = row.harness_calls {
        let _ = writeln!(text, "  harness heap calls in the window: {calls}");
    }
    let Some(memory) = &row.memory else { return text };
    if let Some(peak) = memory.checkpoints.get(memory.peak) {
        let w = &peak.waterfall;
        let kib = |bytes: u64| format!("{} KiB", bytes.div_ceil(1024));
        let headers = w.headers.map_or("n/a".into(), kib);
        let _ = writeln!(
            text,
            "  at the peak (record {}): {} live in {} blocks, {} resident = {} live + {} rounding \
             + {headers} headers + {} holes + {} kept + {} metadata (kernel: {} KiB)",
            peak.record,
            kib(peak.live_bytes),
            peak.live_blocks,
            kib(peak.resident),
            kib(w.live),
            kib(w.rounding),
            kib(w.holes),
            kib(w.kept),
            kib(w.metadata),
            peak.kernel.div_euclid(1024),
        );
    }
    let ratio = |value: Option<f64>| value.map_or("n/a".into(), |v| format!("{v:.3}"));
    let _ = writeln!(
        text,
        "  resident/live: {} at the peak, {} mean, {} greatest/greatest; internal fragmentation {}",
        ratio(memory.peak_ratio),
        ratio(memory.mean_ratio),
        ratio(memory.max_ratio),
        ratio(memory.internal)
    );
    let of = memory.johnstone_wilson();
    let _ = writeln!(
        text,
        "  Johnstone-Wilson: #1 {} mean of ratios, #2 {} at most live, #3 {} at most resident, #4 {}",
        ratio(of.mean),
        ratio(of.most_live),
        ratio(of.most_resident),
        ratio(of.greatest)
    );
    if let Some(peak) = memory.checkpoints.get(memory.peak) {
        let share =
            |value: Option<f64>| value.map_or("n/a".into(), |v| format!("{:.1}%", v * 100.0));
        let live = peak.live_bytes.max(1) as f64;
        let _ = writeln!(
            text,
            "  pages     entropy {} bit; on huge pages {} of resident, {} of live; proportional {} KiB; \
             lazily freed {} KiB; page tables {} KiB",
            ratio(peak.entropy),
            share(peak.huge_coverage()),
            share(Some(peak.huge_live as f64 / live)),
            peak.proportional / 1024,
            peak.lazy_free / 1024,
            peak.page_tables / 1024
        );
    }
    if let Some(r) = &memory.residue {
        let kib = |bytes: Option<u64>| bytes.map_or("n/a".into(), |b| format!("{} KiB", b / 1024));
        let _ = writeln!(
            text,
            "  residue   {} at once, {} after 1 s, {} after 10 s, {} after 1000 pairs, {} after purge",
            kib(Some(r.at_once)),
            kib(r.after_idle),
            kib(r.after_ten),
            kib(r.after_pairs),
            kib(r.after_purge)
        );
    }
    text
}

/// The words of `map`.
#[derive(Debug, clap::Args)]
pub(super) struct MapArgs {
    /// A trace file, or the name of a built-in workload.
    workload: String,
    /// The subject: a name from `subjects`, or lib:PATH.so.
    #[arg(long)]
    alloc: String,
    /// Where in the trace: peak, end, or a number of records.
    #[arg(long, default_value = "peak")]
    at: At,
    /// One thread in the recorded order, or the recorded threads.
    #[arg(long, value_enum)]
    threads: Option<ThreadsWord>,
    /// What is written into new blocks.
    #[arg(long, default_value = "pages")]
    touch: TouchWord,
    /// The SVG file, or PNG where the name ends so; NAME-SUBJECT-PLACE.svg if not said.
    #[arg(long, short)]
    out: Option<PathBuf>,
}

pub(super) fn map_main(args: &MapArgs) -> Result<ExitCode> {
    let (map, checkpoint, row) = map(&MapOptions {
        workload: args.workload.clone(),
        subject: args.alloc.clone(),
        threads: args.threads.map(Into::into),
        at: args.at,
        touch: args.touch.into(),
        absorption: false,
    })?;
    let place = match args.at {
        At::Peak => "peak".to_owned(),
        At::End => "end".to_owned(),
        At::Record(record) => record.to_string(),
    };
    let name = row.subject.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
    let file = format!("{}-{name}-{place}.svg", row.workload.name);
    let out = args.out.clone().unwrap_or_else(|| file.into());
    let title = format!("{} on {}", row.subject.name, row.workload.name);
    let under = format!("after record {} ({place})", checkpoint.record);
    let page = row.memory.as_ref().map_or(4096, |memory| memory.page_bytes);
    use crate::report::heapmap::{heap_map_png, heap_map_svg};
    let picture = match out.extension().is_some_and(|ext| ext == "png") {
        true => heap_map_png(&map),
        false => heap_map_svg(&title, &under, &map, &checkpoint, page).into_bytes(),
    };
    jsonl::write_whole(&out, |to| to.write_all(&picture))?;
    show(&format!("wrote {}\n", out.display()))?;
    Ok(ExitCode::SUCCESS)
}
