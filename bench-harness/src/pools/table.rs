//! The tables on the terminal: one for each workload, and one of all gates.

use super::gates::judged;
use super::job::{Figure, Unit, Workload};
use super::row::Row;
use crate::interleaved::{Time, fresh, gates_table, interval};
use crate::results::{Header, words};
use comfy_table::Table;
use std::fmt::Write;

/// All tables.
pub(crate) fn text(header: &Header, rows: &[Row]) -> String {
    let mut text = format!("strata-bench {} · {}\n", header.version, header.date);
    for group in rows.chunk_by(|a, b| a.workload == b.workload) {
        let Some(first) = group.first() else { continue };
        let _ = writeln!(text, "\n{} · {}", first.workload.name(), first.workload.explain());
        let table = match first.workload {
            Workload::Idle | Workload::Waste => memory(group),
            Workload::Check => checked(group),
            _ => timed(group),
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
    let scales = full.is_some_and(|row| row.workload.scales());
    let heads = times.iter().flat_map(|time| {
        let scaling = scales.then(|| ["× 1 thread".to_owned(), "÷ control".to_owned()]);
        let head = [format!("{} ns", time.call), "× base".to_owned()];
        head.into_iter().chain(scaling.into_iter().flatten())
    });
    let first = scales.then(|| "threads".to_owned());
    let mut table = fresh(first.into_iter().chain(heads).collect());
    for row in rows {
        let first = scales.then(|| row.threads.to_string());
        row.of.add(&mut table, first.into_iter().collect(), || {
            let each = |time: &Time| {
                let scaling = scales.then(|| {
                    [
                        words::or_absent(time.scaling, |one| words::ratio(one.median)),
                        interval(time.to_control.as_ref()),
                    ]
                });
                let cells = [words::nanos(time.median), interval(time.to_base.as_ref())];
                cells.into_iter().chain(scaling.into_iter().flatten())
            };
            row.times.iter().flat_map(each).collect()
        });
    }
    table
}

fn memory(rows: &[Row]) -> Table {
    let full = rows.iter().max_by_key(|row| row.figures.len());
    let figures = full.map_or(&[][..], |row| &row.figures);
    let mut table = fresh(figures.iter().map(|figure| figure.name.clone()).collect());
    for row in rows {
        let value = |figure: &Figure| {
            words::or_absent(figure.value, |value| match figure.unit {
                Unit::Bytes => words::bytes(value as u64),
                Unit::Percent => format!("{value:.2} %"),
            })
        };
        row.of.add(&mut table, Vec::new(), || row.figures.iter().map(value).collect());
    }
    table
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
