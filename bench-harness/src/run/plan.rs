//! What a run consists of: arms, workloads, repetitions.

use super::arm::{self, Arm};
use super::workload::Workload;
use crate::child::Touch;
use crate::error::{Context, Failure, Result};
use crate::script::synthetic::Load;
use std::path::Path;
use std::time::Duration;

/// Which workloads, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// The first fourteen shipped traces and four synthetic loads, six pairs: under a minute.
    Quick,
    /// The same with 20 pairs, instruction counts, two memory runs, and the peers beside.
    Std,
    /// The same with 40 pairs, three memory runs, the other shipped traces and fourteen more synthetic
    /// loads.
    Full,
    /// Every time kernel, 12 pairs, more where the A/A arm strays, and the peers beside; time only.
    Kernels,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The suite.
    pub suite: Suite,
    /// Subjects by name; empty for the suite's own choice.
    pub subjects: Vec<String>,
    /// Workloads by name or trace file; empty for all that are built in.
    pub workloads: Vec<String>,
    /// Repetitions of the timing pass, instead of the suite's.
    pub pairs: Option<usize>,
    /// Seconds for which the sittings of a kernel go on at most while its A/A arm strays, instead of
    /// the suite's.
    pub until_steady: Option<u64>,
    /// Stops of the memory pass.
    pub checkpoints: usize,
    /// Memory passes of each serial row, instead of the suite's; more than one shows which subjects
    /// repeat.
    pub memory_runs: Option<usize>,
    /// What is written into new blocks.
    pub touch: Touch,
    /// Whether the memory pass probes what the free memory at the peak can serve.
    pub absorption: bool,
    /// Whether the memory pass waits ten seconds once all is freed.
    pub ten_seconds: bool,
    /// Whether to count instructions.
    pub instructions: bool,
    /// Whether to run every subject under the judge first.
    pub check: bool,
    /// Which passes to leave out.
    pub no_time: bool,
    /// Leave out the memory pass.
    pub no_memory: bool,
    /// What the rounds of kernels are multiplied with.
    pub kernel_scale: f64,
    /// The subject to judge against the fastest peer of every kernel.
    pub versus: Option<String>,
    /// The words of the command, for the report.
    pub command: String,
}

impl RunOptions {
    /// How long the sittings of a kernel go on at most while its A/A arm strays.
    pub(crate) fn until_steady(&self) -> Duration {
        // Who says how many pairs there are wants no more.
        let usual = if self.pairs.is_some() { 0 } else { Suite::UNTIL_STEADY };
        Duration::from_secs(self.until_steady.unwrap_or(usual))
    }

    /// Memory passes of each serial row.
    pub(crate) fn memory_runs(&self) -> usize {
        self.memory_runs.unwrap_or_else(|| self.suite.memory_runs()).max(1)
    }
}

impl Suite {
    /// Seconds for which the sittings of a kernel go on at most while its A/A arm strays.
    const UNTIL_STEADY: u64 = 60;

    pub(crate) fn pairs(self) -> usize {
        match self {
            Self::Quick => 6,
            Self::Kernels => 12,
            Self::Std => 20,
            Self::Full => 40,
        }
    }

    pub(crate) fn memory_runs(self) -> usize {
        match self {
            Self::Quick | Self::Kernels => 1,
            Self::Std => 2,
            Self::Full => 3,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Std => "std",
            Self::Full => "full",
            Self::Kernels => "kernels",
        }
    }
}

/// The computed subject, which is no arm.
pub(crate) const IDEAL: &str = "ideal";

/// The arms that names stand for, System and the no-op first. With no names: all of this
/// executable's, and, unless the suite is quick, all of the peers beside it.
pub(crate) fn arms(names: &[String], suite: Suite) -> Result<Vec<Arm>> {
    let own = std::env::current_exe().context(|| "cannot find the running executable".into())?;
    let mut all = arm::arms(&own)?;
    let mut refused = Vec::new();
    if !names.is_empty() || suite != Suite::Quick {
        for peer in arm::peers(&own) {
            let arms = match arm::arms(&peer) {
                Ok(arms) => arms,
                // One that cannot take part matters to who wants it only.
                Err(failure) if names.is_empty() || arm::is_peer_of(&peer, names) => {
                    return Err(failure);
                }
                Err(failure) => {
                    refused.push(failure.message);
                    continue;
                }
            };
            // Calibration subjects and System are linked everywhere: only the peer itself counts,
            // except that a global System is the base of the other global ones.
            let peer = arms.into_iter().filter(|arm| {
                let same = |a: &Arm| a.subject == arm.subject && a.mode == arm.mode;
                !arm.description.calibration && !all.iter().any(same)
            });
            let peer: Vec<_> = peer.collect();
            all.extend(peer);
        }
    }
    if names.is_empty() {
        return Ok(all);
    }
    let mut chosen: Vec<Arm> =
        all.iter().filter(|arm| ["system", "noop"].contains(&&*arm.subject)).cloned().collect();
    for name in names {
        if let Some(path) = name.strip_prefix("lib:") {
            chosen.push(arm::library(&own, Path::new(path))?);
            continue;
        }
        let found: Vec<_> = all.iter().filter(|arm| arm.description.name == *name).collect();
        if found.is_empty() && name != IDEAL {
            let mut failure = unknown(name, &all);
            for why in &refused {
                failure.message.push_str("; ");
                failure.message.push_str(why);
            }
            return Err(failure);
        }
        for arm in found {
            if !chosen.contains(arm) {
                chosen.push(arm.clone());
            }
        }
    }
    Ok(chosen)
}

