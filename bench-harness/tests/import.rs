//! `import`: one small program as three tools recorded it, malloc lab's form, and what is refused.
//!
//! The program allocates 12 blocks of 300 i + 1 bytes, frees every second one, reallocates the others
//! to 1000 i bytes, and ends with a zeroed block, two aligned ones, a realloc of nothing and one to
//! nothing.

mod common;

use common::Place;
use std::path::{Path, PathBuf};
use strata_bench::import::{Format, Imported, import};
use strata_bench::trace::{LiveSet, Op, Reader};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(name)
}

/// What a trace says: sizes of new blocks and of changed ones in order, frees, and what is left.
#[derive(Debug, PartialEq)]
struct Told {
    sizes: Vec<u64>,
    frees: usize,
    left: (u64, usize),
    aligned: Vec<u8>,
    zeroed: usize,
}

fn read(path: &Path) -> Told {
    let mut told = Told { sizes: vec![], frees: 0, left: (0, 0), aligned: vec![], zeroed: 0 };
    let (mut live, mut sizes) = (LiveSet::new(), std::collections::HashMap::new());
    for event in Reader::open(path).unwrap() {
        let event = event.unwrap();
        live.apply(&event).unwrap();
        match event.op {
            Op::Allocate { block, size, align_log2, zeroed } => {
                told.sizes.push(size);
                told.aligned.extend(align_log2);
                told.zeroed += usize::from(zeroed);
                sizes.insert(block, size);
            }
            Op::Reallocate { block, size, .. } => {
                told.sizes.push(size);
                told.frees += 1;
                sizes.insert(block, size);
            }
            Op::Free { block } => {
                told.frees += 1;
                sizes.remove(&block);
            }
            _ => panic!("one thread without a beginning"),
        }
    }
    told.left = (sizes.values().sum(), sizes.len());
    told
}

fn imported(name: &str, format: Option<Format>) -> (Imported, Told) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to.trace.xz");
    let found = import(&sample(name), &to, format).unwrap();
    (found, read(&to))
}

/// Sizes that the program asked for, in order.
fn asked() -> Vec<u64> {
    let first = (0..12).map(|i| i * 300 + 1);
    let grown = (1..12).step_by(2).map(|i| i * 1000);
    first.chain(grown).chain([200, 100, 300, 33]).collect()
}

#[test]
fn valgrinds_own_summary_is_that_of_its_trace() {
    let (found, told) = imported("sample.valgrind", None);
    // "22 allocs, 17 frees, 56,445 bytes allocated", "33,000 bytes in 5 blocks".
    assert_eq!((told.sizes.len(), told.frees), (22, 17));
    assert_eq!(told.sizes.iter().sum::<u64>(), 56_445);
    assert_eq!(told.left, (33_000, 5));
    assert_eq!(told.sizes, asked());
    assert_eq!((told.aligned, told.zeroed), (vec![6, 7], 1));
    assert_eq!((found.unknown, found.replaced, found.failed), (0, 0, 0));
}

#[test]
fn three_tools_tell_of_one_program() {
    let (found, told) = imported("sample.mtrace", None);
    assert_eq!((&told.sizes, told.left), (&asked(), (33_000, 5)));
    assert_eq!((told.frees, found.unknown), (17, 0));
    // heaptrack starts with a block of a library, tells a realloc as a free and an allocation, does
    // not see memalign, and not that a realloc to nothing frees.
    let (found, told) = imported("sample.heaptrack", None);
    let mut seen = asked();
    seen.retain(|&size| size != 100);
    assert_eq!(told.sizes[1..], seen);
    assert_eq!((found.unknown, told.left), (1, (36_000, 6)));
    for (name, format) in [
        ("sample.valgrind", Format::Valgrind),
        ("sample.mtrace", Format::Mtrace),
        ("sample.heaptrack", Format::Heaptrack),
    ] {
        assert_eq!(imported(name, Some(format)).1, imported(name, None).1);
    }
}

