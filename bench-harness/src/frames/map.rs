//! A zone as a picture: one cell a huge frame.

use super::HUGE;
use super::row::Row;
use crate::interleaved::Picture;

/// The map of a row after one of its chosen rounds.
pub(crate) fn svg(row: &Row, round: usize, used: &[u16]) -> String {
    let whole = used.iter().filter(|&&used| used == 0).count();
    let thread = if row.threads == 1 { "thread" } else { "threads" };
    let subtitle = format!(
        "{whole} of {} huge frames without a frame in use · order {} · {} {thread}",
        used.len(),
        row.order,
        row.threads
    );
    let title = format!("{} after round {round}", row.of.label());
    let cell = "2 MiB of 4 KiB frames";
    Picture { title: &title, subtitle: &subtitle, cell, used, full: HUGE as u16 }.svg()
}
