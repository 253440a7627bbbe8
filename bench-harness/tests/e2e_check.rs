//! The judge on the faulty subjects, by the real command and on shipped traces.
//!
//! Which record must be named is not taken from the judge: each mutant is driven through the same
//! calls here, and asked when it committed its fault.

mod common;

use common::{Place, events, row_of};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashMap;
use strata_bench::check::{Kind, Violation};
use strata_bench::results::{Outcome, Threads};
use strata_bench::subject::Subject;
use strata_bench::subject::mutant::{Fault, Mutant};
use strata_bench::trace::{BlockId, Event, Op, every_shipped, shipped};

/// Smaller traces first, so that a fault that many allow is tried on a quick one.
fn traces() -> Vec<&'static str> {
    let mut traces = shipped();
    traces.sort_by_key(|trace| trace.open().unwrap().totals().map_or(u64::MAX, |t| t.events));
    traces.iter().map(|trace| trace.name).collect()
}

/// A live block of the driven program.
struct Held {
    block: *mut u8,
    layout: Layout,
}

/// Record and recorded thread of the call with which a serial replay meets the fault.
fn committed(fault: Fault, events: &[Event]) -> Option<(u64, u32)> {
    let mutant = Mutant::new(Some(fault));
    let mut live: HashMap<BlockId, Held> = HashMap::new();
    let settle = |held: &Held, from: usize| {
        // SAFETY: the block is live with this layout. What it says of its usable bytes may be the
        // fault, so only the bytes asked for are written.
        unsafe {
            mutant.usable_size(held.block, held.layout);
            held.block.add(from).write_bytes(0xA5, held.layout.size() - from);
        }
    };
    for (record, event) in events.iter().enumerate() {
        match event.op {
            Op::Allocate { block, size, align_log2, zeroed } => {
                let bytes = size.max(1) as usize;
                let log2 = align_log2.unwrap_or(if bytes > 8 { 4 } else { 3 });
                let layout = Layout::from_size_align(bytes, 1 << log2).unwrap();
                // SAFETY: the layout's size is not 0.
                let ptr = unsafe {
                    if zeroed { mutant.alloc_zeroed(layout) } else { mutant.alloc(layout) }
                };
                assert!(!ptr.is_null());
                if mutant.fired_at().is_some() {
                    return Some((record as u64, event.thread.0));
                }
                let held = Held { block: ptr, layout };
                settle(&held, 0);
                live.insert(block, held);
            }
            Op::Reallocate { block, size, .. } => {
                let held = live.get_mut(&block).unwrap();
                let (old, bytes) = (held.layout, size.max(1) as usize);
                // SAFETY: the block is live with this layout; the new size is not 0.
                held.block = unsafe { mutant.realloc(held.block, old, bytes) };
                assert!(!held.block.is_null());
                held.layout = Layout::from_size_align(bytes, old.align()).unwrap();
                if mutant.fired_at().is_some() {
                    return Some((record as u64, event.thread.0));
                }
                settle(held, old.size().min(bytes));
            }
            Op::Free { block } => {
                let held = live.remove(&block).unwrap();
                // SAFETY: the block is live with this layout, and given up.
                unsafe { mutant.dealloc(held.block, held.layout) };
            }
            _ => {}
        }
        if mutant.fired_at().is_some() {
            return Some((record as u64, event.thread.0));
        }
    }
    None
}

/// Replays under the judge; the violations, with the lines that were printed about them.
fn judged(trace: &str, alloc: &str, threads: &str) -> (Vec<Violation>, String) {
    let place = Place::new();
    let words = ["replay", trace, "--alloc", alloc, "--threads", threads, "--check", "--json"];
    let ended = place.run(words);
    assert_eq!(place.left_behind(), [""; 0]);
    match ended.row().outcome {
        Outcome::Ok => {
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
            (Vec::new(), String::new())
        }
        Outcome::Corrupted { violations } => {
            assert_eq!(ended.code, Some(3), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), violations.len() + 1, "{}", ended.stderr);
            (violations, ended.stderr)
        }
        other => panic!("{alloc} on {trace}: {other:?}"),
    }
}

/// Each fault is found as its own kind, at the record and on the thread that a drive of the same
/// calls names, and nothing else is found.
fn found_serially(fault: Fault) {
    let mut tried = traces().into_iter().map(|trace| (trace, committed(fault, &events(trace))));
    let Some((trace, Some((record, thread)))) = tried.find(|(_, place)| place.is_some()) else {
        panic!("no shipped trace lets {} happen", fault.name());
    };
    let (violations, said) = judged(trace, &format!("mutant-{}", fault.name()), "serial");
    let [found] = &violations[..] else { panic!("{trace}: {violations:?}") };
    let place = (found.kind, found.record, found.thread);
    assert_eq!(place, (fault.kind(), record, thread), "{trace}: {}", found.detail);
    let kind = serde_json::to_string(&found.kind).unwrap();
    let line = format!("{} at record {record}, thread {thread}", kind.trim_matches('"'));
    assert!(said.lines().next().unwrap().contains(&line), "{said}");
}

