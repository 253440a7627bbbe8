//! All allocators on one workload as an SVG that explains itself: over the trace, at the peak by what it
//! is for, and page by page.

use super::{Entry, Scene};
use crate::report::heapmap::{ACROSS, DOWN, PALETTE, colour, digit};
use crate::report::png;
use crate::report::scale::short;
use crate::report::terms::TERMS;
use crate::results::words;
use crate::results::{Checkpoint, HeapMap, Threads};
use maud::{Markup, PreEscaped, html};

/// Where the columns begin, and how wide they are.
const NAME: f64 = 20.0;
const COURSE: (f64, f64) = (220.0, 200.0);
const BAR: (f64, f64) = (440.0, 250.0);
const MAP: (f64, f64) = (720.0, 256.0);
const WIDTH: f64 = MAP.0 + MAP.1 + 20.0;
/// The first line's top, a line's least height, and the space between lines.
const TOP: f64 = 118.0;
const HIGH: f64 = 54.0;
const BETWEEN: f64 = 16.0;
/// Bars end here, in bytes for a live one: a few allocators would make the others unreadable.
const MOST_RATIO: f64 = 6.0;
/// Lines of tiles of a map; what is beyond is told in words.
const MOST_LINES: usize = 12;

pub(super) fn svg(scene: &Scene<'_>) -> String {
    let ratios = scene.entries.iter().map(Entry::ratio);
    let most_ratio = ratios.fold(1.2, f64::max).min(MOST_RATIO);
    let courses = scene.entries.iter().flat_map(|entry| &entry.memory.checkpoints);
    let mut residents: Vec<u64> = courses.clone().map(|at| at.resident).collect();
    residents.sort_unstable();
    let live = courses.map(|at| at.live_bytes).max().unwrap_or(1);
    // As with the bars: one that has far more than is live does not flatten the others.
    let most = residents.last().copied().unwrap_or(1).min(live * MOST_RATIO as u64).max(1);
    let tiles = scene.entries.iter().filter_map(|entry| Some(entry.map?.tiles.len())).max();
    let cell = if tiles.unwrap_or(0) <= 16 { 2 } else { 1 };

    let mut y = TOP;
    let mut lines = Vec::new();
    for entry in &scene.entries {
        let map = entry.map.map(|map| Tiles::of(map, cell));
        let high = map.as_ref().map_or(HIGH, |map| map.high as f64 + 12.0).max(HIGH);
        lines.push((entry, y, map));
        y += high + BETWEEN;
    }
    let height = y + 96.0;
    let title = scene.title();
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox=(format!("0 0 {} {}", short(WIDTH), short(height)))
            width=(short(WIDTH)) height=(short(height)) {
            title { (title) ": memory of " (scene.entries.len()) " allocators" }
            desc { (told(scene)) }
            style { (PreEscaped(STYLE)) }
            rect.paper width="100%" height="100%" {}
            text.title x=(short(NAME)) y="36" { (title) }
            text.soft x=(short(NAME)) y="57" { (subtitle(scene)) }
            text.head x=(short(NAME)) y="84" { "allocator" }
            text.small x=(short(NAME)) y="99" { "resident at the peak" }
            text.head x=(short(COURSE.0)) y="84" { "over the trace" }
            text.small x=(short(COURSE.0)) y="99" { "resident bytes, 0 to " (words::bytes(most)) }
            text.head x=(short(BAR.0)) y="84" { "where it is at the peak" }
            text.small x=(short(BAR.0)) y="99" { "for each live byte, 0 to " (words::ratio(most_ratio)) }
            text.head x=(short(MAP.0)) y="84" { "the heap at the peak" }
            text.small x=(short(MAP.0)) y="99" { "a dot a page, framed: 2 MiB of addresses" }
            @for (entry, y, map) in &lines {
                path.rule d=(format!("M{} {}H{}", short(NAME), short(y - BETWEEN / 2.0), short(WIDTH - 20.0))) {}
                text.name x=(short(NAME)) y=(short(y + 15.0)) { (entry.label) }
                text x=(short(NAME)) y=(short(y + 32.0)) { (words::ratio(entry.ratio())) "× live" }
                text.small x=(short(NAME)) y=(short(y + 47.0)) { (words::bytes(entry.peak.resident)) }
                (course(entry, *y, most))
                (bar(entry.peak, *y, most_ratio))
                @match map {
                    Some(map) => { (map.drawn(*y)) }
                    None => { text.small x=(short(MAP.0)) y=(short(y + 15.0)) { "n/a" } }
                }
            }
            (legend(y + 10.0))
        }
    }
    .into_string()
}

