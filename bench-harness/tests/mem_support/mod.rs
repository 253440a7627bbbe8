//! Recorded files of /proc, a stopped process, and naive readers of what the kernel and procps write.
#![allow(dead_code, reason = "each test executable uses a part")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use strata_bench::mem::Kernel;

/// A copy of the recorded files, which a test may change.
pub(crate) struct Recorded {
    proc: tempfile::TempDir,
    cgroups: tempfile::TempDir,
}

/// The recorded files: a stopped `sleep` with the number 4242 and the machine that it was on.
pub(crate) fn recorded() -> Recorded {
    let folder = || tempfile::tempdir().unwrap();
    let recorded = Recorded { proc: folder(), cgroups: folder() };
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proc");
    fs::create_dir(recorded.proc.path().join("4242")).unwrap();
    for folder in ["", "4242"] {
        for entry in fs::read_dir(from.join(folder)).unwrap().flatten() {
            if entry.path().is_file() {
                let to = recorded.proc.path().join(folder).join(entry.file_name());
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    std::os::unix::fs::symlink("/usr/bin/sleep", recorded.proc.path().join("4242/exe")).unwrap();
    recorded
}

impl Recorded {
    pub(crate) fn kernel(&self) -> Kernel {
        Kernel::at(self.proc.path(), self.cgroups.path())
    }

    pub(crate) fn proc(&self) -> &str {
        self.proc.path().to_str().unwrap()
    }

    pub(crate) fn cgroups(&self) -> &str {
        self.cgroups.path().to_str().unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.proc.path().join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.proc.path().join(name), text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.proc.path().join(name)).unwrap();
    }

    pub(crate) fn write_group(&self, name: &str, text: &str) {
        let path = self.cgroups.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A process that is stopped, and killed at the end.
pub(crate) struct Stopped(Child);

impl Stopped {
    pub(crate) fn new() -> Self {
        let mut command = Command::new("sleep");
        let child = command.arg("1000").stdin(Stdio::null()).spawn().expect("there is a sleep");
        let stopped = Self(child);
        // SAFETY: the process is this test's own child and not waited for yet.
        assert_eq!(unsafe { libc::kill(stopped.id() as i32, libc::SIGSTOP) }, 0);
        let stat = format!("/proc/{}/stat", stopped.pid());
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
        stopped
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn pid(&self) -> String {
        self.id().to_string()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a command is installed.
pub(crate) fn is_tool(name: &str) -> bool {
    Command::new(name).arg("-V").output().is_ok_and(|output| output.status.success())
}

/// What a command of procps says; `None` where it is not installed.
pub(crate) fn tool(name: &str, words: &[&str]) -> Option<String> {
    if !is_tool(name) {
        return None;
    }
    let output = Command::new(name).args(words).env("LC_ALL", "C").output().ok()?;
    assert!(output.status.success(), "{name}: {output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The number that a text begins with.
pub(crate) fn number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap()
}

/// Readers that take their time.
pub(crate) mod naive {
    use std::collections::BTreeMap;
    use strata_bench::mem::Mapping;

    /// `Name: value` by name.
    pub(crate) fn fields(text: &str) -> BTreeMap<String, String> {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect()
    }

    /// Each mapping's address, and its fields in KiB.
    pub(crate) fn mappings(text: &str) -> Vec<(u64, BTreeMap<String, u64>)> {
        let mut found: Vec<(u64, BTreeMap<String, u64>)> = Vec::new();
        for line in text.lines() {
            let first = line.split_whitespace().next().unwrap();
            if let Some((start, _)) = first.split_once('-') {
                found.push((u64::from_str_radix(start, 16).unwrap(), BTreeMap::new()));
            } else if let [name, value, "kB"] = line.split_whitespace().collect::<Vec<_>>()[..] {
                let fields = &mut found.last_mut().unwrap().1;
                fields.insert(name.trim_end_matches(':').to_owned(), value.parse().unwrap());
            }
        }
        found
    }

    /// A row of `pmap -x`: address, Kbytes, RSS, Dirty, mode.
    pub(crate) type Row = (u64, u64, u64, u64, String);

    /// What `pmap -x` printed.
    pub(crate) struct Pmap {
        pub(crate) rows: Vec<Row>,
        /// Kbytes, RSS, Dirty.
        pub(crate) total: [u64; 3],
    }

    pub(crate) fn pmap(text: &str) -> Pmap {
        let (mut rows, mut total) = (Vec::new(), None);
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["total", "kB", sums @ ..] = &words[..] {
                total = Some([0, 1, 2].map(|place| sums[place].parse().unwrap()));
            } else if words.len() >= 6
                && let Ok(start) = u64::from_str_radix(words[0], 16)
            {
                let figure = |place: usize| words[place].parse().unwrap();
                rows.push((start, figure(1), figure(2), figure(3), words[4].to_owned()));
            }
        }
        Pmap { rows, total: total.expect("pmap prints a total") }
    }

    /// The same of a mapping that was read.
    pub(crate) fn row(of: &Mapping) -> Row {
        let kib = [of.bytes(), of.of.rss, of.of.dirty()].map(|bytes| bytes / 1024);
        (of.start, kib[0], kib[1], kib[2], of.pmap_mode())
    }
}
