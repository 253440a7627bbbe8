//! The tables that a run prints on the terminal.

use super::figures::Figures;
use super::grid::{Class, Grid, Line, mode_label, workload_label};
use super::words::{self, or_absent};
use super::{Header, Interval, Outcome, Row};
use comfy_table::{
    Attribute, Cell, CellAlignment, ContentArrangement, Row as Cells, Table, presets,
};
use std::fmt::Write;
use std::io::IsTerminal;

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether the best figures may be set in bold by escape sequences.
    pub bold: bool,
    /// Columns of the terminal; less important columns of the table give way until it fits.
    pub width: usize,
}

impl Style {
    /// No escape sequences, 120 columns: for files and pipes.
    pub const PLAIN: Self = Self { bold: false, width: 120 };

    /// What suits standard output: plain when it is no terminal or `NO_COLOR` is set.
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::PLAIN;
        }
        let quiet = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = Table::new().width().map_or(Self::PLAIN.width, usize::from);
        Self { bold: !quiet, width }
    }
}

/// The table over all workloads: geometric means of times and ratios, arithmetic means of shares.
pub fn summary(header: &Header, rows: &[Row]) -> String {
    summary_in(Style::of_stdout(), header, rows)
}

/// [`summary`] in a given style.
pub fn summary_in(style: Style, header: &Header, rows: &[Row]) -> String {
    let grid = Grid::replayed(rows);
    let workloads = grid.workloads.len();
    if workloads == 0 && rows.iter().any(|row| row.workload.family.is_some()) {
        return format!("strata-bench {} · {}\n", header.version, header.date);
    }
    let plural = if workloads == 1 { "" } else { "s" };
    let mut text = format!(
        "strata-bench {} · {} · {workloads} workload{plural} · geometric means, shares as means\n",
        header.version, header.date
    );
    let lines: Vec<Shown<'_>> = grid
        .lines
        .iter()
        .map(|line| {
            let mut name = line.label.clone();
            if line.covered < workloads {
                let _ = write!(name, " {}/{workloads}", line.covered);
            }
            Shown {
                class: line.class,
                name,
                mode: mode_of(&grid, line.first),
                figures: line.all,
                note: None,
            }
        })
        .collect();
    text.push_str(&table(style, &grid, &lines));
    text.push_str(&outcomes(&grid));
    text
}

/// One table for each workload.
pub fn details(rows: &[Row]) -> String {
    details_in(Style::of_stdout(), rows)
}

/// [`details`] in a given style.
pub fn details_in(style: Style, rows: &[Row]) -> String {
    let grid = Grid::replayed(rows);
    let mut text = String::new();
    for (column, workload) in grid.workloads.iter().enumerate() {
        let _ = writeln!(
            text,
            "\n{} · {} operations · {} recorded thread{}",
            workload_label(workload),
            words::count(workload.operations),
            workload.recorded_threads,
            if workload.recorded_threads == 1 { "" } else { "s" },
        );
        let mut lines: Vec<Shown<'_>> =
            grid.lines.iter().filter_map(|line| Shown::of_cell(&grid, line, column)).collect();
        lines.sort_by(|a, b| {
            let key = |s: &Shown<'_>| s.figures.ns.unwrap_or(f64::INFINITY);
            a.class.cmp(&b.class).then(key(a).total_cmp(&key(b)))
        });
        text.push_str(&table(style, &grid, &lines));
    }
    text
}

/// A line of a table.
struct Shown<'a> {
    class: Class,
    name: String,
    mode: String,
    figures: Figures,
    /// Stands in place of the ratio to System where the row did not end as it should.
    note: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of_cell(grid: &Grid<'_>, line: &Line<'a>, column: usize) -> Option<Self> {
        let row = line.cells[column]?;
        let note = match &row.outcome {
            Outcome::Ok => None,
            Outcome::Crashed { .. } => Some("CRASHED"),
            Outcome::Corrupted { .. } => Some("CORRUPTED"),
            Outcome::NotAvailable { .. } => Some("not available"),
        };
        let figures = line.figures[column].unwrap_or_default();
        Some(Self {
            class: line.class,
            name: line.label.clone(),
            mode: mode_of(grid, row),
            figures,
            note,
        })
    }
}

