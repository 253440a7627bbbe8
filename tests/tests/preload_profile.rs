//! Profiles of a program that knows nothing of them: `libstrata.so`, told by the environment.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Output};

use strata_tests::preload::profiled_library;

/// Set in the program that is looked at, which is this test's executable too.
const CHILD: &str = "STRATA_PROFILED_CHILD";
const NAME: &str = "a_program_is_profiled_by_its_environment";

/// Bytes that the program leaks, in pieces of some hundred.
const LEAKED: usize = 8 << 20;

#[inline(never)]
fn leak() {
    for _ in 0..LEAKED / 256 {
        black_box(vec![1_u8; 256].leak());
    }
}

#[inline(never)]
fn churn(rounds: usize) {
    for round in 0..rounds {
        black_box(vec![0_u8; round % 3000 + 1]);
    }
}

/// The program: it leaks, is sent a signal, goes on, and forks.
fn child() -> ! {
    leak();
    // SAFETY: a signal to this thread; whoever started this has a handler for it, or said that it is ignored.
    unsafe { libc::raise(libc::SIGUSR2) };
    churn(20_000);
    // SAFETY: the child does what the C library allows there, and ends.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        churn(1000);
        std::process::exit(0);
    }
    let mut status = 1;
    // SAFETY: a child of this process, and a place for its status.
    unsafe { libc::waitpid(forked, &mut status, 0) };
    std::process::exit(status)
}

fn run(variables: &[(&str, &OsStr)]) -> Output {
    Command::new(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env("LD_PRELOAD", profiled_library(env!("CARGO_TARGET_TMPDIR")))
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// The names and contents of the files in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_program_is_profiled_by_its_environment() {
    if env::var_os(CHILD).is_some() {
        child();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heap");
    let out = run(&[
        ("STRATA_PROFILE", path.as_os_str()),
        ("STRATA_PROFILE_RATE", OsStr::new("65536")),
        ("STRATA_PROFILE_SIGNAL", OsStr::new("usr2")),
    ]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "{}: {said}", out.status);

    let files = files(folder.path());
    let packed = files.iter().filter(|(name, _)| name.ends_with(".pb.gz"));
    let packed: Vec<_> = packed.collect();
    // After the signal, at the end, and at the end of the child, which knows what was written before.
    assert_eq!(packed.len(), 3, "{:?}", files.keys());
    assert!(packed.iter().all(|(_, bytes)| bytes.starts_with(&[0x1F, 0x8B, 8])));
    assert_eq!(packed.iter().filter(|(name, _)| name.ends_with(".1.pb.gz")).count(), 2);
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".folded")) {
        let text = String::from_utf8(text.clone()).unwrap();
        let live = text.lines().map(|line| line.rsplit_once(' ').unwrap());
        let live: usize = live.map(|(_, bytes)| bytes.parse::<usize>().unwrap()).sum();
        // 128 samples: five deviations are 44 %.
        assert!((LEAKED / 2..2 * LEAKED).contains(&live), "{name}: {live} of {LEAKED}");
        assert!(text.contains("preload_profile-"), "{name} names the program");
    }
}

#[test]
fn what_is_wrong_is_said_and_the_program_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("not there").join("heap");
    for (rate, signal, lines) in [("65536", "usr2", 2), ("64k", "usr2", 3), ("0", "kill me", 4)] {
        let out = run(&[
            ("STRATA_PROFILE", nowhere.as_os_str()),
            ("STRATA_PROFILE_RATE", OsStr::new(rate)),
            ("STRATA_PROFILE_SIGNAL", OsStr::new(signal)),
        ]);
        let said = String::from_utf8_lossy(&out.stderr);
        if signal == "usr2" {
            assert!(out.status.success(), "{}: {said}", out.status);
            assert!(
                said.contains("a profile could not be written") && said.contains("not there"),
                "{said}"
            );
            assert!(said.lines().count() >= lines, "{said}");
        } else {
            // Nobody catches the program's own signal, which ends it.
            assert!(said.contains("STRATA_PROFILE_SIGNAL: "), "{said}");
        }
        assert_eq!(said.contains("STRATA_PROFILE_RATE: "), rate != "65536", "{said}");
    }
    assert!(files(folder.path()).is_empty());
    let out =
        run(&[("STRATA_PROFILE", OsStr::new("")), ("STRATA_PROFILE_SIGNAL", OsStr::new("usr2"))]);
    assert!(!out.status.success(), "without a profile the signal ends the program");
    assert!(out.stderr.is_empty());
}
