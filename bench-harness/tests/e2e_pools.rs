//! `strata-bench pools` through the real command, with small budgets.

mod common;

use common::{Ended, Place};

const SMALL: &str = "--pairs 2 --operations 2000 --burst 262144";

fn words(words: &str) -> Vec<String> {
    let words = format!("pools {words} {SMALL}");
    words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_workload_has_its_table_and_its_rows() {
    let place = Place::new();
    let ended = place.run(words("--alloc raw-list,private-arrays --out rows.jsonl")).fine();
    for words in ["pair ·", "held ·", "batch ·", "cross ·", "idle ·", "waste ·", "check ·"] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    let text = std::fs::read_to_string(place.path().join("rows.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["schema"], "strata-pools/1");
    let of =
        |workload: &'static str| lines[1..].iter().filter(move |row| row["workload"] == workload);
    // The list, itself again, and the control; one thread and two, which cannot share the list.
    assert_eq!(of("pair").count(), 3 * 2);
    let absent = |row: &&serde_json::Value| row["absent"].is_string();
    assert_eq!(of("pair").filter(absent).count(), 2);
    // A list through blocks costs nothing, reuses everything, and gives nothing back.
    let figure = |workload, name: &str| {
        let row = of(workload).find(|row| row["subject"]["name"] == "raw-list").unwrap();
        let figures = row["figures"].as_array().unwrap();
        figures.iter().find(|figure| figure["name"] == name).unwrap()["value"].clone()
    };
    assert!(figure("waste", "on top").as_f64().unwrap() < 6.0);
    assert_eq!(figure("waste", "not reused"), 0.0);
    let bytes = (262_144 * 17 / 16 * 64) as f64;
    let full = figure("idle", "full").as_f64().unwrap();
    assert!((0.95..1.08).contains(&(full / bytes)), "{full}");
    assert!(figure("idle", "given back").as_f64().unwrap() >= full);
    assert_eq!(figure("idle", "free pages back"), 0.0);
    assert!(figure("idle", "after trim").is_null());
}

#[test]
fn a_block_that_is_handed_out_twice_is_told_with_exit_code_3() {
    let (place, example) = (Place::new(), common::example("my_pool"));
    let run = |faulty: bool| {
        let mut command = place.command(&example);
        command.args(words("check --alloc my-pool"));
        if faulty {
            command.env("FAULTY", "1");
        }
        Ended::of(command.output().unwrap())
    };
    run(false).fine();
    let ended = run(true);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("blocks handed out twice"), "{}", ended.stderr);
}
