//! Live, pinned and resident bytes over the trace: one small picture a subject, one scale for all.

use super::scale::short;
use crate::results::figures::peak;
use crate::results::grid::{Class, Grid};
use crate::results::words;
use crate::results::{Checkpoint, MemoryRow};
use maud::{Markup, html};

const WIDTH: f64 = 176.0;
const HEIGHT: f64 = 78.0;
const TOP: f64 = 12.0;

/// The pictures of one workload.
pub(super) fn multiples(grid: &Grid<'_>, column: usize) -> Markup {
    let of = |class: Option<Class>| {
        grid.lines
            .iter()
            .filter(move |line| class.is_none_or(|class| line.class == class))
            .filter_map(move |line| Some((line, line.cells[column]?.memory.as_ref()?)))
    };
    let most = |class| {
        of(class).flat_map(|(_, memory)| memory.checkpoints.iter().map(|at| at.resident)).max()
    };
    let Some(most) = most(Some(Class::Competitor)).or_else(|| most(None)) else {
        return html! {};
    };
    let most = most.max(1) as f64 * 1.04;
    html! {
        div.key {
            span { i.live {} "live" } span { i.holes {} "pinned beyond live: rounding, headers, holes" }
            span { i.kept {} "resident beyond pinned: kept, metadata" }
            span { "after drain: ● at once  ○ 1 s idle, 1000 small pairs, purge" }
        }
        div.multiples {
            @for (line, memory) in of(None) {
                @if memory.checkpoints.len() > 1 {
                    figure {
                        figcaption {
                            b { (line.label) }
                            span { "peak " (words::or_absent(peak(memory).map(|at| at.resident), words::bytes)) }
                        }
                        (picture(memory, most))
                    }
                }
            }
        }
    }
}

fn picture(memory: &MemoryRow, most: f64) -> Markup {
    let last = memory.checkpoints.last().map_or(1, |at| at.record).max(1) as f64;
    let x = |at: &Checkpoint| at.record as f64 / last * WIDTH;
    let y = |bytes: u64| TOP + (1.0 - (bytes as f64 / most).min(1.0)) * (HEIGHT - TOP);
    let resident: fn(&Checkpoint) -> u64 = |at| at.resident;
    let pinned: fn(&Checkpoint) -> u64 = |at| at.pinned_bytes.min(at.resident);
    let live: fn(&Checkpoint) -> u64 = |at| at.live_bytes.min(at.pinned_bytes);
    let line = |get: fn(&Checkpoint) -> u64| {
        let mut path = String::new();
        for (index, at) in memory.checkpoints.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{letter}{} {}", short(x(at)), short(y(get(at)))));
        }
        path
    };
    let area = |get| format!("{}V{HEIGHT}H0Z", line(get));
    let residue = memory.residue.map(|residue| {
        [Some(residue.at_once), residue.after_idle, residue.after_pairs, residue.after_purge]
    });
    html! {
        svg viewBox="0 0 216 82" {
            path.hair d=(format!("M0 {TOP}H{WIDTH}M0 {HEIGHT}H216")) {}
            text x="0" y="9" { (words::bytes(most as u64)) }
            path.a-kept d=(area(resident)) {}
            path.a-pinned d=(area(pinned)) {}
            path.a-live d=(area(live)) {}
            path.r-line d=(line(resident)) {}
            @if let Some(at) = peak(memory) {
                path.ink stroke-dasharray="1 2" d=(format!("M{} {TOP}V{HEIGHT}", short(x(at)))) {}
            }
            @if let Some(values) = residue {
                path.hair d=(format!("M180 {TOP}V{HEIGHT}")) {}
                @for (index, value) in values.into_iter().enumerate() {
                    @if let Some(bytes) = value {
                        circle class=(if index == 0 { "dot" } else { "ring" })
                            cx=(short(188.0 + 8.0 * index as f64)) cy=(short(y(bytes))) r="2.4" {}
                    }
                }
            }
        }
    }
}
