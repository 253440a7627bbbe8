//! Subjects of other people and subjects that end badly; what a child costs, and what its parent
//! must not cost it.

mod common;

use common::{Ended, Place, example, executable, row_of, title};
use std::path::{Path, PathBuf};
use std::process::Command;
use strata_bench::results::{Mode, Outcome, Row, Threads};
use strata_bench::trace::shipped;

/// The heap's peak in a `replay --json`.
fn peak(ended: &Ended) -> (u64, i64) {
    let memory = ended.row().memory.expect("the memory pass");
    let peak = &memory.checkpoints[memory.peak];
    (peak.resident, peak.kernel)
}

#[test]
fn a_five_line_crate_is_the_whole_command() {
    let (place, example) = (Place::new(), example("my_alloc"));
    let words = "run --alloc myalloc --workload pair-64 --pairs 1 --json";
    let (_, rows) = place.run_of(&example, words.split(' ')).fine().rows();
    let row = row_of(&rows, "myalloc", "pair-64", Threads::Serial);
    assert_eq!((row.mode, &row.outcome), (Mode::Explicit, &Outcome::Ok));
    assert_eq!(row.time.as_ref().unwrap().samples.len(), 1);
    assert_eq!(row.harness_calls, Some(0));
    // One pair says nothing about an interval, and there is no usable size.
    assert_eq!(row.time.as_ref().unwrap().to_system.unwrap().low, None);
    let memory = row.memory.as_ref().unwrap();
    assert!(!memory.internal_exact && memory.checkpoints[0].waterfall.headers.is_none());
    row_of(&rows, "noop", "pair-64", Threads::Serial);

    let listed = place.run_of(&example, ["subjects"]).fine().stdout;
    assert!(listed.lines().any(|line| line.starts_with("myalloc ")), "{listed}");
    let found = place.run_of(&example, ["replay", "pair-64", "--alloc", "myalloc", "--check"]);
    assert!(found.fine().stdout.contains("no violation"));
}

/// Lays an executable beside the one under test that speaks a protocol of long ago.
fn peer_of_old(folder: &Path, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    let answer = "#!/bin/sh\necho '{\"protocol\":1,\"version\":\"0.0.1\",\"mode\":\"explicit\",\
                  \"profile\":\"release\",\"subjects\":[],\"hidden\":[]}'\n";
    let path = folder.join(format!("strata-bench-{name}"));
    std::fs::write(&path, answer).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_peer_of_another_protocol_matters_to_who_asks_for_it_only() {
    let (place, peers) = (Place::new(), tempfile::tempdir().unwrap());
    peer_of_old(peers.path(), "former");
    let run = |words: &str| {
        let mut command = place.command(executable());
        command.env("STRATA_BENCH_PEERS", peers.path()).args(words.split(' '));
        Ended::of(command.output().unwrap())
    };
    run("replay pair-64 --alloc talc --repeat 1 --json").fine();
    run("run --alloc talc --workload pair-64 --pairs 1 --no-memory --json").fine();
    // A trace that is no trace would be told first if the scripts were made before.
    std::fs::write(place.path().join("text"), "text").unwrap();
    for words in ["replay text --alloc former", "map text --alloc former --out map.svg"] {
        run(words).refused(2, &["strata-bench-former", "protocol 1"]);
    }
    run("run --alloc former --workload pair-64").refused(2, &["strata-bench-former", "protocol 1"]);
    run("replay pair-64 --alloc nobody").refused(2, &["nobody", "protocol 1"]);
}

/// Measures a preloaded library on one thread and on several.
fn preloaded(library: &Path, name: &str) {
    let place = Place::new();
    let alloc = format!("lib:{}", library.display());
    let words = "run --no-time --json --workload git-index-pack-2t --alloc";
    let (_, rows) = place.run(words.split(' ').chain([&*alloc])).fine().rows();
    for threads in [Threads::Serial, Threads::Recorded] {
        let row = row_of(&rows, name, "git-index-pack-2t", threads);
        assert_eq!((row.mode, &row.outcome), (Mode::Preload, &Outcome::Ok));
        let file = library.canonicalize().unwrap();
        assert_eq!(row.subject.version, file.file_name().unwrap().to_str().unwrap());
        let system = row_of(&rows, "system", "git-index-pack-2t", threads);
        let peak = |row: &Row| {
            let memory = row.memory.as_ref().unwrap();
            (memory.checkpoints[memory.peak].resident, memory.checkpoints[memory.peak].kernel)
        };
        let (resident, kernel) = peak(row);
        let apart = resident.abs_diff(kernel.unsigned_abs());
        assert!(apart <= (resident / 100).max(64 << 10), "{resident} and {kernel}");
        assert_ne!(resident, peak(system).0, "it is not the C library that was measured");
    }
    place.run(["replay", "sqlite3-oltp", "--check", "--alloc", &alloc]).fine();
}

#[test]
fn tcmalloc_is_a_peer_by_its_path() {
    let library = Path::new("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4");
    if !library.exists() {
        return println!("skipped: {} is not installed", library.display());
    }
    preloaded(library, "lib:libtcmalloc_minimal");
}

#[test]
fn a_shared_library_of_one_s_own_is_a_subject() {
    let folder = tempfile::tempdir().unwrap();
    let library: PathBuf = folder.path().join("libbump.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/bump_malloc.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-O", source, "-o"])
        .arg(&library)
        .status();
    assert!(built.is_ok_and(|status| status.success()), "rustc builds {source}");
    preloaded(&library, "lib:libbump");
}

