//! Kernels as text on the terminal: every kernel, the families, the chosen subject.

use super::families::{Kernels, Mean, Verdict, Versus};
use super::grid::{Class, Grid};
use super::words::{self, or_absent};
use super::{Interval, Outcome, Row};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::fmt::Write;

/// All of it; empty where no row is a kernel's.
pub fn text(rows: &[Row], kernels: Option<&Kernels>) -> String {
    let Some(kernels) = kernels else { return String::new() };
    let mut text = String::from(
        "kernels: ns a pair of allocation and free, loop included; ratios of the same rounds, with \
         95% intervals\n",
    );
    text.push_str(&each(rows));
    text.push_str("\nfamilies: geometric means over their kernels, then over the families\n");
    text.push_str(&families(kernels));
    for versus in &kernels.versus {
        text.push_str(&judged(versus));
    }
    text
}

fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings)
        .force_no_tty();
    table
}

/// The drawn table without blanks at line ends and rules between lines of one group.
fn drawn(mut table: Table, words: usize) -> String {
    table.style_mut().row_separator = comfy_table::LineStyle::none();
    for (index, column) in table.column_iter_mut().enumerate() {
        let side = if index < words { CellAlignment::Left } else { CellAlignment::Right };
        column.set_cell_alignment(side);
        column.set_padding((0, 2));
    }
    table.to_string().lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

fn nanos(value: Option<f64>) -> String {
    or_absent(value, |ns| format!("{ns:.2}"))
}

fn interval(interval: Option<Interval>) -> String {
    or_absent(interval, |i| match (i.low, i.high) {
        (Some(low), Some(high)) => format!("{:.3} {low:.3}–{high:.3}", i.median),
        _ => format!("{:.3} n/a", i.median),
    })
}

/// A table of every kernel's rows, the fastest first.
fn each(rows: &[Row]) -> String {
    let grid = Grid::of(rows.iter().filter(|row| row.workload.family.is_some()));
    let mut table = table(&[
        "kernel",
        "allocator",
        "ns/pair",
        "to System (95%)",
        "× best",
        "instr/pair",
        "peak MiB",
    ]);
    for (column, workload) in grid.workloads.iter().enumerate() {
        let mut lines: Vec<_> =
            grid.lines.iter().filter_map(|line| Some((line, line.cells[column]?))).collect();
        lines.retain(|(line, row)| line.class != Class::Calibration || row.time.is_some());
        let key = |row: &Row| row.time.as_ref().map_or(f64::INFINITY, |time| time.median);
        lines.sort_by(|(a, row_a), (b, row_b)| {
            a.class.cmp(&b.class).then(key(row_a).total_cmp(&key(row_b)))
        });
        for (index, (line, row)) in lines.into_iter().enumerate() {
            let name = workload.name.strip_prefix(crate::kernel::PREFIX);
            let name = name.unwrap_or(&workload.name);
            let figures = line.figures[column].unwrap_or_default();
            let crashed = row.outcome != Outcome::Ok;
            let peak = row.time.as_ref().and_then(|time| time.peak);
            table.add_row([
                if index == 0 { name.to_owned() } else { String::new() },
                line.label.clone(),
                nanos(figures.ns),
                if crashed { "CRASHED".into() } else { interval(figures.to_system) },
                or_absent(figures.best, words::ratio),
                or_absent(figures.instructions, |count| format!("{count:.1}")),
                or_absent(peak, |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20))),
            ]);
        }
    }
    drawn(table, 2)
}

fn families(kernels: &Kernels) -> String {
    let mut table = table(&["family", "kernels", "allocator", "ns/pair", "to System (95%)"]);
    let Some(first) = kernels.subjects.first() else { return String::new() };
    let of = |index: usize| {
        let mean = move |means: &super::families::Means| -> Mean {
            means.families.get(index).unwrap_or(&means.all).clone()
        };
        let mut lines: Vec<_> = kernels.subjects.iter().map(|means| (means, mean(means))).collect();
        lines.retain(|(_, mean)| mean.ns.is_some());
        lines
    };
    // One past the families stands for the mean over them.
    for index in 0..=first.families.len() {
        let mut lines = of(index);
        lines.sort_by(|(of_a, a), (of_b, b)| {
            let class = |means: &super::families::Means| (means.calibration, means.a_a);
            let time = a.ns.unwrap_or(0.0).total_cmp(&b.ns.unwrap_or(0.0));
            class(of_a).cmp(&class(of_b)).then(time)
        });
        for (place, (means, mean)) in lines.into_iter().enumerate() {
            let family = mean.family.unwrap_or_else(|| "OVER FAMILIES".into());
            let first = place == 0;
            table.add_row([
                if first { family } else { String::new() },
                if first { mean.kernels.to_string() } else { String::new() },
                means.subject.clone(),
                nanos(mean.ns),
                interval(mean.to_system),
            ]);
        }
    }
    drawn(table, 3)
}

/// The chosen subject against the fastest peer of each row, and the best single one.
fn judged(versus: &Versus) -> String {
    let (subject, mode) = (&versus.subject, &versus.mode);
    let known = subject.ends_with(&**mode);
    let mode = if known { String::new() } else { format!(" ({mode})") };
    let mut text = format!("\n{subject}{mode} against the fastest of each row\n");
    let mut table = table(&["kernel", "fastest peer", "ns", "its ns", "ratio (95%)", "A/A", ""]);
    let mut counts = [0; 3];
    for row in &versus.rows {
        let word = match row.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Noisy => "again: A/A beyond ±2%",
            Verdict::Unknown => "n/a",
            Verdict::MeanOnly => "in the mean only",
        };
        match row.verdict {
            Verdict::Pass => counts[0] += 1,
            Verdict::Fail => counts[1] += 1,
            Verdict::Noisy | Verdict::Unknown => counts[2] += 1,
            Verdict::MeanOnly => {}
        }
        let name = row.kernel.strip_prefix(crate::kernel::PREFIX).unwrap_or(&row.kernel);
        table.add_row([
            name.to_owned(),
            or_absent(row.peer.clone(), |peer| peer),
            nanos(row.ns),
            nanos(row.peer_ns),
            interval(row.ratio),
            interval(row.a_a),
            word.to_owned(),
        ]);
    }
    text.push_str(&drawn(table, 2));
    let [pass, fail, open] = counts;
    let limit = super::families::LIMIT;
    let _ = writeln!(text, "upper end at most {limit}: {pass} pass, {fail} fail, {open} open");
    if let Some(peer) = &versus.best_peer {
        let _ = writeln!(text, "to {peer}, the best single peer over the families:");
        for (family, ratio) in &versus.families {
            let _ = writeln!(text, "  {family:<14} {}", interval(*ratio));
        }
        let _ = writeln!(text, "  {:<14} {}", "OVER FAMILIES", interval(versus.all));
    }
    text
}
