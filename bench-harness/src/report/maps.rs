//! The heap maps that the page has room for: the most telling ones first.

use super::heapmap;
use crate::results::grid::{Class, Grid, Line};
use crate::results::words;
use crate::results::{Checkpoint, HeapMap};
use maud::{Markup, PreEscaped, html};
use std::cmp::Reverse;

/// Where less room is left, drawing a map to see whether it fits is idle.
const SMALLEST: usize = 600;

/// Chosen maps, drawn.
#[derive(Default)]
pub(super) struct Maps {
    /// Workload, figure.
    drawn: Vec<(usize, String)>,
    left_out: Vec<usize>,
}

impl Maps {
    /// Draws maps until they take `room` bytes. Peaks of competitors come before ends, and ends
    /// before the others' maps; every workload's most wasteful heap comes before any workload's
    /// second.
    pub(super) fn within(grid: &Grid<'_>, room: usize) -> Self {
        let mut used = 0;
        let mut maps = Self::default();
        let mut kept = Vec::new();
        for Wanted { column, rank, order, line, map, at, .. } in wanted(grid) {
            if used + SMALLEST > room {
                maps.left_out.push(column);
                continue;
            }
            let moment =
                at.label.clone().unwrap_or_else(|| format!("record {}", words::count(at.record)));
            let figure = html! {
                figure {
                    figcaption { b { (line.label) } span { (moment) ", " (words::bytes(at.resident)) } }
                    (heapmap::embedded(map))
                }
            }
            .into_string();
            if used + figure.len() > room {
                maps.left_out.push(column);
                continue;
            }
            used += figure.len();
            kept.push((column, rank, order, figure));
        }
        kept.sort_by_key(|(column, rank, order, _)| (*column, *rank, *order));
        maps.drawn = kept.into_iter().map(|(column, _, _, figure)| (column, figure)).collect();
        maps
    }

    /// The maps of one workload.
    pub(super) fn section(&self, column: usize) -> Markup {
        let figures: Vec<&String> =
            self.drawn.iter().filter(|drawn| drawn.0 == column).map(|drawn| &drawn.1).collect();
        let left_out = self.left_out.iter().filter(|other| **other == column).count();
        html! {
            @if !figures.is_empty() || left_out > 0 {
                h3 { "Heap maps" }
                @if !figures.is_empty() {
                    p.note { "A cell a page, 2 MiB outlined, in the order of addresses." }
                    (heapmap::key())
                    div.maps { @for figure in figures { (PreEscaped(figure)) } }
                }
                @if left_out > 0 {
                    p.note { (left_out) " maps left out to keep this file under 3 MB; “strata-bench map” draws any of them." }
                }
            }
        }
    }
}

/// A map that the page might show.
struct Wanted<'a> {
    column: usize,
    /// Not a competitor, not at the peak: false comes first.
    rank: (bool, bool),
    /// The place of the line in the tables.
    order: usize,
    /// How many of the same workload and rank are more wasteful.
    behind: usize,
    line: &'a Line<'a>,
    map: &'a HeapMap,
    at: &'a Checkpoint,
}

/// All maps, the most telling ones first.
fn wanted<'a>(grid: &'a Grid<'a>) -> Vec<Wanted<'a>> {
    let mut wanted = Vec::new();
    for (order, line) in grid.lines.iter().enumerate() {
        for (column, row) in line.cells.iter().enumerate() {
            let Some(memory) = row.and_then(|row| row.memory.as_ref()) else { continue };
            for map in &memory.maps {
                let Some(at) = memory.checkpoints.get(map.checkpoint) else { continue };
                let rank = (line.class != Class::Competitor, map.checkpoint != memory.peak);
                wanted.push(Wanted { column, rank, order, behind: 0, line, map, at });
            }
        }
    }
    let waste = |w: &Wanted<'_>| w.at.resident.saturating_sub(w.at.waterfall.live);
    wanted.sort_by_key(|w| (w.rank, w.column, Reverse(waste(w)), w.order));
    for index in 1..wanted.len() {
        let (before, own) = (&wanted[index - 1], &wanted[index]);
        if (before.rank, before.column) == (own.rank, own.column) {
            wanted[index].behind = before.behind + 1;
        }
    }
    wanted.sort_by_key(|w| (w.rank, w.behind, w.column));
    wanted
}
