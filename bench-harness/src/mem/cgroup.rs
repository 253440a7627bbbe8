//! What a control group allows a process, in both versions of the interface.

use super::kernel::Kernel;
use super::text::{lines, number, read_small};
use crate::error::Result;
use serde::Serialize;
use std::path::Path;

/// The limits of a process's control group for memory; what is not limited is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// 1 or 2; `None` where no control group accounts for memory.
    pub version: Option<u8>,
    /// The group's path, as the kernel names it.
    pub path: String,
    /// Whether the group was removed while the process is still in it: nothing more is known then.
    pub gone: bool,
    /// Bytes that the group and all above it may use.
    pub limit: Option<u64>,
    /// Bytes above which its processes are slowed down (version 2).
    pub high: Option<u64>,
    /// Bytes of swap space that it may use beside.
    pub swap_limit: Option<u64>,
    /// Bytes that it uses.
    pub current: Option<u64>,
    /// The most that it used.
    pub peak: Option<u64>,
    /// Processes that were killed because it was full.
    pub oom_kills: Option<u64>,
    /// Bytes that are left below the nearest limit.
    pub left: Option<u64>,
}

/// The files of one version, each with the figure of one kind.
struct Names {
    limit: &'static str,
    high: Option<&'static str>,
    current: &'static str,
    peak: &'static str,
    events: &'static str,
}

const FIRST: Names = Names {
    limit: "memory.limit_in_bytes",
    high: None,
    current: "memory.usage_in_bytes",
    peak: "memory.max_usage_in_bytes",
    events: "memory.oom_control",
};

const SECOND: Names = Names {
    limit: "memory.max",
    high: Some("memory.high"),
    current: "memory.current",
    peak: "memory.peak",
    events: "memory.events",
};

impl Limits {
    /// Reads those of a process.
    ///
    /// # Errors
    ///
    /// [`Failure::input`](crate::error::Failure::input) where the process is gone. A group that is
    /// gone, or that this program sees no files of, is none: [`Limits::gone`] and
    /// [`Limits::version`] tell.
    pub fn of(kernel: &Kernel, pid: u32) -> Result<Self> {
        let mut text = Vec::new();
        match kernel.process(pid, "cgroup", &mut text) {
            Ok(()) => {}
            // A kernel without control groups has no such file.
            Err(_) if kernel.of(pid, "stat").exists() => return Ok(Self::default()),
            Err(failure) => return Err(failure),
        }
        Ok(Self::parse(&text, kernel.cgroups()))
    }

    fn parse(text: &[u8], mounted: &Path) -> Self {
        let mut unified = None;
        for line in lines(text) {
            let line = String::from_utf8_lossy(line);
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next(), parts.next(), parts.next());
            let (Some(controllers), Some(path)) = (controllers, path) else { continue };
            if controllers.split(',').any(|controller| controller == "memory") {
                return Self::read(1, path, &mounted.join("memory"), &FIRST);
            }
            if controllers.is_empty() {
                unified = Some(path.to_owned());
            }
        }
        let Some(path) = unified else { return Self::default() };
        let hybrid = mounted.join("unified");
        let root = if hybrid.is_dir() { hybrid } else { mounted.to_owned() };
        Self::read(2, &path, &root, &SECOND)
    }

    fn read(version: u8, path: &str, root: &Path, names: &Names) -> Self {
        if let Some(path) = path.strip_suffix(" (deleted)") {
            return Self {
                version: Some(version),
                path: path.into(),
                gone: true,
                ..Self::default()
            };
        }
        let own = root.join(path.trim_start_matches('/'));
        // Inside a container its own group may be all that is mounted, with a path from outside.
        let own = if own.is_dir() { own } else { root.to_owned() };
        let figure = |folder: &Path, name: &str| limit_of(&read_small(&folder.join(name)).ok()?);
        let mut limits = Self { path: path.into(), ..Self::default() };
        for folder in own.ancestors().take_while(|folder| folder.starts_with(root)) {
            let high = names.high.and_then(|name| figure(folder, name));
            let limit = figure(folder, names.limit);
            limits.limit = least(limits.limit, limit);
            limits.high = least(limits.high, high);
            if let (Some(most), Some(used)) = (least(limit, high), figure(folder, names.current)) {
                limits.left = least(limits.left, Some(most.saturating_sub(used)));
            }
        }
        limits.current = figure(&own, names.current);
        limits.peak = figure(&own, names.peak);
        limits.swap_limit = match version {
            // The first version limits memory and swap space together.
            1 => figure(&own, "memory.memsw.limit_in_bytes")
                .and_then(|both| both.checked_sub(limits.limit?)),
            _ => figure(&own, "memory.swap.max"),
        };
        limits.oom_kills = read_small(&own.join(names.events)).ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
            number(line.as_bytes())
        });
        limits.version = (limits.current.is_some() || limits.limit.is_some()).then_some(version);
        limits
    }

    /// What Node's `process.constrainedMemory()` answers: the least of the limits.
    pub fn constrained(&self) -> Option<u64> {
        least(self.limit, self.high)
    }
}

