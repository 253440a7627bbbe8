//! The picture: a bar of all that the heap has, then a line a class.

use super::read::{Class, HeapReport, PARTS};
use super::{Part, parts};
use crate::report::heapmap::colour;
use crate::report::scale::short;
use crate::results::words;
use maud::{Markup, PreEscaped, html};

/// Where things are across: names, bars, tenths, figures.
const LEFT: f64 = 24.0;
const BARS: f64 = 118.0;
const ACROSS: f64 = 430.0;
const TENTHS: f64 = BARS + ACROSS + 26.0;
const TENTH: f64 = 11.0;
const WIDTH: f64 = 1000.0;
const LINE: f64 = 20.0;
const BAR: f64 = 14.0;
/// The shade of the heap map that is a tenth full; its others follow.
const FIRST_SHADE: usize = 3;

const STYLE: &str = "\
.hv text{font:12px 'Inter','Segoe UI',system-ui,'Helvetica Neue','Noto Sans',Arial,sans-serif;font-variant-numeric:tabular-nums;fill:#171b21}\
.hv .hv-title{font-size:20px;font-weight:650}.hv .hv-soft{fill:#5a6472;font-size:13px}.hv .hv-small{fill:#5a6472;font-size:10.5px}\
.hv .hv-paper{fill:#fff}.hv .hv-hair{stroke:#dfe3e8;fill:none}\
.hv-live{fill:#1f5fa8}.hv-rounding{fill:#6fb0e8}.hv-stocks{fill:#1b9e83}.hv-holes{fill:#e8a020}.hv-kept{fill:#c4507e}\
.hv-metadata{fill:#98a1ac}.hv-untouched{fill:#eef0f3}\
@media(prefers-color-scheme:dark){.hv text{fill:#e7eaee}.hv .hv-soft,.hv .hv-small{fill:#98a3b0}.hv .hv-paper{fill:#12151a}\
.hv .hv-hair{stroke:#2c323b}.hv-live{fill:#4a8fdd}.hv-rounding{fill:#8cc6f5}.hv-stocks{fill:#35b89b}.hv-holes{fill:#eeb045}\
.hv-kept{fill:#da6f99}.hv-metadata{fill:#7d8794}.hv-untouched{fill:#20252d}}";

/// A stand-alone SVG picture: a bar of what the heap has of the system, then a line a class with its bytes, its
/// spans by how full they are, and its figures.
pub fn svg(title: &str, report: &HeapReport) -> String {
    const TOP: f64 = 190.0;
    let most = lengths(report).max().unwrap_or(0).max(1);
    let place = |bytes: u64| bytes as f64 / most as f64 * ACROSS;
    let mut y = TOP;
    let mut lines = Vec::new();
    for class in &report.classes {
        lines.push(class_line(class, y, &place));
        y += LINE;
    }
    for of in large(report) {
        lines.push(large_line(&of, y, &place));
        y += LINE;
    }
    let empty = lines.is_empty();
    let height = y + if empty { 40.0 } else { 24.0 };
    let committed = words::or_absent(report.stats.committed, words::bytes);
    html! {
        svg.hv xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", short(WIDTH), short(height)))
            width=(short(WIDTH)) height=(short(height)) {
            title { "The heap of " (title) }
            style { (PreEscaped(STYLE)) }
            rect.hv-paper width="100%" height="100%" {}
            text.hv-title x="24" y="38" { (title) }
            text.hv-soft x="24" y="58" {
                (words::bytes(report.live_bytes())) " in " (words::count(report.live_blocks())) " live blocks, "
                (committed) " of the system"
            }
            (bar(&parts(report), 82.0))
            text.hv-small x=(short(LEFT)) y=(short(TOP - 12.0)) { "blocks of" }
            text.hv-small x=(short(BARS)) y=(short(TOP - 12.0)) { "bytes of spans; pale: never touched, or given back" }
            text.hv-small x=(short(TENTHS)) y=(short(TOP - 12.0)) { "spans, empty → full" }
            text.hv-small x=(short(WIDTH - LEFT)) y=(short(TOP - 12.0)) text-anchor="end" { "live · spans · holes" }
            @for line in lines { (line) }
            @if empty { text.hv-soft x="24" y=(short(TOP + 14.0)) { "The heap has no block." } }
        }
    }
    .into_string()
}

/// Bytes of each line.
fn lengths(report: &HeapReport) -> impl Iterator<Item = u64> {
    let large = large(report).map(|of| of.bytes());
    report.classes.iter().map(Class::bytes).chain(large)
}

/// Large blocks of a kind: how many, and bytes of the program's, of those in slots of threads, and of what waits
/// for a block.
struct LargeLine {
    name: &'static str,
    blocks: u64,
    live: u64,
    slotted: u64,
    spare: u64,
}

impl LargeLine {
    fn bytes(&self) -> u64 {
        self.live + self.slotted + self.spare
    }
}

