//! `strata-bench frames` through the real command, on small zones.

mod common;

use common::Place;

const SMALL: &str = "--zone 16 --operations 2000 --pairs 2 --rounds 5 --map-at 0,5 --frames 100000";

fn frames(place: &Place, words: &str) -> common::Ended {
    let words = format!("frames {words} {SMALL}");
    place.run(words.split(' ').filter(|word| !word.is_empty()))
}

#[test]
fn every_workload_has_its_table_and_its_rows() {
    let place = Place::new();
    let words = "--alloc locked-bitmap --orders 0,3 --out rows.jsonl --maps maps";
    let ended = frames(&place, words).fine();
    for words in ["bulk · order 0", "repeat · order 3", "random", "latency", "fragment", "overlap"]
    {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    let text = std::fs::read_to_string(place.path().join("rows.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["schema"], "strata-frames/1");
    let rows = &lines[1..];
    let of = |workload: &'static str| rows.iter().filter(move |row| row["workload"] == workload);
    // The allocator, itself once more, and the control; two orders; one and two threads.
    assert_eq!(of("bulk").count(), 3 * 2 * 2);
    // Three pairs of two orders; no A/A arm and no control.
    assert_eq!(of("overlap").count(), 3);
    assert!(of("overlap").all(|row| row["overlap"]["overlaps"] == 0));
    assert_eq!(of("fragment").count(), 2 * 2);
    for row in of("repeat").filter(|row| row["threads"] == 2) {
        assert_eq!(row["times"][0]["to_control"]["pairs"], 2, "{row}");
    }
    let map = place.path().join("maps/locked-bitmap-order0-threads2-round5.svg");
    assert!(std::fs::read_to_string(map).unwrap().starts_with("<svg"));
}

#[test]
fn an_unknown_allocator_is_named_beside_the_known_ones() {
    let place = Place::new();
    let ended = frames(&place, "bulk --alloc nobody");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("nobody") && ended.stderr.contains("locked-bitmap"));
}
