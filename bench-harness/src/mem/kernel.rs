//! Where the kernel's files are, and what is said where they cannot be read.

use super::text;
use crate::error::{Failure, Result};
use std::io;
use std::path::{Path, PathBuf};

/// Where the kernel's files are: here, or in a folder of recorded ones.
///
/// ```
/// use strata_bench::mem::{Kernel, Machine};
///
/// let machine = Machine::read(&Kernel::here())?;
/// assert!(machine.available <= machine.total);
/// # Ok::<(), strata_bench::error::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    proc: PathBuf,
    cgroups: PathBuf,
}

impl Kernel {
    /// Those of the running system: `/proc` and `/sys/fs/cgroup`.
    pub fn here() -> Self {
        Self::at("/proc", "/sys/fs/cgroup")
    }

    /// Those in other folders, for example recorded ones or a container's.
    pub fn at(proc: impl Into<PathBuf>, cgroups: impl Into<PathBuf>) -> Self {
        Self { proc: proc.into(), cgroups: cgroups.into() }
    }

    /// A file of the machine.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.proc.join(name)
    }

    /// A file of a process.
    pub(super) fn of(&self, pid: u32, name: &str) -> PathBuf {
        self.proc.join(pid.to_string()).join(name)
    }

    /// The folder under which control groups are mounted.
    pub(super) fn cgroups(&self) -> &Path {
        &self.cgroups
    }

    /// Reads a file of the machine.
    pub(super) fn machine(&self, name: &str, into: &mut Vec<u8>) -> Result<()> {
        let path = self.file(name);
        text::read(&path, into)
            .map_err(|error| Failure::input(format!("cannot read {}: {error}", path.display())))
    }

    /// Reads a file of a process; the failure tells a process that is gone from one that belongs
    /// to somebody else.
    pub(super) fn process(&self, pid: u32, name: &str, into: &mut Vec<u8>) -> Result<()> {
        text::read(&self.of(pid, name), into).map_err(|error| self.why(pid, name, &error))
    }

    /// Why a file of a process cannot be read.
    pub(super) fn why(&self, pid: u32, name: &str, error: &io::Error) -> Failure {
        match error.kind() {
            _ if !self.proc.join("self").exists() && !self.proc.join("meminfo").exists() => {
                let proc = self.proc.display();
                Failure::input(format!("{proc} is not there: mount it to see processes"))
            }
            io::ErrorKind::NotFound => gone(pid),
            // Reading on in an open file of a process that ended.
            _ if error.raw_os_error() == Some(libc::ESRCH) => gone(pid),
            io::ErrorKind::PermissionDenied => Failure::input(format!(
                "process {pid} belongs to another user: its {name} can be read by that user and by \
                 root only"
            )),
            _ => Failure::input(format!("cannot read {name} of process {pid}: {error}")),
        }
    }
}

/// No such process.
pub(super) fn gone(pid: u32) -> Failure {
    Failure::input(format!("there is no process {pid}: it has ended, or never was"))
}

/// A file whose text is not what the kernel writes.
pub(super) fn strange(pid: u32, name: &str) -> Failure {
    Failure::input(format!("{name} of process {pid} is not as this program knows it"))
}
