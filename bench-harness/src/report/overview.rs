//! The head of the report: what was run, who is fast, who is lean.

use super::scale::{Log, short};
use super::terms::TERMS;
use crate::results::figures::{Figures, peak};
use crate::results::grid::{Class, Grid, Line, mode_label};
use crate::results::words::{self, or_absent};
use crate::results::{Header, Interval};
use maud::{Markup, html};

/// In the order of the tables.
pub(super) const CLASSES: [Class; 4] =
    [Class::Competitor, Class::AgainstItself, Class::Null, Class::Calibration];

/// Title and a few cards.
pub(super) fn head(header: &Header, grid: &Grid<'_>) -> Markup {
    let competitors = grid.of_class(Class::Competitor).count();
    let fastest = grid.of_class(Class::Competitor).find(|line| line.all.best.is_some());
    let leanest = grid
        .of_class(Class::Competitor)
        .filter(|line| line.all.peak.is_some())
        .min_by(|a, b| a.all.peak.unwrap_or(0.0).total_cmp(&b.all.peak.unwrap_or(0.0)));
    let operations: u64 = grid.workloads.iter().map(|workload| workload.operations).sum();
    html! {
        h1 { "Where the memory goes" }
        @if header.kernels.is_none() || !grid.workloads.is_empty() { p {
            (competitors) " allocators on " (grid.workloads.len()) " workloads, "
            (words::count(operations)) " operations each pass. Every byte that stays resident is "
            "put down to what the program asked for, rounding, headers, holes, kept pages or metadata."
        } }
        p.note { "strata-bench " (header.version) " · " (header.date) }
        div.cards {
            @if let Some(line) = fastest {
                div.card { span { "fastest over all workloads" } b { (line.label) }
                    span { (or_absent(line.all.to_system, |i| format!("{} × the time of system", words::ratio(i.median))))
                        " · " (mode_label(line.first)) } }
            }
            @if let Some(line) = leanest {
                div.card { span { "leanest at the peak" } b { (line.label) }
                    span { (or_absent(line.all.peak, words::ratio)) " resident bytes a live byte" } }
            }
            @if let Some(line) = grid.of_class(Class::AgainstItself).next() {
                div.card { span { "noise of this run (A/A arm)" }
                    b { (or_absent(line.all.to_system, interval_words)) }
                    span { "system against itself, ratio of times" } }
            }
            @if let Some(line) = grid.of_class(Class::Null).next() {
                div.card { span { "the harness itself (null row)" }
                    b { (or_absent(line.all.ns, |ns| format!("{} ns/op", words::nanos(ns)))) }
                    span { "contained in every time, never subtracted" } }
            }
        }
    }
}

fn interval_words(interval: Interval) -> String {
    match (interval.low, interval.high) {
        (Some(low), Some(high)) => format!("{low:.3} – {high:.3}"),
        _ => format!("{} (95%: n/a)", words::ratio(interval.median)),
    }
}

/// The summary table: the same figures as the terminal's.
pub(super) fn table(grid: &Grid<'_>) -> Markup {
    const HEADS: [&str; 14] = [
        "allocator",
        "mode, profile",
        "ns/op",
        "to system (95%)",
        "× best",
        "peak R/L",
        "mean R/L",
        "internal %",
        "headers %",
        "holes %",
        "kept %",
        "meta %",
        "after drain %",
        "instr/op",
    ];
    html! {
        div.scroll { table.wide.ranking {
            thead { tr { @for (index, head) in HEADS.into_iter().enumerate() { th data-sort=(if index < 2 { "words" } else { "" }) { (head) } } } }
            @for class in CLASSES {
                @if grid.of_class(class).next().is_some() {
                    tbody {
                        @if class != Class::Competitor {
                            tr.group { td colspan="14" { (class.heading()) } }
                        }
                        @for line in grid.of_class(class) { (table_line(grid, line)) }
                    }
                }
            }
        } }
        p.note {
            "R/L: resident by live bytes. Geometric means of times, ratios and instructions, "
            "arithmetic means of shares; percentages are of the bytes resident at the peak. "
            "A “~” marks what is inferred from strides. Best of a column in bold. Headings sort."
        }
    }
}

