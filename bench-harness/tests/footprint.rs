//! `strata-bench footprint` on subjects whose answers are known, in scenarios made small.

mod common;

use common::{Ended, Place, example};
use serde_json::Value;

const KIB: f64 = 1024.0;

/// Rows by the words of the command.
fn rows(words: &str) -> Vec<Value> {
    let ended = Place::new().run(["footprint", "--json"].into_iter().chain(words.split(' ')));
    parsed(&ended.fine())
}

fn parsed(ended: &Ended) -> Vec<Value> {
    let mut lines = ended.stdout.lines();
    let header: Value = serde_json::from_str(lines.next().expect("a header")).expect("JSON");
    assert_eq!(header["schema"], "strata-footprint/1");
    lines.map(|line| serde_json::from_str(line).expect("a row")).collect()
}

fn row<'a>(rows: &'a [Value], subject: &str, scenario: &str) -> &'a Value {
    let meant = |row: &&Value| row["subject"]["name"] == subject && row["scenario"] == scenario;
    rows.iter().find(meant).unwrap_or_else(|| panic!("a row of {subject} on {scenario}"))
}

/// A figure of a row.
fn figure<'a>(rows: &'a [Value], subject: &str, scenario: &str, name: &str) -> &'a Value {
    let row = row(rows, subject, scenario);
    let figures = row["figures"].as_array().expect("figures");
    let found = figures.iter().find(|figure| figure["name"] == name);
    found.unwrap_or_else(|| panic!("{name} of {row}"))
}

fn value(rows: &[Value], subject: &str, scenario: &str, name: &str) -> f64 {
    let figure = figure(rows, subject, scenario, name);
    figure["value"].as_f64().unwrap_or_else(|| panic!("a value: {figure}"))
}

fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} where {expected} ± {within} is known");
}

/// Bytes of the mixed blocks as a subject that rounds up to `rounded` makes them, by those asked for.
fn mixed_ratio(rounded: impl Fn(u64) -> u64) -> f64 {
    let (mut asked, mut made) = (0, 0);
    for power in 4..=10 {
        // Each power of two is as likely, and within it each size.
        let weight = 1 << (10 - power);
        for bytes in 1 << power..2_u64 << power {
            asked += weight * bytes;
            made += weight * rounded(bytes);
        }
    }
    made as f64 / asked as f64
}

#[test]
fn the_harness_itself_does_not_show() {
    let rows = rows(
        "idle mixed mixed-shuffled spike-64 random-90 thread-churn batches-8k cyclic free-only \
         --alloc noop --scale 0.02",
    );
    assert_eq!(rows.len(), 2 * 9);
    for (scenario, names) in [
        ("idle", &["idle"][..]),
        ("mixed", &["left"]),
        ("mixed-shuffled", &["left"]),
        ("spike-64", &["left"]),
        ("random-90", &["left"]),
        ("thread-churn", &["idle", "end"]),
        ("batches-8k", &["left"]),
        ("cyclic", &["peak", "stopped", "later"]),
        ("free-only", &["most over live", "end"]),
    ] {
        for name in names {
            // With threads, what the C library keeps of them differs by pages from run to run.
            let off = if ["thread-churn", "free-only"].contains(&scenario) { 256.0 } else { 32.0 };
            let over_live = name.contains("over");
            let found = value(&rows, "noop", scenario, name);
            if over_live {
                assert!(found <= off * KIB, "{name} on {scenario}: {found}");
            } else {
                close(found, 0.0, off * KIB);
            }
        }
        // A curve wherever there is a course of things.
        let curve = row(&rows, "noop", scenario)["curve"].as_array().unwrap();
        assert_eq!(curve.is_empty(), scenario == "idle", "{scenario}: {}", curve.len());
    }
    assert_eq!(value(&rows, "noop", "random-90", "back"), 1.0);
    assert_eq!(row(&rows, "noop", "batches-8k")["rounds"].as_array().unwrap().len(), 12);
}

#[test]
fn spikes_of_calibration_subjects_are_what_they_must_be() {
    let words = "mixed spike-64 random-90 --alloc never-frees,powers-of-two --scale 0.05";
    let rows = rows(words);
    let spike = 0.05 * 300.0 * KIB * KIB;
    // 16-byte granules, and powers of two; a tail of cut pages is all that is more.
    let granules = mixed_ratio(|bytes| bytes.next_multiple_of(16));
    let powers = mixed_ratio(u64::next_power_of_two);
    for (subject, mixed) in [("never-frees", granules), ("powers-of-two", powers)] {
        close(value(&rows, subject, "mixed", "full/requested"), mixed, 0.01);
        close(value(&rows, subject, "mixed", "left"), mixed * spike, 0.01 * spike);
        close(value(&rows, subject, "spike-64", "full/requested"), 1.0, 0.005);
        close(value(&rows, subject, "spike-64", "left"), spike, 0.005 * spike);
        // Neither gives anything back.
        assert_eq!(value(&rows, subject, "random-90", "back"), 0.0);
        close(value(&rows, subject, "random-90", "by dirty"), 0.0, 0.005);
        close(value(&rows, subject, "random-90", "live"), 0.1 * spike, 0.01 * spike);
        close(value(&rows, subject, "random-90", "left"), mixed * spike, 0.01 * spike);
        assert_eq!(figure(&rows, subject, "random-90", "back")["pass"], false);
    }
    // A page of powers of two has blocks of one size: many more pages are free.
    let free = |subject| value(&rows, subject, "random-90", "free pages");
    assert!(free("powers-of-two") > 1.5 * free("never-frees"));
    // System's child is what all are measured against.
    assert!(value(&rows, "system", "spike-64", "full/requested") >= 1.0);
}

