//! Verdicts as a table for a terminal, and as Markdown for the summary of a CI job.

use super::baseline::Metric;
use super::judge::Verdict;
use crate::results::{Header, Interval, words};
use std::fmt::Write;

const HEADS: [&str; 7] =
    ["workload", "subject", "figure", "baseline", "now", "now / baseline (95%)", "limit"];

fn cells(verdict: &Verdict) -> [String; 7] {
    let figure = |value: f64| match verdict.metric {
        Metric::Instructions => format!("{value:.2}"),
        _ => words::bytes(value as u64),
    };
    let threads = match verdict.threads {
        crate::results::Threads::Serial => "",
        crate::results::Threads::Recorded => " ∥",
    };
    [
        format!("{}{threads}", verdict.workload),
        verdict.subject.clone(),
        verdict.metric.word().to_owned(),
        figure(verdict.old),
        figure(verdict.new),
        words::or_absent(verdict.ratio, shown),
        format!("{:.4}", verdict.limit),
    ]
}

fn shown(ratio: Interval) -> String {
    match (ratio.low, ratio.high) {
        (Some(low), Some(high)) => format!("{:.4} [{low:.4}, {high:.4}]", ratio.median),
        _ => format!("{:.4}", ratio.median),
    }
}

/// For a terminal.
pub(crate) fn text(verdicts: &[Verdict]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(HEADS.into_iter().chain([""]));
    for verdict in verdicts {
        let mark = if verdict.breach { "BREACH" } else { "" };
        table.add_row(cells(verdict).into_iter().chain([mark.to_owned()]));
    }
    format!("{table}\n")
}

/// Markdown: what is beyond its limit first, all else folded away.
pub(crate) fn markdown(verdicts: &[Verdict], old: &Header, new: &Header) -> String {
    let breaches: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.breach).collect();
    let mut text = String::from("## strata-bench gate\n\n");
    let _ = match breaches.len() {
        0 => writeln!(text, "All {} figures are within their limits.\n", verdicts.len()),
        some => {
            writeln!(text, "**{some} of {} figures are beyond their limits.**\n", verdicts.len())
        }
    };
    if !breaches.is_empty() {
        rows(&mut text, &breaches);
        text.push('\n');
    }
    let _ = writeln!(text, "<details><summary>All figures</summary>\n");
    rows(&mut text, &verdicts.iter().collect::<Vec<_>>());
    let _ = writeln!(text, "\n</details>\n");
    let _ = writeln!(text, "Baseline of {} (version {}); `{}`", old.date, old.version, new.command);
    text
}

fn rows(text: &mut String, verdicts: &[&Verdict]) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(&HEADS.map(str::to_owned)));
    text.push_str("|---|---|---|--:|--:|--:|--:|\n");
    for verdict in verdicts {
        // A name must not end its cell.
        text.push_str(&line(&cells(verdict).map(|cell| cell.replace('|', "\\|"))));
    }
}
