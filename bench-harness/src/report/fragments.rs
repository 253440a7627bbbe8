//! How a heap fragments: the classic measures, its pages, and what its free memory can serve.

use super::tables::{columns, figure, measured};
use crate::results::figures::peak;
use crate::results::grid::Grid;
use crate::results::{Absorption, MemoryRow, words};
use maud::{Markup, html};

/// Johnstone and Wilson's measures and what there is to say of pages.
pub(super) fn measures(grid: &Grid<'_>, column: usize) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th data-sort="words" { "allocator" }
                th data-sort { "#1 mean" } th data-sort { "#2 at most live" }
                th data-sort { "#3 at most resident" } th data-sort { "#4 greatest" }
                th data-sort { "entropy" } th data-sort { "% on huge pages" }
                th data-sort { "% of live there" } th data-sort { "page tables" }
            } }
            tbody { @for (line, memory) in measured(grid, column) {
                @let of = memory.johnstone_wilson();
                @let at = peak(memory);
                tr {
                    td { (line.label) }
                    @for value in [of.mean, of.most_live, of.most_resident, of.greatest] {
                        td { (figure(value.map(words::ratio))) }
                    }
                    td { (figure(at.and_then(|at| at.entropy).map(words::ratio))) }
                    td { (figure(at.and_then(|at| at.huge_coverage()).map(words::percent))) }
                    td { (figure(at.filter(|at| at.live_bytes > 0).map(|at| {
                        words::percent(at.huge_live as f64 / at.live_bytes as f64)
                    }))) }
                    td { (figure(at.map(|at| words::bytes(at.page_tables)))) }
                }
            } }
        } }
    }
}

/// Sizes that have a column.
const SHOWN: [u64; 5] = [64, 1 << 10, 4 << 10, 64 << 10, 1 << 20];

/// What free memory can serve; nothing where no row has it.
pub(super) fn absorption(grid: &Grid<'_>, column: usize) -> Markup {
    let of = |memory: &MemoryRow| memory.absorption.clone();
    if measured(grid, column).all(|(_, memory)| memory.absorption.is_none()) {
        return html! {};
    }
    html! {
        h3 { "What free memory can serve at the peak" }
        div.scroll { table {
            thead { tr {
                th data-sort="words" { "allocator" } th data-sort { "free" }
                th { "% served, 16 B → 8 MiB" }
                @for size in SHOWN { th data-sort { (words::bytes(size)) } }
            } }
            tbody { @for (line, memory) in measured(grid, column) {
                @if let Some(found) = of(memory) { tr {
                    td { (line.label) }
                    @if let Some(why) = &found.missing {
                        td colspan=(SHOWN.len() + 2) { span.na { "n/a: " (why) } }
                    } @else {
                        td { (words::bytes(found.free)) }
                        td { svg.spark viewBox="0 0 124 22" {
                            path.hair d="M0 21.5H124" {}
                            path.live d=(bars(&found)) {}
                        } }
                        @for size in SHOWN { td { (figure(share(&found, size).map(words::percent))) } }
                    }
                } }
            } }
        } }
    }
}

/// Of the free bytes, what blocks of a size were served.
fn share(found: &Absorption, size: u64) -> Option<f64> {
    let point = found.points.iter().find(|point| point.size == size)?;
    (found.free > 0).then(|| point.served.map(|bytes| bytes as f64 / found.free as f64)).flatten()
}

fn bars(found: &Absorption) -> String {
    let count = found.points.len().max(1) as f64;
    let height = |(index, point): (usize, &crate::results::Absorbed)| {
        (index as f64 / count, share(found, point.size).unwrap_or(0.0).min(1.0))
    };
    columns(found.points.iter().enumerate().map(height), 124.0 / count)
}
