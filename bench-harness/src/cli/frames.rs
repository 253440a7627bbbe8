//! `strata-bench frames`.

use super::rows::{Common, deliver, make_folder, named};
use super::run::command_line;
use crate::error::{Failure, Result};
use crate::frames::{Entry, Options, Row, Workload, run, svg, text};
use crate::results::jsonl;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The words of `frames`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Workloads; all of them without a name.
    #[arg(value_enum)]
    workloads: Vec<Workload>,
    #[command(flatten)]
    common: Common,
    /// Orders, separated by commas; overlap runs every pair of them.
    #[arg(long, value_delimiter = ',', default_value = "0,3,6,7,8,9", value_parser = clap::value_parser!(u8).range(..=24))]
    orders: Vec<u8>,
    /// Numbers of threads, separated by commas; overlap runs with the greatest, two at least.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = threads)]
    threads: Vec<usize>,
    /// The zone's size in MiB, with frames of 4 KiB; overlap chooses its own.
    #[arg(long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(4..=(8 << 20)))]
    zone: u64,
    /// Calls of each kind and thread under the clock, about.
    #[arg(long, default_value_t = 1 << 19, value_parser = clap::value_parser!(u32).range(1..))]
    operations: u32,
    /// Frames that overlap has handed out for each pair of orders.
    #[arg(long, default_value_t = 10_000_000)]
    frames: u64,
    /// Rounds of fragment.
    #[arg(long, default_value_t = 99)]
    rounds: usize,
    /// Rounds of fragment after which a map is drawn, separated by commas.
    #[arg(long, value_name = "ROUNDS", value_delimiter = ',', default_value = "0,30,50,99")]
    map_at: Vec<usize>,
    /// Write the maps of fragment as SVG into this folder.
    #[arg(long, value_name = "FOLDER")]
    maps: Option<PathBuf>,
}

pub(super) fn threads(word: &str) -> std::result::Result<usize, String> {
    match word.parse() {
        Ok(count @ 1..=128) => Ok(count),
        _ => Err("give a number of threads from 1 to 128".into()),
    }
}

pub(super) fn main(args: &Args, entries: &[Entry]) -> Result<ExitCode> {
    let common = &args.common;
    make_folder(args.maps.as_deref())?;
    let options = Options {
        workloads: named(&args.workloads),
        subjects: common.alloc.clone(),
        versus: common.versus.clone(),
        orders: args.orders.clone(),
        threads: args.threads.clone(),
        zone: (args.zone as usize) << 8,
        pairs: common.pairs.into(),
        operations: args.operations as usize,
        handed: args.frames,
        rounds: args.rounds,
        maps: if args.maps.is_some() || common.json || common.out.is_some() {
            args.map_at.clone()
        } else {
            Vec::new()
        },
        seed: common.seed,
        command: command_line(),
    };
    let (header, rows) = run(entries, &options)?;
    if let Some(folder) = &args.maps {
        draw(folder, &rows)?;
    }
    deliver(&header, &rows, common.out.as_deref(), common.json, || text(&header, &rows))?;
    ended(&rows)
}

/// Writes every map that was kept.
fn draw(folder: &Path, rows: &[Row]) -> Result<()> {
    for row in rows {
        for map in row.fragment.iter().flat_map(|found| &found.maps) {
            let (name, order, threads) = (&row.of.subject.name, row.order, row.threads);
            let file = format!("{name}-order{order}-threads{threads}-round{}.svg", map.round);
            let picture = svg(row, map.round, &map.used);
            jsonl::write_whole(&folder.join(file), |to| to.write_all(picture.as_bytes()))?;
        }
    }
    Ok(())
}

/// How the command ends: an allocator that gave up tells first, then one that is not exact.
fn ended(rows: &[Row]) -> Result<ExitCode> {
    for row in rows {
        if let Some(fault) = row.fault() {
            eprintln!("{fault}");
        }
    }
    let failed = rows.iter().filter(|row| row.of.failed.is_some()).count();
    if failed > 0 {
        return Err(Failure::subject(format!("{failed} row(s) failed; see above")));
    }
    let inexact = rows.iter().filter(|row| row.fault().is_some()).count();
    if inexact > 0 {
        return Err(Failure::regression(format!("{inexact} row(s) are not exact; see above")));
    }
    Ok(ExitCode::SUCCESS)
}
