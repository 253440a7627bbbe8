//! What pools are held to, in the same run as the published ones.

use super::idle::{BACK, CHUNK, LOW, NOT_REUSED, ON_TOP, TRIMMED};
use super::job::Workload;
use super::row::Row;
use super::run::{Arm, LIST};
use super::subject::Claims;
use crate::interleaved::{Bound, Gate, Timings, ratios};
use crate::results::Interval;

/// Of the list's time.
const LOCAL: Bound = Bound::AtMost(1.25);
/// Of the fastest shared peer's time, one thread.
const SHARED: Bound = Bound::AtMost(0.35);
/// Of heapless's time.
const STATIC: Bound = Bound::AtMost(1.0);
const STATIC_PEER: &str = "heapless";
/// Of the control's scaling.
const SCALING: Bound = Bound::AtLeast(0.95);
/// Of the fastest peer's time between two threads.
const CROSS: Bound = Bound::AtMost(0.5);
/// Of the low-water mark, a chunk taken off.
const KEPT: Bound = Bound::AtMost(1.1);
/// Percent.
const PAGES_BACK: Bound = Bound::AtLeast(100.0);
const INTERNAL: Bound = Bound::AtMost(1.6);
const EXTERNAL: Bound = Bound::AtMost(0.0);

/// The gates of one arm's times.
pub(super) fn of_times(arms: &[Arm], place: usize, row: &Row, timings: &Timings) -> Vec<Gate> {
    let arm = &arms[place];
    if arm.a_a || row.times.is_empty() {
        return Vec::new();
    }
    let a_a = |call: &str| {
        let again = arms.iter().position(|arm| arm.a_a)?;
        let both =
            (timings.samples(again, row.threads, call)?, timings.samples(0, row.threads, call)?);
        Interval::of(ratios(both.0, both.1))
    };
    let to = |other: Option<usize>, call: &str, bound| {
        let other = other?;
        let own = timings.samples(place, row.threads, call)?;
        let found = ratios(own, timings.samples(other, row.threads, call)?);
        let name = format!("{} ÷ {}", row.workload.name(), arms[other].description.name);
        Some(Gate::of_times(name, Some(found), a_a(call), bound))
    };
    let named = |name: &str| arms.iter().position(|arm| arm.is(name));
    let shared = |call: &str| {
        let peers = (0..arms.len()).filter(|&place| {
            let Arm { entry, a_a, .. } = &arms[place];
            entry.peer && entry.shared && !a_a
        });
        timings.fastest(peers, row.threads, call)
    };
    let gate = match (arm.entry.claims, row.workload, row.threads) {
        (Claims::Local, Workload::Pair, 1) => to(named(LIST), "pair", LOCAL),
        (Claims::Shared, Workload::Pair, 1) => to(shared("pair"), "pair", SHARED),
        (Claims::Static, Workload::Pair, 1) => to(named(STATIC_PEER), "pair", STATIC),
        (Claims::Shared, Workload::Cross, _) => to(shared("block"), "block", CROSS),
        (Claims::Shared, Workload::Pair | Workload::Held, threads) if threads > 1 => {
            let found = timings.to_control(place, threads, "pair");
            let name = format!("{}: {threads} threads to 1, by the control's", row.workload.name());
            Some(Gate::of_times(name, found, a_a("pair"), SCALING))
        }
        _ => None,
    };
    gate.into_iter().collect()
}

/// The gates of one arm's memory.
pub(super) fn of_memory(arm: &Arm, row: &Row) -> Vec<Gate> {
    if !matches!(arm.entry.claims, Claims::Local | Claims::Shared) || arm.description.calibration {
        return Vec::new();
    }
    let one = |name: &str, value: Option<f64>, bound| {
        Gate::of_figures(name.into(), value.map(|value| vec![value]), bound)
    };
    match row.workload {
        Workload::Idle => {
            let kept = row
                .figure(TRIMMED)
                .zip(row.figure(LOW))
                .map(|(kept, low)| (kept - row.figure(CHUNK).unwrap_or(0.0)) / low);
            vec![
                one("kept after trim, less a chunk, ÷ low water", kept, KEPT),
                one("wholly free pages back, %", row.figure(BACK), PAGES_BACK),
            ]
        }
        Workload::Waste => vec![
            one("memory on top of blocks, %", row.figure(ON_TOP), INTERNAL),
            one("pages not reused, %", row.figure(NOT_REUSED), EXTERNAL),
        ],
        _ => Vec::new(),
    }
}

/// The gates of all rows, by their pools' names.
pub(crate) fn judged<'a>(
    rows: &'a [Row],
    versus: Option<&'a str>,
) -> impl Iterator<Item = (String, &'a Gate)> {
    let meant = move |row: &&Row| versus.is_none_or(|name| row.of.subject.name == name);
    rows.iter().filter(meant).flat_map(|row| row.gates.iter().map(|gate| (row.of.label(), gate)))
}
