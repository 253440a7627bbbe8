//! `strata-bench absorb` through the real command: the fork probe against what an allocator of fixed
//! memory says is free.

mod common;

use common::{Place, example};
use strata_bench::results::{Absorbed, Absorption, Row};

/// The rows of `absorb --json`.
fn rows(place: &Place, words: &[&str]) -> Vec<Row> {
    let words = [&["absorb"], words, &["--json"]].concat();
    place.run(words).fine().rows().1
}

fn of(row: &Row) -> &Absorption {
    row.memory.as_ref().unwrap().absorption.as_ref().unwrap()
}

#[test]
fn fixed_memory_serves_what_its_free_ranges_hold() {
    let place = Place::new();
    for (workload, at) in [("sqlite3-oltp", "200000"), ("git-index-pack-2t", "peak")] {
        let rows = rows(&place, &[workload, "--at", at, "--alloc", "first-fit-8"]);
        let found = of(&rows[0]);
        assert_eq!(found.points.len(), 20);
        for point in &found.points {
            let &Absorbed { size, served: Some(served), by_ranges: Some(sum), .. } = point else {
                panic!("{point:?}")
            };
            assert!(point.stride.is_none_or(|stride| stride == size), "no headers: {point:?}");
            let off = served.abs_diff(sum);
            assert!(off <= size.max(sum / 50), "{workload}, {size} B: {served} and {sum}");
            assert!(served <= found.free && found.free < 8 << 20, "{point:?}");
        }
        // A smaller block fits wherever a larger one does.
        assert!(found.points.windows(2).all(|pair| pair[0].served >= pair[1].served));
    }
    assert!(place.left_behind().is_empty());
}

#[test]
fn who_takes_fresh_memory_for_every_block_absorbs_nothing() {
    let rows = rows(&Place::new(), &["git-index-pack-2t", "--alloc", "never-frees"]);
    // All but the rest of the page that it last wrote to.
    assert!(of(&rows[0]).points.iter().all(|point| point.served.unwrap() < 4096), "{rows:?}");
}

#[test]
fn a_child_that_hangs_is_ended_and_named_and_threads_are_not_probed() {
    let faulty = example("faulty");
    let place = Place::new();
    let ended = place.run_of(&faulty, ["absorb", "git-index-pack-2t", "--alloc", "stuck"]).fine();
    assert!(
        ended.stdout.contains("stuck, blocks of 1.00 MiB: n/a, not done after 2 s"),
        "{ended:?}"
    );
    assert_eq!(ended.stdout.matches("n/a,").count(), 1);
    let words =
        "replay git-index-pack-2t --threads recorded --alloc system --repeat 1 --absorption --json";
    let row = place.run(words.split(' ')).fine().row();
    let found = row.memory.unwrap().absorption.unwrap();
    assert!(found.points.is_empty() && found.missing.unwrap().contains("threads"));
}

#[test]
fn unusable_words_are_refused_in_a_line() {
    let place = Place::new();
    for (words, named) in [
        ("absorb sqlite3-oltp --alloc nobody", "nobody"),
        ("absorb sqlite3-oltp --alloc ideal", "ideal"),
        ("absorb sqlite3-oltp --alloc noop", "noop"),
        ("absorb kernel:pair-64 --alloc system", "kernel"),
        ("absorb sqlite3-oltp --alloc system --at 0", "--at 0"),
        ("absorb sqlite3-oltp --alloc system --at soon", "soon"),
        ("absorb nowhere.trace --alloc system", "nowhere.trace"),
        ("absorb sqlite3-oltp", "--alloc"),
        ("absorb sqlite3-oltp --alloc system --out no/such/rows.jsonl", "rows.jsonl"),
    ] {
        place.run(words.split(' ')).refused(2, &[named]);
    }
    assert!(place.left_behind().is_empty());
}
