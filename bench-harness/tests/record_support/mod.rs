//! Programs to record, and a process that records them: this executable again, in another role.
//!
//! A role is a `#[test] #[ignore]` function, run in a process of its own by its name; what it is to
//! do comes in variables. Recording needs such a process because it waits for all its children.
#![allow(dead_code, reason = "each test executable uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use strata_bench::record::Options;
use strata_bench::trace::{Event, Op, Reader};

const OUTPUT: &str = "STRATA_TEST_OUTPUT";
const COMMAND: &str = "STRATA_TEST_COMMAND";
const ALL: &str = "STRATA_TEST_ALL";
pub(crate) const PROGRAM: &str = "STRATA_TEST_PROGRAM";

/// The words that run a role of this executable.
pub(crate) fn role(name: &str) -> Vec<String> {
    let own = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    [&own, name, "--exact", "--ignored", "--nocapture", "--test-threads=1", "--quiet"]
        .map(String::from)
        .to_vec()
}

/// The body of the recording role: says what it recorded, a line a fact.
pub(crate) fn drive() {
    let Some(output) = std::env::var_os(OUTPUT) else { return };
    let command = std::env::var(COMMAND).unwrap();
    let options = Options {
        output: PathBuf::from(output),
        command: command.split('\x1f').map(Into::into).collect(),
        all: std::env::var_os(ALL).is_some(),
        keep_raw: false,
    };
    match strata_bench::record::record(&options) {
        Ok(recording) => {
            println!("\nstatus {:?}", recording.status.map(|status| status.to_string()));
            println!("left out {}", recording.left_out);
            for trace in recording.traces {
                println!("trace {}", trace.path.display());
                println!("threads {} pid {}", trace.threads, trace.pid);
                trace.notes.iter().for_each(|note| println!("note {note}"));
            }
        }
        Err(failure) => println!("\nfailure {:?} {failure}", failure.kind),
    }
}

/// What a recording left.
pub(crate) struct Recorded {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) said: String,
    /// The events of each trace, the command's own first.
    pub(crate) traces: Vec<Vec<Event>>,
}

impl Recorded {
    /// The facts of one kind.
    pub(crate) fn facts(&self, kind: &str) -> Vec<&str> {
        self.said.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
    }

    pub(crate) fn failure(&self) -> &str {
        assert!(self.traces.is_empty(), "{}", self.said);
        let files = std::fs::read_dir(self.folder.path()).unwrap().count();
        assert_eq!(files, 0, "something was left behind: {}", self.said);
        self.facts("failure").first().unwrap_or_else(|| panic!("no failure in: {}", self.said))
    }
}

/// Records a command in a process of its own.
pub(crate) fn record_command(command: &[String], program: &str, all: bool) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let said = drive_with(&folder.path().join("t.trace"), command, program, all);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut recorded = Recorded { folder, said, traces: Vec::new() };
    recorded.traces = recorded.facts("trace").iter().map(|path| events(Path::new(path))).collect();
    recorded
}

pub(crate) fn drive_with(output: &Path, command: &[String], program: &str, all: bool) -> Output {
    let words = role("driver");
    let mut driver = Command::new(&words[0]);
    driver.args(&words[1..]).env(OUTPUT, output).env(COMMAND, command.join("\x1f"));
    driver.env(PROGRAM, program);
    if all {
        driver.env(ALL, "1");
    }
    driver.output().unwrap()
}

/// Records a program of this executable: the role `program` with its name.
pub(crate) fn record_program(program: &str, all: bool) -> Recorded {
    let recorded = record_command(&role("program"), program, all);
    assert!(!recorded.traces.is_empty(), "nothing recorded: {}", recorded.said);
    recorded
}

fn events(path: &Path) -> Vec<Event> {
    let mut reader = Reader::open(path).unwrap();
    let events: Vec<Event> = reader.by_ref().map(|event| event.unwrap()).collect();
    assert_eq!(reader.cut_off(), None);
    events
}

/// The allocations of a number of bytes: their events.
pub(crate) fn allocations(events: &[Event], bytes: u64) -> Vec<&Event> {
    events
        .iter()
        .filter(|event| matches!(event.op, Op::Allocate { size, .. } if size == bytes))
        .collect()
}

/// What happened to the block that an event allocated, from then on.
pub(crate) fn life<'a>(events: &'a [Event], allocation: &Event) -> Vec<&'a Event> {
    let Op::Allocate { block: which, .. } = allocation.op else { panic!("not an allocation") };
    events
        .iter()
        .filter(|event| match event.op {
            Op::Allocate { block, .. } | Op::Reallocate { block, .. } | Op::Free { block } => {
                block == which
            }
            _ => false,
        })
        .collect()
}
