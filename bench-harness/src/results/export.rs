//! Rows for other programs: CSV for spreadsheets and statistics, Markdown for pages and reviews.

use super::figures::{Figures, peak};
use super::grid::mode_label;
use super::{Checkpoint, Header, Outcome, Row, Threads, words};
use std::fmt::Write;

/// Heads of the CSV's columns; bytes are bytes, shares are shares, what is absent is empty.
const COLUMNS: [&str; 44] = [
    "subject",
    "version",
    "mode",
    "profile",
    "workload",
    "threads",
    "operations",
    "a_a",
    "outcome",
    "ns",
    "to_system",
    "to_system_low",
    "to_system_high",
    "stall_share",
    "instructions",
    "peak_record",
    "peak_live",
    "peak_blocks",
    "peak_resident",
    "live",
    "rounding",
    "headers",
    "holes",
    "kept",
    "metadata",
    "pinned",
    "pinned_huge",
    "peak_ratio",
    "mean_ratio",
    "max_ratio",
    "internal",
    "drained",
    "drained_after_idle",
    "drained_after_purge",
    "drained_after_ten",
    "mean_of_ratios",
    "ratio_at_most_resident",
    "entropy",
    "huge_coverage",
    "huge_live",
    "proportional",
    "lazy_free",
    "page_tables",
    "absorbed_4096",
];

/// A line of heads and a line for each row, as RFC 4180 has it.
///
/// ```
/// assert!(strata_bench::results::export::csv(&[]).starts_with("subject,version,"));
/// ```
pub fn csv(rows: &[Row]) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for row in rows {
        let cells: Vec<String> = cells(row).iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// A cell that may hold commas, quotes and line feeds.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn threads(row: &Row) -> &'static str {
    match row.workload.threads {
        Threads::Serial => "serial",
        Threads::Recorded => "recorded",
    }
}

fn outcome(row: &Row) -> &'static str {
    match row.outcome {
        Outcome::Ok => "ok",
        Outcome::Crashed { .. } => "crashed",
        Outcome::Corrupted { .. } => "corrupted",
        Outcome::NotAvailable { .. } => "not available",
    }
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let bytes = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let figure = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let time = row.time.as_ref().filter(|time| !time.void);
    let to_system = time.and_then(|time| time.to_system);
    let memory = row.memory.as_ref();
    let at = memory.and_then(peak);
    let left = memory.and_then(|memory| memory.residue);
    let measures = memory.map(super::MemoryRow::johnstone_wilson);
    let curve = memory.and_then(|memory| memory.absorption.as_ref());
    let absorbed = curve.and_then(|curve| curve.points.iter().find(|point| point.size == 4096));
    [
        row.subject.name.clone(),
        row.subject.version.clone(),
        row.mode.word().to_owned(),
        row.profile.clone(),
        row.workload.name.clone(),
        threads(row).to_owned(),
        row.workload.operations.to_string(),
        row.a_a.to_string(),
        outcome(row).to_owned(),
        figure(time.map(|time| time.median)),
        figure(to_system.map(|ratio| ratio.median)),
        figure(to_system.and_then(|ratio| ratio.low)),
        figure(to_system.and_then(|ratio| ratio.high)),
        figure(row.time.as_ref().and_then(|time| time.stall_share)),
        figure(row.instructions),
        bytes(at.map(|at| at.record)),
        bytes(at.map(|at| at.live_bytes)),
        bytes(at.map(|at| at.live_blocks)),
        bytes(at.map(|at| at.resident)),
        bytes(at.map(|at| at.waterfall.live)),
        bytes(at.map(|at| at.waterfall.rounding)),
        bytes(at.and_then(|at| at.waterfall.headers)),
        bytes(at.map(|at| at.waterfall.holes)),
        bytes(at.map(|at| at.waterfall.kept)),
        bytes(at.map(|at| at.waterfall.metadata)),
        bytes(at.map(|at| at.pinned_bytes)),
        bytes(at.map(|at| at.pinned_huge_bytes)),
        figure(memory.and_then(|memory| memory.peak_ratio)),
        figure(memory.and_then(|memory| memory.mean_ratio)),
        figure(memory.and_then(|memory| memory.max_ratio)),
        figure(memory.and_then(|memory| memory.internal)),
        bytes(left.map(|left| left.at_once)),
        bytes(left.and_then(|left| left.after_idle)),
        bytes(left.and_then(|left| left.after_purge)),
        bytes(left.and_then(|left| left.after_ten)),
        figure(measures.and_then(|of| of.mean)),
        figure(measures.and_then(|of| of.most_resident)),
        figure(at.and_then(|at| at.entropy)),
        figure(at.and_then(Checkpoint::huge_coverage)),
        bytes(at.map(|at| at.huge_live)),
        bytes(at.map(|at| at.proportional)),
        bytes(at.map(|at| at.lazy_free)),
        bytes(at.map(|at| at.page_tables)),
        bytes(absorbed.and_then(|point| point.served)),
    ]
}

/// A table for each workload, the least memory first, and where the figures come from.
pub fn markdown(header: &Header, rows: &[Row]) -> String {
    let mut text = format!("# strata-bench {}\n\n`{}`\n", header.date, header.command);
    let mut loads: Vec<(&str, Threads)> = Vec::new();
    for row in rows {
        let load = (row.workload.name.as_str(), row.workload.threads);
        if !loads.contains(&load) {
            loads.push(load);
        }
    }
    for load in loads {
        let of = |row: &&Row| (row.workload.name.as_str(), row.workload.threads) == load;
        let mut lines: Vec<(&Row, Figures)> =
            rows.iter().filter(of).map(|row| (row, Figures::of(row))).collect();
        let order = |of: &Figures| of.peak.unwrap_or(f64::INFINITY);
        lines.sort_by(|a, b| order(&a.1).total_cmp(&order(&b.1)));
        let recorded = if load.1 == Threads::Recorded { " ∥" } else { "" };
        let _ = write!(text, "\n## {}{recorded}\n\n", load.0);
        text.push_str("| allocator | ns/op | to system (95%) | peak R/L | mean R/L | holes % | kept % | drained % | |\n");
        text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|---|\n");
        for (row, figures) in lines {
            let again = if row.a_a { " (A/A)" } else { "" };
            let ratio = figures.to_system.map(|of| match (of.low, of.high) {
                (Some(low), Some(high)) => format!("{:.3} [{low:.3}, {high:.3}]", of.median),
                _ => format!("{:.3}", of.median),
            });
            let told = if row.outcome == Outcome::Ok { "" } else { outcome(row) };
            let _ = writeln!(
                text,
                "| {} ({}){again} | {} | {} | {} | {} | {} | {} | {} | {told} |",
                row.subject.name.replace('|', "\\|"),
                mode_label(row),
                words::or_absent(figures.ns, words::nanos),
                ratio.unwrap_or_else(|| words::ABSENT.into()),
                words::or_absent(figures.peak, words::ratio),
                words::or_absent(figures.mean, words::ratio),
                words::or_absent(figures.holes, words::percent),
                words::or_absent(figures.kept, words::percent),
                words::or_absent(figures.drained, words::percent),
            );
        }
    }
    text.push_str("\n| | |\n|---|---|\n");
    for (name, value) in &header.provenance {
        let _ = writeln!(text, "| {name} | {} |", value.replace('|', "\\|"));
    }
    text
}
