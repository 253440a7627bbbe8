//! The dozen figures of a table line: of one row, and over all workloads.

use super::grid::Line;
use super::statistics::{geometric_mean, mean};
use super::{Checkpoint, Interval, MemoryRow, Outcome, Row};

/// What a table line shows; shares are of the bytes resident at the peak.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Nanoseconds an operation.
    pub(crate) ns: Option<f64>,
    /// Whether too much waiting made the time void.
    pub(crate) void: bool,
    /// Paired ratio to System.
    pub(crate) to_system: Option<Interval>,
    /// Times the fastest competitor's time.
    pub(crate) best: Option<f64>,
    /// Resident / live at the peak.
    pub(crate) peak: Option<f64>,
    /// Mean of resident / live over the checkpoints.
    pub(crate) mean: Option<f64>,
    /// 1 − asked / usable.
    pub(crate) internal: Option<f64>,
    /// Whether `internal` rests on strides.
    pub(crate) inferred: bool,
    pub(crate) headers: Option<f64>,
    pub(crate) holes: Option<f64>,
    pub(crate) kept: Option<f64>,
    pub(crate) metadata: Option<f64>,
    /// Resident at once after draining.
    pub(crate) drained: Option<f64>,
    /// Instructions an operation.
    pub(crate) instructions: Option<f64>,
}

/// The checkpoint at the record of greatest live bytes.
pub(crate) fn peak(memory: &MemoryRow) -> Option<&Checkpoint> {
    memory.checkpoints.get(memory.peak)
}

impl Figures {
    /// The figures of one row; all absent where the row did not end as it should.
    pub(crate) fn of(row: &Row) -> Self {
        if !matches!(row.outcome, Outcome::Ok) {
            return Self::default();
        }
        let memory = row.memory.as_ref();
        let at_peak = memory.and_then(peak);
        // Where the ratio to live bytes has no meaning (a few pages in all), shares have none.
        let meaningful = memory.is_some_and(|memory| memory.peak_ratio.is_some());
        let share = |bytes: Option<u64>| {
            at_peak
                .filter(|at| at.resident > 0 && meaningful)
                .and_then(|at| Some(bytes? as f64 / at.resident as f64))
        };
        let void = row.time.as_ref().is_some_and(|time| time.void);
        let time = row.time.as_ref().filter(|time| !time.void);
        Self {
            ns: time.map(|time| time.median),
            void,
            to_system: time.and_then(|time| time.to_system),
            best: None,
            peak: memory.and_then(|memory| memory.peak_ratio),
            mean: memory.and_then(|memory| memory.mean_ratio),
            internal: memory.and_then(|memory| memory.internal),
            inferred: memory.is_some_and(|memory| !memory.internal_exact),
            headers: share(at_peak.and_then(|at| at.waterfall.headers)),
            holes: share(at_peak.map(|at| at.waterfall.holes)),
            kept: share(at_peak.map(|at| at.waterfall.kept)),
            metadata: share(at_peak.map(|at| at.waterfall.metadata)),
            drained: share(memory.and_then(|memory| Some(memory.residue?.at_once))),
            instructions: row.instructions,
        }
    }
}

/// Ratios, times and instruction counts by geometric mean, shares by arithmetic mean, each over
/// the workloads that have the figure.
pub(crate) fn over_all(line: &Line<'_>, system: Option<&[Option<&Row>]>) -> Figures {
    let each = || line.figures.iter().flatten();
    let ratios = |get: fn(&Figures) -> Option<f64>| geometric_mean(each().filter_map(get));
    let shares = |get: fn(&Figures) -> Option<f64>| mean(each().filter_map(get));
    Figures {
        ns: ratios(|f| f.ns),
        void: each().any(|f| f.void),
        to_system: paired_over_all(line, system),
        best: ratios(|f| f.best),
        peak: ratios(|f| f.peak),
        mean: ratios(|f| f.mean),
        internal: shares(|f| f.internal),
        inferred: each().any(|f| f.inferred),
        headers: shares(|f| f.headers),
        holes: shares(|f| f.holes),
        kept: shares(|f| f.kept),
        metadata: shares(|f| f.metadata),
        drained: shares(|f| f.drained),
        instructions: ratios(|f| f.instructions),
    }
}

/// The interval of the geometric mean: each repetition gives one geometric mean of ratios over
/// the workloads, and those are the pairs. Without equal numbers of samples there is no interval,
/// only the geometric mean of the medians.
fn paired_over_all(line: &Line<'_>, system: Option<&[Option<&Row>]>) -> Option<Interval> {
    let medians = geometric_mean(
        line.figures.iter().flatten().filter_map(|f| f.to_system).map(|interval| interval.median),
    )?;
    let without = Interval { median: medians, low: None, high: None, pairs: 0 };
    let Some(pairs) = system.and_then(|system| samples_beside(line, system)) else {
        return Some(without);
    };
    let repetitions = pairs[0].0.len();
    let whole = pairs.iter().all(|(a, b)| a.len() == repetitions && b.len() == repetitions);
    if !whole {
        return Some(without);
    }
    let ratios: Option<Vec<f64>> = (0..repetitions)
        .map(|index| geometric_mean(pairs.iter().map(|(a, b)| a[index] / b[index])))
        .collect();
    ratios.and_then(Interval::of).or(Some(without))
}

/// The samples of the line and of System on each workload that both were timed on.
fn samples_beside<'a>(
    line: &Line<'a>,
    system: &[Option<&'a Row>],
) -> Option<Vec<(&'a [f64], &'a [f64])>> {
    let pairs: Vec<_> = line
        .cells
        .iter()
        .zip(system)
        .filter_map(|(row, system)| {
            let timed = |row: Option<&'a Row>| {
                row?.time.as_ref().filter(|time| !time.void).map(|time| &*time.samples)
            };
            let (row, system) = ((*row)?, (*system)?);
            row.time.as_ref()?.to_system?;
            if std::ptr::eq(row, system) {
                return None;
            }
            Some((timed(Some(row))?, timed(Some(system))?))
        })
        .collect();
    (!pairs.is_empty()).then_some(pairs)
}
