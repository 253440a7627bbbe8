//! What is written is read again, whatever it is and wherever the file is cut off.

mod trace_common;

use proptest::prelude::*;
use std::path::Path;
use strata_bench::trace::{
    BlockId, Event, Index, Meta, Op, Reader, ThreadId, Writer, every_shipped, info, shipped,
    shipped_more,
};
use trace_common::{Choice, chunk_offsets, events, meta, read, some_events, write, written};

fn choice() -> impl Strategy<Value = Choice> {
    let size = prop_oneof![0u64..200, 0u64..1 << 40];
    (any::<u8>(), any::<u32>(), size, any::<u16>(), 0u32..5000)
        .prop_map(|(kind, pick, size, gap, pause)| Choice { kind, pick, size, gap, pause })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_trace_survives_the_file(choices in prop::collection::vec(choice(), 0..400)) {
        let events = events(choices);
        let outcome = read(&written(&events, "a.trace"));
        prop_assert_eq!(outcome.events, events);
        prop_assert_eq!((outcome.failure, outcome.cut_off), (None, None));
    }
}

#[test]
fn a_packed_trace_of_several_chunks_survives() {
    let events = some_events(150_000);
    let plain = written(&events, "a.trace");
    let packed = written(&events, "a.trace.xz");
    assert!(packed.len() < plain.len());
    assert_eq!(chunk_offsets(&plain).len(), 4, "three chunks and the index");
    for bytes in [plain, packed] {
        let reader = Reader::from_bytes(bytes.clone()).expect("a trace");
        assert_eq!(*reader.meta(), meta());
        assert_eq!(reader.threads(), 5);
        assert_eq!(reader.totals().expect("finished").events, events.len() as u64);
        let outcome = read(&bytes);
        assert!(outcome.events == events, "the same events");
        assert_eq!((outcome.failure, outcome.cut_off), (None, None));
    }
}

