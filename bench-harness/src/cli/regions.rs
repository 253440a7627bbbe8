//! `strata-bench regions`.

use super::rows::{Common, Ended, deliver, ended, make_folder, named};
use super::run::command_line;
use crate::error::Result;
use crate::regions::{Entry, Options, Row, Workload, judged, run, svg, text};
use crate::results::jsonl;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The words of `regions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Workloads; all of them without a name.
    #[arg(value_enum)]
    workloads: Vec<Workload>,
    #[command(flatten)]
    common: Common,
    /// The region's size in MiB where space is measured; times choose their own.
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    region: u32,
    /// Greatest sizes of churn and latency in bytes, separated by commas; the greatest is that of the
    /// other workloads with random sizes.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000", value_parser = clap::value_parser!(u32).range(64..=(1 << 20)))]
    sizes: Vec<u32>,
    /// Live blocks of churn, latency and translate.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(16..=(1 << 20)))]
    live: u32,
    /// Calls of each kind under the clock, and of check, about.
    #[arg(long, default_value_t = 1 << 18, value_parser = clap::value_parser!(u32).range(1..))]
    operations: u32,
    /// Failures of efficiency.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    failures: u32,
    /// Write the maps of efficiency and compact as SVG into this folder.
    #[arg(long, value_name = "FOLDER")]
    maps: Option<PathBuf>,
    /// End with exit code 1 where a gate fails: of --versus, or of all without it.
    #[arg(long)]
    gate: bool,
}

pub(super) fn main(args: &Args, entries: &[Entry]) -> Result<ExitCode> {
    let common = &args.common;
    make_folder(args.maps.as_deref())?;
    let options = Options {
        workloads: named(&args.workloads),
        subjects: common.alloc.clone(),
        versus: common.versus.clone(),
        region: (args.region as usize) << 20,
        sizes: args.sizes.clone(),
        live: args.live as usize,
        pairs: common.pairs.into(),
        operations: args.operations as usize,
        failures: args.failures as usize,
        seed: common.seed,
        command: command_line(),
    };
    let (header, rows) = run(entries, &options)?;
    if let Some(folder) = &args.maps {
        draw(folder, &rows)?;
    }
    deliver(&header, &rows, common.out.as_deref(), common.json, || text(&header, &rows))?;
    ended(Ended {
        faults: rows.iter().filter_map(Row::fault).collect(),
        missed: crate::interleaved::missed(judged(&rows, common.versus.as_deref())),
        gate: args.gate,
    })
}

/// Writes every map that was kept.
fn draw(folder: &Path, rows: &[Row]) -> Result<()> {
    for row in rows {
        for map in &row.maps {
            let (name, workload) = (&row.of.subject.name, row.workload.name());
            let file = format!("{name}-{workload}-{}.svg", map.point);
            let picture = svg(row, map);
            jsonl::write_whole(&folder.join(file), |to| to.write_all(picture.as_bytes()))?;
        }
    }
    Ok(())
}
