//! The index of the pictures, as Markdown.

use super::picture::told;
use super::{Entry, Scene};
use crate::results::statistics::geometric_mean;
use crate::results::{Header, Threads, words};
use crate::trace::{shipped, shipped_more};
use std::fmt::Write;

/// The words before the pictures.
const READ: &str = "\
Each picture shows every allocator on one trace, the least resident first: its name and resident by live bytes at the peak; \
live, pinned and resident bytes over the trace; what the resident bytes are for; and the heap, a dot a page. \
[How to read this](https://github.com/strata-alloc/strata/blob/main/bench-harness/READING.md) tells more.";

pub(super) fn markdown(headers: &[Header], scenes: &[Scene<'_>]) -> String {
    let mut text = format!("# Every allocator on every trace\n\n{READ}\n\n");
    for header in headers {
        let _ =
            writeln!(text, "{}; measured by\n\n    {}\n", where_and_when(header), header.command);
    }
    let serial = |scene: &&Scene<'_>| scene.workload.threads == Threads::Serial;
    text.push_str("## Resident bytes for a live one, at the peak\n\n");
    text.push_str("The least of a line in bold; a name leads to the picture.\n\n");
    table(&mut text, scenes);
    let known = |names: &[crate::trace::Shipped], scene: &Scene<'_>| {
        names.iter().any(|trace| trace.name == scene.workload.name)
    };
    let (first, more) = (shipped(), shipped_more());
    let groups = [("the first traces", &first), ("the further traces", &more)];
    for (name, traces) in groups {
        let group: Vec<_> =
            scenes.iter().filter(serial).filter(|scene| known(traces, scene)).collect();
        if let Some(line) = means(&group) {
            let count = group.len();
            let _ = writeln!(text, "Geometric mean over {name} ({count}, serially): {line}.\n");
        }
    }
    for scene in scenes {
        let (file, told) = (scene.file(), told(scene));
        let _ = writeln!(text, "## {}\n\n![{told}]({file})\n", scene.title());
        for (who, why) in &scene.missing {
            let _ = writeln!(text, "{who} is not shown: {why}.\n");
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The day and the machine.
fn where_and_when(header: &Header) -> String {
    let day = header.date.split('T').next().unwrap_or_default();
    let fact = |name: &&str| header.provenance.iter().find(|fact| fact.0 == **name);
    let facts = ["processor", "cores", "kernel", "C library"];
    let facts = facts.iter().filter_map(|name| Some(format!(", {name} {}", fact(name)?.1)));
    format!("{day}{}", facts.collect::<String>())
}

/// Labels in the order in which they appear first.
fn labels<'a>(scenes: impl IntoIterator<Item = &'a Scene<'a>>) -> Vec<&'a str> {
    let mut labels = Vec::new();
    for entry in scenes.into_iter().flat_map(|scene| &scene.entries) {
        if !labels.contains(&&*entry.label) {
            labels.push(&*entry.label);
        }
    }
    labels
}

fn of<'a>(scene: &'a Scene<'_>, label: &str) -> Option<&'a Entry<'a>> {
    scene.entries.iter().find(|entry| entry.label == label)
}

fn table(text: &mut String, scenes: &[Scene<'_>]) {
    let labels = labels(scenes);
    let _ = writeln!(text, "| trace | {} |", labels.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(labels.len()));
    for scene in scenes {
        let _ = write!(text, "| [{}]({}) |", scene.title(), scene.file());
        let least = scene.entries.first().map(|entry| words::ratio(entry.ratio()));
        for label in &labels {
            let shown = words::or_absent(of(scene, label), |entry| words::ratio(entry.ratio()));
            let bold = if Some(&shown) == least.as_ref() { "**" } else { "" };
            let _ = write!(text, " {bold}{shown}{bold} |");
        }
        text.push('\n');
    }
    text.push('\n');
}

/// Geometric means of those that have a figure on all of them, the least first.
fn means(scenes: &[&Scene<'_>]) -> Option<String> {
    let mut means: Vec<(f64, &str)> = labels(scenes.iter().copied())
        .into_iter()
        .filter_map(|label| {
            let ratios = scenes.iter().map(|scene| Some(of(scene, label)?.ratio()));
            Some((geometric_mean(ratios.collect::<Option<Vec<f64>>>()?)?, label))
        })
        .collect();
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    let words = means.iter().map(|(mean, label)| format!("{label} {}", words::ratio(*mean)));
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}
