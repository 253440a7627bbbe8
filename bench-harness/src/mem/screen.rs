//! A report as text for a terminal of any width. All figures are KiB, as those of pmap and top.

use super::activity::Rates;
use super::cgroup::Limits;
use super::grid::{Column, bar, clean, cut, facts, filled, table};
use super::mappings::{Mapping, OfKind};
use super::process::Process;
use super::report::{Largest, Report, Surroundings};
use crate::results::words::ABSENT;
use std::fmt::Write;

/// How a report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Characters of a line.
    pub width: usize,
    /// Mappings or processes that are listed, the largest.
    pub most: usize,
    /// List every mapping, by address.
    pub all: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { width: 100, most: 10, all: false }
    }
}

/// Rounded up, as nothing that is there may read 0.
fn kib(bytes: u64) -> String {
    bytes.div_ceil(1024).to_string()
}

fn absent(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| ABSENT.to_owned(), kib)
}

fn seconds(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
}

/// A process's screen.
pub(super) fn process(report: &Report, view: &View) -> String {
    let (of, exact) = (&report.process, &report.exact);
    let mut text = String::new();
    let threads = if of.threads == 1 { "thread" } else { "threads" };
    text += &filled(
        &format!(
            "{} ({}) {} · {} {threads} · user {} · processor {} s, kernel {} s",
            clean(&of.name),
            of.pid,
            of.state_word(),
            of.threads,
            of.uid,
            seconds(of.cpu_usage.user),
            seconds(of.cpu_usage.system)
        ),
        view.width,
    );
    text.push_str("\nKiB\n");
    let usage = &of.usage;
    let figures = [
        ("rss", kib(usage.rss)),
        ("heapTotal", kib(usage.heap_total)),
        ("heapUsed", kib(usage.heap_used)),
        ("external", kib(usage.external)),
        ("arrayBuffers", kib(usage.array_buffers)),
        ("virtual", kib(of.virtual_bytes)),
        ("shared", kib(of.shared)),
        ("anonymous", kib(of.anonymous)),
        ("swapped", kib(of.swapped)),
        ("peak", kib(of.peak)),
        ("pss", kib(exact.pss)),
        ("private dirty", kib(exact.private_dirty)),
        ("private clean", kib(exact.private_clean)),
        ("shared dirty", kib(exact.shared_dirty)),
        ("shared clean", kib(exact.shared_clean)),
        ("lazily freed", kib(exact.lazy_free)),
        ("on huge pages", kib(exact.anon_huge_pages)),
        ("locked", kib(exact.locked)),
        ("page tables", kib(of.page_tables)),
    ];
    text += &facts(&figures, view.width);
    if let Some(found) = &report.kinds {
        text.push('\n');
        text += &kinds(found, view.width);
    }
    if let Some(found) = &report.mappings {
        text.push('\n');
        text += &mappings(found, view);
    }
    for heap in &report.heaps {
        text += &format!("\n{}\n", cut(&format!("heap {}, KiB", clean(&heap.name)), view.width));
        text += &facts(&heap.figures().map(|(name, bytes)| (name, absent(bytes))), view.width);
    }
    text.push('\n');
    text += &filled(
        &format!(
            "faults {} minor, {} major · switches {} voluntary, {} not",
            of.minor_faults, of.major_faults, of.voluntary_switches, of.involuntary_switches
        ),
        view.width,
    );
    text + &around(&report.around, view.width)
}

/// The bars and the table of kinds.
fn kinds(found: &[OfKind], width: usize) -> String {
    let parts = |bytes: fn(&OfKind) -> u64| -> Vec<(u64, char)> {
        found.iter().map(|of| (bytes(of), of.kind.letter())).collect()
    };
    let mut text = String::new();
    let room = width.saturating_sub(10).min(90);
    let _ = writeln!(text, "virtual   {}", bar(&parts(|of| of.bytes), room));
    let _ = writeln!(text, "resident  {}", bar(&parts(|of| of.of.rss), room));
    const COLUMNS: [Column; 7] = [
        Column::words("", 0),
        Column::words("kind", 0),
        Column::figure("mappings", 2),
        Column::figure("Kbytes", 0),
        Column::figure("RSS", 0),
        Column::figure("Dirty", 1),
        Column::figure("Swap", 3),
    ];
    let line = |letter: String, word: &str, count: u64, bytes: u64, rss, dirty, swap| {
        let figures = [count.to_string(), kib(bytes), kib(rss), kib(dirty), kib(swap)];
        [letter, word.to_owned()].into_iter().chain(figures).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = found
        .iter()
        .map(|of| {
            let (letter, sums) = (of.kind.letter().to_string(), &of.of);
            line(letter, of.kind.word(), of.count, of.bytes, sums.rss, sums.dirty(), sums.swap)
        })
        .collect();
    let sum = |of: fn(&OfKind) -> u64| found.iter().map(of).sum::<u64>();
    rows.push(line(
        String::new(),
        "all",
        sum(|of| of.count),
        sum(|of| of.bytes),
        sum(|of| of.of.rss),
        sum(|of| of.of.dirty()),
        sum(|of| of.of.swap),
    ));
    text + &table(&COLUMNS, &rows, width)
}

/// The rows of `pmap -x`: all of them by address, or the largest.
fn mappings(found: &[Mapping], view: &View) -> String {
    const COLUMNS: [Column; 6] = [
        Column::figure("Address", 0),
        Column::figure("Kbytes", 1),
        Column::figure("RSS", 0),
        Column::figure("Dirty", 2),
        Column::figure("Mode", 3),
        Column::words("Mapping", 0),
    ];
    let mut shown: Vec<&Mapping> = found.iter().collect();
    if !view.all {
        shown.sort_by(|a, b| b.of.rss.cmp(&a.of.rss).then(a.start.cmp(&b.start)));
        shown.truncate(view.most);
    }
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|of| {
            vec![
                format!("{:016x}", of.start),
                kib(of.bytes()),
                kib(of.of.rss),
                kib(of.of.dirty()),
                of.pmap_mode(),
                of.short_name().to_owned(),
            ]
        })
        .collect();
    let heading = match found.len() - shown.len() {
        0 => String::new(),
        _ => format!("the {} largest of {} mappings\n", shown.len(), found.len()),
    };
    cut(heading.trim_end(), view.width)
        + if heading.is_empty() { "" } else { "\n" }
        + &table(&COLUMNS, &rows, view.width)
}

