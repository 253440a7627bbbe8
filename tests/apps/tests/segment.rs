//! Every program, on segments with a shard for each thread: it computes what it computes on the allocator
//! of the executables, which is System unless a feature says otherwise.

use std::process::Command;
use std::thread;

use strata_apps::Scale;
use strata_apps::apps::ALL;
use strata_segment::SegmentAlloc;

/// This process runs on it: the programs, and what runs them.
#[global_allocator]
static ALLOC: SegmentAlloc = SegmentAlloc::new();

const SCALE: &str = "0.02";

/// The executables, in the order of [`ALL`].
const EXECUTABLES: [&str; 9] = [
    env!("CARGO_BIN_EXE_frames"),
    env!("CARGO_BIN_EXE_kv-service"),
    env!("CARGO_BIN_EXE_log-pipeline"),
    env!("CARGO_BIN_EXE_routes"),
    env!("CARGO_BIN_EXE_script"),
    env!("CARGO_BIN_EXE_search"),
    env!("CARGO_BIN_EXE_syntax"),
    env!("CARGO_BIN_EXE_tiles"),
    env!("CARGO_BIN_EXE_wiki-threads"),
];

fn small() -> Scale {
    Scale::new(SCALE.parse().expect("it is a number")).expect("it is in range")
}

/// The last line of an executable's output, after what says which allocator it ran on.
fn printed_by(executable: &str) -> String {
    let output = Command::new(executable).args(["--scale", SCALE]).output().expect("it starts");
    assert!(output.status.success(), "{executable}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let line = text.lines().last().expect("it prints a line");
    line.split_once(": ").expect("a name and a checksum").1.to_owned()
}

/// All bookkeeping agrees.
fn segments_are_sound(after: &str) {
    ALLOC.face().validate().unwrap_or_else(|broken| panic!("after {after}: {broken}"));
}

#[test]
fn programs_compute_what_they_compute_on_system() {
    assert_eq!(EXECUTABLES.len(), ALL.len());
    for ((name, app), executable) in ALL.iter().zip(EXECUTABLES) {
        let here = format!("checksum {:016x}", app(small()));
        assert_eq!(here, printed_by(executable), "{name}");
        segments_are_sound(name);
    }
}

/// Several at once, each on a thread that ends: blocks are freed in shards of other threads.
#[test]
fn programs_side_by_side_compute_the_same() {
    let alone: Vec<u64> = ALL.iter().map(|(_, app)| app(small())).collect();
    let beside: Vec<u64> = thread::scope(|scope| {
        let running: Vec<_> =
            ALL.iter().map(|(_, app)| scope.spawn(move || app(small()))).collect();
        running.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    assert_eq!(alone, beside);
    segments_are_sound("all of them");
    ALLOC.face().trim();
    segments_are_sound("a trim");
}