#[test]
fn a_subject_that_crashes_ends_its_own_row_only() {
    let (place, faulty) = (Place::new(), example("faulty"));
    let words = "run --no-time --json --workload pair-64 \
                 --alloc aborting,rusty_alloc,refusing,trapping,hanging-up";
    let ended = place.run_of(&faulty, words.split_whitespace());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let (_, rows) = ended.rows();
    for (name, expected) in [
        ("aborting", "killed by SIGABRT"),
        ("refusing", "refused an allocation"),
        ("trapping", "killed by SIGSEGV"),
        ("hanging-up", "ended with status 42"),
    ] {
        let row = row_of(&rows, name, "pair-64", Threads::Serial);
        assert!(row.memory.is_none());
        let Outcome::Crashed { how, record } = &row.outcome else { panic!("{row:?}") };
        assert_eq!((how.as_str(), *record), (expected, Some(10_000)), "{name}");
        let line = format!("{name} on pair-64: {expected} at record 10000");
        assert!(ended.stderr.lines().any(|said| said == line), "{line}: {}", ended.stderr);
    }
    assert_eq!(ended.stderr.lines().count(), 5, "{}", ended.stderr);
    assert!(ended.stderr.lines().last().unwrap().starts_with("strata-bench: 4 row"));
    for name in ["system", "noop", "rusty_alloc"] {
        let row = row_of(&rows, name, "pair-64", Threads::Serial);
        assert_eq!(row.outcome, Outcome::Ok);
        assert!(row.memory.is_some(), "{name}");
    }
    // The results of the others are there, and so is the report.
    assert_eq!(place.left_behind(), ["report.html", "results.jsonl"]);
}

#[test]
fn a_subject_that_crashes_under_the_clock_ends_its_own_row_only() {
    let (place, faulty) = (Place::new(), example("faulty"));
    let words = "run --no-memory --pairs 2 --json --workload producer-consumer \
                 --alloc aborting,refusing";
    let ended = place.run_of(&faulty, words.split_whitespace());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let (_, rows) = ended.rows();
    let outcome = |name| &row_of(&rows, name, "producer-consumer", Threads::Recorded).outcome;
    // The clock is not disturbed by noting where a replay is.
    for (name, how) in [("aborting", "killed by SIGABRT"), ("refusing", "refused an allocation")] {
        assert_eq!(*outcome(name), Outcome::Crashed { how: how.into(), record: None });
    }
    assert_eq!(*outcome("system"), Outcome::Ok);
}

#[test]
fn one_replay_of_a_crashing_subject_says_so_in_one_line() {
    let (place, faulty) = (Place::new(), example("faulty"));
    for how in [&["--repeat", "1"][..], &["--check"]] {
        let words = ["replay", "pair-64", "--alloc", "aborting"];
        let ended = place.run_of(&faulty, words.iter().chain(how));
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("aborting on pair-64: killed by SIGABRT"));
        assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    }
    let ended = place.run_of(&faulty, ["map", "pair-64", "--alloc", "aborting", "--at", "end"]);
    ended.refused(3, &["aborting", "SIGABRT", "record 10000"]);
    assert_eq!(place.left_behind(), [""; 0]);
}