#[test]
fn rounds_of_calibration_subjects_are_what_they_must_be() {
    let words = "thread-churn batches-8k cyclic free-only --alloc never-frees,powers-of-two \
                 --scale 0.05";
    let rows = rows(words);
    // Three rounds of eight threads with 2000 blocks each, nothing of which is ever used again.
    let churned = 3.0 * 8.0 * 2000.0 * 435.4 * mixed_ratio(|bytes| bytes.next_multiple_of(16));
    close(value(&rows, "never-frees", "thread-churn", "end"), churned, 0.05 * churned);
    assert!(value(&rows, "powers-of-two", "thread-churn", "end") < 0.7 * churned);

    // Every round of the one needs new pages, none but the first of the other does.
    let (batch, page) = (1000.0 * 8.0 * KIB, 4.0 * KIB);
    close(value(&rows, "never-frees", "batches-8k", "faults a round"), batch / page, 16.0);
    close(value(&rows, "never-frees", "batches-8k", "left"), 12.0 * batch, 64.0 * KIB);
    // How large a share is the machine's affair.
    assert!(value(&rows, "never-frees", "batches-8k", "faults' share") > 0.0);
    close(value(&rows, "powers-of-two", "batches-8k", "faults a round"), 0.0, 1.0);
    close(value(&rows, "powers-of-two", "batches-8k", "left"), batch, 64.0 * KIB);
    assert_eq!(figure(&rows, "powers-of-two", "batches-8k", "faults' share")["pass"], true);

    let load = 0.05 * 64.0 * KIB * KIB;
    let powers = mixed_ratio(u64::next_power_of_two);
    for name in ["peak", "stopped"] {
        close(value(&rows, "powers-of-two", "cyclic", name), powers * load, 0.05 * load);
    }
    let later = value(&rows, "powers-of-two", "cyclic", "later");
    close(later, powers * load + 64.0 * KIB, 0.05 * load);
    assert!(value(&rows, "never-frees", "cyclic", "stopped") > 4.5 * load);

    let extra = |subject| value(&rows, subject, "free-only", "most over live");
    assert!(extra("never-frees") > 0.0 && value(&rows, "never-frees", "free-only", "end") > 0.0);
}

#[test]
fn a_soak_runs_when_it_is_named_and_has_a_slope() {
    let rows = rows("soak --minutes 0.03 --alloc never-frees");
    assert!(value(&rows, "never-frees", "soak", "slope") > 1.0);
    assert_eq!(figure(&rows, "never-frees", "soak", "slope")["pass"], false);
    assert!(value(&rows, "system", "soak", "most live") > KIB * KIB);
    assert!(row(&rows, "system", "soak")["curve"].as_array().unwrap().len() > 50);
}

#[test]
fn gates_end_the_command_only_where_they_are_asked_for() {
    let place = Place::new();
    let words = "footprint mixed --alloc never-frees,powers-of-two --scale 0.05 --runs 2";
    let run = |more: &str| place.run(words.split(' ').chain(more.split_whitespace()));
    let shown = run("").fine().stdout;
    for word in ["mixed ·", "never-frees", "≤ 1.050", "✓", "✗"] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
    // Nobody judges calibration subjects unless told to.
    run("--gate").fine();
    let ended = run("--gate --versus powers-of-two");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("powers-of-two on mixed: full/requested 1.33"));
    assert!(!ended.stderr.contains("never-frees"), "{}", ended.stderr);
    run("--versus talc").refused(2, &["talc", "--alloc"]);
    place.run(["footprint", "mixd"]).refused(2, &["mixd"]);
    place.run(["footprint", "idle", "--alloc", "ideal"]).refused(2, &["ideal"]);
    place.run(["footprint", "idle", "--alloc", "nobody"]).refused(2, &["nobody"]);
}

#[test]
fn results_and_the_page_are_written_where_they_are_asked_for() {
    let place = Place::new();
    let words = "footprint mixed cyclic --scale 0.01 --alloc powers-of-two --out rows.jsonl \
                 --report page.html";
    place.run(words.split_whitespace()).fine();
    assert_eq!(place.left_behind(), ["page.html", "rows.jsonl"]);
    let text = std::fs::read_to_string(place.path().join("rows.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 1 + 4);
    let page = std::fs::read_to_string(place.path().join("page.html")).unwrap();
    for word in ["<svg", "powers-of-two", "id=\"cyclic\"", "full/requested", "rows.jsonl"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("NaN") && !page.contains("http://"), "a page of its own");
}

#[test]
fn a_subject_that_fails_ends_its_own_row_only() {
    let (place, faulty) = (Place::new(), example("faulty"));
    let words = "footprint mixed --scale 0.05 --json --alloc aborting,refusing,trapping";
    let ended = place.run_of(&faulty, words.split(' '));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let rows = parsed(&ended);
    let how = |name| row(&rows, name, "mixed")["failed"].as_str().map(str::to_owned);
    assert_eq!(how("aborting").as_deref(), Some("killed by SIGABRT"));
    assert_eq!(how("refusing").as_deref(), Some("refused an allocation"));
    assert_eq!(how("trapping").as_deref(), Some("killed by SIGSEGV"));
    assert_eq!(how("system"), None);
    assert!(ended.stderr.starts_with("aborting on mixed: killed by SIGABRT\n"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 4, "{}", ended.stderr);
}
