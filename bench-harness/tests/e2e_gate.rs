//! `gate` and `compare` against flaws that were planted, and against nothing at all.

mod common;

use common::{Place, example, executable};
use std::path::{Path, PathBuf};

/// A copy of the example `planted` under a name that says its flaw.
fn planted(place: &Place, name: &str) -> PathBuf {
    let copy = place.path().join(name);
    std::fs::copy(example("planted"), &copy).unwrap();
    copy
}

const ROW: &str = "--alloc planted --workload live-set --checkpoints 2";

fn gate(place: &Place, by: &Path, more: &str) -> common::Ended {
    let words = ["gate", "base.jsonl"].into_iter().chain(more.split_whitespace());
    place.run_of(by, words)
}

#[test]
fn a_planted_percent_of_memory_is_a_breach_and_nothing_is_none() {
    let place = Place::new();
    let (sound, grown) = (planted(&place, "planted-sound"), planted(&place, "planted-memory"));
    let made = gate(&place, &sound, &format!("--record --no-instructions {ROW}")).fine();
    assert_eq!(made.stdout, "wrote base.jsonl: 1 rows\n");

    let ended = gate(&place, &sound, "--markdown same.md").fine();
    assert_eq!(ended.stderr, "");
    let read = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    assert!(read("same.md").contains("All 4 figures are within their limits."));

    let ended = gate(&place, &grown, "--markdown grown.md --out now.jsonl --json");
    ended.refused(1, &["planted", "live-set", "1.0"]);
    let summary = read("grown.md");
    assert!(summary.contains("figures are beyond their limits.**"), "{summary}");
    assert!(summary.contains("| live-set | planted | peak resident |"), "{summary}");
    let first = ended.stdout.lines().next().unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    assert_eq!((&first["metric"], &first["breach"]), (&"peak-resident".into(), &true.into()));
    assert!((1.008..1.02).contains(&first["ratio"]["median"].as_f64().unwrap()), "{first}");
    // A percent of memory is within two, by what was measured as a baseline too.
    place.run_of(&grown, ["gate", "now.jsonl", "--memory", "0.02"]).fine();
}

#[test]
fn unusable_baselines_are_refused_in_one_line() {
    let place = Place::new();
    let own = executable();
    gate(&place, own, "").refused(2, &["base.jsonl"]);
    std::fs::write(place.path().join("base.jsonl"), "text\n").unwrap();
    gate(&place, own, "").refused(2, &["base.jsonl", "--record"]);
    gate(&place, own, "--record --alloc nobody").refused(2, &["nobody"]);
    gate(&place, own, "--record --alloc ideal --workload pair-64").refused(2, &["ideal"]);
    gate(&place, own, "--record --alloc system --workload kernel:pair-64").refused(2, &["kernel"]);
    gate(&place, own, "--memory much").refused(2, &["share"]);
    let words = "--record --no-instructions --alloc system --workload pair-64 --pairs 2";
    gate(&place, own, words).fine();
    gate(&place, own, "--alloc talc").refused(2, &["no row"]);
    gate(&place, own, "--markdown /proc/self/to.md").refused(2, &["/proc/self/to.md"]);
    let text = std::fs::read_to_string(place.path().join("base.jsonl")).unwrap();
    let other = text.replace("\"operations\":200000", "\"operations\":7");
    assert_ne!(text, other);
    std::fs::write(place.path().join("base.jsonl"), other).unwrap();
    gate(&place, own, "").refused(2, &["pair-64", "--record"]);
    assert_eq!(place.left_behind(), ["base.jsonl"]);
}

/// Long, and a matter of the machine: with `STRATA_BENCH_LONG` only, and optimised.
#[test]
fn a_planted_slowdown_is_found_and_a_hundred_comparisons_with_itself_alarm_seldom() {
    let Some(rounds) = std::env::var("STRATA_BENCH_LONG").ok().and_then(|text| text.parse().ok())
    else {
        return println!(
            "skipped: set STRATA_BENCH_LONG to the number of A/A runs, for example 100"
        );
    };
    let place = Place::new();
    let (sound, slow) = (planted(&place, "planted-sound"), planted(&place, "planted-time"));
    let run = |new: &Path, pairs: &str| {
        let words = "--alloc planted --workload live-set --pairs";
        let names = ["compare", sound.to_str().unwrap(), new.to_str().unwrap()];
        place.run_of(&sound, names.into_iter().chain(words.split(' ')).chain([pairs]))
    };
    run(&slow, "20").refused(1, &["time", "planted"]);
    let alarms = (0..rounds).filter(|_: &u32| run(&sound, "20").code == Some(1)).count();
    println!("{alarms} alarms in {rounds} comparisons with itself");
    assert!(alarms as u32 <= rounds.div_ceil(100) * 9);
}
