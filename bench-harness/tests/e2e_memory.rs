//! The waterfall of the real command, against the kernel's sums and against what traces say.
//!
//! One run of everything that is linked, twice over; each test looks at another property of it.
//! A build with optimisations takes every workload, others the small ones.

mod common;

use common::model::{Model, at_records};
use common::{Place, events, row_of, title};
use std::collections::HashMap;
use std::sync::OnceLock;
use strata_bench::results::{Checkpoint, MemoryRow, Mode, Outcome, Row, Threads};

/// Workloads of builds without optimisations.
const SMALL: &str = "git-index-pack-2t,sqlite3-oltp,producer-consumer";
/// Those of them that are measured twice.
const AGAIN: &str = "sqlite3-oltp";

/// What may differ between two ways to count the same memory.
fn tolerance(bytes: u64) -> u64 {
    (bytes / 100).max(64 << 10)
}

fn measured() -> &'static [Vec<Row>; 2] {
    static ROWS: OnceLock<[Vec<Row>; 2]> = OnceLock::new();
    ROWS.get_or_init(|| {
        let one = |small: &str| {
            let place = Place::new();
            let mut words = vec!["run", "--no-time", "--json"];
            if cfg!(debug_assertions) {
                words.extend(["--workload", small]);
            }
            let (_, rows) = place.run(&words).fine().rows();
            assert_eq!(place.left_behind(), ["report.html", "results.jsonl"]);
            rows
        };
        [SMALL, AGAIN].map(one)
    })
}

/// The memory of every row that has one; rows that cannot be had here are named and left out.
fn memories() -> impl Iterator<Item = (&'static Row, &'static MemoryRow)> {
    measured()[0].iter().filter_map(|row| match (&row.memory, &row.outcome) {
        (Some(memory), Outcome::Ok) => Some((row, memory)),
        // Some subjects need more addresses than a limit may allow.
        (_, outcome) => {
            println!("skipped {}: {outcome:?}", title(row));
            assert_eq!(row.subject.name, "smmalloc", "{}: {outcome:?}", title(row));
            None
        }
    })
}

/// The model of a row's workload at each of its checkpoints.
fn models(row: &Row) -> &'static [Model] {
    type Known = HashMap<(String, Threads), &'static [Model]>;
    static KNOWN: OnceLock<Known> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let mut known = Known::new();
        for (row, memory) in memories() {
            known.entry((row.workload.name.clone(), row.workload.threads)).or_insert_with(|| {
                let records: Vec<u64> = memory.checkpoints.iter().map(|c| c.record).collect();
                at_records(&events(&row.workload.name), &records).leak()
            });
        }
        known
    });
    known[&(row.workload.name.clone(), row.workload.threads)]
}

/// Every checkpoint of a subject, with the model at its record.
fn checkpoints(subject: &str) -> Vec<(String, &'static Checkpoint, &'static Model)> {
    let mut found = Vec::new();
    for (row, memory) in memories().filter(|(row, _)| row.subject.name == subject) {
        for (checkpoint, model) in memory.checkpoints.iter().zip(models(row)) {
            let title = format!("{} at record {}", title(row), checkpoint.record);
            found.push((title, checkpoint, model));
        }
    }
    assert!(!found.is_empty(), "{subject} was measured");
    found
}

fn within(title: &str, what: &str, found: u64, expected: u64, slack: u64) {
    let limit = expected / 100 + slack;
    assert!(found.abs_diff(expected) <= limit, "{title}: {what} is {found}, not {expected}");
}

#[test]
fn the_terms_sum_to_what_the_kernel_counts_for_every_subject() {
    let mut counted = 0;
    for (row, memory) in memories().filter(|(row, _)| row.subject.name != "noop") {
        for c in &memory.checkpoints {
            let w = &c.waterfall;
            let sum = w.live + w.rounding + w.headers.unwrap_or(0) + w.holes + w.kept + w.metadata;
            let title = format!("{} at record {}", title(row), c.record);
            assert_eq!(sum, c.resident, "{title}");
            let kernel = u64::try_from(c.kernel).unwrap_or(0);
            let apart = c.resident.abs_diff(kernel);
            assert!(
                apart <= tolerance(kernel),
                "{title}: {} by terms, {} by the kernel",
                c.resident,
                c.kernel
            );
            counted += 1;
        }
        assert!(memory.checkpoints.len() >= 24, "{}", title(row));
        assert_eq!(memory.checkpoints[memory.peak].label.as_deref(), Some("peak"));
    }
    assert!(counted > 24 * 8);
}

