//! One process: the figures that cost the kernel no walk over mappings but one.

use super::kernel::{Kernel, strange};
use super::machine::ticks_a_second;
use super::text::{fields, kib, number};
use crate::error::{Failure, Result};
use serde::Serialize;

/// The five figures of Node's `process.memoryUsage()`, in bytes.
///
/// | field | of a process seen from outside | of a program with heaps that tell ([`memory_usage_with`]) |
/// |---|---|---|
/// | `rss` | resident | resident |
/// | `heapTotal` | private writable address space, stacks apart | committed by the heaps |
/// | `heapUsed` | of it, what has contents: resident or swapped out | in live blocks |
/// | `external` | resident beside the heap: files, libraries, shared memory | resident less committed |
/// | `arrayBuffers` | of that, shared memory and files in memory | the same |
///
/// [`memory_usage_with`]: super::memory_usage_with
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Resident: `RES` of top.
    pub rss: u64,
    /// What the heap may use.
    pub heap_total: u64,
    /// What it does use.
    pub heap_used: u64,
    /// Resident, and no part of the heap.
    pub external: u64,
    /// Of that, in shared memory.
    pub array_buffers: u64,
}

/// Processor time, in microseconds: Node's `process.cpuUsage()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CpuUsage {
    /// In the program.
    pub user: u64,
    /// In the kernel for it.
    pub system: u64,
}

/// A process as `/proc/PID/status` and `/proc/PID/stat` tell it; sums in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The first fifteen bytes of its program's name, or what it calls itself.
    pub name: String,
    /// The kernel's letter: R, S, D, T, t, Z, X, I.
    pub state: char,
    /// The user that it runs as.
    pub uid: u32,
    /// How many threads.
    pub threads: u64,
    /// Node's five figures.
    #[serde(flatten)]
    pub usage: Usage,
    /// Address space: `VIRT` of top.
    pub virtual_bytes: u64,
    /// Of what is resident, what other processes may map too: `SHR` of top.
    pub shared: u64,
    /// Resident anonymous memory.
    pub anonymous: u64,
    /// Swapped out.
    pub swapped: u64,
    /// The most that was ever resident.
    pub peak: u64,
    /// Page tables.
    pub page_tables: u64,
    /// Held in memory by `mlock`.
    pub locked: u64,
    /// Processor time.
    pub cpu_usage: CpuUsage,
    /// Page faults that needed no device.
    pub minor_faults: u64,
    /// Page faults that waited for one.
    pub major_faults: u64,
    /// Times that it gave its processor up.
    pub voluntary_switches: u64,
    /// Times that its processor was taken away.
    pub involuntary_switches: u64,
    /// When it was started, in the kernel's ticks since the machine's start. Together with `pid` it
    /// names a process for ever.
    pub started: u64,
}

impl Process {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] in one line: it is gone, has no memory (a thread of the kernel, or ended and
    /// not collected by its parent), or is hidden from this user.
    ///
    /// ```
    /// use strata_bench::mem::{Kernel, Process};
    ///
    /// let own = Process::of(&Kernel::here(), std::process::id())?;
    /// assert!(own.usage.rss > 0 && own.usage.rss <= own.peak);
    /// # Ok::<(), strata_bench::error::Failure>(())
    /// ```
    pub fn of(kernel: &Kernel, pid: u32) -> Result<Self> {
        let mut text = Vec::new();
        kernel.process(pid, "status", &mut text)?;
        let mut process = Self { pid, ..Self::default() };
        let with_memory = process.add_status(&text);
        kernel.process(pid, "stat", &mut text)?;
        process.add_stat(&text).ok_or_else(|| strange(pid, "stat"))?;
        match process.state {
            'Z' | 'X' => Err(Failure::input(format!(
                "process {pid} ({}) has ended and only waits for its parent: it has no memory",
                process.name
            ))),
            _ if !with_memory => Err(Failure::input(format!(
                "process {pid} ({}) is a thread of the kernel: it has no memory of its own",
                process.name
            ))),
            _ => Ok(process),
        }
    }

    /// Whether it has an address space.
    fn add_status(&mut self, text: &[u8]) -> bool {
        let (mut with_memory, mut data, mut file) = (false, 0, 0);
        for (name, value) in fields(text) {
            let place = match name {
                b"VmSize" => {
                    with_memory = true;
                    &mut self.virtual_bytes
                }
                b"VmHWM" => &mut self.peak,
                b"VmRSS" => &mut self.usage.rss,
                b"VmData" => &mut data,
                b"VmPTE" => &mut self.page_tables,
                b"VmSwap" => &mut self.swapped,
                b"VmLck" => &mut self.locked,
                b"RssAnon" => &mut self.anonymous,
                b"RssFile" => &mut file,
                b"RssShmem" => &mut self.usage.array_buffers,
                b"Name" => {
                    self.name = String::from_utf8_lossy(value).into_owned();
                    continue;
                }
                b"Uid" => {
                    self.uid = number(value).unwrap_or(0) as u32;
                    continue;
                }
                b"voluntary_ctxt_switches" => {
                    self.voluntary_switches = number(value).unwrap_or(0);
                    continue;
                }
                b"nonvoluntary_ctxt_switches" => {
                    self.involuntary_switches = number(value).unwrap_or(0);
                    continue;
                }
                _ => continue,
            };
            *place = kib(value).unwrap_or(0);
        }
        self.shared = file + self.usage.array_buffers;
        self.usage.external = self.shared;
        self.usage.heap_total = data;
        self.usage.heap_used = self.anonymous + self.swapped;
        with_memory
    }

    fn add_stat(&mut self, text: &[u8]) -> Option<()> {
        // The name stands in parentheses and may hold blanks and parentheses itself.
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let mut words = text.get(close + 2..)?.split(|byte| *byte == b' ');
        self.state = char::from(*words.next()?.first()?);
        // The numbers as proc(5) counts them, which the state is the third of.
        let rest: Vec<u64> = words.map(|word| number(word).unwrap_or(0)).collect();
        let of = |field: usize| rest.get(field - 4).copied();
        let micros = 1_000_000 / ticks_a_second().max(1);
        (self.minor_faults, self.major_faults) = (of(10)?, of(12)?);
        self.cpu_usage = CpuUsage { user: of(14)? * micros, system: of(15)? * micros };
        (self.threads, self.started) = (of(20)?, of(22)?);
        Some(())
    }

    /// The state in a word.
    pub fn state_word(&self) -> &'static str {
        match self.state {
            'R' => "running",
            'S' => "sleeping",
            'D' => "waiting for a device",
            'T' => "stopped",
            't' => "traced",
            'I' => "idle",
            _ => "ended",
        }
    }
}

