//! Results as CSV and Markdown, and a heap as PNG: what is written is what the rows say.

mod common;
mod report_sample;

use common::Place;
use strata_bench::results::{Outcome, export, jsonl};

/// A naive reader of CSV: cells by line.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            other => cell.push(other),
        }
    }
    assert!(!quoted && line.is_empty() && cell.is_empty());
    lines
}

#[test]
fn csv_holds_every_row_and_nothing_that_is_absent() {
    let mut rows = report_sample::rows();
    rows[0].subject.version = "1.0, \"odd\"\nname".into();
    rows[1].outcome = Outcome::NotAvailable { reason: "no".into() };
    rows[2].memory = None;
    let lines = cells(&export::csv(&rows));
    assert_eq!(lines.len(), rows.len() + 1);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    let at = |line: usize, head: &str| {
        let column = lines[0].iter().position(|name| name == head).expect("a head");
        lines[line + 1][column].as_str()
    };
    assert_eq!(at(0, "version"), "1.0, \"odd\"\nname");
    assert_eq!(at(1, "outcome"), "not available");
    assert_eq!((at(2, "peak_resident"), at(2, "holes")), ("", ""));
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.memory.is_some()) {
        let memory = row.memory.as_ref().unwrap();
        let peak = &memory.checkpoints[memory.peak];
        assert_eq!(at(index, "peak_resident"), peak.resident.to_string());
        let terms = ["live", "rounding", "headers", "holes", "kept", "metadata"];
        let sum: u64 = terms.iter().map(|term| at(index, term).parse().unwrap_or(0)).sum();
        assert_eq!(sum, peak.resident, "{}", row.subject.name);
    }
}

#[test]
fn a_report_takes_the_form_of_its_name() {
    let place = Place::new();
    let (header, rows) = (report_sample::header(), report_sample::rows());
    jsonl::write(&place.path().join("results.jsonl"), &header, &rows).unwrap();
    for name in ["r.csv", "r.md"] {
        place.run(["report", "results.jsonl", "--out", name]).fine();
    }
    let read = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    assert_eq!(read("r.csv"), export::csv(&rows));
    let text = read("r.md");
    assert!(text.contains("| allocator | ns/op |"), "{text}");
    for line in text.lines().filter(|line| line.starts_with('|') && line.contains("ns/op")) {
        assert_eq!(line.matches('|').count(), 10, "{line}");
    }
    for row in &rows {
        assert!(text.contains(&format!("| {} (", row.subject.name)), "{}", row.subject.name);
    }
    place.run(["report", "results.jsonl", "--out", "/proc/self/r.csv"]).refused(2, &["r.csv"]);
}

#[test]
fn a_heap_is_drawn_as_png() {
    let place = Place::new();
    place.run("map sqlite3-oltp --alloc system --at 5000 --out heap.png".split(' ')).fine();
    let bytes = std::fs::read(place.path().join("heap.png")).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(&bytes[12..16], b"IHDR");
    // Tiles of 32 × 16 pages of 4 × 4, with a line around each.
    assert_eq!(((number(16) - 4) % 132, (number(20) - 4) % 68), (0, 0));
    assert_eq!(&bytes[bytes.len() - 8..bytes.len() - 4], b"IEND");
}
