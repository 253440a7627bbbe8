//! Memory as a picture: one cell a range of equal length, coloured by how much of it is in use.

use crate::report::scale::short;
use maud::html;

/// Cells of a row.
const ACROSS: usize = 64;
const CELL: f64 = 9.0;
const LEFT: f64 = 24.0;
const TOP: f64 = 72.0;

/// Free cells, then eighths in use from amber (mostly hole) to blue (full). Readable on paper and
/// on black, and by the colour-blind.
const PALETTE: [&str; 10] = [
    "#ffffff", "#e89a14", "#e9ae42", "#e6c170", "#ddcf9c", "#c6d6c6", "#a3cde2", "#7bb6e2",
    "#5399d4", "#1f5fa8",
];

/// A picture of cells of which each has `full` parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// What a cell is, for example `2 MiB of 4 KiB frames`.
    pub(crate) cell: &'a str,
    /// Parts in use, by cells.
    pub(crate) used: &'a [u16],
    pub(crate) full: u16,
}

impl Picture<'_> {
    /// White where nothing is in use, the darkest where all is only.
    fn colour(&self, used: u16) -> usize {
        match used {
            0 => 0,
            used if used >= self.full => 9,
            used => 1 + usize::from(used) * 8 / usize::from(self.full),
        }
    }

    /// As SVG.
    pub(crate) fn svg(&self) -> String {
        let down = self.used.len().div_ceil(ACROSS);
        let width = LEFT * 2.0 + CELL * ACROSS as f64;
        let height = TOP + CELL * down as f64 + 64.0;
        let place = |index: usize| {
            (LEFT + CELL * (index % ACROSS) as f64, TOP + CELL * (index / ACROSS) as f64)
        };
        let side = short(CELL - 1.0);
        let legend = height - 34.0;
        html! {
            svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(self.title) viewBox=(format!("0 0 {} {}", short(width), short(height)))
                width=(short(width)) height=(short(height)) font-family="system-ui, sans-serif" {
                title { (self.title) }
                rect fill="#f6f7f8" width="100%" height="100%" {}
                text x=(short(LEFT)) y="34" font-size="17" fill="#1c2733" { (self.title) }
                text x=(short(LEFT)) y="54" font-size="12" fill="#5a6672" { (self.subtitle) }
                @for (index, &used) in self.used.iter().enumerate() {
                    @let (x, y) = place(index);
                    rect x=(short(x)) y=(short(y)) width=(side) height=(side) fill=(PALETTE[self.colour(used)]) {}
                }
                @for (index, fill) in PALETTE.iter().enumerate() {
                    rect x=(short(LEFT + 40.0 + CELL * 2.0 * index as f64)) y=(short(legend)) width=(short(CELL * 2.0)) height=(side) fill=(fill) stroke="#c9d0d6" stroke-width="0.5" {}
                }
                text x=(short(LEFT)) y=(short(legend + 8.0)) font-size="11" fill="#5a6672" { "free" }
                text x=(short(LEFT + 48.0 + CELL * 20.0)) y=(short(legend + 8.0)) font-size="11" fill="#5a6672" { "in use · one cell is " (self.cell) }
            }
        }
        .into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Picture;

    #[test]
    fn a_cell_has_the_darkest_colour_only_when_it_is_full() {
        let picture =
            Picture { title: "t", subtitle: "s", cell: "c", used: &[0, 1, 511, 512], full: 512 };
        assert_eq!([0, 1, 511, 512].map(|used| picture.colour(used)), [0, 1, 8, 9]);
        assert_eq!(picture.svg().matches("<rect").count(), 1 + 4 + 10);
    }
}
