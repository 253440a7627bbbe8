//! All that is told of a process, or of the machine, at one moment.

use super::activity::{Counters, Rates};
use super::cgroup::Limits;
use super::heap::{Heap, told_by};
use super::kernel::{Kernel, gone};
use super::machine::{Cpu, Machine, cpus};
use super::mappings::{Mapping, OfKind, by_kind, mappings};
use super::process::{Process, Rollup};
use crate::error::{Failure, Result};
use serde::Serialize;
use std::fmt;

/// The version of the form that `mem --json` prints.
const SCHEMA: &str = "strata-bench/mem/1";

/// The machine's part of a report, with Node's names where Node has one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Surroundings {
    /// The least limit of the control group, in bytes; `None` where nothing is limited.
    pub constrained_memory: Option<u64>,
    /// Bytes that are left to the process.
    pub available_memory: u64,
    /// The machine's memory: `os.totalmem()`.
    pub totalmem: u64,
    /// What of it is available: `os.freemem()`.
    pub freemem: u64,
    /// `os.cpus()`.
    pub cpus: Vec<Cpu>,
    /// The control group.
    pub limits: Limits,
    /// `/proc/meminfo`.
    pub machine: Machine,
    /// Counters since the machine's start.
    pub counters: Counters,
    /// What they say a second: since the reading before, else since the start.
    pub rates: Rates,
}

impl Surroundings {
    /// Reads it, as a process sees it; `before` is a reading that rates are told since.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] where the process is gone or a file of `/proc` cannot be read.
    pub fn of(kernel: &Kernel, pid: u32, before: Option<&Counters>) -> Result<Self> {
        Self::within(kernel, Limits::of(kernel, pid)?, before)
    }

    fn within(kernel: &Kernel, limits: Limits, before: Option<&Counters>) -> Result<Self> {
        let machine = Machine::read(kernel)?;
        let counters = Counters::read(kernel)?;
        let left = limits.left.unwrap_or(u64::MAX);
        Ok(Self {
            constrained_memory: limits.constrained(),
            available_memory: machine.available.min(left),
            totalmem: machine.total,
            freemem: machine.available,
            cpus: cpus(kernel)?,
            rates: counters.since(before),
            limits,
            machine,
            counters,
        })
    }
}

/// A process's report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this form.
    pub schema: &'static str,
    /// The process.
    #[serde(flatten)]
    pub process: Process,
    /// The kernel's exact sums over its mappings; where they were read one by one, `pss` is the sum of
    /// what the kernel rounds down for each.
    pub exact: Rollup,
    /// Its regions by kind; `None` in a summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<OfKind>>,
    /// Its mappings; `None` unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mappings: Option<Vec<Mapping>>,
    /// Its own heaps, where it told of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heaps: Vec<Heap>,
    /// The machine.
    #[serde(flatten)]
    pub around: Surroundings,
}

/// How much of a process is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Sums only: no walk over mappings but the kernel's own.
    Summary,
    /// Every mapping.
    #[default]
    Mappings,
}

impl Report {
    /// Of a process.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] in one line, where the process is gone, has no memory, or belongs to another
    /// user.
    pub fn of(kernel: &Kernel, pid: u32, depth: Depth, before: Option<&Counters>) -> Result<Self> {
        let process = Process::of(kernel, pid)?;
        let (mappings, exact) = match depth {
            Depth::Summary => (None, Rollup::of(kernel, pid)?),
            Depth::Mappings => {
                let found = mappings(kernel, pid)?;
                let mut sum = Rollup::default();
                found.iter().for_each(|mapping| sum.add(&mapping.of));
                (Some(found), sum)
            }
        };
        // While it was read the process may have ended, or another have got its number.
        let still = Process::of(kernel, pid)?;
        if still.started != process.started {
            return Err(gone(pid));
        }
        Ok(Self {
            schema: SCHEMA,
            process,
            exact,
            kinds: mappings.as_deref().map(by_kind),
            mappings,
            heaps: Vec::new(),
            around: Surroundings::of(kernel, pid, before)?,
        })
    }

    /// Of this process, with what its heaps tell; shown by `Display`, or as JSON by serde.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] where `/proc` is not mounted.
    ///
    /// ```
    /// use strata_bench::mem::{Depth, Heap, Report};
    /// use strata_core::Stats;
    ///
    /// let report = Report::own(Depth::Summary, vec![Heap::new("my heap", &Stats::default())])?;
    /// assert!(report.to_string().contains("my heap"));
    /// # Ok::<(), strata_bench::error::Failure>(())
    /// ```
    pub fn own(depth: Depth, heaps: Vec<Heap>) -> Result<Self> {
        let mut report = Self::of(&Kernel::here(), std::process::id(), depth, None)?;
        report.process.usage = told_by(report.process.usage, &heaps);
        report.heaps = heaps;
        Ok(report)
    }
}

impl fmt::Display for Report {
    /// The screen of `strata-bench mem`, for a hundred columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::screen::process(self, &super::screen::View::default()))
    }
}

/// The machine and its largest processes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Largest {
    /// The version of this form.
    pub schema: &'static str,
    /// The machine.
    #[serde(flatten)]
    pub around: Surroundings,
    /// How many processes there are, threads of the kernel apart.
    pub count: usize,
    /// Those with most resident, the largest first.
    pub processes: Vec<Process>,
}

impl Largest {
    /// Reads all processes and keeps the `most` largest.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] where `/proc` cannot be read.
    pub fn read(kernel: &Kernel, most: usize, before: Option<&Counters>) -> Result<Self> {
        // Another system's files have no process of this command's number.
        let limits = Limits::of(kernel, std::process::id()).unwrap_or_default();
        let around = Surroundings::within(kernel, limits, before)?;
        let proc = kernel.file("");
        let folder = std::fs::read_dir(&proc)
            .map_err(|error| Failure::input(format!("cannot read {}: {error}", proc.display())))?;
        // A process that ends meanwhile, and one that is hidden, is none of the largest.
        let mut processes: Vec<Process> = folder
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Process::of(kernel, pid).ok())
            .collect();
        processes.sort_by(|a, b| b.usage.rss.cmp(&a.usage.rss).then(a.pid.cmp(&b.pid)));
        let count = processes.len();
        processes.truncate(most);
        Ok(Self { schema: SCHEMA, around, count, processes })
    }
}
