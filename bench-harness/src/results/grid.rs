//! Rows arranged as subjects by workloads, and the order in which they are shown.

use super::figures::{Figures, over_all};
use super::{Mode, Row, Threads, Workload};
use std::collections::HashMap;

/// What a line of a table is: only competitors are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// An allocator that people would use.
    Competitor,
    /// A subject against itself: the noise of the run.
    AgainstItself,
    /// The no-op subject: what the harness itself costs. Never subtracted.
    Null,
    /// A subject with known answers.
    Calibration,
}

impl Class {
    fn of(row: &Row) -> Self {
        match row {
            row if row.a_a => Self::AgainstItself,
            row if row.subject.name == "noop" => Self::Null,
            row if row.subject.calibration => Self::Calibration,
            _ => Self::Competitor,
        }
    }

    /// Heads the group where it is shown apart.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Competitor => "allocators",
            Self::AgainstItself => "A/A arm: a subject against itself, the noise of this run",
            Self::Null => "null row: what the harness itself costs (never subtracted)",
            Self::Calibration => "calibration subjects: known answers, not competitors",
        }
    }
}

/// One subject in one mode and profile, over all workloads.
pub(crate) struct Line<'a> {
    pub(crate) label: String,
    pub(crate) class: Class,
    pub(crate) first: &'a Row,
    /// By workload, as [`Grid::workloads`].
    pub(crate) cells: Vec<Option<&'a Row>>,
    /// The same, as figures.
    pub(crate) figures: Vec<Option<Figures>>,
    /// Over all workloads.
    pub(crate) all: Figures,
    /// On how many workloads it ended as it should.
    pub(crate) covered: usize,
}

/// Rows by subject and workload.
pub(crate) struct Grid<'a> {
    pub(crate) workloads: Vec<&'a Workload>,
    pub(crate) lines: Vec<Line<'a>>,
    /// The only mode of all lines that ran, where there is only one.
    pub(crate) only_mode: Option<Mode>,
    /// The only profile of all lines that ran, where there is only one.
    pub(crate) only_profile: Option<String>,
}

/// A workload's name, with a mark where its threads were replayed as threads.
pub(crate) fn workload_label(workload: &Workload) -> String {
    match workload.threads {
        Threads::Serial => workload.name.clone(),
        Threads::Recorded => format!("{} ∥", workload.name),
    }
}

impl Mode {
    /// In one word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Global => "global",
            Self::Preload => "preload",
            Self::Computed => "computed",
        }
    }
}

/// Mode and profile in words, as every time figure must state them.
pub(crate) fn mode_label(row: &Row) -> String {
    match row.mode {
        Mode::Computed => row.mode.word().to_owned(),
        mode => format!("{} {}", mode.word(), row.profile),
    }
}

impl<'a> Grid<'a> {
    /// Arranges what was replayed, and not the kernels: there is no mean over both.
    pub(crate) fn replayed(rows: &'a [Row]) -> Self {
        Self::of(rows.iter().filter(|row| row.workload.family.is_none()))
    }

    /// Arranges a choice of rows; lines are sorted by class, then by time, then by memory.
    pub(crate) fn of(rows: impl Iterator<Item = &'a Row> + Clone) -> Self {
        let mut workloads: Vec<&Workload> = Vec::new();
        let mut columns = HashMap::new();
        for row in rows.clone() {
            columns.entry((&row.workload.name, row.workload.threads)).or_insert_with(|| {
                workloads.push(&row.workload);
                workloads.len() - 1
            });
        }
        let mut found = HashMap::new();
        let mut lines: Vec<Line<'_>> = Vec::new();
        for row in rows {
            let key = (&row.subject.name, row.mode, &row.profile, row.a_a);
            let line = *found.entry(key).or_insert_with(|| {
                lines.push(Line {
                    label: row.subject.name.clone(),
                    class: Class::of(row),
                    first: row,
                    cells: vec![None; workloads.len()],
                    figures: Vec::new(),
                    all: Figures::default(),
                    covered: 0,
                });
                lines.len() - 1
            });
            let column = columns[&(&row.workload.name, row.workload.threads)];
            lines[line].cells[column] = Some(row);
        }
        distinguish(&mut lines);
        fill_figures(&mut lines, workloads.len());
        let rank = |line: &Line<'_>| {
            (line.all.best.or(line.all.ns), line.all.peak.unwrap_or(f64::INFINITY))
        };
        lines.sort_by(|a, b| {
            let ((time_a, memory_a), (time_b, memory_b)) = (rank(a), rank(b));
            a.class
                .cmp(&b.class)
                .then(time_a.unwrap_or(f64::INFINITY).total_cmp(&time_b.unwrap_or(f64::INFINITY)))
                .then(memory_a.total_cmp(&memory_b))
                .then(a.label.cmp(&b.label))
        });
        let only_mode = only(&lines, |row| row.mode);
        let only_profile = only(&lines, |row| row.profile.clone());
        Self { workloads, lines, only_mode, only_profile }
    }

    /// Lines of one class, in order.
    pub(crate) fn of_class(&self, class: Class) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(move |line| line.class == class)
    }
}

/// Adds to equal names what tells their lines apart.
fn distinguish(lines: &mut [Line<'_>]) {
    let labels: Vec<String> = lines
        .iter()
        .map(|line| {
            let twin = |same: fn(&Row, &Row) -> bool| {
                lines.iter().any(|other| {
                    !std::ptr::eq(other, line)
                        && other.first.subject.name == line.first.subject.name
                        && other.first.a_a == line.first.a_a
                        && same(other.first, line.first)
                })
            };
            let mut label = line.label.clone();
            if line.class == Class::AgainstItself {
                label.push_str(" A/A");
            }
            if twin(|a, b| a.mode != b.mode) {
                label = format!("{label} {}", mode_label(line.first));
            } else if twin(|a, b| a.profile != b.profile) {
                label = format!("{label} {}", line.first.profile);
            }
            label
        })
        .collect();
    for (line, label) in lines.iter_mut().zip(labels) {
        line.label = label;
    }
}

fn fill_figures(lines: &mut [Line<'_>], workloads: usize) {
    let best: Vec<Option<f64>> = (0..workloads)
        .map(|column| {
            lines
                .iter()
                .filter(|line| line.class == Class::Competitor)
                .filter_map(|line| Figures::of(line.cells[column]?).ns)
                .min_by(f64::total_cmp)
        })
        .collect();
    let system = lines
        .iter()
        .find(|line| line.class == Class::Competitor && line.first.subject.name == "system")
        .map(|line| line.cells.clone());
    for line in lines {
        line.figures = (0..workloads)
            .map(|column| {
                let mut figures = Figures::of(line.cells[column]?);
                figures.best = best[column].and_then(|best| figures.ns.map(|ns| ns / best));
                Some(figures)
            })
            .collect();
        line.covered = line
            .cells
            .iter()
            .flatten()
            .filter(|row| matches!(row.outcome, super::Outcome::Ok))
            .count();
        line.all = over_all(line, system.as_deref());
    }
}

/// What `get` answers for every line that ran, where that is one answer.
fn only<T: PartialEq>(lines: &[Line<'_>], get: impl Fn(&Row) -> T) -> Option<T> {
    let mut answers =
        lines.iter().filter(|line| line.first.mode != Mode::Computed).map(|l| get(l.first));
    let first = answers.next()?;
    answers.all(|answer| answer == first).then_some(first)
}
