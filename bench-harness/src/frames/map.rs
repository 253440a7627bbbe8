//! A zone as a picture: one cell a huge frame, coloured by how much of it is in use.

use super::HUGE;
use super::row::Row;
use crate::report::scale::short;
use maud::html;

/// Cells of a row.
const ACROSS: usize = 64;
const CELL: f64 = 9.0;
const LEFT: f64 = 24.0;
const TOP: f64 = 72.0;

/// Whole huge frames, then eighths in use from amber (mostly hole) to blue (full). Readable on
/// paper and on black, and by the colour-blind.
const PALETTE: [&str; 10] = [
    "#ffffff", "#e89a14", "#e9ae42", "#e6c170", "#ddcf9c", "#c6d6c6", "#a3cde2", "#7bb6e2",
    "#5399d4", "#1f5fa8",
];

/// The colour of a huge frame with so many frames in use: white of none, the darkest of all only.
fn colour(used: u16) -> usize {
    match used as usize {
        0 => 0,
        HUGE => 9,
        used => 1 + used * 8 / HUGE,
    }
}

/// The map of a row after one of its chosen rounds.
pub(crate) fn svg(row: &Row, round: usize, used: &[u16]) -> String {
    let down = used.len().div_ceil(ACROSS);
    let width = LEFT * 2.0 + CELL * ACROSS as f64;
    let height = TOP + CELL * down as f64 + 64.0;
    let whole = used.iter().filter(|&&used| used == 0).count();
    let title = format!("{} after round {round}", row.label());
    let thread = if row.threads == 1 { "thread" } else { "threads" };
    let subtitle = format!(
        "{whole} of {} huge frames without a frame in use · order {} · {} {thread}",
        used.len(),
        row.order,
        row.threads
    );
    let place = |index: usize| {
        (LEFT + CELL * (index % ACROSS) as f64, TOP + CELL * (index / ACROSS) as f64)
    };
    let side = short(CELL - 1.0);
    let legend = height - 34.0;
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", short(width), short(height)))
            width=(short(width)) height=(short(height)) font-family="system-ui, sans-serif" {
            title { (title) }
            rect fill="#f6f7f8" width="100%" height="100%" {}
            text x=(short(LEFT)) y="34" font-size="17" fill="#1c2733" { (title) }
            text x=(short(LEFT)) y="54" font-size="12" fill="#5a6672" { (subtitle) }
            @for (index, &used) in used.iter().enumerate() {
                @let (x, y) = place(index);
                rect x=(short(x)) y=(short(y)) width=(side) height=(side) fill=(PALETTE[colour(used)]) {}
            }
            @for (index, fill) in PALETTE.iter().enumerate() {
                rect x=(short(LEFT + 40.0 + CELL * 2.0 * index as f64)) y=(short(legend)) width=(short(CELL * 2.0)) height=(side) fill=(fill) stroke="#c9d0d6" stroke-width="0.5" {}
            }
            text x=(short(LEFT)) y=(short(legend + 8.0)) font-size="11" fill="#5a6672" { "free" }
            text x=(short(LEFT + 48.0 + CELL * 20.0)) y=(short(legend + 8.0)) font-size="11" fill="#5a6672" { "in use · one cell is 2 MiB of 4 KiB frames" }
        }
    }
    .into_string()
}