#[test]
fn the_peak_is_the_record_of_greatest_live_bytes_for_every_subject() {
    for (row, memory) in memories() {
        let peak = &memory.checkpoints[memory.peak];
        let mut model = Model::default();
        let (mut greatest, mut at, mut live) = (0, 0, HashMap::new());
        let mut bytes = 0;
        for event in events(&row.workload.name) {
            // Bytes as the program asked for them: the replay turns 0 into 1.
            match event.op {
                strata_bench::trace::Op::Allocate { block, size, .. } => {
                    live.insert(block, size);
                    bytes += size;
                }
                strata_bench::trace::Op::Reallocate { block, size, .. } => {
                    bytes = bytes + size - live.insert(block, size).unwrap_or(0);
                }
                strata_bench::trace::Op::Free { block } => {
                    bytes -= live.remove(&block).unwrap_or(0);
                }
                _ => {}
            }
            model.records += 1;
            if bytes > greatest {
                (greatest, at) = (bytes, model.records);
            }
        }
        assert_eq!(peak.record, at, "{}", title(row));
    }
}

#[test]
fn the_no_op_child_grows_by_less_than_64_kib() {
    for (title, c, _) in checkpoints("noop") {
        assert!(c.kernel.unsigned_abs() < 64 << 10, "{title}: {}", c.kernel);
        assert!(c.resident < 64 << 10, "{title}: {}", c.resident);
    }
}

#[test]
fn live_bytes_and_blocks_are_those_of_the_trace() {
    for (row, memory) in memories() {
        for (c, model) in memory.checkpoints.iter().zip(models(row)) {
            let title = format!("{} at record {}", title(row), c.record);
            assert_eq!(c.live_bytes, model.live_bytes(), "{title}");
            assert_eq!(c.live_blocks, model.live.len() as u64, "{title}");
            if row.subject.name != "noop" && row.mode != Mode::Computed {
                assert_eq!(c.waterfall.live + c.live_untouched, c.live_bytes, "{title}");
            }
        }
    }
}

#[test]
fn the_ideal_has_no_holes_and_keeps_nothing() {
    for (title, c, model) in checkpoints("ideal") {
        let w = &c.waterfall;
        assert_eq!((w.holes, w.kept), (0, 0), "{title}");
        assert_eq!(w.live, model.live_bytes(), "{title}");
        assert!(c.resident - w.live < 4096, "{title}");
    }
}

#[test]
fn powers_of_two_round_as_computed_from_the_trace() {
    for (title, c, model) in checkpoints("powers-of-two") {
        within(&title, "rounding", c.waterfall.rounding, model.power_rounding(), 0);
        assert_eq!(c.waterfall.headers, Some(0), "{title}");
        assert_eq!(c.live_untouched, 0, "{title}");
        let usable = model.live_bytes() + model.power_rounding();
        assert_eq!(c.usable_bytes, Some(usable), "{title}");
    }
}

#[test]
fn headers_of_64_bytes_are_found_as_headers_and_nowhere_else() {
    for (title, c, model) in checkpoints("header-64") {
        let expected = 64 * model.live.len() as u64;
        within(&title, "headers", c.waterfall.headers.unwrap(), expected, 0);
        within(&title, "header bytes", c.header_bytes.unwrap(), expected, 0);
        within(&title, "rounding", c.waterfall.rounding, model.granule_rounding(), 0);
    }
    for subject in ["never-frees", "powers-of-two", "ideal"] {
        for (title, c, _) in checkpoints(subject) {
            assert_eq!(c.waterfall.headers, Some(0), "{title}");
        }
    }
}

#[test]
fn what_is_never_freed_is_holes_and_kept_pages() {
    for (title, c, model) in checkpoints("never-frees") {
        let w = &c.waterfall;
        // What is skipped for an alignment is a hole too, and so is the unused rest of a page.
        let (freed, slack) = match title.contains("(Recorded)") {
            true => (model.freed_granules(), 4096 + model.skipped_at_most),
            false => (model.freed_granules() + model.skipped, 4096),
        };
        within(&title, "holes + kept", w.holes + w.kept, freed, slack);
        within(&title, "rounding", w.rounding, model.granule_rounding(), 0);
        assert_eq!(c.live_untouched, 0, "{title}");
    }
}

