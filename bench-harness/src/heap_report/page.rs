//! The page: what matters first, the picture, the classes, what is kept. One file, without a network.

use super::read::{Class, HeapReport};
use crate::report::page::head;
use crate::results::words;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A heap's page; `command` is what made it.
pub fn html(title: &str, report: &HeapReport, command: &str) -> String {
    let percent = |part| format!("{}%", words::percent(part));
    let cards = [
        ("live", words::bytes(report.live_bytes())),
        ("of the system", words::or_absent(report.stats.committed, words::bytes)),
        ("bytes for a live one", words::or_absent(ratio(report), words::ratio)),
        ("holes", words::bytes(report.holes())),
        ("kept without a block", words::bytes(report.kept())),
        ("external fragmentation", words::or_absent(report.external_fragmentation(), percent)),
        ("internal fragmentation", words::or_absent(report.internal_fragmentation(), percent)),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, ".hv{max-width:100%;height:auto}"))
            body {
                header {
                    h1 { (title) }
                    p { (summary(report)) }
                    div.cards { @for (name, value) in &cards { div.card { b { (value) } span { (name) } } } }
                }
                main {
                    h2 id="picture" { "The heap" }
                    p.note { "All that the heap has of the system; below, class by class, with the same colours and in proportion. \
                              The columns are spans by how many of their blocks are taken: on the left those that could soon be given back." }
                    (PreEscaped(super::picture::svg(title, report)))
                    h2 id="classes" { "Classes" }
                    (classes(&report.classes))
                    h2 id="large" { "Large blocks, and what is kept" }
                    (facts(report))
                    h2 id="words" { "Words" }
                    (definitions())
                    h2 id="provenance" { "Provenance" }
                    p { "The command that made this page:" }
                    pre { (command) }
                }
                footer { "strata-bench " (env!("CARGO_PKG_VERSION")) " · this file needs no network" }
            }
        }
    }
    .into_string()
}

/// Committed bytes for each live one.
fn ratio(report: &HeapReport) -> Option<f64> {
    let (committed, live) = (report.stats.committed?, report.live_bytes());
    (live != 0).then(|| committed as f64 / live as f64)
}

/// What there is most of beside live blocks, and where.
fn summary(report: &HeapReport) -> String {
    let (holes, kept, stocked) = (report.holes(), report.kept(), report.stocked_bytes());
    let live = words::bytes(report.live_bytes());
    let all = format!("{live} in {} live blocks. ", words::count(report.live_blocks()));
    let worst = report.classes.iter().max_by_key(|class| class.holes);
    let rest = match [holes, kept, stocked].into_iter().max() {
        None | Some(0) => "Nothing beside them but tables.".to_owned(),
        Some(most) if most == holes => {
            let of = worst.map_or(0, |class| class.holes);
            let len = words::bytes(worst.map_or(0, |class| class.block_len));
            let (holes, of) = (words::bytes(holes), words::bytes(of));
            format!(
                "Most beside them are holes: {holes}, of which {of} lie beside blocks of {len}."
            )
        }
        Some(most) if most == kept => {
            let kept = words::bytes(kept);
            format!(
                "Most beside them is kept for the next request: {kept}, which a purge gives back."
            )
        }
        Some(_) => {
            let stocked = words::bytes(stocked);
            format!(
                "Most beside them are blocks in stocks of threads: {stocked}, which a flush empties."
            )
        }
    };
    all + &rest
}

fn classes(all: &[Class]) -> Markup {
    let heads = [
        "live",
        "in stocks",
        "free",
        "spans",
        "live bytes",
        "holes",
        "idle",
        "untouched",
        "holes, %",
    ];
    html! {
        @if all.is_empty() { p { "No class has a span." } }
        @else { div.scroll { table {
            thead { tr { th { "blocks of" } @for head in heads { th { (head) } } } }
            tbody { @for of in all {
                @let taken = of.taken * of.block_len;
                @let holes = of.holes as f64 / ((of.holes + taken).max(1)) as f64;
                tr {
                    th { (words::bytes(of.block_len)) }
                    td { (words::count(of.live())) } td { (words::count(of.stocked)) }
                    td { (words::count(of.capacity - of.taken)) } td { (words::count(of.spans)) }
                    td { (words::bytes(of.live() * of.block_len)) } td { (words::bytes(of.holes)) }
                    td { (words::bytes(of.idle)) } td { (words::bytes(of.untouched)) }
                    td { (words::percent(holes)) }
                }
            } }
        } } }
    }
}

fn facts(report: &HeapReport) -> Markup {
    let (large, stats) = (&report.large, &report.stats);
    let blocks =
        |count, bytes| format!("{} in {} blocks", words::bytes(bytes), words::count(count));
    let back = report.given_back.map(|back| {
        format!("{} in {} purges", words::bytes(back.purged), words::count(back.purges))
    });
    let budget = report.budget.map_or_else(
        || "everything".to_owned(),
        |budget| {
            format!("{}, of it {} learned", words::bytes(budget), words::bytes(report.learned))
        },
    );
    let sum = |figure| words::or_absent(figure, words::bytes);
    let facts = [
        ("large blocks to 1 MiB", blocks(large.runs, large.run_bytes)),
        ("above", blocks(large.chunks, large.chunk_bytes)),
        ("of both, in slots of threads", words::bytes(large.slotted)),
        ("waiting for a block above 1 MiB", words::bytes(large.spare)),
        ("idle frames", words::bytes(report.idle_frames)),
        ("may be kept without a block", budget),
        ("given back so far", words::or_absent(back, |back| back)),
        ("asked for", sum(stats.requested)),
        ("allocated", sum(stats.allocated)),
        ("active", sum(stats.active)),
        ("purged in it", sum(stats.purged)),
        ("cached", sum(stats.cached)),
        ("metadata", sum(stats.metadata)),
        ("committed", sum(stats.committed)),
        ("reserved", sum(stats.reserved)),
    ];
    html! { dl.facts { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
}

fn definitions() -> Markup {
    let told = [
        (
            "live",
            "blocks that the program has; with rounding told apart where the heap counts what was asked for",
        ),
        (
            "stocks",
            "blocks that threads keep ready for their next request; a flush gives them back",
        ),
        (
            "holes",
            "free blocks on pages that hold taken ones, and tails of spans: nobody but the class can use them",
        ),
        (
            "kept",
            "pages with contents and no block; the budget bounds them, and a purge gives them back",
        ),
        ("metadata", "the heap's own tables"),
        (
            "untouched",
            "pages of spans that were never touched or were given back: they take no memory",
        ),
        (
            "external fragmentation",
            "of the pages with taken blocks of classes, the part that is holes",
        ),
        ("internal fragmentation", "of the live blocks, the part that nobody asked for"),
    ];
    html! { dl { @for (word, is) in told { dt { (word) } dd { (is) } } } }
}