#[test]
fn a_file_cut_off_anywhere_gives_its_whole_chunks() {
    let events = some_events(150_000);
    let bytes = written(&events, "a.trace");
    let offsets = chunk_offsets(&bytes);
    let cuts =
        offsets.iter().flat_map(|at| [at - 1, *at, at + 1, at + 3, at + 4, at + 39, at + 41]);
    let cuts = cuts.chain([offsets[0] + 100_000, bytes.len() - 16, bytes.len() - 1]);
    for cut in cuts.filter(|cut| *cut >= offsets[0] && *cut < bytes.len()) {
        let whole = offsets.iter().filter(|end| **end <= cut).count() - 1;
        let outcome = read(&bytes[..cut]);
        assert_eq!(outcome.failure, None, "cut at {cut}");
        assert!(outcome.cut_off.is_some(), "cut at {cut}");
        let usable = (whole << 16).min(events.len());
        assert!(outcome.events == events[..usable], "cut at {cut}: {}", outcome.events.len());
    }
    for cut in 1..offsets[0] {
        let outcome = read(&bytes[..cut]);
        assert!(outcome.failure.is_some() && outcome.events.is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_packed_file_cut_off_gives_whole_chunks() {
    let events = some_events(150_000);
    let bytes = written(&events, "a.trace.xz");
    let mut usable = Vec::new();
    for tenth in 1..10 {
        let outcome = read(&bytes[..bytes.len() * tenth / 10]);
        assert_eq!(outcome.failure, None, "at {tenth} tenths");
        assert!(outcome.cut_off.expect("is cut off").contains("(unpacked)"));
        assert_eq!(outcome.events.len() % (1 << 16), 0);
        assert!(outcome.events == events[..outcome.events.len()], "a prefix");
        usable.push(outcome.events.len());
    }
    assert_eq!((usable[0], usable[8]), (0, 2 << 16));
}

#[test]
fn times_are_kept_to_the_resolution_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.trace");
    let mut writer = Writer::create(&path, Meta::default()).expect("a writable folder");
    let block = BlockId { thread: ThreadId(1), nth: 0 };
    let allocate = Op::Allocate { block, size: 1, align_log2: None, zeroed: false };
    let change =
        |began| Op::Reallocate { block, size: 2, began_seq_before: 1, began_nanos_before: began };
    let event = |seq, nanos, op| Event { seq, nanos, thread: ThreadId(1), op };
    writer.push(&event(0, 1_999, allocate)).expect("valid");
    writer.push(&event(1, 12_500, change(5_000))).expect("valid");
    writer.finish().expect("space");
    let read: Vec<_> = Reader::open(&path).expect("a trace").map(Result::unwrap).collect();
    assert_eq!(read, [event(0, 1_000, allocate), event(1, 12_000, change(5_000))]);
}

#[test]
fn reading_can_begin_at_any_chunk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.trace");
    let events = some_events(150_000);
    write(&events, &path);
    let index = Index::read(&path).expect("an index");
    assert_eq!(index.chunks.len(), 3);
    let allocated = |thread| {
        let of_thread = |event: &&Event| event.thread == thread;
        let allocates = |event: &&Event| matches!(event.op, Op::Allocate { .. });
        events.iter().filter(of_thread).filter(allocates).count() as u64
    };
    for (thread, blocks) in &index.threads {
        assert_eq!(*blocks, allocated(*thread));
    }
    for (number, place) in index.chunks.iter().enumerate() {
        let first = number << 16;
        assert_eq!(place.events_before, first as u64);
        assert_eq!((place.first_seq, place.first_nanos), (events[first].seq, events[first].nanos));
        assert_eq!(index.chunk_of(first as u64 + 7), Some(number));
        let rest: Result<Vec<_>, _> = index.reader_from(number).expect("a chunk").collect();
        assert!(rest.expect("good") == events[first..], "chunk {number}");
    }
    write(&events[..10], &folder.path().join("b.trace.xz"));
    let failure = Index::read(&folder.path().join("b.trace.xz")).expect_err("packed");
    assert!(failure.message.contains("has no index"), "{failure}");
}

#[test]
fn the_writer_refuses_what_breaks_the_contract() {
    let thread = |number| ThreadId(number);
    let block = |number, nth| BlockId { thread: thread(number), nth };
    let allocate = |block, size| Op::Allocate { block, size, align_log2: None, zeroed: false };
    let free = |block| Op::Free { block };
    let change = |block, before| Op::Reallocate {
        block,
        size: 1,
        began_seq_before: before,
        began_nanos_before: 0,
    };
    let start = [(1, allocate(block(1, 0), 8)), (2, Op::Start), (2, Op::Exit)];
    let bad = [
        (1, allocate(block(1, 0), 8), "block number 1 is due"),
        (1, allocate(block(1, 2), 8), "block number 1 is due"),
        (3, allocate(block(1, 1), 8), "block number 0 is due"),
        (1, allocate(block(1, 1), u64::MAX), "64 bits"),
        (1, free(block(1, 1)), "frees block 1 of thread 1, which is not live"),
        (1, free(block(2, 0)), "not live"),
        (1, change(block(7, 0), 1), "changes block 0 of thread 7, which is not live"),
        (1, change(block(1, 0), 0), "began 0 places before"),
        (1, change(block(1, 0), 99), "began 99 places before"),
        (2, free(block(1, 0)), "has ended"),
        (1, Op::Spawn { child: thread(1) }, "as its child"),
        (0, Op::Start, "numbered from 1"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (number, op, words) in bad {
        let path = folder.path().join("bad.trace");
        let mut writer = Writer::create(&path, meta()).expect("a writable folder");
        for (seq, (number, op)) in start.into_iter().enumerate() {
            let event = Event { seq: seq as u64, nanos: 0, thread: thread(number), op };
            writer.push(&event).expect("a valid event");
        }
        let event = Event { seq: 10, nanos: 0, thread: thread(number), op };
        let failure = writer.push(&event).expect_err(words);
        let message = &failure.message;
        assert!(message.contains(words) && message.contains("event 3 (seq 10"), "{message}");
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
    let mut writer = Writer::create(&folder.path().join("a"), meta()).expect("a writable folder");
    let event = |seq| Event { seq, nanos: 0, thread: thread(1), op: Op::Join { child: thread(2) } };
    writer.push(&event(5)).expect("a valid event");
    assert!(writer.push(&event(5)).is_err(), "the order is strict");
    let failure = Writer::create(Path::new("/nowhere/a.trace"), meta()).err().expect("no folder");
    assert!(failure.message.contains("/nowhere/a.trace"), "{failure}");
}

#[test]
fn info_tells_what_was_recorded() {
    let (one, two) = (ThreadId(1), ThreadId(2));
    let block = |thread, nth| BlockId { thread, nth };
    let allocate =
        |block, size, align_log2, zeroed| Op::Allocate { block, size, align_log2, zeroed };
    let ops = [
        (one, allocate(block(one, 0), 100, None, false)),
        (one, allocate(block(one, 1), 1000, Some(12), true)),
        (one, Op::Spawn { child: two }),
        (two, Op::Start),
        (two, Op::Free { block: block(one, 1) }),
        (two, allocate(block(two, 0), 10, Some(4), false)),
        (two, Op::Free { block: block(two, 0) }),
        (two, Op::Exit),
        (one, Op::Join { child: two }),
    ];
    let events: Vec<_> = (0..)
        .zip(ops)
        .map(|(seq, (thread, op))| Event { seq, nanos: seq * 1000, thread, op })
        .collect();
    let info = info(Reader::from_bytes(written(&events, "a.trace")).expect("a trace"));
    let info = info.expect("a good trace");
    assert_eq!((info.counts.allocate, info.counts.zeroed, info.counts.free), (3, 1, 2));
    assert_eq!((info.threads, info.threads_alive_peak, info.counts.exit), (2, 2, 1));
    assert_eq!((info.cross_frees, info.cross_reallocs), (1, 0));
    assert_eq!((info.peak_bytes, info.peak_record, info.peak_bytes_blocks), (1100, 1, 2));
    assert_eq!((info.left_blocks, info.left_bytes), (1, 100));
    let sizes = info.sizes.expect("allocations");
    assert_eq!((sizes.p50, sizes.max), (100, 1000));
    let lifetimes = info.lifetime_records.expect("frees");
    assert_eq!((lifetimes.p50, lifetimes.max), (1, 3));
    let text = info.to_string();
    for words in [
        "prog --with arguments",
        "frees 1 (50.0%), reallocs n/a",
        "none 1 (33.3%), 16 B 1 (33.3%), 4,096 B 1 (33.3%)",
        "1,100 B in 2 blocks after record 1",
        "1 blocks, 100 B",
    ] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
}

#[test]
fn shipped_traces_are_whole() {
    // Name, events, peak bytes, most blocks, blocks and bytes left alive, median and p90 size.
    let facts = [
        ("git-index-pack-2t", 88_329, 3_505_193, 161, 94, 14_433, [408, 7_160]),
        ("jq-group", 445_360, 20_414_520, 180_335, 0, 0, [21, 392]),
        ("perl-words", 930_007, 22_930_691, 261_936, 3_637, 17_096_069, [24, 39]),
        ("python-json-ast", 985_210, 20_827_570, 246_509, 501, 64_609, [52, 88]),
        ("sqlite3-oltp", 249_146, 5_124_527, 3_235, 15, 8_937, [24, 80]),
    ];
    for group in [shipped(), shipped_more()] {
        assert!(group.is_sorted_by_key(|trace| trace.name));
    }
    let shipped: Vec<_> = every_shipped().collect();
    assert!(shipped.iter().map(|trace| trace.bytes.len()).sum::<usize>() <= 8 << 20);
    for fact in facts {
        assert!(shipped.iter().any(|trace| trace.name == fact.0), "{} is shipped", fact.0);
    }
    for trace in &shipped {
        let mut reader = trace.open().expect("a trace");
        let totals = *reader.totals().expect("finished");
        assert!(!reader.meta().program.is_empty() && !reader.meta().origin.is_empty());
        assert!(reader.all(|event| event.is_ok()), "{} is whole", trace.name);
        assert_eq!(reader.cut_off(), None);
        let Some(fact) = facts.iter().find(|fact| fact.0 == trace.name) else { continue };
        assert_eq!((totals.events, totals.peak_bytes), (fact.1, fact.2), "{}", trace.name);
        // The rest takes a debug build too long for the great ones.
        if totals.events < 300_000 {
            let info = info(trace.open().expect("a trace")).expect("a good trace");
            let sizes = info.sizes.expect("allocations");
            let left = (info.left_blocks, info.left_bytes);
            assert_eq!(
                (info.peak_bytes, info.peak_record),
                (totals.peak_bytes, totals.peak_record)
            );
            assert_eq!((info.peak_blocks, left), (fact.3, (fact.4, fact.5)), "{}", trace.name);
            assert_eq!([sizes.p50, sizes.p90], fact.6, "{}", trace.name);
        }
    }
}
