//! The command line: words in, exit codes out.

mod absorb;
mod adversary;
mod compare;
mod explain;
mod files;
mod footprint;
mod frames;
mod gallery;
mod gate;
mod heap;
mod import;
mod mem;
mod minimise;
mod pools;
mod regions;
mod replay;
mod rows;
mod run;
mod scaling;
mod synth;

use crate::child::channel::UNUSABLE;
use crate::error::Result;
use crate::interleaved::SIDE;
use crate::results::Mode;
use crate::run::{ASK, Answer, CHILD};
use crate::subject::Entry;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Measures the fragmentation, memory and time of any allocator on recorded traces.
#[derive(Debug, Parser)]
#[command(name = "strata-bench", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 ok, 1 regression, 2 usage or input, 3 a subject crashed or \
                        corrupted memory.")]
struct Words {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure every subject on every workload; writes results.jsonl and report.html.
    Run(run::Args),
    Record(crate::record::Args),
    /// Measure what allocators hold at named points of small programs, against fixed gates.
    Footprint(footprint::Args),
    /// Measure what threads that share no block cost one another, against fixed gates.
    Scaling(scaling::Args),
    /// Measure frame allocators: time, scaling, whole huge frames, and frames handed out twice.
    Frames(frames::Args),
    /// Measure allocators over a fixed region: what of it can be used, time, and compaction.
    Regions(regions::Args),
    /// Measure pools of equal blocks: pairs, threads, and what is kept when nothing is in use.
    Pools(pools::Args),
    /// Tell where a process's memory is, or the machine's: one screen, again and again, JSON, a picture.
    Mem(mem::Args),
    /// Draw a program's heap, from the report that the program wrote: a page, or SVG.
    Heap(heap::Args),
    /// Replay one workload on one subject.
    Replay(replay::Args),
    /// Draw the heap of one subject at one place of a workload, as SVG.
    Map(replay::MapArgs),
    /// Tell in words where the memory is, which blocks the holes lie beside, and what the floor is.
    Explain(explain::Args),
    /// Probe what a heap's free memory can serve, size by size: external fragmentation as felt.
    Absorb(absorb::Args),
    /// Play programs that look at addresses, to see what they make an allocator waste.
    Adversary(adversary::Args),
    /// Compare two strata-bench executables in one run, or two stored results.
    Compare(compare::Args),
    /// Hold memory and instructions to limits against a stored baseline.
    Gate(gate::Args),
    /// Find the smallest part of a trace that still fails, or still fragments.
    Minimise(minimise::Args),
    /// Write a trace again: packed or plain, from any format that is read.
    Convert(files::ConvertArgs),
    /// Make a trace of what another tool wrote: malloc lab, valgrind, mtrace, heaptrack.
    Import(import::Args),
    /// Make a trace of a profile: sizes with their rates and live counts, from CSV.
    Synth(synth::Args),
    /// Tell everything about a trace.
    Info(files::InfoArgs),
    /// Make report.html again from stored results, or CSV or Markdown of them.
    Report(files::ReportArgs),
    /// Draw every allocator on every trace: a picture a trace, and an index of them as Markdown.
    Gallery(gallery::Args),
    /// List the subjects: those linked here and the peers beside this executable.
    Subjects,
    /// List the built-in workloads.
    Workloads,
}

/// What an executable links, by the commands that measure it.
#[derive(Clone)]
pub struct Linked {
    /// Of `run` and its like.
    pub subjects: Vec<Entry>,
    /// How those are called.
    pub mode: Mode,
    /// Of `frames`.
    pub frames: Vec<crate::frames::Entry>,
    /// Of `regions`.
    pub regions: Vec<crate::regions::Entry>,
    /// Of `pools`.
    pub pools: Vec<crate::pools::Entry>,
}

impl Linked {
    /// These subjects, and all that strata-bench itself links of the others.
    pub fn new(subjects: Vec<Entry>, mode: Mode) -> Self {
        let (frames, regions) = (crate::frames::linked(), crate::regions::linked());
        Self { subjects, mode, frames, regions, pools: crate::pools::linked() }
    }
}

