//! What is done wrong with memory, and what becomes of it with the measures that this is built with: each
//! probe runs in a child process, by both faces, and is **stopped** (the process ends) or **neutralised** (what
//! is read is poison or zero, what is written serves nobody).
//!
//! The probes are those that mimalloc-bench's security set describes. `--nocapture` prints the table.
#![cfg(all(feature = "measures", target_os = "linux", not(strata_loom)))]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use strata_segregated::SegregatedAlloc;
use strata_segregated::by_address::{ByAddress, Words};

thread_local! {
    static WORDS: Words = const { Words::new() };
}

const CHILD: &str = "STRATA_CHILD";
/// What a child prints at its end.
const NEUTRALISED: &str = "probe: neutralised";
const WENT_WRONG: &str = "probe: went wrong";

/// What becomes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stopped,
    Neutralised,
    WentWrong,
}

use End::*;

/// The two faces of the process heap.
#[derive(Clone, Copy, Debug)]
enum Face {
    ByLayout,
    ByAddress,
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

impl Face {
    fn with<R>(work: impl FnOnce(ByAddress<'_>) -> R) -> R {
        // SAFETY: 1. a thread-local without a destructor. 2. this is the program itself.
        WORDS.with(|words| work(unsafe { ByAddress::of(words) }))
    }

    fn allocate(self, size: usize) -> *mut u8 {
        let block = match self {
            // SAFETY: not of no bytes.
            Self::ByLayout => unsafe { SegregatedAlloc.alloc(layout(size)) },
            Self::ByAddress => Self::with(|heap| heap.allocate(size)),
        };
        black_box(block)
    }

    fn free(self, block: *mut u8, size: usize) {
        let block = black_box(block);
        // SAFETY: none, on purpose, in a child that ends.
        unsafe {
            match self {
                Self::ByLayout => SegregatedAlloc.dealloc(block, layout(size)),
                Self::ByAddress => Self::with(|heap| heap.free(block)),
            }
        }
    }

    fn free_sized(self, block: *mut u8, size: usize) {
        match self {
            Self::ByLayout => self.free(block, size),
            // SAFETY: as in `free`.
            Self::ByAddress => Self::with(|heap| unsafe { heap.free_sized(block, size) }),
        }
    }

    /// What is seen late is seen now.
    fn flush(self) {
        match self {
            Self::ByLayout => SegregatedAlloc.flush_thread_cache(),
            Self::ByAddress => {
                Self::with(|heap| heap.purge());
            }
        }
    }
}

/// Writes a byte that is another one than before.
fn damage(at: *mut u8) {
    // SAFETY: none, on purpose, in a child that ends.
    unsafe { at.write_volatile(at.read_volatile() ^ 0x5A) };
}

const SECRET: u8 = 0x77;

fn fill(block: *mut u8, size: usize) {
    // SAFETY: a live block of so many bytes.
    unsafe { block.write_bytes(SECRET, size) };
}

/// Whether a byte of the secret can be read.
fn shows(block: *mut u8, size: usize) -> bool {
    // SAFETY: none, on purpose, in a child that ends.
    (0..size).any(|at| unsafe { block.add(at).read_volatile() } == SECRET)
}

fn neutral(is_neutral: bool) -> End {
    if is_neutral { Neutralised } else { WentWrong }
}

fn overflow(face: Face, size: usize, bytes: usize) -> End {
    let block = face.allocate(size);
    fill(block, size);
    (0..bytes).for_each(|at| damage(block.wrapping_add(size + at)));
    face.free(block, size);
    WentWrong
}

fn double(face: Face, size: usize, between: bool) -> End {
    let (block, other) = (face.allocate(size), face.allocate(size));
    face.free(block, size);
    if between {
        face.free(other, size);
    }
    face.free(block, size);
    face.flush();
    WentWrong
}

fn read_after_free(face: Face, size: usize) -> End {
    let block = face.allocate(size);
    fill(block, size);
    face.free(block, size);
    neutral(!shows(block, size))
}

fn write_after_free(face: Face, size: usize) -> End {
    let block = face.allocate(size);
    face.free(block, size);
    damage(block.wrapping_add(size / 2));
    face.flush();
    WentWrong
}

fn reuse(face: Face, size: usize) -> End {
    for _ in 0..2000 {
        let block = face.allocate(size);
        fill(block, size);
        face.free(block, size);
    }
    let blocks: Vec<_> = (0..64).map(|_| face.allocate(size)).collect();
    neutral(!blocks.iter().any(|block| shows(*block, size)))
}

fn sampled(face: Face) -> End {
    for _ in 0..200_000 {
        let block = face.allocate(64);
        damage(block.wrapping_add(64));
    }
    WentWrong
}

type Probe = fn(Face) -> End;
/// What is promised: by which measures, and what.
type Promise = (bool, End);

const CANARIES: bool = cfg!(feature = "canaries");
const QUARANTINE: bool = cfg!(feature = "quarantine");
const ZERO: bool = cfg!(feature = "zero-on-free");
const GUARDS: bool = cfg!(feature = "guard-pages");
const LARGE: usize = 100 << 10;
/// A block that ends where its pages do, whether there is a word behind it or not.
const FULL: usize = (64 << 10) - if CANARIES { 8 } else { 0 };

const PROBES: [(&str, Probe, Promise); 25] = [
    // What is wrong of these is seen without any measure, but late.
    ("double free", |face| double(face, 48, false), (true, Stopped)),
    ("double free, another between", |face| double(face, 48, true), (true, Stopped)),
    ("double free, large", |face| double(face, LARGE, false), (true, Stopped)),
    ("double free, huge", |face| double(face, 3 << 20, true), (true, Stopped)),
    ("overflow by one", |face| overflow(face, 41, 1), (CANARIES, Stopped)),
    ("overflow by one, no slack", |face| overflow(face, 40, 1), (CANARIES, Stopped)),
    ("overflow by eight", |face| overflow(face, 40, 8), (CANARIES, Stopped)),
    ("overflow by one, large", |face| overflow(face, LARGE, 1), (CANARIES, Stopped)),
    ("overflow by eight, large", |face| overflow(face, LARGE, 8), (CANARIES, Stopped)),
    ("overflow by a page", |face| overflow(face, FULL, 4096), (CANARIES || GUARDS, Stopped)),
    ("read after free", |face| read_after_free(face, 100), (QUARANTINE || ZERO, Neutralised)),
    (
        "read after free, large",
        |face| read_after_free(face, LARGE),
        (QUARANTINE || ZERO, Neutralised),
    ),
    ("read after free, zeroed", |face| read_after_free(face, 3 << 20), (QUARANTINE, Stopped)),
    ("write after free", |face| write_after_free(face, 100), (QUARANTINE, Stopped)),
    ("write after free, large", |face| write_after_free(face, LARGE), (QUARANTINE, Stopped)),
    ("uninitialised reuse", |face| reuse(face, 100), (QUARANTINE || ZERO, Neutralised)),
    ("uninitialised reuse, large", |face| reuse(face, 40 << 10), (ZERO, Neutralised)),
    (
        "foreign free",
        |face| {
            let mut foreign = [SECRET; 256];
            let middle = foreign.as_mut_ptr().wrapping_add(64);
            face.free(middle.wrapping_sub(middle.addr() % 16), 48);
            face.flush();
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "interior free",
        |face| {
            face.free(face.allocate(96).wrapping_add(16), 96);
            face.flush();
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "interior free, large",
        |face| {
            face.free(face.allocate(LARGE).wrapping_add(4096), LARGE);
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "wrong size",
        |face| {
            face.free_sized(face.allocate(48), 200);
            face.flush();
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "wrong size of the same class",
        |face| {
            face.free_sized(face.allocate(48), 47);
            WentWrong
        },
        (CANARIES, Stopped),
    ),
    (
        "wrong size, large",
        |face| {
            face.free_sized(face.allocate(LARGE), 2 * LARGE);
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "size overflow",
        |face| {
            let sizes = [isize::MAX as usize - 7, isize::MAX as usize - 4096, usize::MAX / 2 - 64];
            neutral(sizes.iter().all(|size| face.allocate(*size).is_null()))
        },
        (true, Neutralised),
    ),
    (
        "overflow by one, one block in thousands",
        sampled,
        (cfg!(feature = "sampled-guards"), Stopped),
    ),
];

/// Runs a probe in a child; what became of it, and what it said.
fn in_child(face: Face, number: usize) -> (End, String) {
    let out = Command::new(env::current_exe().expect("a path"))
        .args(["probes_are_stopped_or_neutralised", "--exact", "--test-threads=1", "--nocapture"])
        .env(CHILD, format!("{} {number}", face as u8))
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&out.stderr);
    let message = said.lines().find(|line| line.starts_with("strata: ")).unwrap_or("");
    let printed = String::from_utf8_lossy(&out.stdout);
    let end = match out.status.signal() {
        // An abort says why.
        Some(6) if !message.is_empty() => Stopped,
        Some(11) => Stopped,
        _ if printed.contains(NEUTRALISED) => Neutralised,
        _ if printed.contains(WENT_WRONG) => WentWrong,
        _ => panic!("{:?}: {said}{printed}", PROBES[number].0),
    };
    let message = if end == Stopped && message.is_empty() { "a fault" } else { message };
    (end, message.into())
}

#[test]
fn probes_are_stopped_or_neutralised() {
    if let Ok(asked) = env::var(CHILD) {
        let (face, number) = asked.split_once(' ').expect("two numbers");
        let face = if face == "0" { Face::ByLayout } else { Face::ByAddress };
        let number: usize = number.parse().expect("a number");
        // Neighbours keep spans and regions as they are.
        let _others = (face.allocate(48), face.allocate(LARGE), face.allocate(200));
        let end = (PROBES[number].1)(face);
        println!("\n{}", if end == Neutralised { NEUTRALISED } else { WENT_WRONG });
        return;
    }
    for (number, (name, _, (promised, wanted))) in PROBES.iter().enumerate() {
        for face in [Face::ByLayout, Face::ByAddress] {
            let (end, message) = in_child(face, number);
            println!("{name:40} {face:?}: {end:?} {message}");
            let kept = end == *wanted || end == Stopped;
            assert!(kept || !promised, "{name}, {face:?}: {end:?} {message}");
        }
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