/// The mode column leaves out a profile that all lines share: a line below the table states it.
fn mode_of(grid: &Grid<'_>, row: &Row) -> String {
    match grid.only_profile {
        Some(_) => row.mode.word().to_owned(),
        None => mode_label(row),
    }
}

/// A column: its heading, what it shows, and which figure is the least where less is better.
struct Column {
    heading: &'static str,
    show: fn(&Shown<'_>) -> String,
    less_is_better: Option<fn(&Figures) -> Option<f64>>,
    /// Columns with a number give way in its order when the terminal is narrow.
    gives_way: Option<u8>,
}

const fn column(
    heading: &'static str,
    show: fn(&Shown<'_>) -> String,
    less_is_better: Option<fn(&Figures) -> Option<f64>>,
    gives_way: Option<u8>,
) -> Column {
    Column { heading, show, less_is_better, gives_way }
}

const MODE: &str = "mode";

const COLUMNS: [Column; 14] = [
    column("allocator", |s| s.name.clone(), None, None),
    column(MODE, |s| s.mode.clone(), None, None),
    column("ns/op", |s| time(&s.figures), Some(|f| f.ns), None),
    column(
        "to System\n(95%)",
        |s| s.note.map_or_else(|| interval(s.figures.to_system), str::to_owned),
        None,
        None,
    ),
    column("×\nbest", |s| or_absent(s.figures.best, words::ratio), Some(|f| f.best), Some(3)),
    column("peak\nR/L", |s| or_absent(s.figures.peak, words::ratio), Some(|f| f.peak), None),
    column("mean\nR/L", |s| or_absent(s.figures.mean, words::ratio), Some(|f| f.mean), Some(2)),
    column("inter-\nnal %", |s| internal(&s.figures), Some(|f| f.internal), None),
    column(
        "head-\ners %",
        |s| or_absent(s.figures.headers, words::percent),
        Some(|f| f.headers),
        Some(4),
    ),
    column("holes\n%", |s| or_absent(s.figures.holes, words::percent), Some(|f| f.holes), None),
    column("kept\n%", |s| or_absent(s.figures.kept, words::percent), Some(|f| f.kept), None),
    column(
        "meta\n%",
        |s| or_absent(s.figures.metadata, words::percent),
        Some(|f| f.metadata),
        None,
    ),
    column(
        "after\ndrain %",
        |s| or_absent(s.figures.drained, words::percent),
        Some(|f| f.drained),
        None,
    ),
    column(
        "instr\n/op",
        |s| or_absent(s.figures.instructions, words::nanos),
        Some(|f| f.instructions),
        Some(1),
    ),
];

fn time(figures: &Figures) -> String {
    match figures.ns {
        None if figures.void => "void".to_owned(),
        ns => or_absent(ns, words::nanos),
    }
}

/// Stride-inferred figures are marked, since they are not exact.
fn internal(figures: &Figures) -> String {
    let mark = if figures.inferred { "~" } else { "" };
    or_absent(figures.internal, |share| format!("{mark}{}", words::percent(share)))
}

fn interval(interval: Option<Interval>) -> String {
    or_absent(interval, |i| match (i.low, i.high) {
        (Some(low), Some(high)) => {
            format!("{} {}–{}", words::ratio(i.median), words::ratio(low), words::ratio(high))
        }
        _ => format!("{}       n/a", words::ratio(i.median)),
    })
}

fn table(style: Style, grid: &Grid<'_>, lines: &[Shown<'_>]) -> String {
    let mut columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| column.heading != MODE || grid.only_mode.is_none())
        .collect();
    let mut left_out = Vec::new();
    let mut text = loop {
        let drawn = draw(style, &columns, lines);
        let width = drawn.lines().next().map_or(0, |rule| rule.chars().count());
        let next = columns
            .iter()
            .enumerate()
            .filter_map(|(index, column)| Some((column.gives_way?, index)))
            .min();
        match next {
            Some((_, index)) if width > style.width => {
                left_out.push(columns.remove(index).heading.replace('\n', " "));
            }
            _ => break drawn,
        }
    };
    text.push_str("R/L = resident / live bytes");
    if let Some(mode) = grid.only_mode {
        let _ = write!(text, "; mode of all times: {}", mode.word());
    }
    if let Some(profile) = &grid.only_profile {
        let _ = write!(text, "; profile of all times: {profile}");
    }
    text.push('\n');
    if !left_out.is_empty() {
        let _ = writeln!(text, "left out to fit {} columns: {}", style.width, left_out.join(", "));
    }
    text
}

