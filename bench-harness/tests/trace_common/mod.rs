//! Valid traces made of arbitrary choices, and short ways through the reader and the writer.

// Each test file uses its own part.
#![allow(dead_code)]

use std::path::Path;
use strata_bench::error::Failure;
use strata_bench::trace::{BlockId, Event, Meta, Op, Reader, ThreadId, Writer};

/// One arbitrary choice, from which [`events`] makes something valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) kind: u8,
    pub(crate) pick: u32,
    pub(crate) size: u64,
    pub(crate) gap: u16,
    pub(crate) pause: u32,
}

/// A valid trace of up to five threads, with every kind of event.
pub(crate) fn events(choices: impl IntoIterator<Item = Choice>) -> Vec<Event> {
    let mut out = Vec::new();
    let mut live: Vec<BlockId> = Vec::new();
    let mut allocated = [0u64; 6];
    let mut running = vec![ThreadId(1)];
    let (mut spawned, mut ended) = (1, Vec::new());
    let (mut seq, mut nanos) = (0u64, 0u64);
    for Choice { kind, pick, size, gap, pause } in choices {
        let pick = pick as usize;
        let thread = running[pick % running.len()];
        seq += 1 + u64::from(gap % 3);
        // Stamps of different threads may stand in another order than the records.
        nanos = (nanos + u64::from(pause)).saturating_sub(u64::from(gap % 2) * 3);
        let block = live.get(pick % live.len().max(1)).copied();
        let op = match (kind % 16, block) {
            (0..4, Some(_)) => Op::Free { block: live.swap_remove(pick % live.len()) },
            (4..6, Some(block)) => Op::Reallocate {
                block,
                size,
                began_seq_before: 1 + u64::from(gap) % seq.min(9),
                began_nanos_before: u64::from(pause / 2).min(nanos),
            },
            (6, _) if spawned < 5 => {
                spawned += 1;
                let child = ThreadId(spawned);
                out.push(Event { seq, nanos, thread, op: Op::Spawn { child } });
                running.push(child);
                seq += 1;
                out.push(Event { seq, nanos, thread: child, op: Op::Start });
                continue;
            }
            (7, _) if running.len() > 1 && thread != ThreadId(1) => {
                running.retain(|other| *other != thread);
                ended.push(thread);
                Op::Exit
            }
            (8, _) if !ended.is_empty() => Op::Join { child: ended.pop().expect("not empty") },
            (kind, _) => {
                let nth = &mut allocated[thread.0 as usize];
                let block = BlockId { thread, nth: *nth };
                *nth += 1;
                live.push(block);
                let align_log2 = (kind > 12).then_some((pick % 64) as u8);
                Op::Allocate { block, size, align_log2, zeroed: kind % 2 == 0 }
            }
        };
        out.push(Event { seq, nanos, thread, op });
    }
    out
}

/// The same trace every time, of about `len` events.
pub(crate) fn some_events(len: usize) -> Vec<Event> {
    let mut state = 0x1234_5678_9abc_def1u64;
    events((0..len).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Choice {
            kind: state as u8,
            pick: (state >> 8) as u32 & 0xffff,
            size: (state >> 24) & 0x3fff,
            gap: (state >> 38) as u16,
            pause: (state >> 54) as u32,
        }
    }))
}

/// Meta of tests: times are kept to the nanosecond.
pub(crate) fn meta() -> Meta {
    Meta {
        program: "prog --with arguments".into(),
        origin: "made up".into(),
        nanos_per_tick: 1,
        notes: vec![("host".into(), "none".into())],
    }
}

/// Writes a trace into a folder that goes away.
pub(crate) fn written(events: &[Event], name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    write(events, &path);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "leaves only itself"
    );
    std::fs::read(path).expect("the trace")
}

/// Writes a trace to a path.
pub(crate) fn write(events: &[Event], path: &Path) {
    let mut writer = Writer::create(path, meta()).expect("a writable folder");
    for event in events {
        writer.push(event).expect("a valid event");
    }
    let summary = writer.finish().expect("space");
    assert_eq!(summary.totals.events, events.len() as u64);
    assert_eq!(summary.file_bytes, path.metadata().expect("the trace").len());
}

/// What came of reading some bytes.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) failure: Option<Failure>,
    pub(crate) cut_off: Option<String>,
}

/// Reads everything that can be read. Every failure has to be one line that names the trace.
pub(crate) fn read(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome { events: Vec::new(), failure: None, cut_off: None };
    match Reader::from_bytes(bytes.to_vec()) {
        Err(failure) => outcome.failure = Some(failure),
        Ok(mut reader) => {
            for event in &mut reader {
                match event {
                    Ok(event) => outcome.events.push(event),
                    Err(failure) => outcome.failure = Some(failure),
                }
            }
            assert!(reader.next().is_none(), "it ended");
            outcome.cut_off = reader.cut_off();
        }
    }
    if let Some(failure) = &outcome.failure {
        assert!(failure.message.contains("a trace in memory"), "{failure}");
        assert!(!failure.message.contains('\n') && failure.message.len() < 300, "{failure}");
        assert!(outcome.cut_off.is_none(), "one or the other: {outcome:?}");
    }
    outcome
}

/// Offsets of the chunks and of the index, found as the module documentation tells.
pub(crate) fn chunk_offsets(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4")) as usize;
    let mut offsets = vec![number(12)];
    loop {
        let at = *offsets.last().expect("not empty");
        if &bytes[at..at + 4] != b"CHNK" {
            assert_eq!(&bytes[at..at + 4], b"INDX");
            return offsets;
        }
        offsets.push(at + 40 + number(at + 4));
    }
}
