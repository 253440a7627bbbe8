//! All that was found on one workload.

use super::maps::Maps;
use super::{bars, fragments, latency, numbers, own, series, tables};
use crate::results::Threads;
use crate::results::grid::{Class, Grid, workload_label};
use crate::results::words;
use maud::{Markup, html};

/// What may give way where a page would grow too large.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) latency: bool,
    pub(super) series: bool,
    pub(super) pages: bool,
    /// How many workloads have a section.
    pub(super) sections: usize,
}

/// A collapsible section; the first of them is open.
pub(super) fn section(grid: &Grid<'_>, column: usize, parts: Parts, maps: &Maps) -> Markup {
    let workload = grid.workloads[column];
    let threads = match (workload.threads, workload.recorded_threads) {
        (Threads::Serial, 1) => "one thread".to_owned(),
        (Threads::Serial, count) => format!("{count} threads, replayed in one"),
        (Threads::Recorded, count) => format!("replayed on its {count} threads"),
    };
    let best = |get: fn(&crate::results::figures::Figures) -> Option<f64>| {
        grid.of_class(Class::Competitor)
            .filter_map(|line| Some((get(line.figures[column].as_ref()?)?, &*line.label)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
    };
    html! {
        details id=(format!("w{column}")) open[column == 0] {
            summary {
                b { (workload_label(workload)) }
                span { (words::count(workload.operations)) " operations, " (threads) }
                @if let Some((ns, label)) = best(|f| f.ns) { span { "fastest: " (label) ", " (words::nanos(ns)) " ns/op" } }
                @if let Some((ratio, label)) = best(|f| f.peak) { span { "leanest: " (label) ", " (words::ratio(ratio)) "×" } }
            }
            div {
                h3 { "Resident memory at the peak" }
                (bars::at_peak(grid, column))
                h3 { "The figures" }
                (numbers::section(grid, column))
                @if parts.series {
                    h3 { "Over the trace" }
                    (series::multiples(grid, column))
                }
                h3 { "After every block is freed" }
                (tables::residue(grid, column))
                @if parts.pages {
                    h3 { "Pages and gaps at the peak" }
                    (tables::pages(grid, column))
                    (fragments::measures(grid, column))
                    (fragments::absorption(grid, column))
                }
                @if parts.latency { (latency::section(grid, column)) }
                (maps.section(column))
                h3 { "Against the kernel’s and the allocators’ own figures" }
                (own::section(grid, column))
            }
        }
    }
}
