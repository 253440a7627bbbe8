//! The report: one HTML file that needs nothing else, neither network nor scripts.
//!
//! [`html()`] makes the page from the rows of a results file; [`heapmap`] draws one heap as a
//! picture of its own, and [`gallery`] all allocators on each workload. Each section of the page is a module.

mod bars;
mod definitions;
mod fragments;
pub mod gallery;
pub mod heapmap;
mod latency;
mod maps;
mod matrix;
mod numbers;
mod outcomes;
mod overview;
mod own;
pub(crate) mod page;
mod png;
pub(crate) mod scale;
mod series;
mod tables;
mod terms;
mod workload;

use crate::results::grid::Grid;
use crate::results::{Header, Row, kernels};
use maps::Maps;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use workload::Parts;

/// The page stays below this many bytes: it is mailed and attached.
pub const LIMIT: usize = 3_000_000;

/// The whole report as HTML, below [`LIMIT`] bytes: heap maps fill the room that the rest leaves,
/// and where the rest alone is too large, parts of it give way (the page says which).
pub fn html(header: &Header, rows: &[Row]) -> String {
    const MARGIN: usize = 20_000;
    let grid = Grid::replayed(rows);
    let kernels = kernels::text(rows, header.kernels.as_ref());
    let mut parts =
        Parts { latency: true, series: true, pages: true, sections: grid.workloads.len() };
    let mut page = draw(header, &grid, parts, &Maps::default(), &kernels);
    for give_way in [
        |parts: &mut Parts| parts.latency = false,
        |parts: &mut Parts| parts.series = false,
        |parts: &mut Parts| parts.pages = false,
    ] {
        if page.len() + MARGIN > LIMIT {
            give_way(&mut parts);
            page = draw(header, &grid, parts, &Maps::default(), &kernels);
        }
    }
    while page.len() + MARGIN > LIMIT && parts.sections > 0 {
        parts.sections /= 2;
        page = draw(header, &grid, parts, &Maps::default(), &kernels);
    }
    // The sections' headings, keys and notes come with the maps.
    let frames = grid.workloads.len() * 2_000 + MARGIN;
    let maps = Maps::within(&grid, LIMIT.saturating_sub(page.len() + frames));
    draw(header, &grid, parts, &maps, &kernels)
}

fn draw(header: &Header, grid: &Grid<'_>, parts: Parts, maps: &Maps, kernels: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            (page::head("Where the memory goes", ""))
            body {
                header { (overview::head(header, grid)) }
                nav { div {
                    @if !kernels.is_empty() { a href="#kernels" { "Kernels" } " " }
                    a href="#summary" { "Summary" } a href="#memory" { "Memory" } a href="#time" { "Time" }
                    a href="#workloads" { "Workloads" } a href="#outcomes" { "Outcomes" }
                    a href="#provenance" { "Provenance" } a href="#definitions" { "Definitions" }
                    a href="#reading" { "How to read this" }
                } }
                main {
                    @if !kernels.is_empty() {
                        h2 id="kernels" { "Kernels" }
                        p.note { "Timed without replay, and in none of the means below." }
                        pre { (kernels) }
                    }
                    (body(header, grid, parts, maps))
                }
                footer { "strata-bench " (header.version) " · " (header.schema) " · this file needs no network" }
                script { (PreEscaped(include_str!("script.js"))) }
            }
        }
    }
    .into_string()
}

fn body(header: &Header, grid: &Grid<'_>, parts: Parts, maps: &Maps) -> Markup {
    html! {
        h2 id="summary" { "Summary" }
        div.pair {
            div {
                h3 { "Time and memory" }
                p.note { "Geometric means over all workloads. Left is faster, down is leaner." }
                (overview::scatter(grid))
            }
            div {
                h3 { "Resident bytes a live byte, at the peak" }
                p.note { "Means over all workloads." }
                (overview::mean_bars(grid))
            }
        }
        (overview::table(grid))
        h2 id="memory" { "Memory: resident by live bytes at the peak" }
        p.note { "1.00 is what the program asked for. Below each figure the mean over the checkpoints. Least of a line in bold." }
        (matrix::memory(grid))
        h2 id="time" { "Time: ratio to system" }
        p.note {
            "Median of paired ratios with its 95% interval; below 1 is faster than system. Least of a line in bold. "
            "∥ marks workloads replayed on their recorded threads. " (modes(grid))
        }
        (matrix::time(grid))
        h2 id="workloads" { "Workloads" }
        p.note { "Open one for its waterfall, its course, residue, pages, latency, heap maps and the allocators' own figures." }
        @if !parts.latency { p.note { "Latencies are left out to keep this file under 3 MB; the results file has them." } }
        @if !parts.series { p.note { "The course over the trace is left out to keep this file under 3 MB." } }
        @if !parts.pages { p.note { "Pages and gaps are left out to keep this file under 3 MB." } }
        @for column in 0..parts.sections { (workload::section(grid, column, parts, maps)) }
        @if parts.sections < grid.workloads.len() {
            p.note { (grid.workloads.len() - parts.sections) " workloads have no section, to keep this file under 3 MB." }
        }
        (outcomes::section(grid))
        h2 id="provenance" { "Provenance" }
        p { "The command that repeats this run:" }
        pre { (header.command) }
        dl.facts { @for (name, value) in &header.provenance { dt { (name) } dd { (value) } } }
        (definitions::section())
        (page::reading())
    }
}

/// Which mode and profile the times are of.
fn modes(grid: &Grid<'_>) -> Markup {
    html! {
        @match (grid.only_mode, &grid.only_profile) {
            (Some(mode), Some(profile)) => { "All times: mode " (mode.word()) ", profile " (profile) "." },
            (None, Some(profile)) => { "All times: profile " (profile) ", modes as in the summary's table." },
            _ => { "Modes and profiles as in the summary's table." },
        }
    }
}