/// A figure of a control group; `max`, and what the first version writes for it, are none.
fn limit_of(text: &str) -> Option<u64> {
    /// The first version's largest figure is 2⁶³ rounded down to a page of any length.
    const UNLIMITED: u64 = 1 << 62;
    number(text.as_bytes()).filter(|value| *value < UNLIMITED)
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Writes files of control groups under a folder.
    fn groups(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_version_with_a_limit_above() {
        let folder = groups(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/a/memory.limit_in_bytes", "1048576\n"),
            ("memory/a/memory.usage_in_bytes", "1000000\n"),
            ("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/a/b/memory.usage_in_bytes", "4096\n"),
            ("memory/a/b/memory.max_usage_in_bytes", "8192\n"),
            ("memory/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ]);
        let text = b"9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n";
        let limits = Limits::parse(text, folder.path());
        assert_eq!((limits.version, &*limits.path), (Some(1), "/a/b"));
        assert_eq!((limits.limit, limits.constrained()), (Some(1 << 20), Some(1 << 20)));
        assert_eq!(
            (limits.current, limits.peak, limits.oom_kills),
            (Some(4096), Some(8192), Some(2))
        );
        assert_eq!(limits.left, Some(48_576));
    }

    #[test]
    fn the_second_version_with_the_word_max() {
        let folder = groups(&[
            ("a/memory.max", "max\n"),
            ("a/memory.high", "2097152\n"),
            ("a/memory.current", "2097000\n"),
            ("a/memory.swap.max", "max\n"),
            ("a/memory.events", "low 0\nhigh 3\nmax 0\noom 0\noom_kill 0\n"),
        ]);
        let limits = Limits::parse(b"0::/a\n", folder.path());
        assert_eq!((limits.version, limits.limit, limits.high), (Some(2), None, Some(2 << 20)));
        assert_eq!((limits.swap_limit, limits.oom_kills, limits.left), (None, Some(0), Some(152)));
        assert_eq!(limits.constrained(), Some(2 << 20));
        let unlimited = groups(&[("memory.max", "max\n"), ("memory.current", "5\n")]);
        let limits = Limits::parse(b"0::/\n", unlimited.path());
        assert_eq!((limits.constrained(), limits.left, limits.current), (None, None, Some(5)));
    }

    #[test]
    fn a_group_that_vanished_says_so_and_one_from_outside_is_the_mounted_one() {
        let folder = groups(&[("memory/memory.limit_in_bytes", "4096\n")]);
        let gone = Limits::parse(b"4:memory:/a/b (deleted)\n", folder.path());
        assert!(gone.gone && gone.constrained().is_none() && gone.path == "/a/b");
        let outside = Limits::parse(b"4:memory:/docker/0123\n", folder.path());
        assert_eq!((outside.gone, outside.limit), (false, Some(4096)));
        let none = Limits::parse(b"4:memory:/a\n", Path::new("/nowhere"));
        assert_eq!((none.version, none.limit, none.left), (None, None, None));
        assert_eq!(Limits::parse(b"", folder.path()), Limits::default());
    }
}
