//! The address space as a picture: what lies where, how much of it is resident, how much changed.

use super::kind::Kind;
use super::mappings::{Mapping, OfKind};
use super::report::Report;
use crate::report::scale::short;
use crate::results::words;
use maud::{Markup, PreEscaped, html};

/// Rows beyond these are drawn together, the smallest first.
const ROWS: usize = 40;

/// Missing addresses below this are no gap worth a line.
const GAP: u64 = 1 << 20;

/// Where things are across: addresses, bars, names.
const LEFT: f64 = 24.0;
const BARS: f64 = 168.0;
const ACROSS: f64 = 392.0;
const NAMES: f64 = BARS + ACROSS + 18.0;
const WIDTH: f64 = 1000.0;
const LINE: f64 = 21.0;

/// Neighbouring mappings of one use, or several uses that are too small for lines of their own.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    start: u64,
    end: u64,
    kind: Option<Kind>,
    name: String,
    count: usize,
    bytes: u64,
    resident: u64,
    dirty: u64,
}

impl Run {
    fn of(mapping: &Mapping) -> Self {
        let name = match mapping.kind {
            Kind::Files => String::new(),
            _ => mapping.short_name().to_owned(),
        };
        Self {
            start: mapping.start,
            end: mapping.end,
            kind: Some(mapping.kind),
            name,
            count: 1,
            bytes: mapping.bytes(),
            resident: mapping.of.rss,
            dirty: mapping.of.dirty(),
        }
    }

    fn join(&mut self, other: &Self) {
        self.end = other.end;
        self.count += other.count;
        self.bytes += other.bytes;
        self.resident += other.resident;
        self.dirty += other.dirty;
    }

    fn label(&self) -> String {
        match (self.kind, self.count) {
            (None, count) => format!("{count} smaller mappings"),
            (Some(Kind::Files), 1) => "a file".to_owned(),
            (Some(Kind::Files), count) => format!("{count} mappings of files"),
            (Some(_), 1) => self.name.clone(),
            (Some(_), count) => format!("{} ×{count}", self.name),
        }
    }
}

/// Mappings joined with neighbours of the same use and name.
fn runs(mappings: &[Mapping]) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    for mapping in mappings {
        let run = Run::of(mapping);
        match found.last_mut() {
            Some(last) if last.kind == run.kind && follows(last, &run, mapping) => last.join(&run),
            _ => found.push(run),
        }
    }
    found
}

/// Whether a mapping of the same kind is drawn with the run before it: of one name, or a file's
/// variables without a first value, which have none.
fn follows(last: &Run, run: &Run, mapping: &Mapping) -> bool {
    let of_file = matches!(mapping.kind, Kind::Data | Kind::Libraries);
    let nameless = of_file && mapping.name.is_empty() && last.end == run.start;
    nameless || (last.name == run.name && run.start.saturating_sub(last.end) < GAP)
}

/// No more than `most` runs: those with most resident stay, the others are joined in between.
fn fewer(found: Vec<Run>, most: usize) -> Vec<Run> {
    if found.len() <= most {
        return found;
    }
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse((found[index].resident, found[index].bytes)));
    // What is joined needs lines too: between any two that stay there can be one.
    let mut stays = vec![false; found.len()];
    order.iter().take(most / 2).for_each(|&index| stays[index] = true);
    let mut kept: Vec<Run> = Vec::new();
    for (run, stays) in found.into_iter().zip(stays) {
        match kept.last_mut() {
            Some(last) if last.kind.is_none() && !stays => last.join(&run),
            _ if stays => kept.push(run),
            _ => kept.push(Run { kind: None, ..run }),
        }
    }
    kept
}

fn class(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Code) => "k-code",
        Some(Kind::Data) => "k-data",
        Some(Kind::Heap) => "k-heap",
        Some(Kind::Libraries) => "k-libraries",
        Some(Kind::Stack) => "k-stack",
        Some(Kind::Anonymous) => "k-anonymous",
        Some(Kind::Files) => "k-files",
        Some(Kind::Shared) => "k-shared",
        Some(Kind::Kernel) | None => "k-kernel",
    }
}

const STYLE: &str = "\
.mv text{font:12px 'Inter','Segoe UI',system-ui,'Helvetica Neue','Noto Sans',Arial,sans-serif;font-variant-numeric:tabular-nums;fill:#171b21}\
.mv .mv-title{font-size:20px;font-weight:650}.mv .mv-soft{fill:#5a6472;font-size:13px}.mv .mv-small{fill:#5a6472;font-size:10.5px}\
.mv .mv-mono{font:11px ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#5a6472}\
.mv .mv-paper{fill:#fff}.mv .mv-hair{stroke:#dfe3e8;fill:none}.mv .mv-all{opacity:.26}.mv .mv-dirty{fill:#171b21;opacity:.55}\
.k-code{fill:#1f5fa8}.k-data{fill:#7a63c7}.k-heap{fill:#e8a020}.k-libraries{fill:#6fb0e8}.k-stack{fill:#1b9e83}\
.k-anonymous{fill:#c4507e}.k-files{fill:#98a1ac}.k-shared{fill:#8aa63a}.k-kernel{fill:#5a6472}\
@media(prefers-color-scheme:dark){.mv text{fill:#e7eaee}.mv .mv-soft,.mv .mv-small,.mv .mv-mono{fill:#98a3b0}.mv .mv-paper{fill:#12151a}\
.mv .mv-hair{stroke:#2c323b}.mv .mv-dirty{fill:#fff}.mv .mv-all{opacity:.34}}";