/// The picture in a sentence, for who does not see it.
pub(super) fn told(scene: &Scene<'_>) -> String {
    let ratio = |entry: &Entry<'_>| format!("{} {}", entry.label, words::ratio(entry.ratio()));
    let all: Vec<String> = scene.entries.iter().map(ratio).collect();
    format!("Resident bytes for a live one at the peak, the least first: {}.", all.join(", "))
}

fn subtitle(scene: &Scene<'_>) -> String {
    let load = scene.workload;
    let threads = match (load.threads, load.recorded_threads) {
        (Threads::Serial, 0 | 1) => "one thread".to_owned(),
        (Threads::Serial, count) => {
            format!("{count} threads, replayed on one in the recorded order")
        }
        (Threads::Recorded, count) => format!("replayed on its {count} threads"),
    };
    let peak = scene.entries.first().map(|entry| entry.peak);
    let live = peak.map_or(String::new(), |peak| {
        let (bytes, blocks) = (words::bytes(peak.live_bytes), words::count(peak.live_blocks));
        format!(" · at its peak the program has {bytes} live in {blocks} blocks")
    });
    format!("{} operations · {threads}{live}", words::count(load.operations))
}

/// Live, pinned and resident bytes over the trace.
fn course(entry: &Entry<'_>, top: f64, most: u64) -> Markup {
    let at = &entry.memory.checkpoints;
    let last = at.last().map_or(1, |at| at.record).max(1) as f64;
    let x = |at: &Checkpoint| COURSE.0 + at.record as f64 / last * COURSE.1;
    let y = |bytes: u64| top + (1.0 - (bytes as f64 / most as f64).min(1.0)) * HIGH;
    let line = |get: fn(&Checkpoint) -> u64| {
        let mut path = String::new();
        for (index, at) in at.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{letter}{} {}", short(x(at)), short(y(get(at)))));
        }
        path
    };
    let start = at.first().map_or(COURSE.0, x);
    let area = |get| format!("{}V{}H{}Z", line(get), short(top + HIGH), short(start));
    html! {
        path.kept d=(area(|at| at.resident)) {}
        path.holes d=(area(|at| at.pinned_bytes.min(at.resident))) {}
        path.live d=(area(|at| at.live_bytes.min(at.pinned_bytes))) {}
        path.axis d=(format!("M{} {}h{}", short(COURSE.0), short(top + HIGH), short(COURSE.1))) {}
        path.peak d=(format!("M{} {}v{}", short(x(entry.peak)), short(top), short(HIGH))) {}
    }
}

/// The terms of the waterfall, for each live byte.
fn bar(at: &Checkpoint, top: f64, most: f64) -> Markup {
    let unit = BAR.1 / most / at.live_bytes.max(1) as f64;
    let end = BAR.0 + BAR.1;
    let mut x = BAR.0;
    let mut parts = Vec::new();
    for term in &TERMS {
        let wide = (term.bytes)(&at.waterfall).unwrap_or(0) as f64 * unit;
        let shown = wide.min(end - x).max(0.0);
        parts.push((term.class, x, shown));
        x += wide;
    }
    let one = BAR.0 + BAR.1 / most;
    html! {
        @for (class, x, wide) in parts {
            @if wide > 0.05 {
                rect class=(class) x=(short(x)) y=(short(top + 8.0)) width=(short(wide)) height="30" {}
            }
        }
        path.one d=(format!("M{} {}v42", short(one), short(top + 2.0))) {}
        text.small.middle x=(short(one)) y=(short(top + 54.0)) { "1.00" }
        @if x > end + 0.5 { text.name x=(short(end + 4.0)) y=(short(top + 28.0)) { "▸" } }
    }
}

/// A map, its tiles side by side.
struct Tiles {
    image: String,
    wide: usize,
    high: usize,
    frames: String,
    /// Tiles that are not shown.
    beyond: usize,
}

impl Tiles {
    fn of(map: &HeapMap, cell: usize) -> Self {
        let columns = MAP.1 as usize / (ACROSS * cell);
        let shown = map.tiles.len().min(columns * MOST_LINES);
        let lines = shown.div_ceil(columns).max(1);
        let (wide, high) = (columns * ACROSS, lines * DOWN);
        let mut pixels = vec![0_u8; wide * high];
        let mut frames = String::new();
        for (index, tile) in map.tiles[..shown].iter().enumerate() {
            let (left, top) = (index % columns * ACROSS, index / columns * DOWN);
            for page in 0..ACROSS * DOWN {
                let place = (top + page / ACROSS) * wide + left + page % ACROSS;
                pixels[place] = digit(tile, page) as u8;
            }
            let (wide, high) = (ACROSS * cell, DOWN * cell);
            frames.push_str(&format!("M{} {}h{wide}v{high}h-{wide}z", left * cell, top * cell));
        }
        let image = png::data_address(wide, &pixels, &PALETTE);
        let beyond = map.tiles.len() - shown;
        Self { image, wide: wide * cell, high: high * cell, frames, beyond }
    }