/// One subject by name: also one that is only there for tests of the judge.
pub(crate) fn one(name: &str) -> Result<Arm> {
    let own = std::env::current_exe().context(|| "cannot find the running executable".into())?;
    if let Some(arm) = arm::hidden(&own, name)? {
        return Ok(arm);
    }
    let found = arms(&[name.to_owned()], Suite::Quick)?;
    let wanted = |arm: &&Arm| match name.strip_prefix("lib:") {
        Some(_) => arm.preload.is_some(),
        None => arm.description.name == name,
    };
    found.iter().find(wanted).cloned().ok_or_else(|| unknown(name, &found))
}

pub(super) fn unknown(name: &str, all: &[Arm]) -> Failure {
    let mut names: Vec<_> = all.iter().map(|arm| arm.description.name.as_str()).collect();
    names.push(IDEAL);
    names.dedup();
    Failure::input(format!(
        "no subject is named {name}; there are {} and lib:PATH.so (ci/peers builds the peers that \
         need a C compiler)",
        names.join(", ")
    ))
}

/// The workloads that names stand for: without names all of the suite.
pub(crate) fn suite_workloads(options: &RunOptions) -> Result<Vec<Workload>> {
    let scale = options.kernel_scale;
    if options.suite == Suite::Kernels && options.workloads.is_empty() {
        return Ok(Workload::kernels(scale));
    }
    if options.workloads.is_empty() {
        let mut all = workloads(&[])?;
        if options.suite == Suite::Full {
            all.extend(Workload::more()?);
        }
        return Ok(all);
    }
    // The suite's own names first: a few loads that are replayed have names of kernels too.
    let load = |name: &String| Load::every().any(|load| load.name() == name);
    let mut chosen = Vec::new();
    for name in &options.workloads {
        match Workload::kernel(name, scale) {
            Some(kernel) if options.suite == Suite::Kernels || !load(name) => chosen.push(kernel),
            _ => chosen.extend(workloads(std::slice::from_ref(name))?),
        }
    }
    Ok(chosen)
}

/// The workloads that names stand for; all that are replayed without names.
pub(crate) fn workloads(names: &[String]) -> Result<Vec<Workload>> {
    if names.is_empty() {
        return Workload::built_in();
    }
    let mut chosen = Vec::new();
    for name in names {
        let built_in = Workload::built_in()?.into_iter().chain(Workload::more()?);
        let found: Vec<_> = built_in.filter(|w| w.name == *name).collect();
        if found.is_empty() {
            chosen.push(Workload::find(name, None)?);
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// A listing of subjects for a person.
pub(crate) fn subjects() -> Result<String> {
    let mut text = String::new();
    for arm in arms(&[], Suite::Std)? {
        let d = &arm.description;
        let kind = if d.calibration { "calibration" } else { "" };
        let mode = format!("{:?}", arm.mode).to_lowercase();
        let line = format!(
            "{:<18} {:<28} {:<12} {mode:<9} {:<8} {}",
            d.name, d.version, kind, arm.profile, d.purge_settings
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str("ideal              computed: perfect compaction calibration\n");
    Ok(text)
}

/// A listing of the built-in workloads for a person.
pub(crate) fn workload_names() -> Result<String> {
    let line = |workload: &Workload| {
        let threads = format!("{:?}", workload.threads).to_lowercase();
        format!("{:<24} {threads:<9} {}\n", workload.name, workload.explain())
    };
    let replayed = Workload::built_in()?.into_iter().chain(Workload::more()?);
    let all = replayed.chain(Workload::kernels(1.0));
    Ok(all.map(|workload| line(&workload)).collect())
}
