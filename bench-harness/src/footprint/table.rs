//! The tables on the terminal: one a scenario.

use super::Scenario;
use super::row::Row;
use crate::results::Header;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::fmt::Write;

/// Every scenario's table.
pub(crate) fn text(header: &Header, rows: &[Row]) -> String {
    let mut text = format!(
        "strata-bench {} · {} · private dirty bytes beyond system's at idle\n",
        header.version, header.date
    );
    for (scenario, rows) in by_scenario(rows) {
        let _ = writeln!(text, "\n{} · {}", scenario.name(), scenario.explain());
        let _ = writeln!(text, "{}", table(&rows));
    }
    text
}

/// The rows of each scenario, in the order in which they came.
pub(super) fn by_scenario(rows: &[Row]) -> Vec<(Scenario, Vec<&Row>)> {
    let mut groups: Vec<(Scenario, Vec<&Row>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(scenario, _)| *scenario == row.scenario) {
            Some((_, group)) => group.push(row),
            None => groups.push((row.scenario, vec![row])),
        }
    }
    groups
}

/// The heading of each figure, with its gate.
pub(super) fn heads(rows: &[&Row]) -> Vec<(String, String)> {
    let full = rows.iter().max_by_key(|row| row.figures.len());
    let figures = full.map_or(&[][..], |row| &row.figures);
    figures.iter().map(|figure| (figure.name.clone(), figure.gate())).collect()
}

fn table(rows: &[&Row]) -> Table {
    let heads = heads(rows);
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.style_mut().row_separator = comfy_table::LineStyle::none();
    let words = heads.iter().map(|(name, gate)| format!("{name}\n{gate}").trim_end().to_owned());
    let head = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    table.set_header([Cell::new("allocator")].into_iter().chain(words.map(head)));
    for row in rows {
        let mut cells = vec![Cell::new(row.label())];
        for figure in &row.figures {
            let mark = match figure.pass {
                Some(true) => " ✓",
                Some(false) => " ✗",
                None => "",
            };
            let text = format!("{}{mark}", figure.shown());
            cells.push(Cell::new(text).set_alignment(CellAlignment::Right));
        }
        if row.failed.is_some() {
            cells.push(Cell::new("FAILED"));
        }
        table.add_row(cells);
    }
    table
}
