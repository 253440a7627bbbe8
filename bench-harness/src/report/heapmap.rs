//! The heap as a picture: one cell a page, coloured by how much of it is live.

use super::png;
use super::scale::short;
use super::terms::TERMS;
use crate::results::words;
use crate::results::{Checkpoint, HeapMap, HeapTile};
use maud::{Markup, PreEscaped, html};

/// Cells of a tile: 512 pages, in reading order.
pub(super) const ACROSS: usize = 32;
pub(super) const DOWN: usize = 16;

/// By the digits of [`HeapTile::pages`]: not resident, never held a block, empty, then tenths of
/// live bytes from amber (mostly hole) to blue (full). Readable on paper and on black, and by
/// the colour-blind.
pub(super) const PALETTE: [[u8; 3]; 13] = [
    [0xff, 0xff, 0xff],
    [0x98, 0xa1, 0xac],
    [0xc4, 0x50, 0x7e],
    [0xe8, 0x9a, 0x14],
    [0xe9, 0xae, 0x42],
    [0xe6, 0xc1, 0x70],
    [0xdd, 0xcf, 0x9c],
    [0xc6, 0xd6, 0xc6],
    [0xa3, 0xcd, 0xe2],
    [0x7b, 0xb6, 0xe2],
    [0x53, 0x99, 0xd4],
    [0x35, 0x7b, 0xbf],
    [0x1f, 0x5f, 0xa8],
];

const TILE_BYTES: u64 = 2 << 20;

pub(crate) fn colour(digit: usize) -> String {
    let [red, green, blue] = PALETTE[digit];
    format!("#{red:02x}{green:02x}{blue:02x}")
}

pub(super) fn digit(tile: &HeapTile, page: usize) -> usize {
    usize::from(tile.pages.get(page).copied().unwrap_or(0)).min(PALETTE.len() - 1)
}

/// Whether addresses are missing between this tile and the one before.
fn after_gap(tiles: &[HeapTile], index: usize) -> Option<u64> {
    let before = tiles.get(index.checked_sub(1)?)?;
    tiles[index].offset.checked_sub(before.offset + TILE_BYTES).filter(|gap| *gap > 0)
}

/// A stand-alone SVG picture of a heap: a cell a page, 2 MiB tiles outlined, breaks where
/// addresses are missing, the waterfall beside it, a legend below. `page_bytes` only words the
/// legend.
pub fn heap_map_svg(
    title: &str,
    subtitle: &str,
    map: &HeapMap,
    checkpoint: &Checkpoint,
    page_bytes: u64,
) -> String {
    let layout = Layout::of(map);
    let height = (layout.bottom + 74.0).max(430.0);
    let width = layout.right + 214.0;
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", short(width), short(height)))
            width=(short(width)) height=(short(height)) {
            title { (title) }
            style { (PreEscaped(STYLE)) }
            rect.paper width="100%" height="100%" {}
            text.title x="24" y="38" { (title) }
            text.soft x="24" y="58" { (subtitle) }
            @for (tile, &(x, y)) in map.tiles.iter().zip(&layout.places) {
                rect.empty x=(short(x)) y=(short(y)) width=(short(layout.cell * ACROSS as f64)) height=(short(layout.cell * DOWN as f64)) {}
                g transform=(format!("translate({} {}) scale({})", short(x), short(y), short(layout.cell))) { (tile_paths(tile)) }
                rect.outline.huge[tile.huge] x=(short(x)) y=(short(y)) width=(short(layout.cell * ACROSS as f64)) height=(short(layout.cell * DOWN as f64)) {}
            }
            @for (x, y, words) in &layout.words { text.small x=(short(*x)) y=(short(*y)) { (words) } }
            @if map.tiles.is_empty() { text.soft x="24" y="100" { "No page of the heap is resident." } }
            (strip(checkpoint, layout.right + 34.0))
            (legend(layout.bottom + 30.0, page_bytes))
        }
    }
    .into_string()
}

const STYLE: &str = "\
text{font:12px 'Inter','Segoe UI',system-ui,'Helvetica Neue','Noto Sans',Arial,sans-serif;font-variant-numeric:tabular-nums;fill:#171b21}\
.title{font-size:20px;font-weight:650}.soft{fill:#5a6472;font-size:13px}.small{fill:#5a6472;font-size:10px}\
.paper{fill:#fff}.empty{fill:#eef0f3}.outline{fill:none;stroke:#5a6472;stroke-width:.7}.huge{stroke:#171b21;stroke-width:2}\
path{shape-rendering:crispEdges}\
.live{fill:#1f5fa8}.rounding{fill:#6fb0e8}.headers{fill:#1b9e83}.holes{fill:#e8a020}.kept{fill:#c4507e}.metadata{fill:#98a1ac}\
@media(prefers-color-scheme:dark){text{fill:#e7eaee}.soft,.small{fill:#98a3b0}.paper{fill:#12151a}.empty{fill:#20252d}\
.outline{stroke:#7d8794}.huge{stroke:#fff}}";

