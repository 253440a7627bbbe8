//! The figures of one workload in a table.

use super::matrix::failed;
use super::overview::{CLASSES, interval_cell};
use super::tables::figure;
use crate::results::figures::{Figures, peak};
use crate::results::grid::{Class, Grid, Line, mode_label};
use crate::results::words;
use crate::results::{Checkpoint, Row};
use maud::{Markup, html};

/// Time and memory of each subject.
pub(super) fn section(grid: &Grid<'_>, column: usize) -> Markup {
    const HEADS: [&str; 13] = [
        "allocator",
        "mode, profile",
        "ns/op",
        "to system (95%)",
        "× best",
        "stall %",
        "instr/op",
        "peak R/L",
        "less lazily freed",
        "mean R/L",
        "max R / max L",
        "live, un\u{ad}touched",
        "on huge pages",
    ];
    let mut lines: Vec<(&Line<'_>, &Row, Figures)> = grid
        .lines
        .iter()
        .filter_map(|line| Some((line, line.cells[column]?, line.figures[column]?)))
        .collect();
    lines.sort_by(|a, b| {
        let time = |figures: &Figures| figures.ns.unwrap_or(f64::INFINITY);
        time(&a.2).total_cmp(&time(&b.2))
    });
    html! {
        div.scroll { table.wide.ranking {
            thead { tr { @for (index, head) in HEADS.into_iter().enumerate() {
                th data-sort=(if index < 2 { "words" } else { "" }) { (head) }
            } } }
            @for class in CLASSES {
                @let lines = || lines.iter().filter(|line| line.0.class == class);
                @if lines().next().is_some() {
                    tbody {
                        @if class != Class::Competitor { tr.group { td colspan="13" { (class.heading()) } } }
                        @for (line, row, figures) in lines() { (numbers(line, row, figures)) }
                    }
                }
            }
        } }
    }
}

fn numbers(line: &Line<'_>, row: &Row, figures: &Figures) -> Markup {
    let memory = row.memory.as_ref();
    let at = memory.and_then(peak);
    let bytes = |get: fn(&Checkpoint) -> u64| at.map(|at| words::bytes(get(at)));
    let stalled = row.time.as_ref().and_then(|time| time.stall_share);
    html! {
        tr {
            td { (line.label) @if let Some(word) = failed(row) { " " span.bad { (word) } } }
            td { small { (mode_label(row)) } }
            td { @if figures.void { span.na { "void" } } @else { (figure(figures.ns.map(words::nanos))) } }
            td { (interval_cell(figures.to_system)) }
            td { (figure(figures.best.map(words::ratio))) }
            td { (figure(stalled.map(words::percent))) }
            td { (figure(figures.instructions.map(words::nanos))) }
            td { (figure(figures.peak.map(words::ratio))) }
            td { (figure(memory.and_then(|memory| memory.peak_ratio_less_lazy).map(words::ratio))) }
            td { (figure(figures.mean.map(words::ratio))) }
            td { (figure(memory.and_then(|memory| memory.max_ratio).map(words::ratio))) }
            td { (figure(bytes(|at| at.live_untouched))) }
            td { (figure(bytes(|at| at.huge))) }
        }
    }
}