/// The whole command, with the subjects that the executable links; for [`main!`](crate::main).
pub fn command(subjects: &[Entry], mode: Mode) -> ExitCode {
    command_with(&Linked::new(subjects.to_vec(), mode))
}

/// [`command`], with everything that the executable links.
pub fn command_with(linked: &Linked) -> ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some(ASK) => return answer(&linked.subjects, linked.mode),
        Some(CHILD) => return child(&linked.subjects, &words.next().unwrap_or_default()),
        Some(SIDE) => return side(linked, words),
        _ => {}
    }
    let words = match Words::try_parse() {
        Ok(words) => words,
        Err(error) => {
            return refused(&error);
        }
    };
    let outcome = match words.command {
        Command::Run(args) => run::main(&args),
        Command::Record(args) => crate::record::main(args),
        Command::Footprint(args) => footprint::main(&args),
        Command::Scaling(args) => scaling::main(&args),
        Command::Frames(args) => frames::main(&args, &linked.frames),
        Command::Pools(args) => pools::main(&args, &linked.pools),
        Command::Regions(args) => regions::main(&args, &linked.regions),
        Command::Adversary(args) => adversary::main(&args),
        Command::Absorb(args) => absorb::main(&args),
        Command::Explain(args) => explain::main(&args),
        Command::Gate(args) => gate::main(&args),
        Command::Heap(args) => heap::main(&args),
        Command::Import(args) => import::main(&args),
        Command::Mem(args) => mem::main(&args),
        Command::Minimise(args) => minimise::main(&args),
        Command::Convert(args) => files::convert_main(&args),
        Command::Replay(args) => replay::main(&args),
        Command::Map(args) => replay::map_main(&args),
        Command::Compare(args) => compare::main(&args),
        Command::Synth(args) => synth::main(&args),
        Command::Info(args) => files::info_main(&args),
        Command::Report(args) => files::report_main(&args),
        Command::Gallery(args) => gallery::main(&args),
        Command::Subjects => files::subjects_main(),
        Command::Workloads => files::workloads_main(),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("strata-bench: {failure}");
        failure.exit_code()
    })
}

/// A job of another process of the same run.
fn side(linked: &Linked, mut words: impl Iterator<Item = String>) -> ExitCode {
    let mut word = || words.next().unwrap_or_default();
    let (command, name, job) = (word(), word(), word());
    match command.as_str() {
        crate::regions::COMMAND => crate::regions::side(&linked.regions, &name, &job),
        crate::pools::COMMAND => crate::pools::side(&linked.pools, &name, &job),
        _ => ExitCode::from(2),
    }
}

/// Prints help where it was asked for or no word was given, else one line on the word at fault.
fn refused(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    let text = error.to_string();
    let told = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more");
    let words: Vec<&str> = text.lines().take_while(told).flat_map(str::split_whitespace).collect();
    let line = words.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    eprintln!("strata-bench: {line} (try --help)");
    ExitCode::from(2)
}

fn answer(subjects: &[Entry], mode: Mode) -> ExitCode {
    match serde_json::to_string(&Answer::own(subjects, &hidden(), mode)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::from(2),
    }
}

/// The faulty subjects, which test the judge, the sound one that they are made of, and those of fixed
/// memory, which test the probes.
fn hidden() -> Vec<Entry> {
    let faulty = crate::subject::mutant::mutants().into_iter().map(|(entry, _)| entry);
    let fixed = crate::subject::calibration::fixed();
    faulty.chain([crate::subject::mutant::unmutated()]).chain(fixed).collect()
}

fn child(subjects: &[Entry], name: &str) -> ExitCode {
    let hidden = hidden();
    let mut all = subjects.iter().chain(&hidden);
    let found = all.find(|entry| (entry.describe)().name == name);
    let status = found.map_or(UNUSABLE, |entry| (entry.enter)());
    ExitCode::from(status as u8)
}

/// Prints to standard output; a reader that went away (`| head`) is no error.
pub(crate) fn show(text: &str) -> Result<()> {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