fn table_line(grid: &Grid<'_>, line: &Line<'_>) -> Markup {
    type Get = fn(&Figures) -> Option<f64>;
    type Show = fn(f64) -> String;
    const BEFORE: [(Get, Show); 1] = [(|f| f.ns, words::nanos)];
    const AFTER: [(Get, Show); 10] = [
        (|f| f.best, words::ratio),
        (|f| f.peak, words::ratio),
        (|f| f.mean, words::ratio),
        (|f| f.internal, words::percent),
        (|f| f.headers, words::percent),
        (|f| f.holes, words::percent),
        (|f| f.kept, words::percent),
        (|f| f.metadata, words::percent),
        (|f| f.drained, words::percent),
        (|f| f.instructions, words::nanos),
    ];
    let cell = |index: usize, (get, show): (Get, Show)| {
        let value = get(&line.all);
        let best = grid
            .of_class(Class::Competitor)
            .filter_map(|line| get(&line.all))
            .min_by(f64::total_cmp);
        let bold = line.class == Class::Competitor && value.is_some() && value == best;
        let mark = if index == 3 && line.all.inferred { "~" } else { "" };
        html! {
            td { @match value {
                Some(value) if bold => { b { (mark) (show(value)) } },
                Some(value) => { (mark) (show(value)) },
                None => { span.na { "n/a" } },
            } }
        }
    };
    let total = grid.workloads.len();
    html! {
        tr {
            td {
                (line.label) " "
                small {
                    (line.first.subject.version)
                    @if line.covered < total { " · " (line.covered) "/" (total) " workloads" }
                }
            }
            td { small { (mode_label(line.first)) } }
            @for figure in BEFORE { (cell(usize::MAX, figure)) }
            td { (interval_cell(line.all.to_system)) }
            @for (index, figure) in AFTER.into_iter().enumerate() { (cell(index, figure)) }
        }
    }
}

/// A ratio with its interval in small.
pub(super) fn interval_cell(interval: Option<Interval>) -> Markup {
    html! {
        @match interval {
            None => { span.na { "n/a" } },
            Some(i) => {
                (words::ratio(i.median)) " "
                small { @match (i.low, i.high) {
                    (Some(low), Some(high)) => { (words::ratio(low)) "–" (words::ratio(high)) },
                    _ => { "n/a" },
                } }
            },
        }
    }
}

/// Time against memory, a dot an allocator.
pub(super) fn scatter(grid: &Grid<'_>) -> Markup {
    let points: Vec<(&str, f64, f64, Interval)> = grid
        .of_class(Class::Competitor)
        .filter_map(|l| Some((&*l.label, l.all.to_system?.median, l.all.peak?, l.all.to_system?)))
        .collect();
    if points.is_empty() {
        return html! { p.note { "n/a: no allocator has both a time and a memory figure." } };
    }
    let low = points.iter().map(|p| p.1).fold(1.0_f64, f64::min) / 1.12;
    let high = points.iter().map(|p| p.1).fold(1.0_f64, f64::max) * 1.25;
    let x = Log { low, high, from: 52.0, to: 660.0 };
    let top = points.iter().map(|p| p.2).fold(1.2_f64, f64::max) * 1.05;
    let bottom = points.iter().map(|p| p.2).fold(1.0_f64, f64::min);
    let memory_axis = Log { low: bottom, high: top, from: 370.0, to: 30.0 };
    let y = |value: f64| memory_axis.place(value);
    html! {
        svg.plot viewBox="0 0 680 420" role="img" aria-label="time against memory" {
            @for mark in memory_axis.marks() {
                path.hair d=(format!("M52 {}H660", short(y(mark)))) {}
                text x="46" y=(short(y(mark) + 4.0)) text-anchor="end" { (words::ratio(mark)) }
            }
            @for mark in x.marks() {
                path.hair d=(format!("M{} 370v5", short(x.place(mark)))) {}
                text x=(short(x.place(mark))) y="389" text-anchor="middle" { (words::ratio(mark)) }
            }
            text x="57" y=(short(y(1.0) - 5.0)) { "1.00: what the program asked for" }
            path.ink stroke-dasharray="2 3" opacity=".5" d=(format!("M{} 26V370", short(x.place(1.0)))) {}
            text x="356" y="411" text-anchor="middle" { "time, ratio to system (log scale; ← faster)" }
            text x="52" y="16" { "peak resident / live (log scale; ↓ leaner)" }
            @for (_, time, memory, interval) in &points {
                @if let (Some(low), Some(high)) = (interval.low, interval.high) {
                    path.ink opacity=".55" d=(format!("M{} {}H{}", short(x.place(low)), short(y(*memory)), short(x.place(high)))) {}
                }
                circle.live cx=(short(x.place(*time))) cy=(short(y(*memory))) r="5" {}
            }
            @for (name, place) in labels(&points, &x, y) {
                text.strong x=(short(place.0)) y=(short(place.1)) text-anchor=(place.2) { (name) }
            }
        }
    }
}