    fn drawn(&self, top: f64) -> Markup {
        html! {
            g transform=(format!("translate({} {})", short(MAP.0), short(top))) {
                image width=(self.wide) height=(self.high) preserveAspectRatio="none" href=(self.image) {}
                path.frame d=(self.frames) {}
                @if self.beyond > 0 {
                    text.small x="0" y=(self.high + 11) { "and " (self.beyond) " more of 2 MiB" }
                }
            }
        }
    }
}

/// What the colours mean, in two lines.
fn legend(y: f64) -> Markup {
    const MEANS: [&str; 6] = [
        "live: asked for",
        "rounding: sizes are larger",
        "headers: beside blocks",
        "holes: free beside live blocks",
        "kept: empty pages",
        "metadata",
    ];
    // As wide as the words are in the widest of the fonts.
    const WIDE: [f64; 6] = [118.0, 172.0, 156.0, 194.0, 138.0, 80.0];
    let starts = WIDE.iter().scan(NAME, |x, wide| {
        let start = *x;
        *x += wide;
        Some(start)
    });
    html! {
        path.rule d=(format!("M{} {}H{}", short(NAME), short(y - 18.0), short(WIDTH - 20.0))) {}
        @for ((term, means), x) in TERMS.iter().zip(MEANS).zip(starts) {
            rect class=(term.class) x=(short(x)) y=(short(y)) width="10" height="10" {}
            text.small x=(short(x + 15.0)) y=(short(y + 9.0)) { (means) }
        }
        text.small x=(short(NAME)) y=(short(y + 33.0)) { "a page of the heap, live bytes in it 0 → 100%:" }
        @for kind in 3..PALETTE.len() {
            rect fill=(colour(kind)) x=(short(NAME + 252.0 + (kind - 3) as f64 * 13.0)) y=(short(y + 24.0)) width="13" height="10" {}
        }
        rect fill=(colour(2)) x=(short(NAME + 400.0)) y=(short(y + 24.0)) width="10" height="10" {}
        text.small x=(short(NAME + 415.0)) y=(short(y + 33.0)) { "empty, kept" }
        rect fill=(colour(1)) x=(short(NAME + 490.0)) y=(short(y + 24.0)) width="10" height="10" {}
        text.small x=(short(NAME + 505.0)) y=(short(y + 33.0)) { "never held a block" }
        text.small x=(short(NAME)) y=(short(y + 57.0)) {
            "Shorter is better; 1.00 would be nothing but what the program asked for. Over the trace: blue is live, amber lies beside it on its pages, "
        }
        text.small x=(short(NAME)) y=(short(y + 71.0)) {
            "pink is on other pages; the dotted line is the peak, the same moment for all. An arrow at a bar: it is longer than the scale."
        }
    }
}

const STYLE: &str = "\
text{font:12px 'Inter','Segoe UI',system-ui,'Helvetica Neue','Noto Sans',Arial,sans-serif;font-variant-numeric:tabular-nums;fill:#171b21}\
.title{font-size:20px;font-weight:650}.name{font-weight:650}.head{font-weight:600}.soft{fill:#5a6472;font-size:13px}\
.small{fill:#5a6472;font-size:11px}.middle{text-anchor:middle}.paper{fill:#fff}image{image-rendering:pixelated}\
.rule{stroke:#dfe3e8}.axis,.one{stroke:#5a6472;fill:none}.peak{stroke:#171b21;stroke-dasharray:1 2;fill:none}\
.frame{fill:none;stroke:#5a6472;stroke-width:.5}\
.live{fill:#1f5fa8}.rounding{fill:#6fb0e8}.headers{fill:#1b9e83}.holes{fill:#e8a020}.kept{fill:#c4507e}.metadata{fill:#98a1ac}\
@media(prefers-color-scheme:dark){text{fill:#e7eaee}.soft,.small{fill:#98a3b0}.paper{fill:#12151a}.rule{stroke:#2a3038}\
.axis,.one{stroke:#98a3b0}.peak{stroke:#e7eaee}.frame{stroke:#7d8794}}";
