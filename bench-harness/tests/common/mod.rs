//! Running the real command in an empty folder, and what traces say without it.
#![allow(dead_code, reason = "each test executable uses a part")]

pub(crate) mod model;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use strata_bench::results::{Header, Row, Threads};
use strata_bench::script::synthetic::Load;
use strata_bench::trace::{Event, every_shipped};

/// The command under test.
pub(crate) fn executable() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_strata-bench"))
}

/// An example of this package, built as the command under test was.
pub(crate) fn example(name: &str) -> PathBuf {
    let folder = executable().parent().unwrap();
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--offline", "--package", "strata-bench", "--example", name])
        .args(["--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cargo builds the example {name}");
    folder.join("examples").join(name)
}

/// A folder to stand in and one for temporary files, both empty.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    temporary: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { folder: folder(), temporary: folder() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the command under test here.
    pub(crate) fn run<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Ended {
        self.run_of(executable(), words)
    }

    /// Runs another executable here.
    pub(crate) fn run_of<W: AsRef<OsStr>>(
        &self,
        executable: &Path,
        words: impl IntoIterator<Item = W>,
    ) -> Ended {
        Ended::of(self.command(executable).args(words).output().unwrap())
    }

    pub(crate) fn command(&self, executable: &Path) -> Command {
        let mut command = Command::new(executable);
        command.current_dir(self.path()).env("TMPDIR", self.temporary.path());
        // Peers that someone built beside the executable are no part of these tests.
        command.env("STRATA_BENCH_PEERS", self.temporary.path()).stdin(Stdio::null());
        command
    }

    /// Names of the files that lie here or in the folder for temporary files.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let mut names: Vec<String> = [self.path(), self.temporary.path()]
            .into_iter()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what is printed is text");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self { code: output.status.code(), stdout, stderr }
    }

    /// The rows of `run --json`.
    pub(crate) fn rows(&self) -> (Header, Vec<Row>) {
        let mut lines = self.stdout.lines();
        let header = lines.next().unwrap_or_else(|| panic!("a header: {}", self.stderr));
        let row = |line| serde_json::from_str(line).expect("a row");
        (serde_json::from_str(header).expect("a header"), lines.map(row).collect())
    }

    /// The row of `replay --json`.
    pub(crate) fn row(&self) -> Row {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts success.
    pub(crate) fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts the exit code, and one line on standard error that has all of `words`.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "one line: {}", self.stderr);
        assert!(self.stderr.starts_with("strata-bench: "), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word} is named: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// The events of a built-in workload.
pub(crate) fn events(workload: &str) -> Vec<Event> {
    if let Some(load) = Load::every().find(|load| load.name() == workload) {
        return load.events();
    }
    let trace = every_shipped().find(|trace| trace.name == workload).expect("shipped");
    trace.open().unwrap().map(Result::unwrap).collect()
}

/// The row of a subject on a workload.
pub(crate) fn row_of<'a>(
    rows: &'a [Row],
    subject: &str,
    workload: &str,
    threads: Threads,
) -> &'a Row {
    rows.iter()
        .find(|row| {
            !row.a_a
                && row.subject.name == subject
                && row.workload.name == workload
                && row.workload.threads == threads
        })
        .unwrap_or_else(|| panic!("a row of {subject} on {workload}, {threads:?}"))
}

/// What a row is called in the message of a failed assertion.
pub(crate) fn title(row: &Row) -> String {
    format!("{} on {} ({:?})", row.subject.name, row.workload.name, row.workload.threads)
}
