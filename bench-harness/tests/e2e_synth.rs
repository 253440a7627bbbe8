//! `strata-bench synth` and the further loads through the real command.

mod common;

use common::{Place, executable};
use std::path::Path;
use strata_bench::trace::{Reader, info};

const PROFILE: &str = "bytes,rate,live\n16,600,3000\n64,300,3000\n4096,100,250\n";

/// A place with the profile in it.
fn place() -> Place {
    let place = Place::new();
    std::fs::write(place.path().join("profile.csv"), PROFILE).unwrap();
    place
}

#[test]
fn a_profile_becomes_a_trace_that_every_command_takes() {
    let place = place();
    let words = "synth profile.csv made.trace.xz --heap 1 --operations 40000 --threads 3 --cross 0.2 \
                 --lifetimes mixed --seed 7";
    let ended = place.run(words.split_whitespace()).fine();
    assert!(ended.stdout.starts_with("wrote made.trace.xz: 40008 events in "), "{}", ended.stdout);
    let found = info(Reader::open(&place.path().join("made.trace.xz")).unwrap()).unwrap();
    assert_eq!((found.counts.events, found.threads), (40_008, 3));
    let told = place.run(["info", "made.trace.xz"]).fine().stdout;
    for word in ["synth profile.csv", "lifetimes", "mixed", "0.2"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    for threads in ["serial", "recorded"] {
        let words = "replay made.trace.xz --alloc system --check --threads";
        let ended = place.run(words.split(' ').chain([threads])).fine();
        assert!(ended.stdout.contains("no violation"), "{}", ended.stdout);
    }
    assert_eq!(place.left_behind(), ["made.trace.xz", "profile.csv"]);
}

#[test]
fn unusable_words_and_profiles_are_refused_in_a_line_and_leave_nothing() {
    let place = place();
    std::fs::write(place.path().join("bad.csv"), "16,1,1\n32,x,1\n").unwrap();
    std::fs::write(place.path().join("bytes.csv"), [0xFF, 0xFE, 0x00]).unwrap();
    for (words, named) in [
        ("synth nowhere.csv made.trace", "nowhere.csv"),
        ("synth bad.csv made.trace", "bad.csv, line 2: \"x\""),
        ("synth bytes.csv made.trace", "bytes.csv"),
        ("synth profile.csv made.trace --heap 0", "--heap"),
        ("synth profile.csv made.trace --cross 1.5 --threads 2", "1.5"),
        ("synth profile.csv made.trace --cross 0.5", "--threads"),
        ("synth profile.csv made.trace --operations 1", "--operations"),
        ("synth profile.csv made.trace --lifetimes eternal", "eternal"),
        ("synth profile.csv no/such/made.trace", "made.trace"),
    ] {
        place.run(words.split(' ')).refused(2, &[named]);
    }
    assert_eq!(place.left_behind(), ["bad.csv", "bytes.csv", "profile.csv"]);
}

/// The most that a command had resident, in bytes, while it ran.
fn peak(place: &Place, words: &str) -> u64 {
    let mut child = place.command(executable()).args(words.split(' ')).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(Path::new(&status)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    most
}

#[test]
fn a_trace_ten_times_as_long_takes_as_much_memory_to_make_and_to_replay() {
    let place = place();
    let most = |operations: u32| {
        let words = format!("synth profile.csv made.trace --heap 1 --operations {operations}");
        let made = peak(&place, &words);
        (made, peak(&place, "replay made.trace --alloc noop --repeat 1 --checkpoints 2"))
    };
    let (short, long) = (most(150_000), most(1_500_000));
    // The longer one would be 90 MB of events.
    let more = |(short, long): (u64, u64)| long.saturating_sub(short);
    assert!(more((short.0, long.0)) < 8 << 20, "{short:?} {long:?}");
    assert!(more((short.1, long.1)) < 8 << 20, "{short:?} {long:?}");
}

#[test]
fn every_further_load_is_listed_and_checks() {
    let place = Place::new();
    let listed = place.run(["workloads"]).fine().stdout;
    for load in strata_bench::script::synthetic::Load::MORE {
        assert!(listed.contains(load.name()) && listed.contains(load.explain()), "{}", load.name());
    }
    for load in ["ladder", "mleak"] {
        let words = ["replay", load, "--alloc", "system", "--check"];
        assert!(place.run(words).fine().stdout.contains("no violation"));
    }
    let words = "run --workload survivor,sh8 --alloc system --no-time --json";
    let (_, rows) = place.run(words.split(' ')).fine().rows();
    assert!(rows.iter().any(|row| row.workload.name == "survivor" && row.memory.is_some()));
}
