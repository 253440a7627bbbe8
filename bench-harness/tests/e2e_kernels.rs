//! The suite of kernels through the real command, with a few rounds of each.

mod common;

use common::Place;
use std::collections::HashSet;
use strata_bench::results::families::Verdict;
use strata_bench::results::{Outcome, Row, Threads, jsonl};

const FAMILIES: [&str; 11] = [
    "small-pair",
    "medium-pair",
    "batch",
    "live-set",
    "churn",
    "cross-thread",
    "thread-churn",
    "aligned-64",
    "large-pair",
    "growth",
    "calloc",
];

#[test]
fn the_suite_times_every_kernel_and_nothing_else() {
    let place = Place::new();
    let words = "run --suite kernels --kernel-scale 0.001 --pairs 2 --alloc system --versus system";
    let ended = place.run(words.split(' ')).fine();
    for words in ["pair-mixed", "cross-thread-1024", "OVER FAMILIES", "against the fastest"] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    let (header, rows) = jsonl::read(&place.path().join("results.jsonl")).unwrap();
    let names: HashSet<_> = rows.iter().map(|row| &row.workload.name).collect();
    // System, the no-op and the A/A arm.
    assert_eq!((names.len(), rows.len()), (52, 52 * 3));
    let timed = |row: &Row| row.time.as_ref().is_some_and(|time| time.samples.len() == 2);
    for row in &rows {
        let title = common::title(row);
        assert_eq!(row.outcome, Outcome::Ok, "{title}");
        assert!(timed(row) && row.memory.is_none() && row.latency.is_empty(), "{title}");
        assert!(row.a_a || row.harness_calls == Some(0), "{title}: {:?}", row.harness_calls);
        assert!(row.workload.name.starts_with("kernel:") && row.workload.operations > 0);
        assert_eq!(row.workload.threads == Threads::Recorded, row.workload.recorded_threads > 1);
    }
    let kernels = header.kernels.expect("a summary");
    for means in &kernels.subjects {
        let families: Vec<_> = means.families.iter().map(|m| m.family.as_deref()).collect();
        assert_eq!(families, FAMILIES.map(Some));
        assert!(means.all.ns.is_some_and(|ns| ns > 0.0) && means.all.kernels == 52);
    }
    assert_eq!(kernels.subjects.len(), 3);
    let versus = &kernels.versus[0];
    assert_eq!(versus.rows.len(), 52);
    // System has no peer in this run, and two rounds have no interval.
    assert!(versus.rows.iter().all(|row| row.peer.is_none() && row.verdict != Verdict::Pass));
    let disturbed = |row: &Row| row.time.as_ref().and_then(|time| time.disturbed);
    assert!(
        rows.iter().all(|row| disturbed(row).is_some_and(|share| (0.0..=1.0).contains(&share)))
    );
    let peak = |row: &Row| row.time.as_ref().and_then(|time| time.peak);
    for row in &rows {
        let grows = row.workload.family.as_deref() == Some("growth");
        assert_eq!(peak(row).is_some(), grows, "{}", common::title(row));
    }
    let page = std::fs::read_to_string(place.path().join("report.html")).unwrap();
    assert!(page.contains("id=\"kernels\"") && page.contains("OVER FAMILIES"));
    place.run(["report", "results.jsonl", "--out", "again.html"]).fine();
    assert_eq!(std::fs::read_to_string(place.path().join("again.html")).unwrap(), page);
}

#[test]
fn kernels_stand_beside_what_is_replayed_and_in_none_of_its_means() {
    let place = Place::new();
    let words = "run --workload pair-64,kernel:pair-64,churn-4096 --alloc system --no-memory \
                 --pairs 1 --kernel-scale 0.01";
    let ended = place.run(words.split_whitespace()).fine();
    assert!(ended.stdout.contains("· 1 workload ·"), "{}", ended.stdout);
    let (_, rows) = jsonl::read(&place.path().join("results.jsonl")).unwrap();
    let family =
        |name: &str| common::row_of(&rows, "system", name, Threads::Serial).workload.family.clone();
    assert_eq!(family("pair-64"), None);
    assert_eq!(family("kernel:pair-64").as_deref(), Some("small-pair"));
    assert_eq!(family("kernel:churn-4096").as_deref(), Some("churn"));
}

#[test]
fn the_judged_subject_is_its_own_a_a_arm_and_all_arms_sit_as_often() {
    let place = Place::new();
    // Times of next to nothing stray, and there may be time for more sittings.
    let words = "run --suite kernels --workload pair-64 --alloc system,talc --versus talc --pairs 6 \
                 --until-steady 2 --kernel-scale 0.00001";
    place.run(words.split_whitespace()).fine();
    let (header, rows) = jsonl::read(&place.path().join("results.jsonl")).unwrap();
    let fact = header.provenance.iter().find(|(name, _)| name == "seconds until steady");
    assert_eq!(fact.map(|(_, value)| &**value), Some("2"));
    let again = rows.iter().find(|row| row.a_a).expect("an A/A arm");
    assert_eq!(again.subject.name, "talc");
    let count = |row: &Row| row.time.as_ref().map(|time| time.samples.len());
    assert!(count(again) >= Some(6));
    let interval = again.time.as_ref().and_then(|time| time.to_system).unwrap();
    assert!(rows.iter().all(|row| count(row) == count(again)));
    // By its own line and not by System's.
    let kernels = header.kernels.expect("a summary");
    let own = kernels.subjects.iter().find(|means| means.a_a).expect("the arm");
    assert_eq!(own.all.to_system, Some(interval));
}

#[test]
fn one_kernel_is_replayed_by_name_and_what_it_has_not_is_refused() {
    let place = Place::new();
    let words = "replay kernel:pair-16 --alloc system --repeat 2 --json";
    let row = place.run(words.split(' ')).fine().row();
    assert_eq!(row.time.unwrap().samples.len(), 2);
    assert!(row.memory.is_none() && row.harness_calls == Some(0));
    let listed = place.run(["workloads"]).fine().stdout;
    assert!(listed.contains("kernel:batch-rnd-8192") && listed.contains("\npair-64 "));
    for words in [
        "replay kernel:pair-16 --alloc system --check",
        "replay kernel:pair-16 --alloc ideal",
        "map kernel:pair-16 --alloc system",
    ] {
        place.run(words.split(' ')).refused(2, &["kernel:pair-16", "timed only"]);
    }
    let words = "replay kernel:pair-16 --alloc system --threads recorded";
    place.run(words.split(' ')).refused(2, &["kernel:pair-16", "threads"]);
    let words = "run --suite kernels --alloc system --versus nonsense";
    place.run(words.split(' ')).refused(2, &["nonsense"]);
}
