//! The page: one table of all layers, then each layer's tables and pictures.

use super::Part;
use crate::report::LIMIT;
use crate::report::page::Page;
use crate::results::words;
use maud::{Markup, PreEscaped, html};

/// The whole page, below [`LIMIT`] bytes: pictures fill the room that the tables leave.
pub(crate) fn html(parts: &[Part]) -> String {
    const MARGIN: usize = 60_000;
    let Some(first) = parts.first() else { return String::new() };
    let mut sections = vec!["all"];
    sections.extend(parts.iter().map(|part| part.layer.name()));
    sections.dedup();
    let text: usize = parts.iter().map(|part| part.text.len()).sum();
    let mut room = LIMIT.saturating_sub(text + MARGIN);
    let mut header = first.header.clone();
    let commands: Vec<&str> = parts.iter().map(|part| &*part.header.command).collect();
    header.command = commands.join("\n");
    let page = Page {
        title: "Heaps, pools, segments, frames",
        lead: html! { p {
            "The four layers of a process's memory, each allocator with its time and its memory. The figures "
            "of one layer are not those of another: a frame is 4 KiB and more, a block of a pool 64 B."
        } },
        sections: &sections,
        body: html! {
            h2 id="all" { "All layers" }
            p.note { "The fastest of a layer in bold. Below its allocators stand, pale, calibration and the base once more." }
            (all(parts))
            @for part in parts { (section(part, &mut room)) }
        },
    };
    page.html(&header)
}

fn all(parts: &[Part]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="All layers, a line an allocator" { table {
            thead { tr {
                th.words scope="col" { "allocator" } th.words scope="col" { "version" }
                th scope="col" { "ns" } th scope="col" { "memory" }
            } }
            @for part in parts {
                @let best = part.lines.iter().filter(|line| !line.calibration);
                @let best = best.filter_map(|line| line.nanos).reduce(f64::min);
                tbody {
                    tr.group { th scope="rowgroup" colspan="4" { b { (part.layer.name()) } " · " (part.layer.explain()) } }
                    @for calibration in [false, true] {
                        @for line in part.lines.iter().filter(|line| line.calibration == calibration) { tr {
                            th.words scope="row" { @if calibration { span.na { (line.label) } } @else { (line.label) } }
                            td.words { small { (line.version) } }
                            td { @match line.nanos {
                                Some(nanos) if line.nanos == best && !calibration => { b { (words::nanos(nanos)) } },
                                nanos => { (words::or_absent(nanos, words::nanos)) },
                            } }
                            td { (words::or_absent(line.memory.clone(), |memory| memory)) }
                        } }
                    }
                }
            }
        } }
    }
}

fn section(part: &Part, room: &mut usize) -> Markup {
    let shown = part.pictures.iter().take_while(|picture| {
        let fits = picture.len() <= *room;
        *room = room.saturating_sub(picture.len());
        fits
    });
    let shown: Vec<&String> = shown.collect();
    let name = part.layer.name();
    html! {
        h2 id=(name) { (name) }
        p.note { (part.header.command) " · " (part.header.date) }
        @if !shown.is_empty() {
            h3 { "Maps" }
            div.maps style="grid-template-columns:repeat(auto-fill,minmax(min(380px,100%),1fr))" { @for picture in &shown { figure { (PreEscaped(picture)) } } }
        }
        @if shown.len() < part.pictures.len() {
            p.note { (part.pictures.len() - shown.len()) " more maps are left out to keep this file under 3 MB; "
                "the command writes them with --maps." }
        }
        h3 { "Tables" }
        pre tabindex="0" role="region" aria-label=(format!("Tables of {name}")) { (part.text) }
    }
}
