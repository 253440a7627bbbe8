//! What allocators are held to, in the same run as the published ones.

use super::job::Workload;
use super::row::Row;
use super::run::Arm;
use super::subject::Claims;
use super::translate;
use crate::interleaved::{Bound, Gate, Timings, ratios};
use crate::results::Interval;
use crate::results::statistics::median;

/// Of the fastest peer's time.
const TIME: Bound = Bound::AtMost(0.85);
/// Of rlsf's 99.9th percentile.
const TAIL: Bound = Bound::AtMost(1.0);
/// The peer whose constant time the tails and the space of others are held against.
const CONSTANT_TIME: &str = "rlsf";
/// Of `slotmap`'s time.
const TRANSLATE: Bound = Bound::AtMost(1.3);
/// Points of a region's share.
const OVER_CONSTANT_TIME: Bound = Bound::AtLeast(0.3);
const UNDER_PLACEMENT: Bound = Bound::AtLeast(-0.5);
const UNDER_BEST: Bound = Bound::AtLeast(-0.1);
const MOVING: Bound = Bound::AtLeast(99.0);
/// Bytes of the region that a block costs beyond its own, without rounding up.
const IN_BAND: Bound = Bound::AtMost(8.0);
const OUT_OF_BAND: Bound = Bound::AtMost(0.0);
/// Percent.
const TOGETHER: Bound = Bound::AtLeast(100.0);
/// Microseconds.
const STEP: Bound = Bound::AtMost(150.0);

/// The gates of one arm's times.
pub(super) fn of_times(arms: &[Arm], place: usize, row: &Row, timings: &Timings) -> Vec<Gate> {
    let arm = &arms[place];
    if arm.a_a || row.times.is_empty() {
        return Vec::new();
    }
    let a_a = |call: &str| {
        let again = arms.iter().position(|arm| arm.a_a)?;
        Interval::of(ratios(timings.samples(again, 1, call)?, timings.samples(0, 1, call)?))
    };
    if row.workload == Workload::Translate {
        let own = |call: &str| timings.samples(place, 1, call);
        let found = own("translate").zip(own(translate::PEER));
        let ratios = found.map(|(own, peer)| ratios(own, peer));
        let name = format!("translate ÷ {}", translate::PEER);
        // Both loops took turns in each job: what noise there was is in the interval.
        return vec![Gate::of_figures(name, ratios, TRANSLATE)];
    }
    if arm.entry.claims != Claims::Time || arm.description.calibration {
        return Vec::new();
    }
    let call = if row.workload == Workload::Pair { "alone" } else { "pair" };
    let peers = (0..arms.len()).filter(|&place| arms[place].entry.peer && !arms[place].a_a);
    let Some(peer) = timings.fastest(peers, 1, call) else { return Vec::new() };
    let own = timings.samples(place, 1, call).zip(timings.samples(peer, 1, call));
    let name = format!("{} ÷ {}", row.title(), arms[peer].description.name);
    vec![Gate::of_times(name, own.map(|(own, peer)| ratios(own, peer)), a_a(call), TIME)]
}

/// The gates of all arms' tails.
pub(super) fn of_latency(arms: &[Arm], rows: &mut [Row]) {
    let tails = |row: &Row, kind: usize| row.latency.get(kind).map(|one| one.tails.clone());
    let Some(peer) = rows.iter().position(|row| row.of.subject.name == CONSTANT_TIME) else {
        return;
    };
    let peer = [tails(&rows[peer], 0), tails(&rows[peer], 1)];
    let a_a = arms.iter().position(|arm| arm.a_a);
    let a_a =
        a_a.map(|again| [0, 1].map(|kind| (tails(&rows[again], kind), tails(&rows[0], kind))));
    for (arm, row) in arms.iter().zip(rows.iter_mut()) {
        if arm.a_a || arm.entry.claims != Claims::Time || arm.description.calibration {
            continue;
        }
        for kind in 0..row.latency.len() {
            let over = |pair: (&Option<Vec<f64>>, &Option<Vec<f64>>)| {
                Some(ratios(pair.0.as_ref()?, pair.1.as_ref()?))
            };
            let own = tails(row, kind);
            let operation = &row.latency[kind].band.operation;
            let name = format!("{} of {operation}, p99.9 ÷ {CONSTANT_TIME}", row.title());
            let again = a_a.as_ref().and_then(|both| over((&both[kind].0, &both[kind].1)));
            let found = over((&own, &peer[kind]));
            row.gates.push(Gate::of_times(name, found, again.and_then(Interval::of), TAIL));
        }
    }
}