#[test]
fn system_s_own_figures_stand_beside_ours() {
    for (row, memory) in memories().filter(|(row, _)| row.subject.name == "system") {
        let (mut apart, mut at) = (0, 0);
        for c in &memory.checkpoints {
            let title = format!("{} at record {}", title(row), c.record);
            let (Some(allocated), Some(mapped)) = (c.own.allocated, c.own.mapped) else {
                println!("skipped {title}: no mallinfo2 in this C library");
                continue;
            };
            let ours = c.usable_bytes.unwrap() + c.header_bytes.unwrap();
            // Every block is allocated in its eyes too, with what its thread caches hold on top;
            // what is resident lies in what it mapped.
            assert!(allocated + tolerance(ours) >= ours, "{title}: {allocated} of {ours}");
            assert!(mapped + tolerance(mapped) >= c.resident, "{title}: {mapped}");
            if allocated.abs_diff(ours) > apart {
                (apart, at) = (allocated.abs_diff(ours), c.record);
            }
        }
        println!("{}: at most {apart} bytes from mallinfo2, at record {at}", title(row));
    }
}

#[test]
fn jemalloc_s_own_figures_stand_beside_ours() {
    let Some((_, first)) = memories().find(|(row, _)| row.subject.name == "jemalloc") else {
        return println!("skipped: jemalloc is not linked (feature jemalloc)");
    };
    let own = &first.checkpoints[0].own;
    assert!(own.allocated.is_some() && own.active.is_some(), "{own:?}");
    assert!(own.resident.is_some() && own.metadata.is_some(), "{own:?}");
    for (title, c, _) in checkpoints("jemalloc") {
        let (allocated, usable) = (c.own.allocated.unwrap(), c.usable_bytes.unwrap());
        println!("{title}: {} from its allocated", allocated.abs_diff(usable));
        assert!(allocated + tolerance(usable) >= usable, "{title}: {allocated} of {usable}");
        assert!(c.own.resident.unwrap() + tolerance(c.resident) >= c.resident, "{title}");
    }
}

#[test]
fn two_serial_replays_give_the_same_figures() {
    let again = &measured()[1];
    let (mut differ, mut compared) = (Vec::new(), 0);
    for (row, memory) in memories().filter(|(row, _)| row.workload.threads == Threads::Serial) {
        if !again.iter().any(|second| second.workload == row.workload) {
            continue;
        }
        let second = row_of(again, &row.subject.name, &row.workload.name, Threads::Serial);
        let second = second.memory.as_ref().expect("measured again");
        compared += 1;
        if memory.agrees(second) {
            continue;
        }
        // What a subject purges after so many milliseconds, it may place elsewhere next time: the
        // report names it, and all but the pages must agree.
        if row.subject.purge_settings.contains("ms") {
            println!("{} differs in time", title(row));
            let places = memory.checkpoints.iter().zip(&second.checkpoints);
            let same =
                places.map(|(a, b)| Checkpoint { pinned_bytes: a.pinned_bytes, ..b.clone() });
            let alike = MemoryRow { checkpoints: same.collect(), ..second.clone() };
            assert!(memory.agrees(&alike), "{}", title(row));
        } else {
            differ.push(title(row));
        }
    }
    assert_eq!(differ, [""; 0]);
    assert!(compared >= 9, "{compared}");
}

#[test]
fn figures_without_meaning_are_absent() {
    for (row, memory) in memories() {
        if row.subject.name == "noop" {
            assert_eq!(memory.peak_ratio, None);
            assert_eq!(memory.internal, None);
        }
        let hooked = memory.checkpoints.iter().all(|c| c.usable_bytes.is_some());
        assert_eq!(memory.internal_exact, hooked && row.subject.name != "noop", "{}", title(row));
        for c in &memory.checkpoints {
            assert_eq!(c.waterfall.headers.is_some(), c.usable_bytes.is_some(), "{}", title(row));
        }
    }
}