/// Where the tiles and the words between them go.
struct Layout {
    cell: f64,
    places: Vec<(f64, f64)>,
    words: Vec<(f64, f64, String)>,
    right: f64,
    bottom: f64,
}

impl Layout {
    /// Tiles run in reading order; a contiguous run of addresses starts on a line of its own
    /// while there are few runs, else after a space.
    fn of(map: &HeapMap) -> Self {
        const LEFT: f64 = 84.0;
        const GAP: f64 = 6.0;
        let tiles = &map.tiles;
        let (cell, columns): (f64, usize) = match tiles.len() {
            0..=6 => (8.0, 3),
            7..=24 => (6.0, 4),
            _ => (4.0, 6),
        };
        let (wide, high) = (cell * ACROSS as f64, cell * DOWN as f64);
        let gaps = (0..tiles.len()).filter(|index| after_gap(tiles, *index).is_some()).count();
        let breaks_lines = gaps <= 2 + tiles.len() / (2 * columns);
        let (mut places, mut words) = (Vec::new(), Vec::new());
        let (mut column, mut y) = (0, 84.0);
        for (index, tile) in tiles.iter().enumerate() {
            let gap = after_gap(tiles, index);
            let new_line = column == columns || (gap.is_some() && breaks_lines);
            if new_line && index > 0 {
                column = 0;
                y += high + GAP;
                if let (Some(gap), true) = (gap, breaks_lines) {
                    words.push((
                        LEFT,
                        y + 8.0,
                        format!("⋯ {} of addresses not mapped or not resident", words::bytes(gap)),
                    ));
                    y += 15.0;
                }
            }
            let x = LEFT + column as f64 * (wide + GAP);
            if column == 0 {
                words.push((24.0, y + 10.0, format!("+{}", mib(tile.offset))));
            }
            if let (Some(_), false) = (gap, breaks_lines) {
                words.push((x - 5.0, y + high / 2.0, "⋮".to_owned()));
            }
            places.push((x, y));
            column += 1;
        }
        let bottom = if tiles.is_empty() { y + 40.0 } else { y + high };
        Self { cell, places, words, right: LEFT + columns as f64 * (wide + GAP), bottom }
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// A path a colour; runs of equal cells in a line are one stroke of it.
fn tile_paths(tile: &HeapTile) -> Markup {
    let mut paths: [String; PALETTE.len()] = Default::default();
    for line in 0..DOWN {
        let mut start = 0;
        while start < ACROSS {
            let kind = digit(tile, line * ACROSS + start);
            let run =
                (start..ACROSS).take_while(|x| digit(tile, line * ACROSS + x) == kind).count();
            paths[kind].push_str(&format!("M{start} {line}h{run}v1h-{run}z"));
            start += run;
        }
    }
    html! {
        @for (kind, path) in paths.iter().enumerate().skip(1) {
            @if !path.is_empty() { path fill=(colour(kind)) d=(path) {} }
        }
    }
}

/// The waterfall as a standing bar with its terms named beside it.
fn strip(at: &Checkpoint, x: f64) -> Markup {
    const TOP: f64 = 84.0;
    const TALL: f64 = 250.0;
    let total = at.resident.max(1) as f64;
    let mut y = TOP;
    let mut below = TOP;
    let mut parts = Vec::new();
    for term in &TERMS {
        let bytes = (term.bytes)(&at.waterfall);
        let high = bytes.unwrap_or(0) as f64 / total * TALL;
        // A label keeps 30 units from the one above, however thin its part.
        let label = (y + high / 2.0 + 4.0).max(below + 13.0);
        parts.push((term, bytes, y, high, label));
        below = label + 17.0;
        y += high;
    }
    html! {
        text.small x=(short(x)) y="76" { (words::bytes(at.resident)) " resident" }
        @for (term, bytes, y, high, label) in parts {
            rect class=(term.class) x=(short(x)) y=(short(y)) width="26" height=(short(high)) {}
            rect class=(term.class) x=(short(x + 36.0)) y=(short(label - 9.0)) width="8" height="9" {}
            text x=(short(x + 49.0)) y=(short(label)) { (term.name) }
            text.small x=(short(x + 49.0)) y=(short(label + 13.0)) {
                (words::or_absent(bytes, words::bytes))
                @if let Some(bytes) = bytes { " · " (words::percent(bytes as f64 / total)) "%" }
            }
        }
    }
}

fn legend(y: f64, page_bytes: u64) -> Markup {
    let items = [(1, "never held a block"), (2, "empty, kept"), (0, "not resident")];
    html! {
        text.small x="84" y=(short(y - 8.0)) { "live bytes in the page of " (words::bytes(page_bytes)) ": 0 → 100%" }
        @for kind in 3..PALETTE.len() {
            rect fill=(colour(kind)) x=(84 + (kind - 3) * 18) y=(short(y)) width="18" height="12" {}
        }
        @for (index, (kind, words)) in items.into_iter().enumerate() {
            @let x = 292 + index * 132;
            @if kind == 0 { rect.empty x=(x) y=(short(y)) width="12" height="12" {} }
            @else { rect fill=(colour(kind)) x=(x) y=(short(y)) width="12" height="12" {} }
            text.small x=(x + 18) y=(short(y + 10.0)) { (words) }
        }
        text.small x="84" y=(short(y + 32.0)) { "outlined: 2 MiB; bold outline: backed by a huge page" }
    }
}

/// The cells alone as PNG, four by four dots a page and a line around each tile of 2 MiB, eight
/// tiles across; what is not resident is transparent.
pub fn heap_map_png(map: &HeapMap) -> Vec<u8> {
    const DOTS: usize = 4;
    const LINE: usize = 4;
    const COLUMNS: usize = 8;
    let columns = map.tiles.len().clamp(1, COLUMNS);
    let rows = map.tiles.len().div_ceil(columns).max(1);
    let (wide, high) = (ACROSS * DOTS + LINE, DOWN * DOTS + LINE);
    let (width, height) = (columns * wide + LINE, rows * high + LINE);
    let mut pixels = vec![0_u8; width * height];
    for (index, tile) in map.tiles.iter().enumerate() {
        let (left, top) = (index % columns * wide + LINE, index / columns * high + LINE);
        for y in 0..DOWN * DOTS {
            for x in 0..ACROSS * DOTS {
                let page = y / DOTS * ACROSS + x / DOTS;
                pixels[(top + y) * width + left + x] = digit(tile, page) as u8;
            }
        }
    }
    png::file(width, &pixels, &PALETTE)
}

/// The same picture, small, for the report: an image with the tiles outlined over it.
pub(super) fn embedded(map: &HeapMap) -> Markup {
    const COLUMNS: usize = 8;
    let tiles = &map.tiles;
    let columns = COLUMNS.min(tiles.len().max(1));
    let rows = tiles.len().div_ceil(columns).max(1);
    let (width, height) = (columns * ACROSS, rows * DOWN);
    let mut pixels = vec![0_u8; width * height];
    let mut breaks = String::new();
    for (index, tile) in tiles.iter().enumerate() {
        let (left, top) = (index % columns * ACROSS, index / columns * DOWN);
        for page in 0..ACROSS * DOWN {
            let place = (top + page / ACROSS) * width + left + page % ACROSS;
            pixels[place] = digit(tile, page) as u8;
        }
        if after_gap(tiles, index).is_some() {
            breaks.push_str(&format!("M{left} {top}v{DOWN}"));
        }
    }
    let last = tiles.len() - (rows - 1) * columns.min(tiles.len());
    let mut frame = String::new();
    for row in 0..rows {
        let across = if row + 1 == rows { last } else { columns };
        let (top, right) = (row * DOWN, across * ACROSS);
        frame.push_str(&format!("M0 {top}H{right}M0 {}H{right}", top + DOWN));
        for column in 0..=across {
            frame.push_str(&format!("M{} {top}v{DOWN}", column * ACROSS));
        }
    }
    // Few tiles are not blown up beyond the size that they have beside others.
    let shown = COLUMNS * ACROSS;
    html! {
        svg viewBox=(format!("-1 -1 {} {}", shown + 2, height + 2)) {
            image width=(width) height=(height) href=(png::data_address(width, &pixels, &PALETTE)) {}
            path.mapframe d=(frame) {}
            @if !breaks.is_empty() { path.mapbreak d=(breaks) {} }
        }
    }
}

/// What the colours of the maps mean.
pub(super) fn key() -> Markup {
    html! {
        div.key {
            span { @for kind in 3..PALETTE.len() {
                i style=(format!("background:{};margin:0;border-radius:0", colour(kind))) {}
            } "  live bytes in the page, 0 → 100%" }
            span { i style=(format!("background:{}", colour(2))) {} "empty, kept" }
            span { i style=(format!("background:{}", colour(1))) {} "never held a block" }
            span { i.line {} "break in the addresses" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_equal_pages_are_one_stroke() {
        let mut pages = vec![12; 512];
        pages[40] = 3;
        let text = tile_paths(&HeapTile { offset: 0, pages, huge: false }).into_string();
        assert_eq!(text.matches("<path").count(), 2);
        assert_eq!(text.matches('M').count(), 15 + 2 + 1);
    }

    #[test]
    fn gaps_are_where_addresses_are_missing() {
        let at = |mib: u64| HeapTile { offset: mib << 20, ..HeapTile::default() };
        let tiles = [at(0), at(2), at(10)];
        assert_eq!(after_gap(&tiles, 0), None);
        assert_eq!(after_gap(&tiles, 1), None);
        assert_eq!(after_gap(&tiles, 2), Some(6 << 20));
    }
}
