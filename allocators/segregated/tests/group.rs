//! A process in a control group with a `memory.high`: what it has resident stays below as long as what lives does. Where
//! the system gives no group of the second version, or no right to make one, the test says so and passes.
//!
//! The group's own peak may be a little higher: of a huge page of which a part was given back, the system keeps that part
//! until memory is short. It is printed, and not asserted.
#![cfg(all(feature = "background", target_os = "linux", not(strata_loom)))]

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process, thread};

use strata_segregated::{Background, GiveBack, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

const MIB: usize = 1 << 20;
/// What the group may have: less than the waves take where nobody gives back.
const HIGH: usize = 60 * MIB;
/// What lives at most, and what does after each wave.
const MOST: usize = 48 * MIB;
const LEFT: usize = 8 * MIB;
const WAVES: usize = 6;
/// The program's part: who does the work, in which way, and in which group.
const WAY: &str = "STRATA_GROUP_WAY";

/// Writes to a file that is there.
fn tell(file: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// A group below the topmost one, which goes when this does.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> io::Result<Self> {
        let top = Path::new("/sys/fs/cgroup");
        // Not there where groups are of the first version, and refused where they are another one's.
        tell(&top.join("cgroup.subtree_control"), "+memory")?;
        let path = top.join(format!("strata-{name}-{}", process::id()));
        fs::create_dir(&path)?;
        let group = Self(path);
        tell(&group.0.join("memory.high"), &HIGH.to_string())?;
        Ok(group)
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default().replace('\n', "; ")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group with a process in it stays.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Waves of blocks: each of other sizes, so that none fits what the one before left. The oldest ones go first: what
/// survives of a wave lies together.
fn work(way: GiveBack) {
    ALLOC.set_give_back(way);
    let wish = Background { calm: Duration::from_millis(20), watches_group: true };
    ALLOC.start_background(wish).expect("the first one");
    let (mut blocks, mut live, mut state) = (VecDeque::<Vec<u8>>::new(), 0, 1_usize);
    for wave in 0..WAVES {
        let mut fresh = 0;
        while live < MOST {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let size = (512 << wave) + (state >> 40) % (256 << wave);
            blocks.push_back(black_box(vec![1; size]));
            (live, fresh) = (live + size, fresh + size);
            if fresh >= MIB {
                // A program that does something.
                fresh = 0;
                thread::sleep(Duration::from_millis(4));
            }
        }
        while live > LEFT {
            live -= blocks.pop_front().expect("so much lives").len();
        }
    }
}

/// Bytes that were resident at most.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// One test: a program is in one group.
#[test]
fn memory_stays_below_the_group_s_high() {
    let ways = [("budget", GiveBack::Budget), ("never", GiveBack::Never)];
    if let Ok(wanted) = env::var(WAY) {
        let (_, way) = ways.into_iter().find(|(name, _)| *name == wanted).expect("a way");
        let group = env::var_os("STRATA_GROUP").expect("told with it");
        tell(&Path::new(&group).join("cgroup.procs"), "0").expect("to move there");
        work(way);
        println!("{wanted}: {} KiB resident at most, high {} KiB", peak() >> 10, HIGH >> 10);
        assert!(
            peak() <= HIGH,
            "{wanted}: {} bytes resident, where {HIGH} are the group's high",
            peak()
        );
        return;
    }
    for (name, _) in ways {
        let group = match Group::new(name) {
            Ok(group) => group,
            Err(error) => return println!("skipped: no control group to be had: {error}"),
        };
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--nocapture", "memory_stays"])
            .env(WAY, name)
            .env("STRATA_GROUP", &group.0)
            .status();
        assert!(child.expect("this program").success(), "{name}");
        println!(
            "its group's peak {}events {}",
            group.file("memory.peak"),
            group.file("memory.events")
        );
    }
}
