//! The tables on the terminal: one for each workload and order.

use super::job::Workload;
use super::row::Row;
use crate::interleaved::{Time, fresh, interval};
use crate::results::{Header, words};
use comfy_table::Table;
use std::fmt::Write;

/// All tables.
pub(crate) fn text(header: &Header, rows: &[Row]) -> String {
    let mut text = format!("strata-bench {} · {}\n", header.version, header.date);
    for group in rows.chunk_by(|a, b| key(a) == key(b)) {
        let Some(first) = group.first() else { continue };
        let (name, explain) = (first.workload.name(), first.workload.explain());
        let order = match first.workload {
            Workload::Overlap => String::new(),
            _ => format!(" · order {} of {}", first.order, zone(first.frames)),
        };
        let _ = writeln!(text, "\n{name}{order} · {explain}");
        let table = match first.workload {
            Workload::Latency => latency(group),
            Workload::Fragment => fragment(group),
            Workload::Overlap => overlap(group),
            _ => timed(group),
        };
        let _ = writeln!(text, "{table}");
    }
    text
}

/// What stands in one table.
fn key(row: &Row) -> (Workload, Option<u8>) {
    (row.workload, (row.workload != Workload::Overlap).then_some(row.order))
}

/// The zone's size, with frames of 4 KiB.
fn zone(frames: usize) -> String {
    words::bytes(frames as u64 * 4096)
}

fn timed(rows: &[Row]) -> Table {
    let full = rows.iter().max_by_key(|row| row.times.len());
    let mut heads = vec!["threads".to_owned()];
    for time in full.map_or(&[][..], |row| &row.times) {
        let call = &time.call;
        heads.extend([
            format!("{call} ns"),
            "× base".to_owned(),
            "× 1 thread".to_owned(),
            "÷ control".to_owned(),
        ]);
    }
    let mut table = fresh(heads);
    for row in rows {
        row.of.add(&mut table, vec![row.threads.to_string()], || {
            let each = |time: &Time| {
                [
                    words::nanos(time.median),
                    interval(time.to_base.as_ref()),
                    words::or_absent(time.scaling, |one| words::ratio(one.median)),
                    interval(time.to_control.as_ref()),
                ]
            };
            row.times.iter().flat_map(each).collect()
        });
    }
    table
}

fn latency(rows: &[Row]) -> Table {
    let head = |call: &str| {
        ["p50", "p99", "p99.9", "max", "p99.9 ÷ base"].map(|figure| format!("{call} {figure}"))
    };
    let heads = std::iter::once("threads".to_owned()).chain(head("get")).chain(head("put"));
    let mut table = fresh(heads.collect());
    for row in rows {
        row.of.add(&mut table, vec![row.threads.to_string()], || {
            let each = |one: &super::row::Latency| {
                let band = &one.band;
                let [p50, p99, p999, max] =
                    [band.p50, band.p99, band.p999, band.max].map(words::time);
                [p50, p99, p999, max, interval(one.p999_to_base.as_ref())]
            };
            row.latency.iter().flat_map(each).collect()
        });
    }
    table
}

fn fragment(rows: &[Row]) -> Table {
    let last = rows.iter().find_map(|row| row.fragment.as_ref());
    let last = last.map_or(0, |found| found.free_huge.len().saturating_sub(1));
    let mut rounds: Vec<usize> =
        [0, 10, 19, 30, 50, 70].into_iter().filter(|&r| r < last).collect();
    rounds.push(last);
    let heads = rounds.iter().map(|round| format!("round {round}"));
    let ideal = ["every run", "ideal", "unusable at 3", "at 9", "index at 9"].map(str::to_owned);
    let mut table =
        fresh(std::iter::once("threads".to_owned()).chain(heads).chain(ideal).collect());
    for row in rows {
        row.of.add(&mut table, vec![row.threads.to_string()], || {
            let Some(found) = &row.fragment else { return Vec::new() };
            let at = |round: &usize| found.free_huge.get(*round).map(ToString::to_string);
            let mut values: Vec<String> =
                rounds.iter().map(|round| words::or_absent(at(round), |text| text)).collect();
            let ends: Vec<String> = found.ends.iter().map(ToString::to_string).collect();
            values.extend([ends.join(" "), found.ideal.to_string()]);
            let unusable = |order: usize| found.indexes.unusable.get(order).copied();
            values.extend([3, 9].map(|order| {
                words::or_absent(unusable(order), |share| format!("{}%", words::percent(share)))
            }));
            let index = found.indexes.fragmentation.get(9).copied().flatten();
            values.push(words::or_absent(index, |index| format!("{index:.3}")));
            values
        });
    }
    table
}

fn overlap(rows: &[Row]) -> Table {
    let heads = ["threads", "orders", "handed out", "overlaps", "misplaced", "refused", "counters"];
    let mut table = fresh(heads.map(str::to_owned).to_vec());
    for row in rows {
        row.of.add(&mut table, vec![row.threads.to_string()], || {
            let Some(found) = &row.overlap else { return Vec::new() };
            let orders = format!("{} / {}", row.order, row.other.unwrap_or(row.order));
            let counters = match (found.frames_off, found.huge_off, &found.invalid) {
                (None, None, None) => words::ABSENT.to_owned(),
                (frames, huge, None) if frames.unwrap_or(0) == 0 && huge.unwrap_or(0) == 0 => {
                    "exact".to_owned()
                }
                (frames, huge, _) => {
                    format!("off by {} and {} huge", frames.unwrap_or(0), huge.unwrap_or(0))
                }
            };
            let counts = [found.handed, found.overlaps, found.misplaced, found.refused];
            let counts = counts.map(words::count);
            std::iter::once(orders).chain(counts).chain([counters]).collect()
        });
    }
    table
}
