//! The kernel's account of a process's memory: its anonymous pages, and the sums of smaps.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

/// A run of resident anonymous pages with the same properties; zero pages do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Address of its first byte.
    pub(crate) start: u64,
    /// Address after its last byte.
    pub(crate) end: u64,
    /// Whether a transparent huge page backs it.
    pub(crate) huge: bool,
}

/// Sums of smaps, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rollup {
    /// Resident anonymous memory.
    pub(crate) anonymous: u64,
    /// Of it, freed lazily.
    pub(crate) lazy_free: u64,
    /// Of it, on transparent huge pages.
    pub(crate) huge: u64,
    /// The same with each page divided by the number of processes that map it.
    pub(crate) proportional: u64,
}

const IS_FILE: u64 = 1 << 2;
const IS_PRESENT: u64 = 1 << 3;
const IS_PFNZERO: u64 = 1 << 5;
const IS_HUGE: u64 = 1 << 6;

/// The kernel's `struct pm_scan_arg`.
#[repr(C)]
struct Arguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// The kernel's `struct page_region`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl =
    (3 << 30 | (size_of::<Arguments>() as libc::Ioctl) << 16 | (b'f' as libc::Ioctl) << 8) | 16;

/// Regions asked for in one call.
const BATCH: usize = 4096;

/// Reads one process.
#[derive(Debug)]
pub(crate) struct Scanner {
    pid: u32,
    pagemap: File,
    /// Whether the kernel has PAGEMAP_SCAN (Linux 6.7); else pagemap is read page by page.
    fast: bool,
    /// Addresses that are no part of a heap: the stacks of replaying threads.
    apart: (u64, u64),
}

impl Scanner {
    /// Opens the process's pagemap; the caller must be its parent or as privileged.
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        let pagemap = OpenOptions::new().read(true).open(format!("/proc/{pid}/pagemap"))?;
        Ok(Self { pid, pagemap, fast: true, apart: (0, 0) })
    }

    /// Leaves a range of addresses out of what [`Scanner::heap`] answers from now on.
    pub(crate) fn leave_out(&mut self, start: u64, end: u64) {
        self.apart = (start, end);
    }

    /// The kernel's sums and the resident anonymous pages, both less what lies in the range left
    /// out.
    pub(crate) fn heap(&mut self) -> io::Result<(Rollup, Vec<Run>)> {
        let mut rollup = self.rollup()?;
        let (low, high) = self.apart;
        let mut kept = Vec::new();
        for run in self.runs()? {
            let (below, above) = (run.end.min(low), run.start.max(high));
            if run.start < below {
                kept.push(Run { end: below, ..run });
            }
            if above < run.end {
                kept.push(Run { start: above, ..run });
            }
            let inside = run.end.min(high).saturating_sub(run.start.max(low));
            rollup.anonymous = rollup.anonymous.saturating_sub(inside);
            rollup.proportional = rollup.proportional.saturating_sub(inside);
        }
        Ok((rollup, kept))
    }

    /// Its resident anonymous pages, by address.
    pub(crate) fn runs(&mut self) -> io::Result<Vec<Run>> {
        if self.fast {
            match self.scan() {
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)) => {
                    self.fast = false;
                }
                other => return other,
            }
        }
        self.walk()
    }

    fn scan(&self) -> io::Result<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::new();
        let mut regions = vec![Region { start: 0, end: 0, categories: 0 }; BATCH];
        let mut start = 0;
        // The end of user addresses: the last page is never mapped.
        const END: u64 = (1 << 47) - 4096;
        while start < END {
            let mut arguments = Arguments {
                size: size_of::<Arguments>() as u64,
                flags: 0,
                start,
                end: END,
                walk_end: 0,
                vec: regions.as_mut_ptr().expose_provenance() as u64,
                vec_len: BATCH as u64,
                max_pages: 0,
                category_inverted: IS_FILE | IS_PFNZERO,
                category_mask: IS_PRESENT | IS_FILE | IS_PFNZERO,
                category_anyof_mask: 0,
                return_mask: IS_HUGE,
            };
            // SAFETY: the argument and the vector that it names outlive the call, which writes at
            // most `vec_len` regions.
            let got =
                unsafe { libc::ioctl(self.pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut arguments) };
            let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
            for region in &regions[..got] {
                push(&mut runs, region.start, region.end, region.categories & IS_HUGE != 0);
            }
            // The kernel tells where it stopped only when the vector was full: when it came to the
            // end, `walk_end` is a place that it has passed before.
            match regions[..got].last() {
                Some(last) if got == BATCH => start = last.end.max(arguments.walk_end),
                _ => break,
            }
        }
        Ok(runs)
    }

    /// The slow way of older kernels, which cannot tell zero pages.
    fn walk(&self) -> io::Result<Vec<Run>> {
        use std::os::unix::fs::FileExt;
        let mut runs = Vec::new();
        let mut entries = vec![0_u8; 8 * BATCH];
        for (start, end) in self.mappings()? {
            let mut page = start >> 12;
            while page < end >> 12 {
                let count = ((end >> 12) - page).min(BATCH as u64) as usize;
                let bytes = &mut entries[..count * 8];
                self.pagemap.read_exact_at(bytes, page * 8)?;
                for entry in bytes.chunks_exact(8) {
                    let mut word = [0; 8];
                    word.copy_from_slice(entry);
                    let word = u64::from_le_bytes(word);
                    // Bit 63: present; bit 61: of a file or shared.
                    if word >> 63 == 1 && word >> 61 & 1 == 0 {
                        push(&mut runs, page << 12, (page + 1) << 12, false);
                    }
                    page += 1;
                }
            }
        }
        Ok(runs)
    }

    /// Its mappings as (start, end), by address, neighbours joined.
    pub(crate) fn mappings(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for map in self.process()?.maps().map_err(io::Error::other)? {
            let (start, end) = map.address;
            if start >> 47 != 0 {
                continue;
            }
            match joined.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => joined.push((start, end)),
            }
        }
        Ok(joined)
    }

    /// The kernel's own sums.
    pub(crate) fn rollup(&self) -> io::Result<Rollup> {
        let rollup = self.process()?.smaps_rollup().map_err(io::Error::other)?;
        let mut sums = Rollup::default();
        for map in rollup.memory_map_rollup.0 {
            let field = |name: &str| map.extension.map.get(name).copied().unwrap_or(0);
            sums.anonymous += field("Anonymous");
            sums.lazy_free += field("LazyFree");
            sums.huge += field("AnonHugePages");
            // Older kernels divide the sum of all pages only.
            sums.proportional += field("Pss_Anon");
        }
        Ok(sums)
    }

    /// Bytes of its page tables; 0 where the kernel does not tell.
    pub(crate) fn page_tables(&self) -> io::Result<u64> {
        let status = self.process()?.status().map_err(io::Error::other)?;
        Ok(status.vmpte.unwrap_or(0) << 10)
    }

    fn process(&self) -> io::Result<procfs::process::Process> {
        procfs::process::Process::new(self.pid as i32).map_err(io::Error::other)
    }
}