#[test]
fn a_large_parent_does_not_show_in_its_children() {
    let (place, ballast) = (Place::new(), example("ballast"));
    let of = |mebibytes: &str| {
        let words = ["replay", "git-index-pack-2t", "--repeat", "1", "--json", "--alloc", "system"];
        let mut command = place.command(&ballast);
        let output = command.args(words).env("BALLAST_MIB", mebibytes).output().unwrap();
        peak(&Ended::of(output).fine())
    };
    let ((small, small_kernel), (large, large_kernel)) = (of("4"), of("400"));
    assert!(small.abs_diff(large) <= 64 << 10, "{small} and {large}");
    assert!(small_kernel.abs_diff(large_kernel) <= 64 << 10, "by the kernel");
}

#[test]
fn no_heap_call_of_the_harness_lies_in_a_window() {
    let place = Place::new();
    let mut words = vec!["run", "--no-memory", "--pairs", "1", "--json"];
    if cfg!(debug_assertions) {
        words.extend(["--workload", "git-index-pack-2t"]);
    }
    let (_, rows) = place.run(words).fine().rows();
    let mut counted = 0;
    for row in rows.iter().filter(|row| row.time.is_some() && !row.a_a) {
        assert_eq!(row.harness_calls, Some(0), "{}", title(row));
        let time = row.time.as_ref().unwrap();
        let threaded = row.workload.threads == Threads::Recorded;
        assert_eq!(time.stall_share.is_some(), threaded, "{}", title(row));
        assert!(!row.latency.is_empty() && row.timer_ns.is_some(), "{}", title(row));
        counted += 1;
    }
    assert!(counted >= 2 * 6, "{counted} timed rows");
}

/// Instructions mean something in a build with optimisations only:
/// `cargo test --release -p strata-bench --test e2e_subjects`
#[test]
fn the_no_op_costs_at_most_twenty_instructions_an_operation() {
    if cfg!(debug_assertions) {
        return println!("skipped: not a build with optimisations (run it with --release)");
    }
    if !cfg!(target_arch = "x86_64") {
        return println!("skipped: the limit is one of x86-64");
    }
    let place = Place::new();
    for trace in shipped() {
        let words = "--alloc noop --touch none --repeat 1 --checkpoints 2 --threads serial \
                     --instructions --json";
        let words = ["replay", trace.name].into_iter().chain(words.split_whitespace());
        let row = place.run(words).fine().row();
        if let Some(why) = row.instructions_missing {
            return println!("skipped: {why}");
        }
        let count = row.instructions.expect("a count or a reason");
        println!("{}: {count:.1}", trace.name);
        assert!(count > 4.0 && count <= 20.0, "{}: {count} instructions", trace.name);
    }
    assert_eq!(place.left_behind(), [""; 0]);
}

#[test]
fn threads_cannot_be_counted_by_callgrind_and_the_row_says_why() {
    let place = Place::new();
    let words = "replay producer-consumer --alloc noop --repeat 1 --instructions --json";
    let row = place.run(words.split(' ')).fine().row();
    assert_eq!(row.instructions, None);
    assert!(row.instructions_missing.unwrap().contains("serial"));
}

/// Quick runs have one memory pass; others compare several, and count instructions where they can.
#[test]
fn repeated_memory_passes_tell_whether_a_subject_is_deterministic() {
    let place = Place::new();
    let words = "run --suite std --no-time --workload pair-64,producer-consumer --json \
                 --alloc powers-of-two";
    let mut command = place.command(executable());
    // Without a PATH there is no valgrind.
    let output = command.args(words.split_whitespace()).env("PATH", "/nowhere").output().unwrap();
    let (_, rows) = Ended::of(output).fine().rows();
    for name in ["system", "powers-of-two"] {
        let row = row_of(&rows, name, "pair-64", Threads::Serial);
        assert_eq!(row.memory.as_ref().unwrap().deterministic, Some(true), "{name}");
        let row = row_of(&rows, name, "producer-consumer", Threads::Recorded);
        assert_eq!(row.memory.as_ref().unwrap().deterministic, None, "{name}");
    }
    let row = row_of(&rows, "system", "pair-64", Threads::Serial);
    assert_eq!(row.instructions, None);
    assert!(row.instructions_missing.as_ref().unwrap().contains("valgrind"));
}
