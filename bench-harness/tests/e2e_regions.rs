//! `strata-bench regions` through the real command, with small budgets.

mod common;

use common::{Ended, Place};
use std::path::Path;

const SMALL: &str =
    "--region 1 --live 200 --sizes 500,2000 --pairs 2 --operations 2000 --failures 10";

fn words(words: &str) -> Vec<String> {
    let words = format!("regions {words} {SMALL}");
    words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn lines(file: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_workload_has_its_table_its_rows_and_its_maps() {
    let place = Place::new();
    let words = words("--alloc first-fit,sliding --out rows.jsonl --maps maps");
    let ended = place.run(words).fine();
    for words in [
        "fill · 1.00 MiB",
        "efficiency",
        "phase",
        "checkerboard",
        "robson",
        "overhead",
        "pair",
        "churn ≤ 500 B",
        "churn ≤ 2000 B",
        "latency ≤ 500 B",
        "compact",
        "translate",
        "check",
    ] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    let lines = lines(&place.path().join("rows.jsonl"));
    assert_eq!(lines[0]["schema"], "strata-regions/1");
    let of =
        |workload: &'static str| lines[1..].iter().filter(move |row| row["workload"] == workload);
    // Two allocators, the first one again, and the control; two sizes.
    assert_eq!(of("churn").count(), 4 * 2);
    // No A/A arm where nothing is a time.
    assert_eq!(of("fill").count(), 3);
    let sliding = |workload| of(workload).find(|row| row["subject"]["name"] == "sliding").unwrap();
    assert!(sliding("efficiency")["space"][0]["median"].as_f64().unwrap() > 99.0);
    assert_eq!(sliding("check")["found"]["overlaps"], 0);
    for map in
        ["sliding-compact-before", "sliding-compact-during", "first-fit-efficiency-at-failure"]
    {
        let map = std::fs::read_to_string(place.path().join(format!("maps/{map}.svg")));
        assert!(map.unwrap().starts_with("<svg"));
    }
}

#[test]
fn an_unknown_allocator_is_named_beside_the_known_ones() {
    let ended = Place::new().run(words("fill --alloc nobody"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("nobody") && ended.stderr.contains("first-fit"));
}

#[test]
fn a_block_that_is_handed_out_twice_is_told_with_exit_code_3() {
    let (place, example) = (Place::new(), common::example("my_region"));
    let run = |faulty: bool| {
        let mut command = place.command(&example);
        command.args(words("check --alloc my-region"));
        if faulty {
            command.env("FAULTY", "1");
        }
        Ended::of(command.output().unwrap())
    };
    run(false).fine();
    let ended = run(true);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("blocks on others"), "{}", ended.stderr);
}
