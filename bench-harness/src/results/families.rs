//! Kernels by families: means with one weight a family, and a subject against the fastest of its
//! peers. All ratios are paired: each round of the run gives one, and the rounds give the interval.

use super::grid::{Class, Grid, Line, mode_label};
use super::statistics::geometric_mean;
use super::{Interval, Mode, Outcome, Row};
use serde::{Deserialize, Serialize};

/// A row passes when the upper end of its interval is at most this.
pub const LIMIT: f64 = 1.03;
/// A row is judged when the subject against itself stays this near to 1.
pub const NOISE: f64 = 0.02;

/// What the kernels of a run say together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kernels {
    /// Each subject's means.
    pub subjects: Vec<Means>,
    /// The chosen subject against its peers, once for each mode and profile of it.
    pub versus: Vec<Versus>,
}

/// Geometric means of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Means {
    /// The subject's name, with what tells its lines apart.
    pub subject: String,
    /// Mode and profile in words.
    pub mode: String,
    /// Marks the A/A arm.
    pub a_a: bool,
    /// Marks what is no competitor.
    pub calibration: bool,
    /// Over the kernels of each family.
    pub families: Vec<Mean>,
    /// Over the families.
    pub all: Mean,
}

/// A geometric mean; absent where a kernel of it has no time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The family; `None` for the mean over families.
    pub family: Option<String>,
    /// Of how many kernels.
    pub kernels: usize,
    /// Of the medians, nanoseconds a pair.
    pub ns: Option<f64>,
    /// Ratio to System.
    pub to_system: Option<Interval>,
}

/// A subject against its peers: those in the same mode and profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Versus {
    /// The subject, as in [`Means`].
    pub subject: String,
    /// Mode and profile in words.
    pub mode: String,
    /// Each kernel.
    pub rows: Vec<Judged>,
    /// The peer whose mean over the families is least.
    pub best_peer: Option<String>,
    /// Ratio to that peer, family by family.
    pub families: Vec<(String, Option<Interval>)>,
    /// Ratio of the means over the families.
    pub all: Option<Interval>,
}

/// A kernel against the fastest peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The kernel.
    pub kernel: String,
    /// The subject's median, nanoseconds a pair.
    pub ns: Option<f64>,
    /// The peer with the least median.
    pub peer: Option<String>,
    /// That median.
    pub peer_ns: Option<f64>,
    /// Ratio of the two.
    pub ratio: Option<Interval>,
    /// The subject against itself.
    pub a_a: Option<Interval>,
    /// What follows.
    pub verdict: Verdict,
}

/// Of one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval's upper end is at most [`LIMIT`].
    Pass,
    /// It is above.
    Fail,
    /// The subject against itself was not within [`NOISE`]: to be run again.
    Noisy,
    /// There is no interval.
    Unknown,
    /// Counts in its family's mean only.
    MeanOnly,
}

impl Verdict {
    /// What the two intervals say of a row that counts alone.
    pub fn of(ratio: Option<&Interval>, a_a: Option<&Interval>) -> Self {
        let Some(high) = ratio.and_then(|ratio| ratio.high) else { return Self::Unknown };
        match a_a.and_then(|a_a| a_a.low.zip(a_a.high)) {
            None => Self::Unknown,
            Some((low, up)) if low < 1.0 - NOISE || up > 1.0 + NOISE => Self::Noisy,
            Some(_) if high <= LIMIT => Self::Pass,
            Some(_) => Self::Fail,
        }
    }
}

/// A round's times of two subjects on one kernel.
type Pair<'a> = (&'a [f64], &'a [f64]);

/// The samples of a line on a kernel, where it ended as it should.
fn samples<'a>(line: &Line<'a>, column: usize) -> Option<&'a [f64]> {
    let row: &Row = line.cells[column].filter(|row| row.outcome == Outcome::Ok)?;
    row.time.as_ref().map(|time| &*time.samples)
}

fn median(line: &Line<'_>, column: usize) -> Option<f64> {
    samples(line, column)?;
    line.cells[column]?.time.as_ref().map(|time| time.median)
}

/// The geometric mean over groups of the geometric means in each: one weight a group.
fn mean_of_means(groups: &[Vec<f64>]) -> Option<f64> {
    let means: Option<Vec<f64>> =
        groups.iter().map(|group| geometric_mean(group.iter().copied())).collect();
    geometric_mean(means?)
}

