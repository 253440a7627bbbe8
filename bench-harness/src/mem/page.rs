//! A process as a page: its figures, its picture, its mappings. One file, without a network.

use super::mappings::Mapping;
use super::report::Report;
use crate::report::page::{head, reading};
use crate::results::words;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Mappings that the page lists.
const LISTED: usize = 400;

/// The page of a report with mappings.
pub fn html(report: &Report, command: &str) -> String {
    let of = &report.process;
    let usage = &of.usage;
    let cards = [
        ("rss", usage.rss),
        ("heapTotal", usage.heap_total),
        ("heapUsed", usage.heap_used),
        ("external", usage.external),
        ("arrayBuffers", usage.array_buffers),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{} ({})", of.name, of.pid), ".mv{max-width:100%;height:auto}"))
            body {
                header {
                    h1 { (of.name) " (" (of.pid) ")" }
                    p { "The memory of a process that is " (of.state_word()) ". Threads: " (of.threads) "." }
                    div.cards { @for (name, bytes) in cards { div.card { b { (words::bytes(bytes)) } span { (name) } } } }
                }
                main {
                    h2 id="picture" { "The address space" }
                    p.note { "From its end down. Lengths on the lines are logarithmic; those of the two bars are not." }
                    (PreEscaped(super::picture::svg(report)))
                    h2 id="kinds" { "By kind" }
                    (kinds(report))
                    @if !report.heaps.is_empty() { h2 id="heaps" { "Heaps" } (heaps(report)) }
                    h2 id="mappings" { "Mappings" }
                    (mappings(report.mappings.as_deref().unwrap_or_default()))
                    h2 id="around" { "Around it" }
                    (around(report))
                    h2 id="provenance" { "Provenance" }
                    p { "The command that made this page:" }
                    pre { (command) }
                    (reading())
                }
                footer { "strata-bench " (env!("CARGO_PKG_VERSION")) " · " (report.schema) " · this file needs no network" }
            }
        }
    }
    .into_string()
}

fn kib(bytes: u64) -> String {
    words::count(bytes.div_ceil(1024))
}

fn kinds(report: &Report) -> Markup {
    let found = report.kinds.as_deref().unwrap_or_default();
    html! {
        div.scroll { table {
            thead { tr { @for head in ["kind", "mappings", "KiB", "resident", "changed", "private", "pss", "swapped", "on huge pages"] { th { (head) } } } }
            tbody { @for of in found { tr {
                td { (of.kind.word()) } td { (of.count) } td { (kib(of.bytes)) } td { (kib(of.of.rss)) } td { (kib(of.of.dirty())) }
                td { (kib(of.of.private_clean + of.of.private_dirty)) } td { (kib(of.of.pss)) } td { (kib(of.of.swap)) }
                td { (kib(of.of.anon_huge_pages)) }
            } } }
        } }
    }
}

fn heaps(report: &Report) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "heap" } @for (name, _) in super::heap::Heap::default().figures() { th { (name) } } } }
            tbody { @for heap in &report.heaps { tr {
                td { (heap.name) }
                @for (_, bytes) in heap.figures() { td { (words::or_absent(bytes, words::bytes)) } }
            } } }
        } }
    }
}

/// As `pmap -x` lists them; the largest, where there are very many.
fn mappings(found: &[Mapping]) -> Markup {
    let mut shown: Vec<&Mapping> = found.iter().collect();
    if found.len() > LISTED {
        shown.sort_by_key(|of| std::cmp::Reverse((of.of.rss, of.bytes())));
        shown.truncate(LISTED);
        shown.sort_by_key(|of| of.start);
    }
    html! {
        @if shown.len() < found.len() { p.note { "The " (shown.len()) " largest of " (found.len()) ". Figures are KiB." } }
        @else { p.note { "Figures are KiB." } }
        div.scroll { table {
            thead { tr {
                th { "address" } th { "KiB" } th { "resident" } th { "changed" } th { "mode" } th.words { "kind" } th.words { "mapping" }
            } }
            tbody { @for of in shown { tr {
                td { code { (format!("{:016x}", of.start)) } } td { (kib(of.bytes())) } td { (kib(of.of.rss)) } td { (kib(of.of.dirty())) }
                td { code { (of.pmap_mode()) } } td.words { (of.kind.word()) } td.words { (of.name) }
            } } }
        } }
    }
}

fn around(report: &Report) -> Markup {
    let around = &report.around;
    let (machine, limits) = (&around.machine, &around.limits);
    let facts = [
        (
            "machine",
            format!(
                "{} in all, {} available",
                words::bytes(machine.total),
                words::bytes(machine.available)
            ),
        ),
        ("processors", around.cpus.len().to_string()),
        (
            "control group",
            if limits.path.is_empty() { words::ABSENT.into() } else { limits.path.clone() },
        ),
        ("its limit", words::or_absent(limits.constrained(), words::bytes)),
        ("it uses", words::or_absent(limits.current, words::bytes)),
        ("available to the process", words::bytes(around.available_memory)),
        ("page tables", words::bytes(report.process.page_tables)),
        (
            "faults",
            format!("{} minor, {} major", report.process.minor_faults, report.process.major_faults),
        ),
    ];
    html! { dl.facts { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
}
