//! What the free memory of a heap can serve: the fork probe.
//!
//! While everything stands still, a child of this process is forked for each size. It asks for blocks of
//! that size until the subject refuses or takes fresh memory, and ends. What it was served from pages
//! that were resident before is what the free memory absorbs: the black box's answer to the unusable
//! free space of each order that Linux tells of its buddy allocator. One child a size, or the first
//! size would eat the space of the next. Nothing here allocates but the subject: the harness's own
//! heap is shared memory, which the child must leave alone.

use super::control::Table;
use crate::subject::Subject;
use std::alloc::Layout;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many sizes are probed: 16 B, doubled, to 8 MiB.
pub(crate) const SIZES: usize = 20;

/// Seconds after which a child is ended by the system.
pub(crate) const WATCHDOG: u32 = 2;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum End {
    /// It was not started.
    NoChild = 0,
    /// The subject took fresh memory.
    Grew = 1,
    /// The subject refused.
    Refused = 2,
    /// It was not done in time.
    Watchdog = 3,
    /// It died.
    Died = 4,
}

impl End {
    /// The end of a number.
    pub(crate) fn of(number: u64) -> Self {
        let all = [Self::Grew, Self::Refused, Self::Watchdog, Self::Died];
        all.into_iter().find(|end| *end as u64 == number).unwrap_or(Self::NoChild)
    }
}

/// What a child of one size found. Zero bytes are a valid value of it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Absorbed {
    /// Bytes served from pages that were resident before.
    pub(crate) bytes: AtomicU64,
    /// The most frequent distance of one block to the next; 0 for none.
    pub(crate) stride: AtomicU64,
    /// Σ ⌊range / stride⌋ · size over the ranges that the subject says are free; `u64::MAX` where it
    /// does not say.
    pub(crate) by_ranges: AtomicU64,
    /// An [`End`].
    pub(crate) end: AtomicU64,
}

/// The size at a place of the curve.
pub(crate) const fn size(index: usize) -> usize {
    16 << index
}

/// Probes every size, on the thread that all others wait for.
pub(super) fn probe<S: Subject>(subject: &S, table: &Table) {
    let resident = table.resident();
    let mut free = 0;
    let known = subject.for_each_free_range(&mut |range| {
        let pages = range.start >> 12..range.end.div_ceil(4096);
        let held = pages.filter(|&page| resident.held(page));
        let parts = held.map(|page| range.end.min((page + 1) << 12) - range.start.max(page << 12));
        free += parts.sum::<usize>() as u64;
    });
    table.control().free_resident.store(if known { free } else { u64::MAX }, Relaxed);
    for (index, found) in table.control().absorbed.iter().enumerate() {
        let size = size(index);
        // SAFETY: the child runs `serve` and ends there: it calls the subject, writes into shared
        // memory, and neither unwinds nor runs what is registered for a process's end.
        let end = match unsafe { libc::fork() } {
            ..0 => End::NoChild,
            0 => {
                // SAFETY: the signal's default action, which nobody changed, ends this process.
                unsafe { libc::alarm(WATCHDOG) };
                let end = serve(subject, table, size, found);
                // SAFETY: does not return.
                unsafe { libc::_exit(end as i32) }
            }
            child => ended(child),
        };
        found.end.store(end as u64, Relaxed);
        let stride = found.stride.load(Relaxed).max(1) as usize;
        let stride = if found.stride.load(Relaxed) == 0 { size } else { stride };
        let mut sum = 0;
        let known = subject.for_each_free_range(&mut |range| {
            sum += (range.len() / stride * size) as u64;
        });
        found.by_ranges.store(if known { sum } else { u64::MAX }, Relaxed);
    }
}

/// Waits for a child.
fn ended(child: libc::pid_t) -> End {
    let mut status = 0;
    loop {
        // SAFETY: the status is a local.
        let got = unsafe { libc::waitpid(child, &raw mut status, 0) };
        if got == child {
            break;
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return End::Died;
        }
    }
    match status {
        _ if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGALRM => End::Watchdog,
        _ if libc::WIFEXITED(status) => match End::of(libc::WEXITSTATUS(status) as u64) {
            End::NoChild => End::Died,
            end => end,
        },
        _ => End::Died,
    }
}

/// The child's part.
fn serve<S: Subject>(subject: &S, table: &Table, size: usize, found: &Absorbed) -> End {
    /// Fresh memory, in bytes of blocks, until which it goes on: a heap may begin a new page before
    /// it comes back to the old ones.
    const FRESH: usize = 64 << 10;
    let Ok(layout) = Layout::from_size_align(size, 16) else { return End::Died };
    let resident = table.resident();
    let (mut fresh, mut served) = (0, 0);
    let (mut last, mut stride, mut votes) = (0_usize, 0_usize, 0_u64);
    loop {
        // SAFETY: the size is not 0; the process ends with the blocks live.
        let block = unsafe { subject.alloc(layout) }.addr();
        if block == 0 {
            return End::Refused;
        }
        // The majority's distance, if there is a majority (Boyer and Moore).
        let distance = block.abs_diff(last);
        match (votes, distance == stride) {
            (_, true) => votes += 1,
            (0, false) => (stride, votes) = (distance, u64::from(last != 0)),
            (_, false) => votes -= 1,
        }
        last = block;
        if (block >> 12..=(block + size - 1) >> 12).all(|page| resident.held(page)) {
            served += size as u64;
            found.bytes.store(served, Relaxed);
            found.stride.store(if votes > 0 { stride as u64 } else { 0 }, Relaxed);
        } else {
            fresh += size;
            if fresh > FRESH.max(size) {
                return End::Grew;
            }
        }
    }
}