/// The kernel's sums over all mappings of a process, exact, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollup {
    /// Resident: the total that `pmap -x` shows.
    pub rss: u64,
    /// Resident, with what is shared divided by the number of its users.
    pub pss: u64,
    /// Resident, not changed, and this process's alone.
    pub private_clean: u64,
    /// Changed, and this process's alone.
    pub private_dirty: u64,
    /// Not changed, and mapped by others too.
    pub shared_clean: u64,
    /// Changed, and mapped by others too.
    pub shared_dirty: u64,
    /// Anonymous.
    pub anonymous: u64,
    /// Given back lazily: still resident, and the kernel may take it.
    pub lazy_free: u64,
    /// Anonymous, on huge pages.
    pub anon_huge_pages: u64,
    /// Swapped out.
    pub swap: u64,
    /// Held in memory.
    pub locked: u64,
}

impl Rollup {
    /// Reads them: `/proc/PID/smaps_rollup`.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] where the process is gone or belongs to another user.
    pub fn of(kernel: &Kernel, pid: u32) -> Result<Self> {
        let mut text = Vec::new();
        kernel.process(pid, "smaps_rollup", &mut text)?;
        let mut rollup = Self::default();
        for (name, value) in fields(&text) {
            if let Some(place) = rollup.place(name) {
                *place = kib(value).ok_or_else(|| strange(pid, "smaps_rollup"))?;
            }
        }
        Ok(rollup)
    }

    /// Where a field of smaps goes.
    pub(super) fn place(&mut self, name: &[u8]) -> Option<&mut u64> {
        Some(match name {
            b"Rss" => &mut self.rss,
            b"Pss" => &mut self.pss,
            b"Private_Clean" => &mut self.private_clean,
            b"Private_Dirty" => &mut self.private_dirty,
            b"Shared_Clean" => &mut self.shared_clean,
            b"Shared_Dirty" => &mut self.shared_dirty,
            b"Anonymous" => &mut self.anonymous,
            b"LazyFree" => &mut self.lazy_free,
            b"AnonHugePages" => &mut self.anon_huge_pages,
            b"Swap" => &mut self.swap,
            b"Locked" => &mut self.locked,
            _ => return None,
        })
    }

    /// Changed bytes: the column `Dirty` of `pmap -x`.
    pub fn dirty(&self) -> u64 {
        self.private_dirty + self.shared_dirty
    }

    /// Adds another's figures.
    pub(super) fn add(&mut self, other: &Self) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.private_clean += other.private_clean;
        self.private_dirty += other.private_dirty;
        self.shared_clean += other.shared_clean;
        self.shared_dirty += other.shared_dirty;
        self.anonymous += other.anonymous;
        self.lazy_free += other.lazy_free;
        self.anon_huge_pages += other.anon_huge_pages;
        self.swap += other.swap;
        self.locked += other.locked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let mut process = Process::default();
        let text = b"42 (a) R (b) S 1 2 3 4 5 6 1000 8 9 10 250 50 0 0 20 0 7 0 123456 0 0\n";
        process.add_stat(text).unwrap();
        assert_eq!((process.state, process.threads, process.started), ('S', 7, 123_456));
        assert_eq!((process.minor_faults, process.major_faults), (1000, 9));
        let micros = 1_000_000 / ticks_a_second();
        assert_eq!(process.cpu_usage, CpuUsage { user: 250 * micros, system: 50 * micros });
        assert_eq!(process.add_stat(b"42 (cut off) S 1"), None);
        assert_eq!(process.add_stat(b""), None);
    }

    #[test]
    fn what_is_resident_is_the_heaps_or_external() {
        let mut process = Process::default();
        let text = b"Name:\tx\nUid:\t1000\t1000\nVmSize:\t 900 kB\nVmRSS:\t 500 kB\nRssAnon:\t 300 kB\n\
            RssFile:\t 150 kB\nRssShmem:\t 50 kB\nVmData:\t 700 kB\nVmSwap:\t 20 kB\nVmHWM:\t 600 kB\n";
        assert!(process.add_status(text));
        let usage = process.usage;
        assert_eq!((usage.heap_total >> 10, usage.heap_used >> 10), (700, 320));
        assert_eq!((usage.external >> 10, usage.array_buffers >> 10), (200, 50));
        assert_eq!(usage.rss, usage.heap_used - process.swapped + usage.external);
        assert_eq!((process.shared >> 10, process.uid), (200, 1000));
        assert!(!Process::default().add_status(b"Name:\tkthreadd\n"));
    }
}
