//! Damaged, foreign and hostile files end in one clear line, never in a panic or in wrong events.

mod trace_common;

use strata_bench::trace::{BlockId, Event, Op, Reader, ThreadId};
use trace_common::{read, some_events, written};

/// Reads bytes that are not those of the trace `good`: what comes is a part of it, or a failure.
fn assert_detected_or_harmless(bytes: &[u8], good: &[Event], what: &str) {
    let outcome = read(bytes);
    assert!(good.starts_with(&outcome.events), "{what}: other events");
    assert!(
        outcome.failure.is_some() || outcome.cut_off.is_some() || outcome.events == good,
        "{what}: events are missing"
    );
}

#[test]
fn a_wrong_byte_is_detected_or_harmless() {
    let events = some_events(150);
    for name in ["a.trace", "a.trace.xz"] {
        let bytes = written(&events, name);
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                assert_detected_or_harmless(&bytes, &events, &format!("{name} byte {at} ^ {flip}"));
            }
        }
    }
}

#[test]
fn a_missing_or_repeated_byte_is_detected() {
    let events = some_events(100);
    let bytes = written(&events, "a.trace");
    for at in 0..bytes.len() {
        let missing = [&bytes[..at], &bytes[at + 1..]].concat();
        assert_detected_or_harmless(&missing, &events, &format!("without byte {at}"));
        let repeated = [&bytes[..=at], &bytes[at..]].concat();
        assert_detected_or_harmless(&repeated, &events, &format!("byte {at} twice"));
    }
}

/// A file's header, then whatever the test makes.
fn header() -> Vec<u8> {
    let bytes = written(&[], "a.trace");
    let len = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes"));
    bytes[..len as usize].to_vec()
}

/// A chunk whose checksums are right.
fn chunk(payload: &[u8], declared: u32, events: u32, sections: u32) -> Vec<u8> {
    let mut out = b"CHNK".to_vec();
    out.extend(declared.to_le_bytes());
    out.extend(events.to_le_bytes());
    out.extend(sections.to_le_bytes());
    out.extend([0; 16]);
    out.extend(crc32fast::hash(payload).to_le_bytes());
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out.extend(payload);
    out
}

/// The payload of one `free` on thread 1, column by column.
const FREE: [u8; 16] = [1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0];

#[test]
fn hostile_chunks_are_refused() {
    let of =
        |payload: &[u8], events, sections| chunk(payload, payload.len() as u32, events, sections);
    let big = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let mut long_column = FREE[..3].to_vec();
    long_column.extend(big);
    long_column.extend(&FREE[4..]);
    let mut many_events = vec![1];
    many_events.extend(big);
    many_events.extend(&FREE[2..]);
    let mut operation = FREE;
    operation[12] = 12;
    let cases = [
        ("too many bytes", chunk(&[], u32::MAX, 1, 1), "too many"),
        ("too many events", of(&FREE, u32::MAX, 1), "not 1 to 65536"),
        ("no events", of(&[], 0, 0), "not 1 to 65536"),
        ("a free of what was never allocated", of(&FREE, 1, 1), "never allocated"),
        ("more events than it has", of(&FREE[..3], 1, 1), "within a record"),
        ("a column beyond the payload", of(&long_column, 1, 1), "are left"),
        ("a section of too many events", of(&many_events, 1, 1), "declares"),
        ("more sections", of(&FREE, 1, u32::MAX), "never allocated"),
        ("an operation that does not exist", of(&operation, 1, 1), "operation 12"),
    ];
    for (what, chunk, words) in cases {
        let outcome = read(&[header(), chunk].concat());
        let failure = outcome.failure.unwrap_or_else(|| panic!("{what}: no failure"));
        assert!(failure.message.contains(words), "{what}: {failure}");
    }
}

#[test]
fn hostile_headers_are_refused() {
    let with = |at: usize, bytes: &[u8], crc: bool| {
        let mut header = header();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        if crc {
            let body = header.len() - 4;
            let crc = crc32fast::hash(&header[..body]).to_le_bytes();
            header[body..].copy_from_slice(&crc);
        }
        header
    };
    let texts_at = 8 + 4 + 4 + 8 + 4 + 4 + 48;
    let cases = [
        (with(8, &2u32.to_le_bytes(), true), "use a newer strata-bench"),
        (with(8, &0u32.to_le_bytes(), true), "damaged"),
        (with(12, &u32::MAX.to_le_bytes(), false), "damaged"),
        (with(12, &(1u32 << 20).to_le_bytes(), false), "cut off"),
        (with(16, &[0; 8], true), "0 nanoseconds"),
        (with(texts_at, &u32::MAX.to_le_bytes(), true), "declares 4294967295 bytes"),
        (with(texts_at + 4, &[0xff], true), "not UTF-8"),
    ];
    for (bytes, words) in cases {
        let failure = read(&bytes).failure.expect(words);
        assert!(failure.message.contains(words), "{words}: {failure}");
    }
}

