//! `explain`: the words are those of the row, and the holes lie where a trace puts them.

mod common;

use common::Place;
use strata_bench::results::jsonl;
use strata_bench::trace::{BlockId, Event, Meta, Op, ThreadId, Writer};

/// 4000 blocks of 48 B of which nine in ten go, then 400 of 5000 B that stay.
fn holes(place: &Place) {
    let mut writer = Writer::create(&place.path().join("holes.trace"), Meta::default()).unwrap();
    let thread = ThreadId(1);
    let (mut seq, mut nth) = (0, 0);
    let mut push = |op: &dyn Fn(BlockId) -> Op, nth: u64| {
        seq += 1;
        let op = op(BlockId { thread, nth });
        writer.push(&Event { seq, nanos: seq * 1000, thread, op }).unwrap();
    };
    let allocate =
        |size| move |block| Op::Allocate { block, size, align_log2: None, zeroed: false };
    for _ in 0..4000 {
        push(&allocate(48), nth);
        nth += 1;
    }
    for block in (0..4000).filter(|block| block % 10 != 0) {
        push(&|block| Op::Free { block }, block);
    }
    for _ in 0..400 {
        push(&allocate(5000), nth);
        nth += 1;
    }
    writer.finish().unwrap();
}

#[test]
fn the_holes_of_small_blocks_are_found_beside_small_blocks() {
    let place = Place::new();
    holes(&place);
    let ended =
        place.run("explain holes.trace --alloc noop,powers-of-two,system".split(' ')).fine();
    let parts: Vec<&str> = ended.stdout.split("\n\n").collect();
    assert_eq!(parts.len(), 3, "{}", ended.stdout);
    // Each block of 48 B takes 64 B: 400 are left of 4000, on as many pages as before.
    let powers = parts[1];
    let line = powers.lines().find(|line| line.contains("beside blocks of 33 B to 64 B")).unwrap();
    assert!(line.contains(": 400 blocks, 6"), "{line}");
    for words in [
        "powers-of-two on holes (one thread",
        "1.93 MiB",
        "The floor is",
        "rounding",
        "When all is freed",
    ] {
        assert!(powers.contains(words), "{words} in {powers}");
    }
    assert!(parts[2].contains("The floor is"), "{}", parts[2]);
}

#[test]
fn stored_rows_are_told_by_name() {
    let place = Place::new();
    holes(&place);
    place.run("run --no-time --alloc system,never-frees --workload holes.trace".split(' ')).fine();
    let told = place.run(["explain", "results.jsonl", "--alloc", "never-frees"]).fine().stdout;
    assert!(told.starts_with("never-frees on holes (one thread"), "{told}");
    let (_, rows) = jsonl::read(&place.path().join("results.jsonl")).unwrap();
    let row = rows.iter().find(|row| row.subject.name == "never-frees").unwrap();
    assert_eq!(strata_bench::explain(row).unwrap() + "", told);
    let memory = row.memory.as_ref().unwrap();
    let holes: u64 = memory.classes.iter().map(|of| of.holes).sum();
    let at = &memory.checkpoints[memory.peak];
    assert!(
        holes.abs_diff(at.waterfall.holes) <= at.waterfall.holes / 50,
        "{holes} {:?}",
        at.waterfall
    );
    place
        .run(["explain", "results.jsonl", "--alloc", "nobody"])
        .refused(2, &["results.jsonl", "no row"]);
    place.run(["explain", "holes.trace"]).refused(2, &["--alloc"]);
    place.run(["explain", "missing.jsonl"]).refused(2, &["missing.jsonl"]);
    place.run(["explain", "kernel:pair-64", "--alloc", "system"]).refused(2, &["kernel:pair-64"]);
}
