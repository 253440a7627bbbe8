//! Processes that begin as copies of this one.

use super::crew::MOST;
use crate::child::channel::UNUSABLE;
use crate::kernel::{Thread, Work};
use std::io::Error;
use std::time::Duration;

/// How long to sleep between looks at whether one has ended.
const LOOK: Duration = Duration::from_millis(1);

/// Running copies of this process.
#[derive(Debug)]
pub(super) struct Processes {
    /// The first `len` of them run, or ran.
    ids: [libc::pid_t; MOST],
    len: usize,
}

impl Processes {
    pub(super) const fn new() -> Self {
        Self { ids: [0; MOST], len: 0 }
    }

    /// Starts a copy whose only other thread does `work`; ends this process where the system has no
    /// room for it.
    pub(super) fn start<W: Work>(&mut self, work: &W) {
        // SAFETY: the copy runs `work`, which by its contract asks nothing but the subject for memory,
        // and ends without running any destructor; no thread of this crate's is at work meanwhile.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: no pointers. Should this process end early, its copies end with it.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                // A thread as those of one process are, with a stack and thread-local memory alike.
                // SAFETY: 1: joined at once.
                drop(unsafe { Thread::start(work) });
                // SAFETY: no pointers.
                unsafe { libc::_exit(0) }
            }
            -1 => std::process::exit(UNUSABLE),
            id => {
                self.ids[self.len] = id;
                self.len += 1;
            }
        }
    }

    /// Waits for all; ends this process, and with it those that are left, where one ends badly: the
    /// others wait for it.
    pub(super) fn join(self) {
        let mut left = self.len;
        let mut ids = self.ids;
        while left > 0 {
            for id in ids[..self.len].iter_mut().filter(|id| **id != 0) {
                if has_ended(*id) {
                    (*id, left) = (0, left - 1);
                }
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Whether a child has ended; ends this process where the child ended badly.
fn has_ended(id: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: the status is a local; the process is this one's child, and nobody else waits for it.
    let found = unsafe { libc::waitpid(id, &raw mut status, libc::WNOHANG) };
    let interrupted = || Error::last_os_error().raw_os_error() == Some(libc::EINTR);
    if found == id && status != 0 || found < 0 && !interrupted() {
        std::process::exit(UNUSABLE);
    }
    found == id
}
