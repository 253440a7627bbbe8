//! Workloads by name: shipped traces, synthetic loads, traces from files.

use crate::error::{Failure, Result};
use crate::kernel::{self, Kernel};
use crate::results::{self, Threads};
use crate::script::synthetic::Load;
use crate::script::{Builder, CheckpointPlan, Script};
use crate::trace::{Event, Reader, Shipped, shipped, shipped_more};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a workload's events come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Shipped(Shipped),
    File(PathBuf),
    Synthetic(Load),
    /// Made of another one in memory.
    Events(Arc<[Event]>),
    /// Not replayed: a kernel, and what its rounds are multiplied with.
    Kernel(&'static Kernel, f64),
}

/// A workload before it is made into scripts.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) threads: Threads,
}

/// A place of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The record of greatest live bytes.
    Peak,
    /// After the last record.
    End,
    /// After so many records.
    Record(u64),
}

impl std::str::FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "peak" => Ok(Self::Peak),
            "end" => Ok(Self::End),
            _ => text.parse().map(Self::Record).map_err(|_| "give peak, end or a record".into()),
        }
    }
}

/// A workload made into scripts.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// For tables.
    pub(crate) facts: results::Workload,
    /// Without checkpoints: time, latency and instructions.
    pub(crate) plain: Script,
    /// With checkpoints.
    pub(crate) stops: Script,
    /// Which checkpoint is at the record of greatest live bytes.
    pub(crate) peak: usize,
}

impl Prepared {
    /// Whether it is a kernel: timed, and nothing else.
    pub(crate) fn is_kernel(&self) -> bool {
        self.plain.kernel.is_some()
    }
}

impl Workload {
    /// Those of every suite: the first traces, threaded too where they have threads, and some loads.
    pub(crate) fn built_in() -> Result<Vec<Self>> {
        let mut all = Self::of_traces(shipped())?;
        all.extend(Load::ALL.map(Self::of_load));
        Ok(all)
    }

    /// Those that only the full suite has: further traces and loads.
    pub(crate) fn more() -> Result<Vec<Self>> {
        let mut all = Self::of_traces(shipped_more())?;
        all.extend(Load::MORE.map(Self::of_load));
        Ok(all)
    }