/// Sets each label right of its dot, or where that is taken left, above or below of it.
fn labels<'a>(
    points: &[(&'a str, f64, f64, Interval)],
    x: &Log,
    y: impl Fn(f64) -> f64,
) -> Vec<(&'a str, (f64, f64, &'static str))> {
    type Area = (f64, f64, f64, f64);
    let meets = |a: &Area, b: &Area| a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3;
    let mut taken: Vec<Area> = points
        .iter()
        .map(|p| (x.place(p.1) - 6.0, y(p.2) - 6.0, x.place(p.1) + 6.0, y(p.2) + 6.0))
        .collect();
    let mut placed = Vec::new();
    for (own, (name, time, memory, _)) in points.iter().enumerate() {
        let (dot_x, dot_y) = (x.place(*time), y(*memory));
        let width = name.chars().count() as f64 * 7.4;
        let area = |side: &str, at_x: f64, at_y: f64| {
            let left = match side {
                "start" => at_x,
                "end" => at_x - width,
                _ => at_x - width / 2.0,
            };
            (left, at_y - 10.0, left + width, at_y + 3.0)
        };
        let choices = [
            ("start", 9.0, 4.0),
            ("end", -9.0, 4.0),
            ("middle", 0.0, -10.0),
            ("middle", 0.0, 18.0),
            ("start", 8.0, -9.0),
            ("start", 8.0, 16.0),
            ("end", -8.0, -9.0),
            ("end", -8.0, 16.0),
            ("start", 12.0, 30.0),
            ("start", 12.0, -24.0),
        ];
        let free = choices.into_iter().find(|&(side, dx, dy)| {
            let wanted = area(side, dot_x + dx, dot_y + dy);
            let inside = wanted.0 > 50.0 && wanted.2 < 680.0;
            let clear = taken.iter().enumerate().all(|(i, area)| i == own || !meets(&wanted, area));
            inside && clear
        });
        let (side, dx, dy) = free.unwrap_or(choices[0]);
        taken.push(area(side, dot_x + dx, dot_y + dy));
        placed.push((*name, (dot_x + dx, dot_y + dy, side)));
    }
    placed
}

/// The waterfall over all workloads: terms by live bytes, averaged.
pub(super) fn mean_bars(grid: &Grid<'_>) -> Markup {
    let shares = |line: &Line<'_>| -> Option<Vec<f64>> {
        let at: Vec<_> = line
            .cells
            .iter()
            .flatten()
            .filter_map(|row| row.memory.as_ref().filter(|memory| memory.peak_ratio.is_some()))
            .filter_map(peak)
            .filter(|at| at.live_bytes > 0)
            .collect();
        (!at.is_empty()).then(|| {
            let mean = |term: &super::terms::Term| {
                at.iter()
                    .map(|at| {
                        (term.bytes)(&at.waterfall).unwrap_or(0) as f64 / at.live_bytes as f64
                    })
                    .sum::<f64>()
                    / at.len() as f64
            };
            TERMS.iter().map(mean).collect()
        })
    };
    let mut lines: Vec<_> = grid
        .of_class(Class::Competitor)
        .filter_map(|line| Some((line, shares(line)?)))
        .map(|(line, shares)| (line, shares.iter().sum::<f64>(), shares))
        .collect();
    lines.sort_by(|a, b| a.1.total_cmp(&b.1));
    let most = lines.iter().map(|line| line.1).fold(1.0_f64, f64::max) * 1.01;
    html! {
        (super::bars::key(false))
        div.bars {
            @for (line, total, shares) in &lines {
                span { (line.label) }
                svg viewBox="0 0 1000 16" preserveAspectRatio="none" {
                    @for (term, (start, width)) in TERMS.iter().zip(super::bars::stack(shares, most)) {
                        rect class=(term.class) x=(short(start)) width=(short(width)) height="16" {
                            title { (term.name) ": " (words::ratio(width / 1000.0 * most)) }
                        }
                    }
                    path.ink vector-effect="non-scaling-stroke" stroke-dasharray="3 2" d=(format!("M{} -2V18", short(1000.0 / most))) {}
                }
                span.value { b { (words::ratio(*total)) "×" } }
            }
        }
    }
}