fn push(runs: &mut Vec<Run>, start: u64, end: u64, huge: bool) {
    match runs.last_mut() {
        Some(last) if last.end == start && last.huge == huge => last.end = end,
        _ => runs.push(Run { start, end, huge }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touched_pages_are_found_and_read_ones_are_not() {
        let bytes = 64 * 4096;
        // SAFETY: a new private anonymous mapping, only used below.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        let start = start.cast::<u8>();
        // SAFETY: the offsets lie inside the mapping.
        unsafe {
            start.add(3 * 4096).write_volatile(1);
            start.add(4 * 4096).write_volatile(1);
            start.add(9 * 4096).read_volatile();
        }
        let mut scanner = Scanner::new(std::process::id()).unwrap();
        let at = start.addr() as u64;
        let inside = |run: &&Run| run.start < at + bytes as u64 && run.end > at;
        let runs = scanner.runs().unwrap();
        let found: Vec<_> = runs.iter().filter(inside).collect();
        if scanner.fast {
            let clipped: u64 =
                found.iter().map(|run| run.end.min(at + bytes as u64) - run.start.max(at)).sum();
            assert_eq!(clipped, 2 * 4096);
        }
        // That the sum is the kernel's own is tested on stopped children: here other tests run.
        // SAFETY: mapped above, not used any more.
        unsafe { libc::munmap(start.cast(), bytes) };
    }

    #[test]
    fn more_runs_than_one_call_answers_are_found_once_each() {
        // The first and the last page stay untouched: beside them may lie what other tests touch.
        let touched = 3 * BATCH / 2;
        let pages = 2 * touched + 1;
        // SAFETY: a new private anonymous mapping, only used below.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                pages * 4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        let start = start.cast::<u8>();
        for page in (1..pages).step_by(2) {
            // SAFETY: the page lies inside the mapping.
            unsafe { start.add(page * 4096).write_volatile(1) };
        }
        let at = start.addr() as u64;
        let mut scanner = Scanner::new(std::process::id()).unwrap();
        let runs = scanner.runs().unwrap();
        assert!(runs.windows(2).all(|pair| pair[0].end <= pair[1].start), "by address, apart");
        let inside =
            runs.iter().filter(|run| run.start >= at && run.end <= at + pages as u64 * 4096);
        assert_eq!(inside.count(), touched);
        // SAFETY: mapped above, not used any more.
        unsafe { libc::munmap(start.cast(), pages * 4096) };
    }
}
