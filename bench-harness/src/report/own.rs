//! What others say of the same heap: the kernel, and the allocators themselves.

use super::tables::{figure, measured};
use crate::results::figures::peak;
use crate::results::grid::Grid;
use crate::results::words;
use crate::results::{Checkpoint, Mode};
use maud::{Markup, html};

/// An allocator's figure, its value, what it is set against, and that value.
type Pair = (&'static str, Option<u64>, &'static str, Option<u64>);

fn pairs(at: &Checkpoint) -> [Pair; 4] {
    [
        ("allocated", at.own.allocated, "usable bytes of live blocks", at.usable_bytes),
        ("active", at.own.active, "pinned pages", Some(at.pinned_bytes)),
        ("resident", at.own.resident, "resident by page scan", Some(at.resident)),
        ("metadata", at.own.metadata, "metadata", Some(at.waterfall.metadata)),
    ]
}

/// The page scan against the kernel at every checkpoint, and own figures at the peak.
pub(super) fn section(grid: &Grid<'_>, column: usize) -> Markup {
    let lines: Vec<_> = measured(grid, column)
        .filter_map(|(line, memory)| Some((line, peak(memory)?)))
        .filter(|(_, at)| pairs(at).iter().any(|pair| pair.1.is_some()))
        .collect();
    html! {
        (kernel(grid, column))
        @if lines.is_empty() { p.note { "n/a: no subject keeps figures of its own." } }
        @else {
            div.scroll { table {
                thead { tr {
                    th { "allocator" } th.words { "its figure" } th { "it says" }
                    th.words { "measured as" } th { "measured" } th { "difference" } th { "%" }
                } }
                tbody { @for (line, at) in &lines {
                    @for (index, (name, own, against, measured)) in present(at).enumerate() {
                        @let difference = measured.map(|m| i128::from(own) - i128::from(m));
                        @let share = difference.zip(measured.filter(|m| *m > 0)).map(|(d, m)| d as f64 / m as f64);
                        tr {
                            td { @if index == 0 { (line.label) } }
                            td.words { (name) } td { (words::bytes(own)) }
                            td.words { (against) }
                            td { (figure(measured.map(words::bytes))) }
                            td { (figure(difference.map(words::signed_bytes))) }
                            td { (figure(share.map(words::percent))) }
                        }
                    }
                } }
            } }
        }
    }
}

fn present(
    at: &Checkpoint,
) -> impl Iterator<Item = (&'static str, u64, &'static str, Option<u64>)> + use<> {
    pairs(at).into_iter().filter_map(|(name, own, against, m)| Some((name, own?, against, m)))
}

/// The greatest difference between the page scan and the kernel's own figure.
fn kernel(grid: &Grid<'_>, column: usize) -> Markup {
    let worst = measured(grid, column)
        .filter(|(line, _)| line.first.mode != Mode::Computed)
        .flat_map(|(line, memory)| memory.checkpoints.iter().map(move |at| (line, at)))
        .map(|(line, at)| (i128::from(at.resident) - i128::from(at.kernel), line, at))
        .max_by_key(|(difference, ..)| difference.abs());
    html! {
        @if let Some((difference, line, at)) = worst {
            p.note {
                "The waterfall’s sum, by page scan, differs from the kernel’s own figure by at most "
                (words::bytes(u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX))) " over all checkpoints (" (line.label)
                " at record " (words::count(at.record)) ", " (words::bytes(at.resident)) " resident)."
            }
        }
    }
}