/// The lines of large blocks that there are. Which of them are in slots is told as a sum: most slots hold runs.
fn large(report: &HeapReport) -> impl Iterator<Item = LargeLine> {
    let of = report.large;
    let slotted = of.slotted.min(of.run_bytes);
    let runs = LargeLine {
        name: "to 1 MiB",
        blocks: of.runs,
        live: of.run_bytes - slotted,
        slotted,
        spare: 0,
    };
    let slotted = of.slotted - slotted;
    let chunks = LargeLine {
        name: "above",
        blocks: of.chunks,
        live: of.chunk_bytes - slotted,
        slotted,
        spare: of.spare,
    };
    [runs, chunks].into_iter().filter(|of| of.bytes() > 0)
}

/// A bar of all parts, and what they are below it.
fn bar(all: &[Part], y: f64) -> Markup {
    const STEP: f64 = 158.0;
    let total = all.iter().map(|part| part.bytes).sum::<u64>().max(1) as f64;
    let mut x = LEFT;
    let mut drawn = Vec::new();
    for (number, part) in all.iter().enumerate() {
        let wide = part.bytes as f64 / total * (WIDTH - 2.0 * LEFT);
        drawn.push((part, x, wide, LEFT + number as f64 * STEP));
        x += wide;
    }
    html! {
        @for (part, x, wide, key) in drawn {
            @let class = format!("hv-{}", part.class);
            @let told = format!("{} · {}%", words::bytes(part.bytes), words::percent(part.bytes as f64 / total));
            @if wide > 0.05 {
                rect class=(class) x=(short(x)) y=(short(y)) width=(short(wide)) height="22" { title { (part.name) ": " (told) } }
            }
            rect class=(class) x=(short(key)) y=(short(y + 36.0)) width="10" height="10" {}
            text x=(short(key + 15.0)) y=(short(y + 45.0)) { (part.name) }
            text.hv-small x=(short(key + 15.0)) y=(short(y + 60.0)) { (told) }
        }
    }
}

/// Pieces of a line's bar, one behind the other.
fn pieces(all: &[(&str, u64)], y: f64, place: &impl Fn(u64) -> f64) -> Markup {
    let mut x = BARS;
    let mut drawn = Vec::new();
    for &(class, bytes) in all {
        let wide = place(bytes);
        drawn.push((class, x, wide));
        x += wide;
    }
    html! {
        @for (class, x, wide) in drawn { @if wide > 0.05 {
            rect class=(format!("hv-{class}")) x=(short(x)) y=(short(y)) width=(short(wide)) height=(short(BAR)) {}
        } }
    }
}

fn class_line(class: &Class, y: f64, place: &impl Fn(u64) -> f64) -> Markup {
    let of = [
        ("live", class.live() * class.block_len),
        ("stocks", class.stocked * class.block_len),
        ("holes", class.holes),
        ("kept", class.idle),
        ("untouched", class.untouched),
    ];
    let told = format!(
        "{} · {} · {}",
        words::count(class.live()),
        words::count(class.spans),
        words::bytes(class.holes)
    );
    let fullest = class.occupancy.iter().copied().max().unwrap_or(0).max(1) as f64;
    html! {
        g {
            title {
                "blocks of " (words::bytes(class.block_len)) ": " (words::count(class.live())) " live, "
                (words::count(class.stocked)) " in stocks, " (words::bytes(class.holes)) " holes, "
                (words::bytes(class.idle)) " idle, " (words::bytes(class.untouched)) " untouched"
            }
            text x=(short(LEFT)) y=(short(y + 11.0)) { (words::bytes(class.block_len)) }
            (pieces(&of, y, place))
            path.hv-hair d=(format!("M{} {}h{}", short(TENTHS), short(y + BAR + 0.5), short(TENTH * PARTS as f64))) {}
            @for (tenth, spans) in class.occupancy.iter().enumerate() { @if *spans > 0 {
                @let high = (*spans as f64 / fullest * BAR).max(1.5);
                rect fill=(colour(FIRST_SHADE + tenth)) x=(short(TENTHS + tenth as f64 * TENTH)) y=(short(y + BAR - high)) width=(short(TENTH - 1.0)) height=(short(high)) {
                    title { (spans) " spans, to " ((tenth + 1) * 10) "% taken" }
                }
            } }
            text.hv-small x=(short(WIDTH - LEFT)) y=(short(y + 11.0)) text-anchor="end" { (told) }
        }
    }
}

fn large_line(of: &LargeLine, y: f64, place: &impl Fn(u64) -> f64) -> Markup {
    let told = [("live", of.live), ("stocks", of.slotted), ("kept", of.spare)];
    html! {
        g {
            title {
                "large blocks " (of.name) ": " (words::count(of.blocks)) ", " (words::bytes(of.live)) " live, "
                (words::bytes(of.slotted)) " in slots, " (words::bytes(of.spare)) " waiting"
            }
            text x=(short(LEFT)) y=(short(y + 11.0)) { "large, " (of.name) }
            (pieces(&told, y, place))
            text.hv-small x=(short(WIDTH - LEFT)) y=(short(y + 11.0)) text-anchor="end" {
                (words::bytes(of.live)) " in " (words::count(of.blocks)) " blocks"
            }
        }
    }
}
