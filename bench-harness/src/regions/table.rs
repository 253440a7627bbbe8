//! The tables on the terminal: one for each workload, and one of all gates.

use super::gates::judged;
use super::job::{Map, Workload};
use super::overhead;
use super::row::{Row, Space};
use crate::interleaved::{Picture, Time, fresh, gates_table, interval};
use crate::results::{Header, words};
use comfy_table::Table;
use std::fmt::Write;

/// All tables.
pub(crate) fn text(header: &Header, rows: &[Row]) -> String {
    let mut text = format!("strata-bench {} · {}\n", header.version, header.date);
    for group in rows.chunk_by(|a, b| a.title() == b.title()) {
        let Some(first) = group.first() else { continue };
        let (title, region) = (first.title(), words::bytes(first.region as u64));
        let explain = first.workload.explain();
        let _ = writeln!(text, "\n{title} · {region} · {explain}");
        let table = match first.workload {
            Workload::Pair | Workload::Churn | Workload::Translate => timed(group),
            Workload::Latency => latency(group),
            Workload::Check => checked(group),
            _ => space(group),
        };
        let _ = writeln!(text, "{table}");
    }
    if let Some(table) = gates_table(judged(rows, None)) {
        let _ = writeln!(text, "\ngates\n{table}");
    }
    text
}

fn timed(rows: &[Row]) -> Table {
    let full = rows.iter().max_by_key(|row| row.times.len());
    let times = full.map_or(&[][..], |row| &row.times);
    let heads = times.iter().flat_map(|time| [format!("{} ns", time.call), "× base".into()]);
    let mut table = fresh(heads.collect());
    for row in rows {
        row.of.add(&mut table, Vec::new(), || {
            let each = |time: &Time| [words::nanos(time.median), interval(time.to_base.as_ref())];
            row.times.iter().flat_map(each).collect()
        });
    }
    table
}

fn latency(rows: &[Row]) -> Table {
    let head = |call: &str| ["p50", "p99", "p99.9", "max"].map(|at| format!("{call} {at}"));
    let mut table = fresh(head("allocate").into_iter().chain(head("free")).collect());
    for row in rows {
        row.of.add(&mut table, Vec::new(), || {
            let bands = row.latency.iter().map(|one| &one.band);
            bands
                .flat_map(|band| [band.p50, band.p99, band.p999, band.max].map(words::time))
                .collect()
        });
    }
    table
}

fn space(rows: &[Row]) -> Table {
    let full = rows.iter().max_by_key(|row| row.space.len());
    let figures = full.map_or(&[][..], |row| &row.space);
    let mut table = fresh(figures.iter().map(|space| space.name.clone()).collect());
    for row in rows {
        row.of.add(&mut table, Vec::new(), || {
            row.space.iter().map(|space| value(row, space)).collect()
        });
    }
    table
}

/// A figure to the digits that its gate looks at; bytes are whole.
fn value(row: &Row, space: &Space) -> String {
    match row.workload {
        _ if !space.median.is_finite() => words::ABSENT.to_owned(),
        Workload::Overhead => format!("{:.0}", space.median),
        _ => format!("{:.2}", space.median),
    }
}

fn checked(rows: &[Row]) -> Table {
    let mut table = fresh(["blocks", "verdict"].map(str::to_owned).to_vec());
    for row in rows {
        row.of.add(&mut table, Vec::new(), || {
            let Some(found) = &row.found else { return Vec::new() };
            let verdict = if found.sound() { "sound".to_owned() } else { found.words() };
            vec![words::count(found.blocks), verdict]
        });
    }
    table
}

/// The map of a row.
pub(crate) fn svg(row: &Row, map: &Map) -> String {
    let free = map.used.iter().filter(|&&used| used == 0).count();
    let title = format!("{} · {} · {}", row.of.label(), row.workload.name(), map.point);
    let subtitle = format!(
        "{free} of {} cells free · region of {}",
        map.used.len(),
        words::bytes(row.region as u64)
    );
    let cell = words::bytes(map.cell as u64);
    Picture { title: &title, subtitle: &subtitle, cell: &cell, used: &map.used, full: 256 }.svg()
}

const _: () = assert!(overhead::SIZES[0] == 24 && overhead::SIZES[3] == 1000, "gates name them");
