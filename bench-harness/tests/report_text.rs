//! The results file and the terminal tables.

mod report_sample;

use std::fs;
use strata_bench::error::Kind;
use strata_bench::results::table::{Style, details_in, summary_in};
use strata_bench::results::{Outcome, jsonl};

#[test]
fn a_results_file_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let (header, rows) = (report_sample::header(), report_sample::rows());
    jsonl::write(&path, &header, &rows).unwrap();
    let (read_header, read_rows) = jsonl::read(&path).unwrap();
    assert_eq!(read_header, header);
    assert!(read_rows == rows);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(names, [path], "nothing is left beside it");
}

#[test]
fn a_failing_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    fs::write(&path, "old").unwrap();
    let failure = jsonl::write_whole(&path, |out| {
        out.write_all(b"new")?;
        Err(std::io::Error::other("disk full"))
    });
    assert_eq!(failure.unwrap_err().kind, Kind::Input);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn unusable_files_are_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let header = serde_json::to_string(&report_sample::header()).unwrap();
    let row = serde_json::to_string(&report_sample::rows()[0]).unwrap();
    let cases = [
        (String::new(), "is empty"),
        ("hello\n".to_owned(), "not a results file"),
        ("{\"schema\":\"strata-bench/9\"}\n".to_owned(), "\"strata-bench/9\" is not"),
        ("{\"schema\":\"strata-bench/1\"}\n".to_owned(), "line 1 is damaged"),
        (format!("{header}\n{row}\n{}\n", &row[..200]), "line 3 is damaged"),
        (format!("{header}\n{{}}\n"), "line 2 is damaged"),
    ];
    for (text, expected) in cases {
        fs::write(&path, text).unwrap();
        let failure = jsonl::read(&path).unwrap_err();
        assert_eq!(failure.kind, Kind::Input);
        assert!(failure.message.contains(expected), "{failure}");
        assert!(failure.message.contains("results.jsonl"), "{failure}");
        assert_eq!(failure.message.lines().count(), 1, "{failure}");
    }
    fs::remove_file(&path).unwrap();
    assert!(jsonl::read(&path).unwrap_err().message.contains("cannot open"));
}

#[test]
fn tables_fit_and_say_what_gave_way() {
    let (header, rows) = (report_sample::header(), report_sample::rows());
    for width in [120, 100] {
        let style = Style { bold: false, width };
        for text in [summary_in(style, &header, &rows), details_in(style, &rows)] {
            for line in text.lines().filter(|line| !line.starts_with(['C', 'n'])) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert!(!text.contains('\u{1b}'), "plain text has no escape sequences");
        }
    }
    let narrow = summary_in(Style { bold: false, width: 100 }, &header, &rows);
    assert!(narrow.contains("left out to fit 100 columns: instr /op"), "{narrow}");
    let bold = summary_in(Style { bold: true, width: 120 }, &header, &rows);
    assert!(bold.contains("\u{1b}[1m"), "the best are bold");
}

#[test]
fn absent_figures_read_as_such_and_the_groups_are_apart() {
    let header = report_sample::header();
    let mut rows = report_sample::rows();
    let text = summary_in(Style::PLAIN, &header, &rows);
    let of =
        |name: &str| text.lines().position(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(of("system A/A") > of("── A/A arm"));
    assert!(of("noop") > of("── null row"));
    assert!(of("ideal") > of("── calibration"));
    assert!(of("── A/A arm") > of("mimalloc-v3"));
    assert!(text.contains("CRASHED smmalloc on tokio-service ∥: signal 11 (SIGSEGV) at record"));
    assert!(text.contains("CORRUPTED rlsf on gcc-compile: Overlap at record 88204, thread 0"));
    assert!(text.lines().nth(of("noop")).unwrap().matches("n/a").count() >= 8);

    for row in &mut rows {
        (row.time, row.memory, row.instructions) = (None, None, None);
        row.outcome = Outcome::Ok;
    }
    let text = summary_in(Style::PLAIN, &header, &rows);
    let line = text.lines().find(|line| line.trim_start().starts_with("mimalloc-v3")).unwrap();
    assert_eq!(line.matches("n/a").count(), 12, "{line}");
    assert!(!line.contains("0.0"), "{line}");
}

#[test]
#[ignore = "prints the tables to look at"]
fn print() {
    let (header, rows) = (report_sample::header(), report_sample::rows());
    println!("{}", summary_in(Style { bold: true, width: 120 }, &header, &rows));
    println!("{}", summary_in(Style { bold: true, width: 100 }, &header, &rows));
    println!("{}", &details_in(Style::PLAIN, &rows)[..6000]);
}
