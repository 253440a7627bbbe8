//! Tables on the terminal.

use crate::results::{Interval, words};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

/// A table with the allocators' names in the first column.
pub(crate) fn fresh(heads: Vec<String>) -> Table {
    headed("allocator", heads)
}

/// The same whose rows are of something else.
pub(crate) fn headed(first: &str, heads: Vec<String>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.style_mut().row_separator = comfy_table::LineStyle::none();
    table.set_header(cells(first.into(), heads));
    table
}

/// Adds a row.
pub(crate) fn add(table: &mut Table, label: String, values: Vec<String>) {
    table.add_row(cells(label, values));
}

fn cells(label: String, values: Vec<String>) -> Vec<Cell> {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    std::iter::once(Cell::new(label)).chain(values.into_iter().map(right)).collect()
}

/// An interval, or its median alone.
pub(crate) fn interval(value: Option<&Interval>) -> String {
    words::or_absent(value, |value| match (value.low, value.high) {
        (Some(low), Some(high)) => {
            format!("{} [{}–{}]", words::ratio(value.median), words::ratio(low), words::ratio(high))
        }
        _ => words::ratio(value.median),
    })
}
