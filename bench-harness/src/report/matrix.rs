//! The summary matrices: workloads down, allocators across.

use crate::results::figures::Figures;
use crate::results::grid::{Class, Grid, Line, workload_label};
use crate::results::words;
use crate::results::{Mode, Outcome, Row};
use maud::{Markup, html};

/// Time by the time of system.
pub(super) fn time(grid: &Grid<'_>) -> Markup {
    matrix(grid, &|figures| {
        let interval = figures.to_system?;
        let range = match (interval.low, interval.high) {
            (Some(low), Some(high)) => format!("{}–{}", words::ratio(low), words::ratio(high)),
            _ => words::ABSENT.to_owned(),
        };
        let colour = match interval.median.log2() {
            faster if faster < -1.5 => "g4",
            faster if faster < -1.0 => "g3",
            faster if faster < -0.5 => "g2",
            faster if faster < -0.07 => "g1",
            even if even < 0.07 => "",
            slower if slower < 0.3 => "b1",
            slower if slower < 0.6 => "b2",
            slower if slower < 1.0 => "b3",
            _ => "b4",
        };
        Some((interval.median, range, colour))
    })
}

/// Resident by live bytes at the peak.
pub(super) fn memory(grid: &Grid<'_>) -> Markup {
    matrix(grid, &|figures| {
        let ratio = figures.peak?;
        let mean = words::or_absent(figures.mean, |mean| format!("mean {}", words::ratio(mean)));
        let colour = match ratio {
            r if r < 1.1 => "g3",
            r if r < 1.2 => "g1",
            r if r < 1.35 => "",
            r if r < 1.5 => "b1",
            r if r < 1.75 => "b2",
            r if r < 2.5 => "b3",
            _ => "b4",
        };
        Some((ratio, mean, colour))
    })
}

/// Value, what stands below it, and its colour.
type Show<'s> = &'s dyn Fn(&Figures) -> Option<(f64, String, &'static str)>;

fn matrix(grid: &Grid<'_>, show: Show<'_>) -> Markup {
    let shown = |line: &&Line<'_>| match line.class {
        Class::Competitor => true,
        // Of those with known answers only the computed ideal is a yardstick.
        Class::Calibration if line.first.mode != Mode::Computed => false,
        Class::AgainstItself | Class::Null | Class::Calibration => show(&line.all).is_some(),
    };
    let lines: Vec<&Line<'_>> = grid.lines.iter().filter(shown).collect();
    html! {
        div.scroll { table.matrix {
            thead { tr { th { "workload" } @for line in &lines { th { (line.label) } } } }
            tbody {
                tr.all {
                    td { "all, geometric mean" }
                    @for line in &lines { (value(&line.all, show, false)) }
                }
                @for (column, workload) in grid.workloads.iter().enumerate() {
                    @let best = best(&lines, column, show);
                    tr {
                        td { a href=(format!("#w{column}")) { (workload_label(workload)) } }
                        @for line in &lines { (cell(line, column, show, best)) }
                    }
                }
            }
        } }
    }
}

fn best(lines: &[&Line<'_>], column: usize, show: Show<'_>) -> Option<f64> {
    lines
        .iter()
        .filter(|line| line.class == Class::Competitor)
        .filter_map(|line| Some(show(line.figures[column].as_ref()?)?.0))
        .min_by(f64::total_cmp)
}

fn cell(line: &Line<'_>, column: usize, show: Show<'_>, best: Option<f64>) -> Markup {
    let Some(row) = line.cells[column] else {
        return html! { td { span.na { "n/a" } } };
    };
    if let Some(word) = failed(row) {
        return html! { td { span.bad { (word) } } };
    }
    let figures = line.figures[column].unwrap_or_default();
    let own = show(&figures).map(|shown| shown.0);
    value(&figures, show, line.class == Class::Competitor && own.is_some() && own == best)
}

fn value(figures: &Figures, show: Show<'_>, bold: bool) -> Markup {
    html! {
        @match show(figures) {
            None => { td { span.na { "n/a" } } },
            Some((value, below, colour)) => {
                td class=(colour) {
                    @if bold { b { (words::ratio(value)) } } @else { (words::ratio(value)) }
                    small { (below) }
                }
            },
        }
    }
}

/// A word for a row that did not end as it should.
pub(super) fn failed(row: &Row) -> Option<&'static str> {
    match row.outcome {
        Outcome::Ok | Outcome::NotAvailable { .. } => None,
        Outcome::Crashed { .. } => Some("crashed"),
        Outcome::Corrupted { .. } => Some("corrupted"),
    }
}