/// A stand-alone SVG picture: two bars of all by kind, then the address space from its end down, a
/// line a run of mappings. Lengths on the lines are logarithmic, so that a page is seen beside a
/// reservation.
pub fn svg(report: &Report) -> String {
    let none = Vec::new();
    let found = runs(report.mappings.as_ref().unwrap_or(&none));
    let lines = fewer(found, ROWS);
    let kinds = report.kinds.as_ref().map_or(&[][..], Vec::as_slice);
    let body = Body::of(&lines);
    let height = body.bottom + 30.0;
    let of = &report.process;
    html! {
        svg.mv xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", short(WIDTH), short(height)))
            width=(short(WIDTH)) height=(short(height)) {
            title { "Address space of " (of.name) " (" (of.pid) ")" }
            style { (PreEscaped(STYLE)) }
            rect.mv-paper width="100%" height="100%" {}
            text.mv-title x="24" y="38" { (of.name) " (" (of.pid) ")" }
            text.mv-soft x="24" y="58" {
                (words::bytes(of.virtual_bytes)) " of address space, " (words::bytes(report.exact.rss)) " resident, "
                (words::bytes(report.exact.dirty())) " of it changed"
            }
            (share(kinds, "address space", 82.0, |of| of.bytes))
            (share(kinds, "resident", 106.0, |of| of.of.rss))
            (legend(kinds, 142.0))
            (body.picture)
        }
    }
    .into_string()
}

/// A bar of all kinds, in proportion.
fn share(kinds: &[OfKind], name: &str, y: f64, bytes: fn(&OfKind) -> u64) -> Markup {
    let total = kinds.iter().map(bytes).sum::<u64>().max(1) as f64;
    let across = WIDTH - BARS - LEFT;
    let mut x = BARS;
    let parts: Vec<(&OfKind, f64, f64)> = kinds
        .iter()
        .map(|of| {
            let (start, wide) = (x, bytes(of) as f64 / total * across);
            x += wide;
            (of, start, wide)
        })
        .collect();
    html! {
        text.mv-small x=(short(LEFT)) y=(short(y + 12.0)) { (name) }
        @for (of, start, wide) in parts { @if wide > 0.05 {
            rect class=(class(Some(of.kind))) x=(short(start)) y=(short(y)) width=(short(wide)) height="16" {
                title { (of.kind.word()) ": " (words::bytes(bytes(of))) }
            }
        } }
    }
}

fn legend(kinds: &[OfKind], y: f64) -> Markup {
    let mut next = BARS;
    let places: Vec<f64> = kinds
        .iter()
        .map(|of| {
            let x = next;
            next += 32.0 + of.kind.word().len() as f64 * 6.0;
            x
        })
        .collect();
    html! {
        @for (of, x) in kinds.iter().zip(places) {
            rect class=(class(Some(of.kind))) x=(short(x)) y=(short(y - 9.0)) width="10" height="10" {}
            text.mv-small x=(short(x + 15.0)) y=(short(y)) { (of.kind.word()) }
        }
    }
}

struct Body {
    picture: Markup,
    bottom: f64,
}

impl Body {
    fn of(lines: &[Run]) -> Self {
        const TOP: f64 = 196.0;
        let most = lines.iter().map(|run| run.bytes).max().unwrap_or(0).max(1 << 20);
        let place = |bytes: u64| log_place(bytes, most);
        let mut y = TOP;
        let mut drawn = Vec::new();
        let mut above: Option<u64> = None;
        for run in lines.iter().rev() {
            let gap = above.map_or(0, |start| start.saturating_sub(run.end));
            if gap >= GAP {
                drawn.push(html! {
                    text.mv-small x=(short(BARS)) y=(short(y + 9.0)) { (missing(gap, run.end)) }
                });
                y += 16.0;
            }
            drawn.push(line(run, y, &place));
            y += LINE;
            above = Some(run.start);
        }
        let ticks: Vec<u64> =
            (12..=47).step_by(6).map(|power| 1_u64 << power).filter(|tick| *tick <= most).collect();
        let picture = html! {
            text.mv-small x=(short(LEFT)) y=(short(TOP - 12.0)) { "from address" }
            @for tick in ticks {
                path.mv-hair d=(format!("M{} {}V{}", short(BARS + place(tick)), short(TOP - 6.0), short(y))) {}
                text.mv-small x=(short(BARS + place(tick))) y=(short(TOP - 12.0)) text-anchor="middle" { (words::bytes(tick).replace(".00", "").replace(".0 ", " ")) }
            }
            text.mv-small x=(short(NAMES)) y=(short(TOP - 12.0)) { "pale: mapped · full: resident · dark: changed" }
            @for part in drawn { (part) }
            @if lines.is_empty() { text.mv-soft x="24" y=(short(TOP + 16.0)) { "Nothing is mapped." } }
        };
        Self { picture, bottom: y + if lines.is_empty() { LINE } else { 0.0 } }
    }
}

