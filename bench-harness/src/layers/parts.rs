//! From the rows of each command to what they have in common.

use super::{Layer, Line, Part};
use crate::error::{Failure, Result};
use crate::frames::{self, Workload as Frame};
use crate::interleaved::{Standing, Time};
use crate::pools::{self, Workload as Pool};
use crate::regions::{self, Workload as Region};
use crate::results::grid::{Class, Grid};
use crate::results::table::Style;
use crate::results::{self, Header, jsonl, words};
use std::path::Path;

/// Reads a results file of any layer.
///
/// # Errors
///
/// In one line: it cannot be read, is of no layer, or has a damaged line.
pub(crate) fn read(path: &Path) -> Result<Part> {
    match &*jsonl::schema(path)? {
        results::SCHEMA => jsonl::read(path).map(heaps),
        pools::SCHEMA => jsonl::read_as(path, pools::SCHEMA).map(pools),
        regions::SCHEMA => jsonl::read_as(path, regions::SCHEMA).map(segments),
        frames::SCHEMA => jsonl::read_as(path, frames::SCHEMA).map(frames),
        other => Err(Failure::input(format!(
            "{}: schema {other:?} is of no layer; give results of run, pools, regions or frames",
            path.display()
        ))),
    }
}

fn heaps((header, rows): (Header, Vec<results::Row>)) -> Part {
    let grid = Grid::replayed(&rows);
    let line = |line: &results::grid::Line<'_>| Line {
        label: line.label.clone(),
        version: line.first.subject.version.clone(),
        calibration: line.class != Class::Competitor,
        nanos: line.all.ns,
        memory: line.all.peak.map(|ratio| format!("{}×", words::ratio(ratio))),
    };
    let text = results::table::summary_in(Style::PLAIN, &header, &rows);
    Part {
        layer: Layer::Heaps,
        lines: grid.lines.iter().map(line).collect(),
        text,
        pictures: Vec::new(),
        header,
    }
}

fn pools((header, rows): (Header, Vec<pools::Row>)) -> Part {
    let mut lines = Lines::default();
    for row in &rows {
        let line = lines.of(&row.of);
        match row.workload {
            Pool::Pair if row.threads == 1 => line.nanos = pair(&row.times),
            Pool::Waste => line.memory = row.on_top().map(|value| format!("+{value:.1}%")),
            _ => {}
        }
    }
    let text = pools::text(&header, &rows);
    Part { layer: Layer::Pools, header, lines: lines.0, text, pictures: Vec::new() }
}

fn segments((header, rows): (Header, Vec<regions::Row>)) -> Part {
    let mut lines = Lines::default();
    let mut pictures = Vec::new();
    for row in &rows {
        let line = lines.of(&row.of);
        match row.workload {
            Region::Pair => line.nanos = pair(&row.times),
            Region::Efficiency => {
                let share = row.space.first().map(|space| space.median);
                line.memory = share.filter(|s| s.is_finite()).map(|share| format!("{share:.1}%"));
            }
            _ => {}
        }
        pictures.extend(row.maps.iter().map(|map| regions::svg(row, map)));
    }
    let text = regions::text(&header, &rows);
    Part { layer: Layer::Segments, header, lines: lines.0, text, pictures }
}

fn frames((header, rows): (Header, Vec<frames::Row>)) -> Part {
    let mut lines = Lines::default();
    let mut pictures = Vec::new();
    let alone = |workload| {
        let of = rows.iter().filter(move |row| row.workload == workload);
        of.map(|row| (row.order, row.threads)).min()
    };
    let (repeat, fragment) = (alone(Frame::Repeat), alone(Frame::Fragment));
    for row in &rows {
        let line = lines.of(&row.of);
        let here = Some((row.order, row.threads));
        match (row.workload, &row.fragment) {
            (Frame::Repeat, _) if here == repeat => line.nanos = pair(&row.times),
            (Frame::Fragment, Some(found)) if here == fragment => {
                let last = found.free_huge.last().copied().unwrap_or(0);
                line.memory = Some(format!("{last} of {}", found.ideal));
            }
            _ => {}
        }
        let maps = row.fragment.iter().flat_map(|found| &found.maps);
        pictures.extend(maps.map(|map| frames::svg(row, map.round, &map.used)));
    }
    let text = frames::text(&header, &rows);
    Part { layer: Layer::Frames, header, lines: lines.0, text, pictures }
}

/// The first kind of call that a row timed.
fn pair(times: &[Time]) -> Option<f64> {
    times.first().map(|time| time.median)
}

/// Lines in the order in which their allocators came.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn of(&mut self, who: &Standing) -> &mut Line {
        let label = who.label();
        let place = self.0.iter().position(|line| line.label == label);
        let place = place.unwrap_or_else(|| {
            self.0.push(Line {
                label,
                version: who.subject.version.clone(),
                calibration: who.subject.calibration || who.a_a,
                nanos: None,
                memory: None,
            });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}
