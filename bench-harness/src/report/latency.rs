//! Latency percentiles by operation and band of sizes.

use super::scale::{Log, short};
use super::tables::figure;
use crate::results::LatencyBand;
use crate::results::grid::{Grid, Line};
use crate::results::words;
use maud::{Markup, html};

type Found<'a> = Vec<(&'a str, &'a LatencyBand)>;

/// Pictures and numbers of one workload; nothing where no latency was asked for.
pub(super) fn section(grid: &Grid<'_>, column: usize) -> Markup {
    let mut groups: Vec<((&str, &str), Found<'_>)> = Vec::new();
    for line in &grid.lines {
        for band in bands(line, column) {
            let key = (&*band.operation, &*band.band);
            let found = (&*line.label, band);
            match groups.iter_mut().find(|group| group.0 == key) {
                Some(group) => group.1.push(found),
                None => groups.push((key, vec![found])),
            }
        }
    }
    if groups.is_empty() {
        return html! {};
    }
    let all = || groups.iter().flat_map(|group| &group.1).map(|found| found.1);
    let low = all().map(|band| band.p50).fold(f64::INFINITY, f64::min).max(1.0);
    let high = all().map(|band| band.max).fold(10.0, f64::max);
    let axis = Log { low: low / 1.3, high: high * 1.3, from: 92.0, to: 258.0 };
    let timer = grid.lines.iter().find_map(|line| line.cells[column]?.timer_ns);
    html! {
        h3 { "Latency" }
        p.note {
            "Sampled, log scale, ns. Reading the timer costs "
            (figure(timer.map(|ns| format!("{} ns", words::nanos(ns))))) ", contained in every figure."
        }
        div.key {
            span { i.live {} "median" } span { i.rounding {} "to p99" } span { i.holes {} "p99.9" }
            span { "line: to the largest" }
        }
        div.latency { @for ((operation, band), found) in &groups { (panel(operation, band, found, &axis)) } }
        details.inner {
            summary { "the numbers" }
            div { div.scroll { table {
                thead { tr {
                    th.words { "operation, band" } th.words { "allocator" } th { "samples" }
                    th { "p50" } th { "p99" } th { "p99.9" } th { "max" }
                } }
                tbody { @for ((operation, name), found) in &groups { @for (index, (label, band)) in found.iter().enumerate() {
                    tr {
                        td.words { @if index == 0 { b { (operation) } " " (name) } }
                        td.words { (label) } td { (words::count(band.samples)) }
                        @for ns in [band.p50, band.p99, band.p999, band.max] { td { (words::time(ns)) } }
                    }
                } } }
            } } }
        }
    }
}

fn bands<'a>(line: &Line<'a>, column: usize) -> &'a [LatencyBand] {
    line.cells[column].map_or(&[], |row| &row.latency)
}

fn panel(operation: &str, band: &str, found: &Found<'_>, axis: &Log) -> Markup {
    const ROW: usize = 12;
    let bottom = 18 + ROW * found.len();
    let place = |ns: f64| short(axis.place(ns));
    let mut paths = [String::new(), String::new(), String::new(), String::new()];
    for (index, (_, band)) in found.iter().enumerate() {
        let y = 22 + ROW * index;
        paths[0].push_str(&format!("M{} {y}H{}", place(band.p50), place(band.max)));
        paths[1].push_str(&format!("M{} {y}H{}", place(band.p50), place(band.p99)));
        paths[2].push_str(&format!("M{} {}v7", place(band.p999), y - 3));
        paths[3].push_str(&format!("M{} {}v7", place(band.p50), y - 3));
    }
    // At most four marks, or their words would touch.
    let decades: Vec<f64> =
        axis.marks().into_iter().filter(|mark| mark.log10().fract().abs() < 1e-9).collect();
    let every = decades.len().div_ceil(4).max(1);
    html! {
        svg viewBox=(format!("0 0 262 {}", bottom + 14)) {
            text.strong x="0" y="9" { (operation) " · " (band) }
            @for &mark in decades.iter().step_by(every) {
                path.hair d=(format!("M{} 15V{bottom}", place(mark))) {}
                text x=(place(mark)) y=(bottom + 10) text-anchor="middle" { (words::time(mark).replace(".00", "").replace(".0", "")) }
            }
            @for (index, (label, _)) in found.iter().enumerate() {
                text x="88" y=(25 + ROW * index) text-anchor="end" { (label) }
            }
            @for (class, path) in ["whisker", "box", "tail", "mid"].into_iter().zip(&paths) {
                path class=(class) d=(path) {}
            }
        }
    }
}