#[test]
fn malloc_labs_numbers_are_used_again() {
    let (found, told) = imported("sample.rep", None);
    assert_eq!(found.summary.totals.events, 20);
    assert_eq!(told.sizes, [1, 301, 601, 1000, 901, 44, 3000, 512, 0, 64, 7, 9]);
    assert_eq!(told.left, (9, 1));
}

#[test]
fn an_imported_trace_is_replayed() {
    let place = Place::new();
    let from = sample("sample.valgrind");
    let ended = place.run(["import", from.to_str().unwrap(), "to.trace"]).fine();
    assert!(ended.stdout.starts_with("wrote to.trace: 33 events in "), "{}", ended.stdout);
    let words = "replay to.trace --alloc system --repeat 1 --check";
    let ended = place.run(words.split(' ')).fine();
    assert!(ended.stdout.contains("no violation"), "{}", ended.stdout);
    let heaptrack = sample("sample.heaptrack");
    let ended = place.run(["import", heaptrack.to_str().unwrap(), "to.trace"]).fine();
    assert!(
        ended.stdout.ends_with("; 1 of blocks from before the file left out\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn packed_files_are_unpacked_or_say_how() {
    let place = Place::new();
    let text = std::fs::read(sample("sample.heaptrack")).unwrap();
    // A gzip stream with a name at its head.
    let mut packed = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03x.raw\0".to_vec();
    packed.extend(miniz_oxide::deflate::compress_to_vec(&text, 6));
    packed.extend([0; 8]);
    let write = |name: &str, bytes: &[u8]| std::fs::write(place.path().join(name), bytes).unwrap();
    write("x.raw.gz", &packed);
    place.run(["import", "x.raw.gz", "to.trace"]).fine();
    write("cut.raw.gz", &packed[..60]);
    place.run(["import", "cut.raw.gz", "no.trace"]).refused(2, &["cut.raw.gz", "damaged"]);
    write("x.raw.zst", b"\x28\xb5\x2f\xfdrest");
    place.run(["import", "x.raw.zst", "no.trace"]).refused(2, &["x.raw.zst", "zstd -d"]);
    assert_eq!(place.left_behind(), ["cut.raw.gz", "to.trace", "x.raw.gz", "x.raw.zst"]);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_leaves_nothing() {
    let place = Place::new();
    let head = "100\n2\n2\n1\n";
    for (text, named) in [
        (String::new(), "none of malloc lab's"),
        ("nothing of all that\n".repeat(10), "none of malloc lab's"),
        ("100\n2\nx\n".into(), "line 3 is none of the four numbers"),
        (format!("{head}a 0\n"), "line 5 has no number"),
        (format!("{head}f 0\na 0 1\n"), "line 5 frees block 0"),
        (format!("{head}a 0 1\na 0 1\n"), "line 6 allocates block 0"),
        (format!("{head}x 0 1\n"), "line 5 begins with \"x\""),
        (format!("{head}a 0 1\n"), "line 6 is the end after 1"),
        ("= Start\n@ a + 0x10\n".into(), "line 2 has no number"),
        ("= Start\n@ a > 0x10 0x20\n".into(), "line 2 ends a realloc"),
        ("= Start\nnonsense\n".into(), "line 2 has none of"),
        ("= Start\n= End\n".into(), "no allocation"),
        ("--1-- malloc(x) = 0x10\n".into(), "line 1 has no number"),
        ("--1-- malloc(8)\n".into(), "line 1 has no answer"),
        ("v 10400 3\n+ 8 1\n".into(), "line 2 has no address"),
    ] {
        std::fs::write(place.path().join("from"), &text).unwrap();
        place.run(["import", "from", "to.trace"]).refused(2, &["from", named]);
        assert_eq!(place.left_behind(), ["from"], "{text}");
    }
    place.run(["import", "missing", "to.trace"]).refused(2, &["missing"]);
    let good = sample("sample.rep");
    place.run(["import", good.to_str().unwrap(), "/proc/self/to"]).refused(2, &["/proc/self/to"]);
}