/// Draws the table; every line of it is one line of text, so that group headings can be set
/// between them afterwards.
fn draw(style: Style, columns: &[&Column], lines: &[Shown<'_>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|column| column.heading));
    table.style_mut().row_separator = comfy_table::LineStyle::none();
    if style.bold {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let best: Vec<Option<f64>> = columns
        .iter()
        .map(|column| {
            let get = column.less_is_better?;
            let among = lines.iter().filter(|line| line.class == Class::Competitor);
            among.filter_map(|line| get(&line.figures)).min_by(f64::total_cmp)
        })
        .collect();
    for line in lines {
        let cells = columns.iter().zip(&best).map(|(column, best)| {
            let cell = Cell::new((column.show)(line));
            let value = column.less_is_better.and_then(|get| get(&line.figures));
            let bold = line.class == Class::Competitor && value.is_some() && value == *best;
            if bold { cell.add_attribute(Attribute::Bold) } else { cell }
        });
        table.add_row(Cells::from(cells.collect::<Vec<_>>()));
    }
    for (index, column) in columns.iter().enumerate() {
        let words = column.heading == "allocator" || column.heading == MODE;
        let side = if words { CellAlignment::Left } else { CellAlignment::Right };
        if let Some(drawn) = table.column_mut(index) {
            drawn.set_cell_alignment(side);
            drawn.set_padding((u16::from(index == 0), 1));
        }
    }
    with_headings(&table.to_string(), lines)
}

fn with_headings(drawn: &str, lines: &[Shown<'_>]) -> String {
    // A rule, two lines of headings and a rule come before the first line.
    const BEFORE: usize = 4;
    let rule = drawn.lines().next().map_or(0, |rule| rule.chars().count());
    let mut text = String::new();
    let mut last = Class::Competitor;
    for (index, drawn) in drawn.lines().enumerate() {
        let line = index.checked_sub(BEFORE).and_then(|index| lines.get(index));
        if let Some(line) = line.filter(|line| line.class != last) {
            let heading = format!("── {} ", line.class.heading());
            let rest = rule.saturating_sub(heading.chars().count());
            let _ = writeln!(text, "{heading}{}", "─".repeat(rest));
            last = line.class;
        }
        let _ = writeln!(text, "{}", drawn.trim_end());
    }
    text
}

/// A line for every row that did not end as it should.
fn outcomes(grid: &Grid<'_>) -> String {
    let mut text = String::new();
    for line in &grid.lines {
        for row in line.cells.iter().flatten() {
            let place = format!("{} on {}", line.label, workload_label(&row.workload));
            let _ = match &row.outcome {
                Outcome::Ok => Ok(()),
                Outcome::Crashed { how, record: Some(record) } => {
                    writeln!(text, "CRASHED {place}: {how} at record {record}")
                }
                Outcome::Crashed { how, record: None } => {
                    writeln!(text, "CRASHED {place}: {how}")
                }
                Outcome::Corrupted { violations } => match violations.first() {
                    Some(v) => writeln!(
                        text,
                        "CORRUPTED {place}: {:?} at record {}, thread {}: {}",
                        v.kind, v.record, v.thread, v.detail
                    ),
                    None => writeln!(text, "CORRUPTED {place}"),
                },
                Outcome::NotAvailable { reason } => {
                    writeln!(text, "n/a {place}: {reason}")
                }
            };
        }
    }
    text
}
