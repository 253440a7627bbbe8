//! The tables on the terminal: one a program.

use super::row::Row;
use crate::footprint::Figure;
use crate::interleaved::{add, fresh};
use crate::results::{Header, words};
use std::fmt::Write;

/// Every program's table.
pub(crate) fn text(header: &Header, rows: &[Row]) -> String {
    let mut text = format!("strata-bench {} · {}\n", header.version, header.date);
    for group in rows.chunk_by(|a, b| a.program == b.program) {
        let Some(first) = group.first() else { continue };
        let (name, explain) = (first.program.name(), first.program.explain());
        let live = words::bytes(first.live as u64);
        let _ = writeln!(text, "\n{name} · {live} · {explain}");
        let full = group.iter().max_by_key(|row| row.figures.len());
        let head = |figure: &Figure| format!("{}\n{}", figure.name, figure.gate());
        let heads = full.map_or(&[][..], |row| &row.figures).iter().map(head);
        let mut table = fresh(heads.map(|head| head.trim_end().to_owned()).collect());
        for row in group {
            let mut values: Vec<String> = row.figures.iter().map(Figure::shown).collect();
            values.extend(row.failed.as_ref().map(|_| "FAILED".to_owned()));
            add(&mut table, row.label(), values);
        }
        let _ = writeln!(text, "{table}");
    }
    text
}