/// What is not mapped: most of it lies beyond what programs may have.
fn missing(gap: u64, end: u64) -> String {
    const PROGRAMS: u64 = 1 << 56;
    match end.checked_add(gap) {
        Some(above) if above < PROGRAMS => {
            format!("⋯ {} of addresses not mapped", words::bytes(gap))
        }
        _ => "⋯ addresses of the kernel".to_owned(),
    }
}

/// A run's line: address, bar, name and figures.
fn line(run: &Run, y: f64, place: &impl Fn(u64) -> f64) -> Markup {
    let kind = class(run.kind);
    let told = run.kind.map_or("smaller mappings", Kind::word);
    let figures = format!("{} · {} resident", words::bytes(run.bytes), words::bytes(run.resident));
    let label: String = run.label().chars().take(30).collect();
    html! {
        g {
            title { (told) ", " (figures) ", " (words::bytes(run.dirty)) " changed" }
            text.mv-mono x=(short(LEFT)) y=(short(y + 12.0)) { (format!("{:012x}", run.start)) }
            rect.(kind).mv-all x=(short(BARS)) y=(short(y)) width=(short(place(run.bytes))) height="16" {}
            @if run.resident > 0 { rect class=(kind) x=(short(BARS)) y=(short(y)) width=(short(place(run.resident))) height="16" {} }
            @if run.dirty > 0 { rect.mv-dirty x=(short(BARS)) y=(short(y + 12.0)) width=(short(place(run.dirty))) height="4" {} }
            text x=(short(NAMES)) y=(short(y + 12.0)) { (label) }
            text.mv-small x=(short(WIDTH - LEFT)) y=(short(y + 12.0)) text-anchor="end" { (figures) }
        }
    }
}

/// A length on a line that begins at half a page of 4 KiB and ends at `most`.
fn log_place(bytes: u64, most: u64) -> f64 {
    const FIRST: f64 = 2048.0;
    if bytes == 0 {
        return 0.0;
    }
    let part = (bytes as f64 / FIRST).max(1.0).ln() / (most as f64 / FIRST).ln();
    part.clamp(0.0, 1.0) * ACROSS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::process::Rollup;

    fn mapping(start: u64, pages: u64, kind: Kind, name: &str, rss: u64) -> Mapping {
        let of = Rollup { rss, private_dirty: rss / 2, ..Rollup::default() };
        let (end, mode, name) = (start + pages * 4096, "rw-p".to_owned(), name.to_owned());
        Mapping { start, end, mode, name, kind, of }
    }

    #[test]
    fn neighbours_of_one_use_are_one_line_and_the_smallest_lines_are_joined() {
        let at = |index: u64| mapping(index << 30, 1, Kind::Anonymous, "", index * 4096);
        let far: Vec<Mapping> = (1..100).map(at).collect();
        let lines = fewer(runs(&far), 10);
        assert!(lines.len() <= 10, "{}", lines.len());
        assert_eq!(lines.iter().map(|run| run.count).sum::<usize>(), 99);
        assert_eq!(lines.last().unwrap().resident, 99 * 4096);
        assert_eq!(lines[0].kind, None);
        let near = [
            mapping(0x1000, 1, Kind::Libraries, "/lib/a.so", 0),
            mapping(0x2000, 1, Kind::Libraries, "/lib/a.so", 4096),
            mapping(0x3000, 1, Kind::Libraries, "/lib/b.so", 0),
        ];
        let lines = runs(&near);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].label(), lines[0].bytes), ("a.so ×2".to_owned(), 8192));
    }

    #[test]
    fn places_grow_with_lengths_and_stay_on_the_line() {
        let most = 33 << 30;
        let places: Vec<f64> = [0, 1, 4096, 1 << 20, 1 << 30, most, u64::MAX]
            .map(|bytes| log_place(bytes, most))
            .into();
        assert!(places.windows(2).all(|pair| pair[0] <= pair[1]), "{places:?}");
        assert_eq!((places[0], places[6]), (0.0, ACROSS));
        assert!(places[2] > 5.0, "a page is seen");
    }
}