/// Limits and the machine.
fn around(of: &Surroundings, width: usize) -> String {
    let mut text = filled(&limits(&of.limits), width);
    text += &filled(
        &format!(
            "constrained {} · available to the process {}",
            absent(of.constrained_memory),
            kib(of.available_memory)
        ),
        width,
    );
    let machine = &of.machine;
    text += &filled(
        &format!(
            "machine, KiB: total {} · used {} · free {} · shared {} · buff/cache {} · available {} · \
             swap {} of {} · {} processors",
            kib(machine.total),
            kib(machine.used()),
            kib(machine.free),
            kib(machine.shared),
            kib(machine.caches()),
            kib(machine.available),
            kib(machine.swap_used()),
            kib(machine.swap_total),
            of.cpus.len()
        ),
        width,
    );
    text + &filled(&rates(&of.rates), width)
}

fn limits(of: &Limits) -> String {
    let group = clean(&of.path);
    match (of.version, of.gone) {
        (_, true) => format!("control group {group} was removed: its limits are n/a"),
        (None, _) => "no control group accounts for memory here".to_owned(),
        (Some(version), _) => {
            let limit = of.limit.map_or_else(|| "none".to_owned(), kib);
            let high = of.high.map(|high| format!(" · slowed down above {}", kib(high)));
            format!(
                "control group (v{version}) {group}: limit {limit}{} · uses {} · peak {}",
                high.unwrap_or_default(),
                absent(of.current),
                absent(of.peak)
            )
        }
    }
}

fn rates(of: &Rates) -> String {
    let [us, sy, id, wa, st] = of.processor.map(|share| (share * 100.0).round());
    format!(
        "a second, over {:.1} s: swap in {:.0} out {:.0} · blocks in {:.0} out {:.0} KiB · faults {:.0} ({:.0} \
         major) · interrupts {:.0} · switches {:.0} · processor us {us} sy {sy} id {id} wa {wa} st {st} %",
        of.seconds,
        of.swapped_in / 1024.0,
        of.swapped_out / 1024.0,
        of.blocks_in / 1024.0,
        of.blocks_out / 1024.0,
        of.faults,
        of.major_faults,
        of.interrupts,
        of.switches
    )
}

/// The machine's screen: what `free` and `vmstat` tell, and the largest processes as `top` shows
/// them. `before` are the same processes earlier, by which processor shares are told.
pub(super) fn machine(of: &Largest, before: Option<(&Largest, f64)>, view: &View) -> String {
    const COLUMNS: [Column; 9] = [
        Column::figure("PID", 0),
        Column::figure("user", 6),
        Column::figure("VIRT", 2),
        Column::figure("RES", 0),
        Column::figure("SHR", 3),
        Column::figure("%MEM", 5),
        Column::figure("%CPU", 4),
        Column::figure("TIME", 1),
        Column::words("COMMAND", 0),
    ];
    let rows: Vec<Vec<String>> = of
        .processes
        .iter()
        .map(|process| {
            let share = process.usage.rss as f64 / of.around.totalmem as f64 * 100.0;
            vec![
                process.pid.to_string(),
                process.uid.to_string(),
                kib(process.virtual_bytes),
                kib(process.usage.rss),
                kib(process.shared),
                format!("{share:.1}"),
                processor_share(process, before)
                    .map_or(ABSENT.into(), |share| format!("{share:.1}")),
                seconds(process.cpu_usage.user + process.cpu_usage.system),
                process.name.clone(),
            ]
        })
        .collect();
    let mut text = around(&of.around, view.width);
    text.push('\n');
    let heading = format!("the {} largest of {} processes, KiB and s", rows.len(), of.count);
    text += &cut(&heading, view.width);
    text.push('\n');
    text + &table(&COLUMNS, &rows, view.width)
}

/// Percent of one processor since a reading some seconds before.
fn processor_share(process: &Process, before: Option<(&Largest, f64)>) -> Option<f64> {
    let (before, seconds) = before?;
    let same = |other: &&Process| other.pid == process.pid && other.started == process.started;
    let then = before.processes.iter().find(same)?;
    let time = |of: &Process| of.cpu_usage.user + of.cpu_usage.system;
    Some(time(process).saturating_sub(time(then)) as f64 / 1e6 / seconds * 100.0)
}
