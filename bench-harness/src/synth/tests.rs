//! Made traces against the profile that they are made of.

use super::{Law, SynthOptions, synth};
use crate::trace::{LiveSet, Op, Reader};
use std::collections::HashMap;

const PROFILE: &str =
    "size, rate, live\n16, 600, 3000\n64, 300, 3000 # the usual\n\n4096, 100, 250\n";

fn options(folder: &std::path::Path) -> SynthOptions {
    let profile = folder.join("profile.csv");
    std::fs::write(&profile, PROFILE).unwrap();
    SynthOptions {
        profile,
        out: folder.join("made.trace"),
        heap: 4 << 20,
        operations: 200_000,
        threads: 1,
        cross: 0.0,
        law: Law::Memoryless,
        seed: 1,
    }
}

#[test]
fn rates_live_bytes_and_lifetimes_are_the_profiles() {
    let folder = tempfile::tempdir().unwrap();
    for law in [Law::Memoryless, Law::Fixed] {
        let options = SynthOptions { law, ..options(folder.path()) };
        let made = synth(&options).unwrap();
        assert_eq!(made.left_out, 0);
        let mut live = LiveSet::new();
        let (mut asked, mut operations) = (HashMap::new(), 0);
        // Σ bytes · live = 16 · 3000 + 64 · 3000 + 4096 · 250: 20,000 blocks and more for 4 MiB.
        let first = 20_733;
        let mut sums = Vec::new();
        for event in Reader::open(&options.out).unwrap() {
            let event = event.unwrap();
            live.apply(&event).unwrap();
            operations += 1;
            if let Op::Allocate { size, .. } = event.op
                && operations > first
            {
                *asked.entry(size).or_insert(0.0) += 1.0;
            }
            if operations > first {
                sums.push(live.bytes() as f64);
            }
        }
        assert_eq!(operations, options.operations);
        let all: f64 = asked.values().sum();
        for (size, share) in [(16, 0.6), (64, 0.3), (4096, 0.1)] {
            let found = asked[&size] / all;
            assert!((found - share).abs() < 0.01, "{law:?}: {size} B: {found}");
        }
        let mean = sums.iter().sum::<f64>() / sums.len() as f64 / options.heap as f64;
        assert!((0.93..1.07).contains(&mean), "{law:?}: {mean}");
    }
}

#[test]
fn the_share_of_frees_by_others_is_what_was_asked_for_and_seeds_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SynthOptions { threads: 4, cross: 0.3, law: Law::Mixed, ..options(folder.path()) };
    synth(&options).unwrap();
    let (mut live, mut frees, mut remote) = (LiveSet::new(), 0.0, 0.0);
    for event in Reader::open(&options.out).unwrap() {
        let event = event.unwrap();
        live.apply(&event).unwrap();
        if let Op::Free { block } = event.op {
            frees += 1.0;
            remote += f64::from(u8::from(block.thread != event.thread));
        }
    }
    assert_eq!(live.totals().threads, 4);
    let share: f64 = remote / frees;
    assert!((share - 0.3).abs() < 0.01, "{share}");
    let first = std::fs::read(&options.out).unwrap();
    synth(&options).unwrap();
    assert!(first == std::fs::read(&options.out).unwrap(), "the same options, the same trace");
    synth(&SynthOptions { seed: 2, ..options.clone() }).unwrap();
    assert!(first != std::fs::read(&options.out).unwrap());
}

#[test]
fn what_no_heap_of_that_size_has_is_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = SynthOptions { heap: 16 << 10, operations: 5000, ..options(folder.path()) };
    let made = synth(&options).unwrap();
    // 4096 B are more than an eighth of 16 KiB, and 1,024,000 of 1,264,000 live bytes.
    assert_eq!(made.left_out, 1);
    assert!((made.left_out_share - 0.81).abs() < 0.01, "{made:?}");
    assert!(made.summary.totals.peak_bytes < 40 << 10);
}

#[test]
fn a_line_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    for (text, told) in [
        ("16, 1, 1\n32, 2\n", "line 2: 2 values"),
        ("16, 1, 1\n0, 2, 3\n", "line 2: 0 is no size"),
        ("16, 1, -1\n", "line 1: \"-1\""),
        ("16, many, 1\n", "line 1: \"many\""),
        ("size, rate, live\nagain, 1, 2\n", "line 2: \"again\""),
        ("16, 0, 0\n", "no size that is asked for"),
        ("", "no size that is asked for"),
        ("65536, 1, 1\n", "give a larger one"),
    ] {
        std::fs::write(&options.profile, text).unwrap();
        let options = SynthOptions { heap: 64 << 10, ..options.clone() };
        let said = synth(&options).unwrap_err().to_string();
        assert!(said.contains(told), "{text:?}: {said}");
        assert!(!options.out.exists());
    }
}
