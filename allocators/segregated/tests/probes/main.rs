//! What is done wrong with memory, and what becomes of it with the measures that this is built with: each
//! probe runs in a child process, by both faces, and is **stopped** (the process ends) or **neutralised** (what
//! is read is poison or zero, what is written serves nobody).
//!
//! The probes are those that mimalloc-bench's security set describes. `--nocapture` prints the table. With
//! `STRATA_PROBED` naming libraries, separated by colons, they run on those, too: see `ci/probes`.
#![cfg(all(feature = "measures", target_os = "linux", not(strata_loom)))]

mod faces;
mod old_kernel;
mod table;

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use faces::Face;
use table::{LARGE, PROBES};

const CHILD: &str = "STRATA_CHILD";
/// What a child prints at its end.
const NEUTRALISED: &str = "probe: neutralised";
const WENT_WRONG: &str = "probe: went wrong";
const NO_SUCH_FREE: &str = "probe: no such free";

/// What becomes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stopped,
    Neutralised,
    WentWrong,
    /// The face does not free by size.
    NoSuchFree,
}

use End::*;

/// Where a child runs.
#[derive(Clone, Copy)]
enum Place<'a> {
    Here,
    /// Where the kernel has no guards in page tables.
    OldKernel,
    /// With a library loaded that has C's family.
    Library(&'a str),
}

/// Runs a probe in a child; what became of it, and what it said.
fn in_child(face: Face, number: usize, place: Place<'_>) -> (End, String) {
    // Not every library ends.
    let mut command = Command::new("timeout");
    command.arg("60").arg(env::current_exe().expect("a path"));
    command
        .args(["probes_are_stopped_or_neutralised", "--exact", "--test-threads=1", "--nocapture"])
        .env(CHILD, format!("{} {number}", face as u8));
    match place {
        Place::Here => {}
        Place::OldKernel => _ = command.env(old_kernel::WISH, "1"),
        Place::Library(path) => _ = command.env("LD_PRELOAD", path),
    }
    let out = command.output().expect("a child");
    let said = String::from_utf8_lossy(&out.stderr);
    let is_ours = |line: &&str| line.starts_with("strata: ") || face == Face::C;
    let message = said.lines().find(is_ours).unwrap_or("");
    let printed = String::from_utf8_lossy(&out.stdout);
    // `timeout` ends as its child did, by the same signal where there was one.
    let signal = out.status.signal().or(out.status.code().map(|code| code - 128));
    let end = match signal {
        // An abort says why.
        Some(6) if !message.is_empty() || face == Face::C => Stopped,
        Some(11) => Stopped,
        Some(4 | 5 | 7) if face == Face::C => Stopped,
        _ if printed.contains(NEUTRALISED) => Neutralised,
        _ if printed.contains(NO_SUCH_FREE) => NoSuchFree,
        _ if printed.contains(WENT_WRONG) || face == Face::C => WentWrong,
        _ => panic!("{:?}: {said}{printed}", PROBES[number].0),
    };
    let message = if end == Stopped && message.is_empty() { "a fault" } else { message };
    (end, message.into())
}

/// The child's part.
fn probe(asked: &str) {
    let (face, number) = asked.split_once(' ').expect("two numbers");
    let face = match face {
        "0" => Face::ByLayout,
        "1" => Face::ByAddress,
        _ => Face::C,
    };
    let number: usize = number.parse().expect("a number");
    old_kernel::be_if_wished();
    // Neighbours keep spans and regions as they are.
    let _others = (face.allocate(48), face.allocate(LARGE), face.allocate(200));
    let said = match (PROBES[number].1)(face) {
        Neutralised => NEUTRALISED,
        NoSuchFree => NO_SUCH_FREE,
        _ => WENT_WRONG,
    };
    println!("\n{said}");
}

/// Asserts what is promised of each probe.
fn all_in(place: Place<'_>) {
    for (number, (name, _, (promised, wanted))) in PROBES.iter().enumerate() {
        for face in [Face::ByLayout, Face::ByAddress] {
            let (end, message) = in_child(face, number, place);
            println!("{name:40} {face:?}: {end:?} {message}");
            let kept = end == *wanted || end == Stopped;
            assert!(kept || !promised, "{name}, {face:?}: {end:?} {message}");
        }
    }
}

#[test]
fn probes_are_stopped_or_neutralised() {
    match env::var(CHILD) {
        Ok(asked) => probe(&asked),
        Err(_) => all_in(Place::Here),
    }
}

#[test]
fn probes_are_stopped_or_neutralised_where_guards_are_mappings() {
    if old_kernel::can_be() {
        all_in(Place::OldKernel);
    } else {
        println!("no filters of system calls here");
    }
}

/// Asserts nothing: a table to be read.
#[test]
fn probes_of_other_libraries_are_told() {
    let Ok(paths) = env::var("STRATA_PROBED") else { return };
    let paths: Vec<_> = paths.split(':').collect();
    println!("| probe | {} |", paths.join(" | "));
    println!("|---|{}", "---|".repeat(paths.len()));
    for (number, (name, ..)) in PROBES.iter().enumerate() {
        let cells = paths.iter().map(|path| {
            let (end, message) = in_child(Face::C, number, Place::Library(path));
            let word = match end {
                Stopped => "stopped",
                Neutralised => "neutralised",
                WentWrong => "not seen",
                NoSuchFree => "no such free",
            };
            if message.is_empty() { word.into() } else { format!("{word}: {message}") }
        });
        println!("| {name} | {} |", cells.collect::<Vec<String>>().join(" | "));
    }
}

/// The order in which a fresh span's blocks come is not that of their addresses. With `checked` there are no
/// stocks to draw from.
#[cfg(all(feature = "random-order", not(feature = "checked")))]
#[test]
fn the_order_of_blocks_is_drawn() {
    let blocks: Vec<_> = (0..64).map(|_| Face::ByLayout.allocate(1000).addr()).collect();
    let ups = blocks.windows(2).filter(|pair| pair[1] > pair[0]).count();
    assert!((8..=55).contains(&ups), "{ups} of 63 steps go up: {blocks:x?}");
}

/// The last page of a region that blocks of the heap lie in can be neither read nor written.
#[cfg(all(feature = "guard-pages", not(feature = "composed")))]
#[test]
fn regions_end_with_a_page_that_nobody_may_touch() {
    const REGION: usize = 2 << 20;
    let mut blocks: Vec<_> = (0..1000).map(|_| Face::ByLayout.allocate(8192).addr()).collect();
    blocks.sort_unstable();
    let fence = blocks[blocks.len() / 2].next_multiple_of(REGION) - 4096;
    assert!(*blocks.last().expect("some") > fence && blocks[0] < fence);
    let maps = std::fs::read_to_string("/proc/self/maps").expect("a list of mappings");
    let parts = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some((number(from)?..number(to)?, rest.starts_with("---p")))
    });
    let at_fence = parts.filter(|(range, _)| range.contains(&fence)).map(|(_, none)| none);
    assert_eq!(at_fence.collect::<Vec<_>>(), [true], "{fence:#x} in {maps}");
}
