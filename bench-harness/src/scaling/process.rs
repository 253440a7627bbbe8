//! Processes that begin as copies of this one.

use crate::child::channel::UNUSABLE;
use crate::kernel::{Thread, Work};
use std::io::Error;

/// Running copies of this process: all its children.
#[derive(Debug, Default)]
pub(super) struct Processes(usize);

impl Processes {
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
            _ => self.0 += 1,
        }
    }

    /// Waits for all; ends this process, and with it those that are left, where one ends badly: the
    /// others wait for it.
    pub(super) fn join(self) {
        let mut left = self.0;
        while left > 0 {
            let mut status = 0;
            // SAFETY: the status is a local; nobody else waits for this process's children.
            let found = unsafe { libc::waitpid(-1, &raw mut status, 0) };
            if found >= 0 && status == 0 {
                left -= 1;
            } else if found >= 0 || Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                std::process::exit(UNUSABLE);
            }
        }
    }
}
