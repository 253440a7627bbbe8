//! Waterfall bars: where the resident bytes are at the peak.

use super::scale::short;
use super::terms::TERMS;
use crate::results::Checkpoint;
use crate::results::figures::peak;
use crate::results::grid::{Class, Grid};
use crate::results::words;
use maud::{Markup, html};

/// What the colours mean, and the marks where there are any.
pub(super) fn key(marks: bool) -> Markup {
    html! {
        div.key {
            @for term in &TERMS { span { i class=(term.class) {} (term.name) } }
            span { i.dash {} "live bytes" }
            @if marks {
                span { i.line {} "floor with 4 KiB pages" }
                span { i.hollow {} "floor with 2 MiB pages" }
            }
        }
    }
}

/// Start and width of each part of a bar of 1000 units that stands for `most`.
pub(super) fn stack(parts: &[f64], most: f64) -> Vec<(f64, f64)> {
    let mut start = 0.0;
    parts
        .iter()
        .map(|part| {
            let width = part / most * 1000.0;
            let place = (start, width);
            start += width;
            place
        })
        .collect()
}

/// A bar for each subject on one workload.
pub(super) fn at_peak(grid: &Grid<'_>, column: usize) -> Markup {
    let mut lines: Vec<Bar<'_>> = grid
        .lines
        .iter()
        .filter_map(|line| {
            let memory = line.cells[column]?.memory.as_ref()?;
            Some(Bar {
                class: line.class,
                label: &line.label,
                at: peak(memory)?,
                ratio: memory.peak_ratio,
            })
        })
        .collect();
    if lines.is_empty() {
        return html! { p.note { "n/a: no memory pass." } };
    }
    lines.sort_by_key(|bar| (bar.class, bar.at.resident));
    let most = most(&lines);
    html! {
        (key(true))
        div.bars {
            @for (index, line) in lines.iter().enumerate() {
                @if line.class != Class::Competitor && (index == 0 || lines[index - 1].class != line.class) {
                    span.head { (line.class.heading()) }
                }
                span { (line.label) }
                (bar(line.at, most))
                span.value {
                    b { (words::or_absent(line.ratio, |ratio| format!("{}×", words::ratio(ratio)))) } " · "
                    (words::bytes(line.at.resident))
                }
            }
        }
    }
}

struct Bar<'a> {
    class: Class,
    label: &'a str,
    at: &'a Checkpoint,
    ratio: Option<f64>,
}

/// The scale: competitors' greatest; a calibration subject beyond it is cut off.
fn most(lines: &[Bar<'_>]) -> f64 {
    let of = |only: bool| {
        lines
            .iter()
            .filter(|line| !only || line.class == Class::Competitor)
            .map(|line| line.at.resident.max(line.at.live_bytes).max(line.at.pinned_bytes))
            .max()
    };
    of(true).or_else(|| of(false)).unwrap_or(1).max(1) as f64 * 1.01
}

fn bar(at: &Checkpoint, most: f64) -> Markup {
    let parts: Vec<f64> =
        TERMS.iter().map(|term| (term.bytes)(&at.waterfall).unwrap_or(0) as f64).collect();
    let place = |bytes: u64| (bytes as f64 / most * 1000.0).min(1000.0);
    let cut = at.resident as f64 > most;
    html! {
        svg viewBox="0 0 1000 16" preserveAspectRatio="none" {
            @for (term, (start, width)) in TERMS.iter().zip(stack(&parts, most)) {
                @if start < 1000.0 && width > 0.0 {
                    rect class=(term.class) x=(short(start)) width=(short(width.min(1000.0 - start))) height="16" {
                        title { (term.name) " " (words::or_absent((term.bytes)(&at.waterfall), words::bytes)) }
                    }
                }
            }
            @if cut {
                path.halo vector-effect="non-scaling-stroke" stroke-width="3" d="M983 18l6-20M991 18l6-20" {}
            }
            path.ink vector-effect="non-scaling-stroke" stroke-dasharray="3 2" d=(format!("M{} -2V18", short(place(at.live_bytes)))) {}
            path.ink vector-effect="non-scaling-stroke" stroke-width="2.4" d=(format!("M{} 1V15", short(place(at.pinned_bytes)))) {}
            @if at.pinned_huge_bytes as f64 <= most {
                // A box of the same width on screen at every stretch: a thick line in a thicker.
                @let box_path = format!("M{} 3V13", short(place(at.pinned_huge_bytes)));
                path.ink vector-effect="non-scaling-stroke" stroke-width="6" d=(box_path) {}
                path.halo vector-effect="non-scaling-stroke" stroke-width="3" d=(box_path.replace("3V13", "4.5V11.5")) {}
            }
        }
    }
}