    /// Every trace serially, and on its threads where it has threads.
    fn of_traces(traces: Vec<Shipped>) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for trace in traces {
            let threads = trace.open()?.threads();
            let source = Source::Shipped(trace);
            let mut add = |threads| {
                all.push(Self { name: trace.name.into(), source: source.clone(), threads });
            };
            add(Threads::Serial);
            if threads > 1 {
                add(Threads::Recorded);
            }
        }
        Ok(all)
    }

    fn of_load(load: Load) -> Self {
        let threads = if load.threaded() { Threads::Recorded } else { Threads::Serial };
        Self { name: load.name().into(), source: Source::Synthetic(load), threads }
    }

    /// All kernels, with their rounds times `scale`.
    pub(crate) fn kernels(scale: f64) -> Vec<Self> {
        kernel::ALL.iter().map(|kernel| Self::of_kernel(kernel, scale)).collect()
    }

    fn of_kernel(kernel: &'static Kernel, scale: f64) -> Self {
        let threads = if kernel.threads > 1 { Threads::Recorded } else { Threads::Serial };
        Self { name: kernel.full_name(), source: Source::Kernel(kernel, scale), threads }
    }

    /// A kernel by its name, with or without the prefix.
    pub(crate) fn kernel(name: &str, scale: f64) -> Option<Self> {
        kernel::find(name).map(|kernel| Self::of_kernel(kernel, scale))
    }

    /// A trace file, a built-in workload or a kernel, in the given mode. Where a load and a kernel
    /// have one name, the load has it, and the kernel only with its prefix.
    pub(crate) fn find(name: &str, threads: Option<Threads>) -> Result<Self> {
        let path = PathBuf::from(name);
        if path.is_file() {
            let stem = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let stem = stem.unwrap_or_default();
            let short = stem.trim_end_matches(".xz").trim_end_matches(".trace").to_owned();
            let threads = threads.unwrap_or(Threads::Serial);
            return Ok(Self { name: short, source: Source::File(path), threads });
        }
        let mut all = Self::built_in()?;
        all.extend(Self::more()?);
        let found = all.iter().find(|workload| workload.name == name).cloned();
        match found {
            Some(found) => Ok(Self { threads: threads.unwrap_or(found.threads), ..found }),
            None => {
                if let Some(kernel) = Self::kernel(name, 1.0) {
                    return Ok(Self { threads: threads.unwrap_or(kernel.threads), ..kernel });
                }
                let all = all.into_iter().chain(Self::kernels(1.0));
                let mut names: Vec<_> = all.map(|workload| workload.name).collect();
                names.dedup();
                Err(Failure::input(format!(
                    "{name} is neither a trace file nor a built-in workload; these are: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// What it is, in a line.
    pub(crate) fn explain(&self) -> String {
        match &self.source {
            Source::Shipped(trace) => {
                trace.open().map(|reader| reader.meta().program.clone()).unwrap_or_default()
            }
            Source::File(path) => path.display().to_string(),
            Source::Synthetic(load) => load.explain().into(),
            Source::Events(events) => format!("{} events", events.len()),
            Source::Kernel(kernel, _) => kernel.explain.into(),
        }
    }

    /// Makes the scripts, with `checkpoints` stops in the second.
    pub(crate) fn prepare(&self, checkpoints: usize) -> Result<Prepared> {
        if let Source::Kernel(kernel, scale) = self.source {
            return self.prepare_kernel(kernel, scale);
        }
        let (records, peak) = self.totals()?;
        let plan = CheckpointPlan::spread(records, peak + 1, checkpoints);
        let peak = plan.after.iter().position(|&after| after == peak + 1).unwrap_or(0);
        self.prepare_with(plan, peak)
    }

    /// Makes the scripts with a single stop, at a place of the trace.
    pub(crate) fn prepare_at(&self, place: At) -> Result<Prepared> {
        let (records, peak) = self.totals()?;
        let after = match place {
            At::Peak => peak + 1,
            At::End => records,
            At::Record(record) if (1..=records).contains(&record) => record,
            At::Record(record) => {
                return Err(Failure::input(format!(
                    "{} has {records} records: --at {record} is none of 1 to {records}",
                    self.name
                )));
            }
        };
        self.prepare_with(CheckpointPlan { after: vec![after] }, 0)
    }

    fn prepare_kernel(&self, kernel: &'static Kernel, scale: f64) -> Result<Prepared> {
        let order = kernel.scaled(scale);
        let (plain, stops) = (Script::of_kernel(order)?, Script::of_kernel(order)?);
        if plain.mode != self.threads {
            return Err(Failure::input(format!("{} has its own threads", self.name)));
        }
        let facts = results::Workload {
            name: self.name.clone(),
            threads: self.threads,
            operations: plain.operations,
            recorded_threads: plain.threads,
            family: Some(kernel.family.name().into()),
        };
        Ok(Prepared { facts, plain, stops, peak: 0 })
    }

    fn prepare_with(&self, plan: CheckpointPlan, peak: usize) -> Result<Prepared> {
        let mut builder = Builder::several(self.threads, [CheckpointPlan::default(), plan])?;
        let mut threads = 0;
        self.each(|event| {
            threads = threads.max(event.thread.0);
            builder.push(event)
        })?;
        let [plain, stops] = builder.finish_all()?;
        let facts = results::Workload {
            name: self.name.clone(),
            threads: self.threads,
            operations: plain.operations,
            recorded_threads: threads,
            family: None,
        };
        Ok(Prepared { facts, plain, stops, peak })
    }

    /// Records, and the record at which live bytes are greatest.
    fn totals(&self) -> Result<(u64, u64)> {
        let known = match &self.source {
            Source::Shipped(trace) => trace.open()?.totals().map(|t| (t.events, t.peak_record)),
            // What a file's header says is not true of one that was cut off.
            Source::File(_) | Source::Synthetic(_) | Source::Events(_) | Source::Kernel(..) => None,
        };
        if let Some(known) = known
            && known.0 > 0
        {
            return Ok(known);
        }
        let mut live = crate::trace::LiveSet::new();
        let cut_off = self.each(|event| match live.apply(event) {
            Ok(_) => Ok(()),
            Err(why) => Err(Failure::input(format!("{}: a damaged trace: {why}", self.name))),
        })?;
        let totals = live.totals();
        if totals.events == 0 {
            return Err(Failure::input(format!("{}: the trace holds no record", self.name)));
        }
        if let Some(usable) = cut_off {
            eprintln!("strata-bench: {usable}");
        }
        Ok((totals.events, totals.peak_record))
    }

    /// A kernel has no events, hence no places to stop at and nothing for the judge.
    pub(crate) fn not_replayed(&self) -> Failure {
        let name = &self.name;
        Failure::input(format!("{name} is a kernel, which is timed only: name a trace or a load"))
    }

    /// Calls back with every event in order. Answers what to say of a file that was cut off.
    pub(crate) fn each(
        &self,
        mut call: impl FnMut(&Event) -> Result<()>,
    ) -> Result<Option<String>> {
        let mut reader = match &self.source {
            Source::Shipped(trace) => trace.open()?,
            Source::File(path) => Reader::open(path)?,
            Source::Synthetic(load) => {
                load.events().iter().try_for_each(call)?;
                return Ok(None);
            }
            Source::Events(events) => {
                events.iter().try_for_each(call)?;
                return Ok(None);
            }
            Source::Kernel(..) => return Err(self.not_replayed()),
        };
        for event in &mut reader {
            call(&event?)?;
        }
        Ok(reader.cut_off())
    }
}
