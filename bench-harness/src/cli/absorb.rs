//! `strata-bench absorb`.

use super::rows::deliver;
use super::run::{TouchWord, command_line, faults};
use crate::error::{Failure, Result};
use crate::interleaved::{add, headed};
use crate::results::{Absorption, Row, words};
use crate::run::{At, MapOptions, header, map_row};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `absorb`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A trace file, or the name of a built-in workload; it is replayed on one thread.
    workload: String,
    /// Subjects, separated by commas: names from `subjects`, or lib:PATH.so.
    #[arg(long, value_delimiter = ',', required = true)]
    alloc: Vec<String>,
    /// Where in the trace: peak, end, or a number of records.
    #[arg(long, default_value = "peak")]
    at: At,
    /// What is written into new blocks.
    #[arg(long, default_value = "pages")]
    touch: TouchWord,
    /// Print the rows as JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// Write the rows as JSON lines.
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let one = |subject: &String| {
        map_row(&MapOptions {
            workload: args.workload.clone(),
            subject: subject.clone(),
            threads: Some(crate::results::Threads::Serial),
            at: args.at,
            touch: args.touch.into(),
            absorption: true,
        })
    };
    let rows = args.alloc.iter().map(one).collect::<Result<Vec<Row>>>()?;
    if rows.iter().any(|row| row.subject.name == "noop") {
        return Err(Failure::input("noop has no memory that could serve anything: name another"));
    }
    let header = header(command_line(), Vec::new());
    deliver(&header, &rows, args.out.as_deref(), args.json, || text(&rows))?;
    faults(&rows)
}

fn of(row: &Row) -> Option<&Absorption> {
    row.memory.as_ref()?.absorption.as_ref()
}

fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    let Some(first) = rows.first() else { return text };
    let at = first.memory.as_ref().and_then(|memory| memory.checkpoints.first());
    let _ = writeln!(
        text,
        "What free memory can serve without fresh memory, size by size: bytes, and their share of what is \
         free\n{} after record {}",
        first.workload.name,
        at.map_or(0, |at| at.record)
    );
    let mut table = headed("block", rows.iter().map(|row| row.subject.name.clone()).collect());
    let line = |show: &dyn Fn(&Absorption) -> String| {
        rows.iter().map(|row| words::or_absent(of(row), show)).collect::<Vec<_>>()
    };
    add(&mut table, "free".into(), line(&|found| words::bytes(found.free)));
    let points = rows.iter().filter_map(of).map(|found| &found.points).find(|all| !all.is_empty());
    for (index, point) in points.into_iter().flatten().enumerate() {
        let show = |found: &Absorption| {
            let served = found.points.get(index).and_then(|point| point.served);
            words::or_absent(served, |bytes| {
                let share = (found.free > 0).then(|| bytes as f64 / found.free as f64);
                format!("{} {:>6}%", words::bytes(bytes), words::or_absent(share, words::percent))
            })
        };
        add(&mut table, words::bytes(point.size), line(&show));
    }
    let _ = writeln!(text, "{table}");
    for row in rows {
        let Some(found) = of(row) else { continue };
        let name = &row.subject.name;
        for (size, why) in
            found.points.iter().filter_map(|p| p.missing.as_ref().map(|w| (p.size, w)))
        {
            let _ = writeln!(text, "{name}, blocks of {}: n/a, {why}", words::bytes(size));
        }
        if let Some(why) = &found.missing {
            let _ = writeln!(text, "{name}: n/a, {why}");
        }
    }
    text
}
