//! The tables on the terminal: one a load.

use super::Load;
use super::row::{Count, Row};
use crate::interleaved::Verdict;
use crate::results::{Header, Interval, words::or_absent};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::fmt::Write;

/// Every load's tables.
pub(crate) fn text(header: &Header, rows: &[Row]) -> String {
    let mut text = format!(
        "strata-bench {} · {} · threads that share no block; millions of pairs a second, all threads \
         together; × what one thread does (95%)\n",
        header.version, header.date
    );
    let mut loads: Vec<Load> = Vec::new();
    for row in rows {
        if !loads.contains(&row.load) {
            loads.push(row.load);
        }
    }
    let disturbed: usize = rows.iter().map(|row| row.disturbed).sum();
    for load in loads {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.load == load).collect();
        let _ = writeln!(text, "\n{} · {}", load.name(), load.explain());
        let _ = writeln!(text, "{}", throughput(&rows));
        let _ = writeln!(text, "{}", gates(&rows));
    }
    let all = rows.iter().flat_map(|row| &row.gates);
    let count = |verdict| all.clone().filter(|gate| gate.verdict == verdict).count();
    let (pass, fail) = (count(Verdict::Pass), count(Verdict::Fail));
    let open = all.clone().count() - pass - fail;
    let _ = writeln!(text, "whole interval at or above: {pass} pass, {fail} fail, {open} open");
    if disturbed > 0 {
        let _ = writeln!(text, "others were at work in {disturbed} sittings, repeated or not");
    }
    text
}

fn table(heads: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty();
    table.style_mut().row_separator = comfy_table::LineStyle::none();
    table.set_header(heads.into_iter().map(right));
    table
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn interval(interval: Option<Interval>) -> String {
    or_absent(interval, |i| match (i.low, i.high) {
        (Some(low), Some(high)) => format!("{:.3} {low:.3}–{high:.3}", i.median),
        _ => format!("{:.3} n/a", i.median),
    })
}

fn throughput(rows: &[&Row]) -> Table {
    let counts = rows.iter().map(|row| &*row.counts).max_by_key(|counts| counts.len());
    let heads = counts.unwrap_or_default().iter().flat_map(|count| match count.threads {
        1 => vec!["1 thread".to_owned()],
        many => vec![format!("{many} threads"), "× 1".into(), "control × 1".into()],
    });
    let mut table = table(std::iter::once("allocator".to_owned()).chain(heads));
    for row in rows {
        let mut cells = vec![Cell::new(row.label())];
        if row.failed.is_some() {
            cells.push(Cell::new("FAILED"));
        }
        let cell = |count: &Count| {
            let speed = right(or_absent(count.pairs, |pairs| format!("{:.2}", pairs / 1e6)));
            let scaling = [right(interval(count.scaling)), right(interval(count.control))];
            let wanted = if count.threads == 1 { 0 } else { 2 };
            std::iter::once(speed).chain(scaling.into_iter().take(wanted))
        };
        if row.failed.is_none() {
            cells.extend(row.counts.iter().flat_map(cell));
        }
        table.add_row(cells);
    }
    table
}

fn gates(rows: &[&Row]) -> Table {
    let heads = ["allocator", "gate", "least", "ratio (95%)", "A/A (95%)", ""];
    let mut table = table(heads.map(str::to_owned));
    for row in rows {
        for (index, gate) in row.gates.iter().enumerate() {
            table.add_row([
                Cell::new(if index == 0 { row.label() } else { String::new() }),
                Cell::new(&gate.name),
                right(format!("{}", gate.least)),
                right(interval(gate.ratio)),
                right(interval(gate.a_a)),
                Cell::new(gate.verdict.word()),
            ]);
        }
    }
    table
}
