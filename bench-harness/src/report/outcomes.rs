//! Rows that did not end as they should, and rows without a figure, said clearly.

use crate::results::grid::{Grid, workload_label};
use crate::results::words;
use crate::results::{Outcome, Row};
use maud::{Markup, html};

/// All outcomes but "ok", with void times and harness calls.
pub(super) fn section(grid: &Grid<'_>) -> Markup {
    let cells = || {
        grid.lines
            .iter()
            .flat_map(|line| line.cells.iter().flatten().map(move |row| (&*line.label, *row)))
    };
    let troubled: Vec<_> = cells().filter(|(_, row)| row.outcome != Outcome::Ok).collect();
    let void: Vec<_> =
        cells().filter(|(_, row)| row.time.as_ref().is_some_and(|time| time.void)).collect();
    let calls: Vec<_> = cells().filter(|(_, row)| row.harness_calls.unwrap_or(0) > 0).collect();
    let counted = cells().filter(|(_, row)| row.harness_calls.is_some()).count();
    let deterministic = |row: &Row| row.memory.as_ref().and_then(|memory| memory.deterministic);
    let repeated = cells().filter(|(_, row)| deterministic(row).is_some()).count();
    let differing: Vec<_> = cells().filter(|(_, row)| deterministic(row) == Some(false)).collect();
    let missing = reasons(cells());
    let total = cells().count();
    html! {
        h2 id="outcomes" { "Outcomes" }
        p {
            (total - troubled.len()) " of " (total) " rows ended as they should."
            @if calls.is_empty() && counted > 0 {
                " The harness made no call to its own heap inside the window of the " (counted) " rows that count them."
            }
        }
        @if !troubled.is_empty() {
            div.scroll { table.wide {
                thead { tr {
                    th { "allocator" } th.words { "workload" } th.words { "outcome" }
                    th { "record" } th { "thread" } th.words { "what happened" }
                } }
                tbody { @for (label, row) in &troubled { (lines(label, row)) } }
            } }
        }
        @for (label, row) in &void {
            p.note { (label) " on " (workload_label(&row.workload)) ": time void, "
                (words::or_absent(row.time.as_ref().and_then(|time| time.stall_share), words::percent))
                "% of thread time was waiting for other threads’ blocks." }
        }
        @if repeated > 0 {
            p.note { "Of " (repeated) " rows with more than one serial memory pass, "
                (repeated - differing.len()) " gave the same live, usable, header and pinned bytes at every checkpoint each time." }
        }
        @for (label, row) in &differing {
            p.note { (label) " on " (workload_label(&row.workload)) ": the memory passes differ; it is not deterministic." }
        }
        @for (label, row) in &calls {
            p.note { (label) " on " (workload_label(&row.workload)) ": "
                (words::or_absent(row.harness_calls, words::count)) " calls of the harness's own heap inside the window." }
        }
        @for (reason, count) in &missing {
            p.note { "No instruction figure on " (count) " rows: " (reason) "." }
        }
    }
}

/// Why instruction figures are missing, with how often.
fn reasons<'a>(cells: impl Iterator<Item = (&'a str, &'a Row)>) -> Vec<(&'a str, usize)> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for reason in cells.filter_map(|(_, row)| row.instructions_missing.as_deref()) {
        match reasons.iter_mut().find(|known| known.0 == reason) {
            Some(known) => known.1 += 1,
            None => reasons.push((reason, 1)),
        }
    }
    reasons
}

fn lines(label: &str, row: &Row) -> Markup {
    let workload = workload_label(&row.workload);
    let line = |class: &str, word: &str, place: (Option<u64>, Option<u32>), what: &str| {
        html! {
            tr {
                td { (label) } td.words { (workload) }
                td.words { span class=(class) { (word) } }
                td { (words::or_absent(place.0, words::count)) }
                td { (words::or_absent(place.1, |thread| thread.to_string())) }
                td.words { (what) }
            }
        }
    };
    html! {
        @match &row.outcome {
            Outcome::Ok => {},
            Outcome::Crashed { how, record } => { (line("bad", "crashed", (*record, None), how)) },
            Outcome::NotAvailable { reason } => { (line("na", "n/a", (None, None), reason)) },
            Outcome::Corrupted { violations } => {
                @if violations.is_empty() { (line("bad", "corrupted", (None, None), "")) }
                @for v in violations {
                    (line("bad", "corrupted", (Some(v.record), Some(v.thread)), &format!("{:?}: {}", v.kind, v.detail)))
                }
            },
        }
    }
}