#[test]
fn an_xz_stream_may_not_ask_for_gigabytes() {
    let mut bytes = written(&some_events(50), "a.trace.xz");
    // The first block's header: size, flags, LZMA2 with its dictionary's size, padding, checksum.
    let block = &mut bytes[12..24];
    assert_eq!(block[..4], [2, 0, 0x21, 1], "what the packer writes");
    block[4] = 40;
    let crc = crc32fast::hash(&block[..8]).to_le_bytes();
    block[8..].copy_from_slice(&crc);
    let failure = read(&bytes).failure.expect("refused");
    assert!(failure.message.contains("unpacked"), "{failure}");
}

#[test]
fn foreign_and_empty_files_are_refused() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "is empty"),
        (b"a", "is not a trace"),
        (b"\x7fELF and so on, for a while", "is not a trace"),
        (b"STRTRACE", "cut off within its header"),
        (b"\xfd7zXZ\0 which is not really packed", "cannot be unpacked"),
    ];
    for (bytes, words) in cases {
        let failure = read(bytes).failure.expect(words);
        assert!(failure.message.contains(words), "{words}: {failure}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.trace");
    let failure = Reader::open(&missing).err().expect("no such file");
    assert!(failure.message.contains("missing.trace"), "{failure}");
    let failure = Reader::open(folder.path()).err().expect("a folder");
    assert!(failure.message.starts_with("cannot read"), "{failure}");
}

/// A file of the prototype's format: threads, then operation, thread, microseconds, block, size.
fn prototype(declared: u64, records: &[(u8, u16, u32, u32, u64)]) -> Vec<u8> {
    let mut out = b"AHTRACE0\x01\0\0\0\x02\0\0\0".to_vec();
    out.extend(declared.to_le_bytes());
    for (op, thread, micros, block, size) in records {
        out.extend([*op, 0]);
        out.extend(thread.to_le_bytes());
        out.extend(micros.to_le_bytes());
        out.extend(block.to_le_bytes());
        out.extend(size.to_le_bytes());
    }
    out
}

#[test]
fn the_prototype_format_is_read() {
    let (one, two) = (ThreadId(1), ThreadId(2));
    let block = |thread, nth| BlockId { thread, nth };
    let records =
        [(1, 1, 0, 0, 10), (4, 2, 3, 1, 20), (1, 2, 2, 2, 30), (3, 1, 5, 1, 40), (2, 1, 9, 2, 0)];
    let allocate = |block, size, zeroed| Op::Allocate { block, size, align_log2: None, zeroed };
    let change = Op::Reallocate {
        block: block(two, 0),
        size: 40,
        began_seq_before: 1,
        began_nanos_before: 0,
    };
    let event = |seq, micros: u64, thread, op| Event { seq, nanos: micros * 1000, thread, op };
    let events = [
        event(0, 0, one, allocate(block(one, 0), 10, false)),
        event(1, 3, two, allocate(block(two, 0), 20, true)),
        event(2, 2, two, allocate(block(two, 1), 30, false)),
        event(3, 5, one, change),
        event(4, 9, one, Op::Free { block: block(two, 1) }),
    ];
    let bytes = prototype(5, &records);
    let reader = Reader::from_bytes(bytes.clone()).expect("a trace");
    assert_eq!(
        (reader.threads(), reader.format_version().as_str()),
        (2, "prototype trace, version 1")
    );
    let outcome = read(&bytes);
    assert_eq!(outcome.events, events);
    assert_eq!((outcome.failure, outcome.cut_off), (None, None));

    for cut in 24..bytes.len() {
        let outcome = read(&bytes[..cut]);
        assert_eq!(outcome.events, events[..(cut - 24) / 20], "cut at {cut}");
        assert!(outcome.cut_off.is_some(), "cut at {cut}");
    }
    for cut in 1..24 {
        assert!(read(&bytes[..cut]).failure.is_some(), "cut at {cut}");
    }

    let bad = [
        ((2, 1, 0, 9, 0), "not live"),
        ((3, 1, 0, 9, 5), "not live"),
        ((1, 1, 0, 0, 5), "while it lives"),
        ((5, 1, 0, 9, 5), "operation 5"),
        ((1, 0, 0, 9, 5), "thread is 0"),
    ];
    for (record, words) in bad {
        let outcome = read(&prototype(u64::MAX, &[records[0], record]));
        let failure = outcome.failure.expect(words);
        assert!(failure.message.contains(words), "{failure}");
    }
    let failure = read(&prototype(1, &records[..2])).failure.expect("a record too many");
    assert!(failure.message.contains("follows its end"), "{failure}");
}
