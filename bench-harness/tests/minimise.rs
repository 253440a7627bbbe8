//! `minimise`: what is left still fails in the same way, or still fragments, and is small.

mod common;

use common::{Place, example};
use strata_bench::trace::{BlockId, Event, LiveSet, Meta, Op, Reader, ThreadId, Writer};

/// `count` blocks of sizes in turn, each freed after the next three.
fn trace(place: &Place, name: &str, count: u64, sizes: &[u64]) {
    let mut writer = Writer::create(&place.path().join(name), Meta::default()).unwrap();
    let thread = ThreadId(1);
    let mut seq = 0;
    let mut push = |op| {
        seq += 1;
        writer.push(&Event { seq, nanos: seq * 1000, thread, op }).unwrap();
    };
    for nth in 0..count {
        let size = sizes[nth as usize % sizes.len()];
        let block = BlockId { thread, nth };
        push(Op::Allocate { block, size, align_log2: None, zeroed: nth % 2 == 1 });
        if nth >= 3 {
            push(Op::Free { block: BlockId { thread, nth: nth - 3 } });
        }
    }
    writer.finish().unwrap();
}

fn events(place: &Place, name: &str) -> Vec<Event> {
    let mut live = LiveSet::new();
    let reader = Reader::open(&place.path().join(name)).unwrap();
    let events: Vec<Event> = reader.map(Result::unwrap).collect();
    for event in &events {
        live.apply(event).unwrap();
    }
    events
}

#[test]
fn a_violation_is_shown_by_a_trace_of_a_few_blocks() {
    let place = Place::new();
    trace(&place, "whole.trace", 600, &[48, 100, 3000]);
    let words = "minimise whole.trace small.trace --alloc mutant-dirty-zeroed --seconds 120";
    let ended = place.run(words.split(' ')).fine();
    assert!(ended.stdout.contains("it shows dirty-zeroed"), "{}", ended.stdout);
    let left = events(&place, "small.trace");
    // The subject's first calls are sound, whatever they are.
    assert!(left.len() < 150, "{} events are left of 1197: {}", left.len(), ended.stdout);
    let again = place.run("replay small.trace --alloc mutant-dirty-zeroed --check".split(' '));
    assert_eq!(again.code, Some(3), "{}", again.stdout);
    assert!(again.stderr.contains("dirty-zeroed at record"), "{}", again.stderr);
    assert_eq!(place.left_behind(), ["small.trace", "whole.trace"]);
}

#[test]
fn a_crash_is_shown_by_a_smaller_trace() {
    let (place, faulty) = (Place::new(), example("faulty"));
    // It aborts after five thousand sound calls.
    trace(&place, "whole.trace", 8000, &[64]);
    let words = "minimise whole.trace small.trace --alloc aborting --seconds 10";
    let ended = place.run_of(&faulty, words.split(' ')).fine();
    assert!(ended.stdout.contains("SIGABRT"), "{}", ended.stdout);
    assert!(events(&place, "small.trace").len() < 15_000, "{}", ended.stdout);
}

#[test]
fn what_fragments_still_does_and_what_does_not_matter_is_gone() {
    let place = Place::new();
    // Rounding to powers of two doubles blocks of 33 KiB and costs blocks of 32 KiB nothing.
    let mut writer = Writer::create(&place.path().join("whole.trace"), Meta::default()).unwrap();
    let thread = ThreadId(1);
    for nth in 0..60 {
        let size = if nth % 2 == 0 { 33 << 10 } else { 32 << 10 };
        let block = BlockId { thread, nth };
        let op = Op::Allocate { block, size, align_log2: None, zeroed: false };
        writer.push(&Event { seq: nth + 1, nanos: nth * 1000, thread, op }).unwrap();
    }
    writer.finish().unwrap();
    let words = "minimise whole.trace small.trace --alloc header-64 --fragmentation --seconds 20";
    let ended = place.run(words.split(' ')).fine();
    assert!(ended.stdout.contains("bytes resident a live byte"), "{}", ended.stdout);
    let left = events(&place, "small.trace").len();
    assert!((8..60).contains(&left), "{left}: below 256 KiB there is no ratio: {}", ended.stdout);
}

#[test]
fn without_a_failure_there_is_nothing_to_minimise() {
    let place = Place::new();
    trace(&place, "whole.trace", 10, &[64]);
    let run = |words: &str| place.run(words.split(' '));
    run("minimise whole.trace small.trace --alloc system").refused(2, &["system", "does not fail"]);
    run("minimise whole.trace small.trace --alloc nobody").refused(2, &["nobody"]);
    run("minimise missing small.trace --alloc system").refused(2, &["missing"]);
    run("minimise whole.trace small.trace --alloc system --fragmentation 2").refused(2, &["share"]);
    let words = "minimise whole.trace small.trace --alloc system --fragmentation";
    run(words).refused(2, &["too few live bytes"]);
    assert_eq!(place.left_behind(), ["whole.trace"]);
}