macro_rules! serial {
    ($($test:ident: $fault:ident;)+) => {
        $(
            #[test]
            fn $test() {
                found_serially(Fault::$fault);
            }
        )+
    };
}

serial! {
    an_overlap_by_one_byte_is_found: Overlap;
    an_address_8_bytes_off_is_found: Misaligned16;
    memory_that_should_be_zero_is_found: DirtyZeroed;
    growing_into_a_neighbour_is_found: ReallocOverlap;
    a_lost_tail_is_found: ReallocTail;
    a_lost_prefix_is_found: ReallocPrefix;
    a_usable_size_too_small_is_found: UsableSmall;
    a_usable_size_into_the_next_block_is_found: UsableOverlap;
    a_free_that_writes_into_a_neighbour_is_found: NeighbourWritten;
    a_block_outside_the_region_is_found: OutsideRegion;
}

#[test]
fn an_address_2048_bytes_off_is_found() {
    let aligned = |event: &Event| matches!(event.op, Op::Allocate { align_log2: Some(log2), .. } if log2 >= 12);
    if traces().iter().any(|trace| events(trace).iter().any(aligned)) {
        found_serially(Fault::Misaligned4096);
    } else {
        println!("skipped: no shipped trace asks for an alignment of 4096");
    }
}

#[test]
fn one_block_for_two_threads_is_found() {
    let (trace, mutant) = ("git-index-pack-2t", "mutant-same-block-twice");
    let (violations, _) = judged(trace, mutant, "recorded");
    let [found] = &violations[..] else { panic!("{violations:?}") };
    assert_eq!(found.kind, Kind::SameBlockTwice, "{}", found.detail);
    // Which allocation it is depends on how the threads met, but it is one of that thread's.
    let event = events(trace)[found.record as usize];
    assert_eq!(event.thread.0, found.thread, "{}", found.detail);
    assert!(matches!(event.op, Op::Allocate { .. }), "{event:?}: {}", found.detail);
    let other = found.detail.rsplit("of thread ").next().unwrap();
    assert_ne!(other.parse(), Ok(found.thread), "{}", found.detail);
    // One thread alone never lets it happen.
    assert_eq!(judged(trace, mutant, "serial").0, []);
}

#[test]
fn the_unmutated_base_is_not_reported() {
    for (trace, threads) in [
        ("git-index-pack-2t", "serial"),
        ("git-index-pack-2t", "recorded"),
        ("sqlite3-oltp", "serial"),
        ("vec-growth", "serial"),
        ("producer-consumer", "recorded"),
    ] {
        assert_eq!(judged(trace, "mutant-none", threads).0, [], "{trace}, {threads}");
    }
}

/// Takes minutes without optimisations:
/// `cargo test --release -p strata-bench --test e2e_check -- --ignored`
#[test]
#[ignore = "every trace: run it with --release"]
fn the_unmutated_base_is_not_reported_on_any_trace() {
    for trace in every_shipped() {
        assert_eq!(judged(trace.name, "mutant-none", "serial").0, [], "{}", trace.name);
        if trace.open().unwrap().threads() > 1 {
            assert_eq!(judged(trace.name, "mutant-none", "recorded").0, [], "{}", trace.name);
        }
    }
}

/// In a build without optimisations every replaying thread asserts that what it does was recorded
/// of the same thread.
#[test]
fn every_linked_subject_is_sound_on_recorded_threads() {
    let place = Place::new();
    let words = "run --check --no-time --no-memory --json --workload git-index-pack-2t";
    let ended = place.run(words.split(' ')).fine();
    let (_, rows) = ended.rows();
    for row in &rows {
        let refused =
            row.subject.name == "smmalloc" && matches!(row.outcome, Outcome::Crashed { .. });
        assert!(row.outcome == Outcome::Ok || refused, "{}: {:?}", row.subject.name, row.outcome);
    }
    row_of(&rows, "system", "git-index-pack-2t", Threads::Recorded);
    row_of(&rows, "rusty_alloc", "git-index-pack-2t", Threads::Serial);
    row_of(&rows, "strata-segregated", "git-index-pack-2t", Threads::Recorded);
}

#[test]
fn without_json_a_violation_is_a_line_too() {
    let place = Place::new();
    let words = "replay sqlite3-oltp --alloc mutant-outside-region --check";
    let ended = place.run(words.split(' '));
    assert_eq!(ended.code, Some(3));
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let start = "mutant-outside-region on sqlite3-oltp: outside-region at record ";
    assert!(lines[0].starts_with(start), "{lines:?}");
    assert!(lines[1].starts_with("strata-bench: 1 row"), "{lines:?}");
}
