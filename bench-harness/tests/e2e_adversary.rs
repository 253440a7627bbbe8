//! `strata-bench adversary` through the real command, on little memory.

mod common;

use common::Place;
use std::collections::HashMap;

/// The figures of each subject in each program, by name.
type Found = HashMap<(String, String), Vec<(String, Option<f64>)>>;

fn found(place: &Place, words: &str) -> Found {
    let ended = place.run(words.split(' ')).fine();
    let mut lines = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let header: serde_json::Value = lines.next().unwrap();
    assert_eq!(header["schema"], "strata-adversary/1");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let row = |row: serde_json::Value| {
        let figures = row["figures"].as_array().unwrap();
        let figures = figures.iter().map(|of| (text(&of["name"]), of["value"].as_f64())).collect();
        ((text(&row["program"]), text(&row["subject"]["name"])), figures)
    };
    lines.map(row).collect()
}

fn values(found: &Found, program: &str, subject: &str) -> Vec<f64> {
    let figures = &found[&(program.to_owned(), subject.to_owned())];
    figures.iter().map(|(name, value)| value.unwrap_or_else(|| panic!("{name}"))).collect()
}

#[test]
fn known_allocators_waste_what_they_must() {
    let place = Place::new();
    let words = "adversary --alloc never-frees,powers-of-two --live 2 --seconds 0.2 --json";
    let found = found(&place, words);
    // Who never uses memory twice takes fresh memory for all of it.
    let fresh = values(&found, "phase", "never-frees");
    assert_eq!(fresh.len(), 7);
    assert!(fresh.iter().all(|ratio| (0.95..1.3).contains(ratio)), "{fresh:?}");
    let fresh = values(&found, "checkerboard", "never-frees");
    assert!(fresh.iter().all(|ratio| (0.95..1.1).contains(ratio)), "{fresh:?}");
    // Lists of powers of two: the same size is there again, twice the size never.
    let fresh = values(&found, "checkerboard", "powers-of-two");
    assert!(fresh[0] < 0.01 && (0.99..1.02).contains(&fresh[1]), "{fresh:?}");
    // Three quarters of a power of two are asked for in the mean, of sizes up to one.
    let share = values(&found, "fill", "powers-of-two")[0];
    assert!((0.72..0.78).contains(&share), "{share}");
    // It never gives anything back, and 1.33 bytes for one, of which a twentieth is live.
    let idle = values(&found, "idle", "powers-of-two");
    assert!(idle[1..4].iter().all(|ratio| (24.0..29.0).contains(ratio)), "{idle:?}");
    assert!(idle[4] < idle[1]);
    // M (1 + log2 n) is what powers of two need that are never split or joined.
    let robson = values(&found, "robson", "powers-of-two");
    for (pages, bound) in [(robson[0], 3.0), (robson[2], 4.9), (robson[4], 6.5)] {
        assert!((bound - 0.1..=2.0 * bound).contains(&pages), "{robson:?}");
    }
    assert!(place.left_behind().is_empty());
}

#[test]
fn first_fit_reproduces_the_order_of_robsons_bound_on_a_growing_heap() {
    let found = found(&Place::new(), "adversary robson --alloc first-fit-8 --live 1 --json");
    let pages = values(&found, "robson", "first-fit-8");
    // log2 n = 4 and 8: 3 and 5 times what is live, less the last block; at most H(n) / ln 2.
    assert!((2.95..4.9).contains(&pages[0]) && (4.9..8.9).contains(&pages[2]), "{pages:?}");
}

#[test]
fn a_table_a_program_and_a_line_where_words_are_unusable() {
    let place = Place::new();
    let words =
        "adversary checkerboard fill --alloc system --live 1 --out rows.jsonl --report a.html";
    let ended = place.run(words.split(' ')).fine();
    for word in ["checkerboard · 1.00 MiB", "twice the size", "fill · 1.00 MiB", "when full"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
    assert_eq!(place.left_behind(), ["a.html", "rows.jsonl"]);
    for (words, named) in [
        ("adversary robson --alloc nobody", "nobody"),
        ("adversary robson --alloc noop", "noop"),
        ("adversary robson --alloc ideal", "ideal"),
        ("adversary chess --alloc system", "chess"),
        ("adversary robson --live 0", "--live"),
        ("adversary idle --seconds soon", "soon"),
    ] {
        place.run(words.split(' ')).refused(2, &[named]);
    }
    let page = std::fs::read_to_string(place.path().join("a.html")).unwrap();
    for word in [
        "<h2 id=\"summary\">",
        "<a href=\"#checkerboard\">",
        "<h2 id=\"fill\">",
        "role=\"img\" aria-label=\"system on fill: when full ",
        "prefers-color-scheme:dark",
        words,
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert_eq!(page.matches("<figure>").count(), 2);
    assert!(["http:", "https:", "src=", "<script"].iter().all(|outside| !page.contains(outside)));
    for (option, file) in [("--out", "no/such/file.jsonl"), ("--report", "no/such/page.html")] {
        let words = format!("adversary fill --alloc system --live 1 {option} {file}");
        place.run(words.split(' ')).refused(2, &[file]);
    }
    let ended = place.run("adversary robson --alloc first-fit-8 --live 8".split(' '));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("first-fit-8 on robson"), "{}", ended.stderr);
}
