//! A line a reading, for where there is no terminal to redraw: `vmstat`'s columns, and a process's.

use super::process::Process;
use super::report::{Largest, Report, Surroundings};

/// Lines after which the heads are repeated.
pub(super) const HEADS: usize = 20;

const MACHINE: [&str; 18] = [
    "r", "b", "swpd", "free", "buff", "cache", "si", "so", "bi", "bo", "faults", "in", "cs", "us",
    "sy", "id", "wa", "st",
];

const PROCESS: [&str; 12] = [
    "rss", "delta", "virt", "anon", "shared", "swap", "dirty", "minflt", "majflt", "cs", "us", "sy",
];

fn joined<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let cells: Vec<String> =
        cells.into_iter().map(|cell| format!("{:>9}", cell.as_ref())).collect();
    cells.join(" ") + "\n"
}

/// The heads of [`machine`].
pub(super) fn machine_heads() -> String {
    joined(MACHINE)
}

/// The machine at one moment, as `vmstat` shows it: KiB, and events a second.
pub(super) fn machine(of: &Largest) -> String {
    let Surroundings { machine, counters, rates, .. } = &of.around;
    let kib = |bytes: u64| bytes / 1024;
    let rate = |value: f64| value.round() as u64;
    let part = rates.processor.map(|share| (share * 100.0).round() as u64);
    let figures = [
        counters.running,
        counters.blocked,
        kib(machine.swap_used()),
        kib(machine.free),
        kib(machine.buffers),
        kib(machine.cached + machine.reclaimable),
        rate(rates.swapped_in / 1024.0),
        rate(rates.swapped_out / 1024.0),
        rate(rates.blocks_in / 1024.0),
        rate(rates.blocks_out / 1024.0),
        rate(rates.faults),
        rate(rates.interrupts),
        rate(rates.switches),
    ];
    joined(figures.into_iter().chain(part).map(|figure| figure.to_string()))
}

/// The heads of [`process`].
pub(super) fn process_heads() -> String {
    joined(PROCESS)
}

/// A process at one moment: KiB, how much more is resident than before, events a second, and
/// percent of one processor.
pub(super) fn process(of: &Report, before: Option<(&Process, f64)>) -> String {
    let now = &of.process;
    let kib = |bytes: u64| (bytes / 1024).to_string();
    let rate = |figure: fn(&Process) -> u64| match before {
        Some((then, seconds)) => figure(now).saturating_sub(figure(then)) as f64 / seconds,
        None => 0.0,
    };
    let grown = before.map_or(0, |(then, _)| now.usage.rss as i64 - then.usage.rss as i64);
    let whole = |value: f64| format!("{value:.0}");
    joined([
        kib(now.usage.rss),
        format!("{:+}", grown / 1024),
        kib(now.virtual_bytes),
        kib(now.anonymous),
        kib(now.shared),
        kib(now.swapped),
        kib(of.exact.dirty()),
        whole(rate(|of| of.minor_faults)),
        whole(rate(|of| of.major_faults)),
        whole(rate(|of| of.voluntary_switches + of.involuntary_switches)),
        whole(rate(|of| of.cpu_usage.user) / 1e4),
        whole(rate(|of| of.cpu_usage.system) / 1e4),
    ])
}