/// The interval of [`mean_of_means`] of first over second, a value a round: of as many rounds as all
/// kernels have, since noisy ones got more. `None` where the two of a pair have not the same rounds.
fn paired(groups: &[Vec<Pair<'_>>]) -> Option<Interval> {
    if groups.iter().flatten().any(|(a, b)| a.len() != b.len()) {
        return None;
    }
    let rounds = groups.iter().flatten().map(|(a, _)| a.len()).min()?;
    let ratios: Option<Vec<f64>> = (0..rounds)
        .map(|round| {
            let of =
                |group: &Vec<Pair<'_>>| group.iter().map(|(a, b)| a[round] / b[round]).collect();
            mean_of_means(&groups.iter().map(of).collect::<Vec<_>>())
        })
        .collect();
    Interval::of(ratios?)
}

/// The kernels of a run, as lines by columns, and the columns of each family.
struct Table<'a> {
    grid: Grid<'a>,
    families: Vec<(&'a str, Vec<usize>)>,
}

impl<'a> Table<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let grid = Grid::of(rows.iter().filter(|row| row.workload.family.is_some()));
        let mut families: Vec<(&str, Vec<usize>)> = Vec::new();
        for (column, workload) in grid.workloads.iter().enumerate() {
            let name = workload.family.as_deref().unwrap_or_default();
            match families.iter_mut().find(|(family, _)| *family == name) {
                Some((_, columns)) => columns.push(column),
                None => families.push((name, vec![column])),
            }
        }
        Self { grid, families }
    }

    /// The columns of every family.
    fn groups(&self) -> Vec<&[usize]> {
        self.families.iter().map(|(_, columns)| &**columns).collect()
    }

    fn nanos(line: &Line<'_>, groups: &[&[usize]]) -> Option<f64> {
        let group = |columns: &&[usize]| columns.iter().map(|&c| median(line, c)).collect();
        let medians: Option<Vec<Vec<f64>>> = groups.iter().map(group).collect();
        mean_of_means(&medians?)
    }

    fn ratio(line: &Line<'_>, to: &Line<'_>, groups: &[&[usize]]) -> Option<Interval> {
        let one = |&column: &usize| Some((samples(line, column)?, samples(to, column)?));
        let group = |columns: &&[usize]| columns.iter().map(one).collect();
        let pairs: Option<Vec<Vec<Pair<'_>>>> = groups.iter().map(group).collect();
        paired(&pairs?)
    }

    /// System in the line's mode and profile, else called explicitly.
    fn base(&self, line: &Line<'_>) -> Option<&Line<'a>> {
        let competitors = self.grid.of_class(Class::Competitor);
        let systems: Vec<_> = competitors.filter(|l| l.first.subject.name == "system").collect();
        let explicit = systems.iter().find(|l| l.first.mode == Mode::Explicit);
        systems.iter().find(|l| alike(l, line)).or(explicit).copied()
    }

    /// The line that an A/A line is once more.
    fn first_of(&self, again: &Line<'_>) -> Option<&Line<'a>> {
        let key = |line: &Line<'_>| {
            let row = line.first;
            (row.subject.name.clone(), row.mode, row.profile.clone())
        };
        self.grid.of_class(Class::Competitor).find(|line| key(line) == key(again))
    }

    fn means(&self, line: &Line<'_>) -> Means {
        let base = match line.class {
            Class::AgainstItself => self.first_of(line),
            _ => self.base(line).filter(|base| !std::ptr::eq(*base, line)),
        };
        let mean = |family: Option<&str>, groups: &[&[usize]]| Mean {
            family: family.map(str::to_owned),
            kernels: groups.iter().map(|columns| columns.len()).sum(),
            ns: Self::nanos(line, groups),
            to_system: base.and_then(|base| Self::ratio(line, base, groups)),
        };
        let families = self.families.iter();
        Means {
            subject: line.label.clone(),
            mode: mode_label(line.first),
            a_a: line.class == Class::AgainstItself,
            calibration: line.first.subject.calibration,
            families: families.map(|(name, columns)| mean(Some(name), &[columns])).collect(),
            all: mean(None, &self.groups()),
        }
    }

    fn versus(&self, line: &Line<'_>) -> Versus {
        let peers: Vec<&Line<'a>> = self
            .grid
            .of_class(Class::Competitor)
            .filter(|peer| alike(peer, line) && peer.first.subject.name != line.first.subject.name)
            .collect();
        let groups = self.groups();
        let best = peers
            .iter()
            .filter_map(|peer| Some((Self::nanos(peer, &groups)?, *peer)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, peer)| peer);
        let over_best = |groups: &[&[usize]]| best.and_then(|p| Self::ratio(line, p, groups));
        let rows = (0..self.grid.workloads.len()).map(|column| self.judge(line, &peers, column));
        let families = self.families.iter();
        Versus {
            subject: line.label.clone(),
            mode: mode_label(line.first),
            rows: rows.collect(),
            best_peer: best.map(|peer| peer.label.clone()),
            families: families
                .map(|(name, columns)| ((*name).to_owned(), over_best(&[columns])))
                .collect(),
            all: over_best(&groups),
        }
    }

    fn judge(&self, line: &Line<'_>, peers: &[&Line<'a>], column: usize) -> Judged {
        let fastest = peers
            .iter()
            .filter_map(|peer| Some((median(peer, column)?, *peer)))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let ratio = fastest.and_then(|(_, peer)| Self::ratio(line, peer, &[&[column]]));
        let again = self.grid.of_class(Class::AgainstItself).next();
        let a_a = again.and_then(|line| line.cells[column]?.time.as_ref()?.to_system);
        let kernel = &self.grid.workloads[column].name;
        let alone = crate::kernel::find(kernel).is_none_or(|kernel| kernel.counts_alone());
        Judged {
            kernel: kernel.clone(),
            ns: median(line, column),
            peer: fastest.map(|(_, peer)| peer.label.clone()),
            peer_ns: fastest.map(|(ns, _)| ns),
            verdict: match alone {
                true => Verdict::of(ratio.as_ref(), a_a.as_ref()),
                false => Verdict::MeanOnly,
            },
            ratio,
            a_a,
        }
    }
}

/// Whether the times of two lines can be compared: a preloaded library is called as a subject is.
fn alike(a: &Line<'_>, b: &Line<'_>) -> bool {
    let global = |line: &Line<'_>| line.first.mode == Mode::Global;
    global(a) == global(b) && a.first.profile == b.first.profile
}

/// What the kernels among `rows` say; `None` where there is no kernel.
pub fn kernels(rows: &[Row], versus: Option<&str>) -> Option<Kernels> {
    let table = Table::new(rows);
    if table.families.is_empty() {
        return None;
    }
    let chosen = |line: &&Line<'_>| {
        line.class == Class::Competitor && Some(&*line.first.subject.name) == versus
    };
    Some(Kernels {
        subjects: table.grid.lines.iter().map(|line| table.means(line)).collect(),
        versus: table.grid.lines.iter().filter(chosen).map(|line| table.versus(line)).collect(),
    })
}

#[cfg(test)]
mod tests;
