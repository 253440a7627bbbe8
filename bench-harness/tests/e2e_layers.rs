//! `strata-bench report` of several commands' results: heaps, pools, segments and frames in one page.

mod common;

use common::Place;

/// What each layer's command stores, on little memory.
const FILES: [(&str, &str); 4] = [
    (
        "frames.jsonl",
        "frames repeat fragment --orders 0 --threads 1 --zone 16 --rounds 2 --map-at 0,2",
    ),
    ("regions.jsonl", "regions pair efficiency compact --region 1 --failures 5"),
    ("pools.jsonl", "pools pair waste --threads 1 --burst 1024"),
    ("results.jsonl", "run --workload live-set --alloc powers-of-two --pairs 1 --memory-runs 1"),
];

#[test]
fn every_layer_is_in_one_table_with_its_maps() {
    let place = Place::new();
    for (file, words) in FILES {
        let alloc = match file {
            "frames.jsonl" => "locked-bitmap",
            "regions.jsonl" => "sliding",
            _ => "raw-list",
        };
        let small = format!(" --alloc {alloc} --pairs 1 --operations 2000 --out {file}");
        let small = if file == "results.jsonl" { String::new() } else { small };
        let more = format!("{words}{small}");
        place.run(more.split(' ')).fine();
    }
    let words = format!("report {} --out all.html", FILES.map(|(file, _)| file).join(" "));
    place.run(words.split(' ')).fine();
    let page = std::fs::read_to_string(place.path().join("all.html")).unwrap();
    let place_of = |word: &str| page.find(word).unwrap_or_else(|| panic!("{word} in {page}"));
    let order = ["heaps", "pools", "segments", "frames"];
    let sections = order.map(|name| place_of(&format!("<h2 id=\"{name}\">")));
    assert!(sections.is_sorted(), "from the program down: {sections:?}");
    let all = &page[place_of("<h2 id=\"all\">")..sections[0]];
    // Of the heaps System: calibration subjects are not timed.
    for name in [">system<", "raw-list", "sliding", "locked-bitmap"] {
        let line = all.split("<tr>").find(|line| line.contains(name)).unwrap();
        assert!(!line.contains("n/a"), "{line}");
    }
    for map in ["sliding · compact · before", "· during", "· after", "locked-bitmap after round 2"]
    {
        assert!(page.contains(map), "{map}");
    }
    assert!(["https:", "src=", "<script"].iter().all(|outside| !page.contains(outside)));
}

#[test]
fn what_is_of_no_layer_is_refused_in_a_line() {
    let place = Place::new();
    let file = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
    file("other.jsonl", "{\"schema\":\"strata-scaling/1\"}\n");
    file("empty.jsonl", "");
    file("text.jsonl", "hello\n");
    for (words, named) in [
        ("report other.jsonl", "strata-scaling/1"),
        ("report other.jsonl empty.jsonl", "other.jsonl"),
        ("report empty.jsonl text.jsonl", "empty"),
        ("report text.jsonl", "line 1 is no header"),
        ("report text.jsonl other.jsonl --out rows.csv", "CSV"),
        ("report", "<RESULTS>"),
    ] {
        place.run(words.split(' ')).refused(2, &[named]);
    }
    assert_eq!(place.left_behind(), ["empty.jsonl", "other.jsonl", "text.jsonl"]);
}
