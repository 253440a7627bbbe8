//! Tables of one workload: residue, pages and gaps.

use super::scale::short;
use crate::results::figures::peak;
use crate::results::grid::{Class, Grid, Line};
use crate::results::words;
use crate::results::{Checkpoint, MemoryRow};
use maud::{Markup, html};

/// The lines of one workload that have a memory pass.
pub(super) fn measured<'g, 'a>(
    grid: &'g Grid<'a>,
    column: usize,
) -> impl Iterator<Item = (&'g Line<'a>, &'a MemoryRow)> + use<'g, 'a> {
    grid.lines.iter().filter_map(move |line| Some((line, line.cells[column]?.memory.as_ref()?)))
}

/// A figure, or a pale "n/a".
pub(super) fn figure(text: Option<String>) -> Markup {
    html! { @match text { Some(text) => { (text) }, None => { span.na { "n/a" } } } }
}

/// What stays resident after every block is freed.
pub(super) fn residue(grid: &Grid<'_>, column: usize) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th data-sort="words" { "allocator" } th data-sort { "at once" } th data-sort { "% of peak" }
                th data-sort { "after 1 s idle" } th data-sort { "after 1000 small pairs" }
                th data-sort { "after purge" } th.words { "purge settings" }
            } }
            tbody { @for (line, memory) in measured(grid, column) {
                @let residue = memory.residue;
                @let share = residue.and_then(|residue| {
                    let at = peak(memory).filter(|at| at.resident > 0)?;
                    Some(words::percent(residue.at_once as f64 / at.resident as f64))
                });
                tr {
                    td { (line.label) }
                    td { (figure(residue.map(|r| words::bytes(r.at_once)))) }
                    td { (figure(share)) }
                    @for bytes in [residue.and_then(|r| r.after_idle), residue.and_then(|r| r.after_pairs), residue.and_then(|r| r.after_purge)] {
                        td { (figure(bytes.map(words::bytes))) }
                    }
                    td.words { small {
                        @if line.first.subject.purge_settings.is_empty() { span.na { "n/a" } }
                        @else { (line.first.subject.purge_settings) }
                    } }
                }
            } }
        } }
    }
}

/// Occupancy of pages and gaps between blocks, at the peak.
pub(super) fn pages(grid: &Grid<'_>, column: usize) -> Markup {
    let gap_bytes = |memory: &MemoryRow| {
        memory.gaps.iter().flat_map(|gaps| &gaps.histogram).map(|&(_, _, bytes)| bytes).max()
    };
    let powers = |memory: &MemoryRow| {
        memory.gaps.iter().flat_map(|gaps| &gaps.histogram).map(|&(bound, ..)| power(bound)).max()
    };
    let competitors =
        || measured(grid, column).filter(|(line, _)| line.class == Class::Competitor).map(|m| m.1);
    let most_bytes = competitors().filter_map(gap_bytes).max().unwrap_or(1).max(1);
    let most_power = competitors().filter_map(powers).max().unwrap_or(20).max(8);
    html! {
        div.scroll { table {
            thead { tr {
                th data-sort="words" { "allocator" } th { "pages by occupancy, 0 → 100%" }
                th data-sort { "mean occupancy %" }
                th { "bytes in gaps, 1 B → " (words::bytes(1 << most_power.min(60))) }
                th data-sort { "in gaps" } th data-sort { "largest gap" }
                th data-sort { "1 − largest/total" } th data-sort { "external, exact" }
            } }
            tbody { @for (line, memory) in measured(grid, column) {
                @let at = peak(memory);
                tr {
                    td { (line.label) }
                    td { @match at { Some(at) => { (occupancy(at)) }, None => { span.na { "n/a" } } } }
                    td { (figure(at.and_then(mean_occupancy).map(words::percent))) }
                    td { @match &memory.gaps {
                        Some(gaps) => {
                            svg.spark viewBox="0 0 124 22" {
                                path.hair d="M0 21.5H124" {}
                                path.holes d=(columns(
                                    gaps.histogram.iter().map(|&(bound, _, bytes)| {
                                        (f64::from(power(bound)) / f64::from(most_power + 1), bytes as f64 / most_bytes as f64)
                                    }),
                                    124.0 / f64::from(most_power + 1),
                                )) {}
                            }
                        },
                        None => { span.na { "n/a" } },
                    } }
                    td { (figure(memory.gaps.as_ref().map(|gaps| words::bytes(gaps.total)))) }
                    td { (figure(memory.gaps.as_ref().map(|gaps| words::bytes(gaps.largest)))) }
                    td { (figure(memory.gaps.as_ref().and_then(|gaps| gaps.fragmentation).map(words::ratio))) }
                    td { (figure(memory.external_exact.map(words::ratio))) }
                }
            } }
        } }
    }
}

/// The power of two that is `bound`, or the next above.
fn power(bound: u64) -> u32 {
    bound.checked_next_power_of_two().map_or(63, u64::trailing_zeros)
}

fn mean_occupancy(at: &Checkpoint) -> Option<f64> {
    let pages: u64 = at.occupancy.iter().sum();
    let tenths = at.occupancy.iter().zip(0_u32..);
    let sum: f64 =
        tenths.map(|(pages, tenth)| *pages as f64 * (f64::from(tenth) + 0.5) / 10.0).sum();
    (pages > 0).then(|| sum / pages as f64)
}

fn occupancy(at: &Checkpoint) -> Markup {
    let most = at.occupancy.iter().copied().max().unwrap_or(0).max(1);
    let bars = at.occupancy.iter().zip(0_u32..);
    html! {
        svg.spark viewBox="0 0 124 22" {
            path.hair d="M0 21.5H124" {}
            path.live d=(columns(
                bars.map(|(pages, tenth)| (f64::from(tenth) / 10.0, *pages as f64 / most as f64)),
                12.4,
            )) {}
        }
    }
}

/// Columns of a small histogram as one path; places and heights are shares.
pub(super) fn columns(bars: impl Iterator<Item = (f64, f64)>, width: f64) -> String {
    bars.filter(|(_, height)| *height > 0.0)
        .map(|(place, height)| {
            let height = (height.min(1.0) * 21.0).max(0.6);
            let (left, wide) = (short(place * 124.0), short(width - 1.0));
            format!("M{left} 21.5v-{}h{wide}V21.5z", short(height))
        })
        .collect()
}