/// The gates of space, which look at several rows.
pub(super) fn across(arms: &[Arm], rows: &mut [Row]) {
    let shares = |rows: &[Row], of: &dyn Fn(&Arm) -> bool| -> Vec<(String, Vec<f64>)> {
        let named = |row: &&Row| {
            row.workload == Workload::Efficiency
                && arms.iter().any(|arm| arm.is(&row.of.subject.name) && of(arm))
        };
        let share =
            |row: &Row| Some((row.of.subject.name.clone(), row.figure("at failure")?.to_vec()));
        rows.iter().filter(named).filter_map(share).collect()
    };
    let peers = shares(rows, &|arm| arm.entry.peer);
    let best = peers.iter().max_by(|a, b| middle(&a.1).total_cmp(&middle(&b.1))).cloned();
    let constant = peers.iter().find(|(name, _)| name == CONSTANT_TIME).cloned();
    let placement = shares(rows, &|arm| arm.entry.claims == Claims::Placement).first().cloned();
    for row in rows {
        let Some(arm) = arms.iter().find(|arm| arm.is(&row.of.subject.name)) else { continue };
        if arm.entry.peer || arm.description.calibration {
            continue;
        }
        let claims = arm.entry.claims;
        match row.workload {
            Workload::Efficiency => {
                let Some(own) = row.figure("at failure").map(<[f64]>::to_vec) else { continue };
                let less = |other: &Option<(String, Vec<f64>)>, bound| {
                    let (name, other) = other.as_ref()?;
                    let points = own.iter().zip(other).map(|(own, other)| own - other).collect();
                    let name = format!("efficiency − {name}, points");
                    Some(Gate::of_figures(name, Some(points), bound))
                };
                row.gates.extend(
                    match claims {
                        Claims::Time => vec![
                            less(&constant, OVER_CONSTANT_TIME),
                            less(&placement, UNDER_PLACEMENT),
                        ],
                        Claims::Placement => vec![less(&best, UNDER_BEST)],
                        Claims::Moves => {
                            vec![Some(Gate::of_figures("efficiency, %".into(), Some(own), MOVING))]
                        }
                        Claims::Headers | Claims::Nothing => Vec::new(),
                    }
                    .into_iter()
                    .flatten(),
                );
            }
            Workload::Overhead if claims != Claims::Nothing => {
                // Sizes to which an allocator of these words rounds nothing up.
                let (sizes, bound): (&[_], _) = match arm.entry.in_memory {
                    true => (&["24 B", "1000 B"], IN_BAND),
                    false => (&["64 B"], OUT_OF_BAND),
                };
                let gate = |size: &&str| {
                    let found = row.figure(size).map(<[f64]>::to_vec);
                    Gate::of_figures(format!("overhead at {size}, B"), found, bound)
                };
                let figures: Vec<Gate> = sizes.iter().map(gate).collect();
                row.gates.extend(figures);
            }
            Workload::Compact if row.of.absent.is_none() => {
                for (figure, bound) in [("largest ÷ total, %", TOGETHER), ("step p99, µs", STEP)]
                {
                    let found = row.figure(figure).map(<[f64]>::to_vec);
                    row.gates.push(Gate::of_figures(figure.into(), found, bound));
                }
            }
            _ => {}
        }
    }
}

fn middle(values: &[f64]) -> f64 {
    median(values.to_vec()).unwrap_or(f64::NAN)
}

/// The gates of all rows, by their allocators' names.
pub(crate) fn judged<'a>(
    rows: &'a [Row],
    versus: Option<&'a str>,
) -> impl Iterator<Item = (String, &'a Gate)> {
    let meant = move |row: &&Row| versus.is_none_or(|name| row.of.subject.name == name);
    rows.iter().filter(meant).flat_map(|row| row.gates.iter().map(|gate| (row.of.label(), gate)))
}
