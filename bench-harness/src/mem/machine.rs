//! The machine's memory and processors: what `free` shows and Node's `os` module tells.

use super::kernel::Kernel;
use super::text::{fields, kib, lines, number};
use crate::error::{Failure, Result};
use serde::Serialize;

/// Figures of `/proc/meminfo`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Memory that the kernel manages.
    pub total: u64,
    /// Memory in no use at all.
    pub free: u64,
    /// What new programs could get without swapping: the kernel's own estimate.
    pub available: u64,
    /// Raw blocks of devices.
    pub buffers: u64,
    /// Contents of files, those in shared memory included.
    pub cached: u64,
    /// The kernel's own caches that it can drop.
    pub reclaimable: u64,
    /// Shared memory and files in memory.
    pub shared: u64,
    /// Changed contents of files that are not written yet.
    pub dirty: u64,
    /// Anonymous memory of all processes.
    pub anonymous: u64,
    /// Of it, on huge pages.
    pub huge: u64,
    /// All page tables.
    pub page_tables: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Swap space that holds nothing.
    pub swap_free: u64,
    /// What has been promised to all processes.
    pub committed: u64,
    /// How much could be promised where promises are held strictly.
    pub commit_limit: u64,
}

impl Machine {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] where `/proc/meminfo` cannot be read or has no total.
    pub fn read(kernel: &Kernel) -> Result<Self> {
        let mut text = Vec::new();
        kernel.machine("meminfo", &mut text)?;
        Self::parse(&text).ok_or_else(|| {
            let path = kernel.file("meminfo");
            Failure::input(format!("{} is not as this program knows it", path.display()))
        })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut machine = Self::default();
        let mut available = None;
        for (name, value) in fields(text) {
            let place = match name {
                b"MemTotal" => &mut machine.total,
                b"MemFree" => &mut machine.free,
                b"Buffers" => &mut machine.buffers,
                b"Cached" => &mut machine.cached,
                b"SReclaimable" => &mut machine.reclaimable,
                b"Shmem" => &mut machine.shared,
                b"Dirty" => &mut machine.dirty,
                b"AnonPages" => &mut machine.anonymous,
                b"AnonHugePages" => &mut machine.huge,
                b"PageTables" => &mut machine.page_tables,
                b"SwapTotal" => &mut machine.swap_total,
                b"SwapFree" => &mut machine.swap_free,
                b"Committed_AS" => &mut machine.committed,
                b"CommitLimit" => &mut machine.commit_limit,
                b"MemAvailable" => available.insert(0),
                _ => continue,
            };
            *place = kib(value)?;
        }
        // The kernel has told it since Linux 3.14.
        machine.available = available.unwrap_or(machine.free).min(machine.total);
        (machine.total > 0).then_some(machine)
    }

    /// What is in use, as `free` of procps 4 shows it: total less available.
    pub fn used(&self) -> u64 {
        self.total - self.available
    }

    /// Memory that caches hold, as `free` shows it.
    pub fn caches(&self) -> u64 {
        self.buffers + self.cached + self.reclaimable
    }

    /// Swap space in use.
    pub fn swap_used(&self) -> u64 {
        self.swap_total.saturating_sub(self.swap_free)
    }
}

/// One processor, as Node's `os.cpus()` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// The maker's name of it.
    pub model: String,
    /// MHz, rounded; 0 where the kernel does not tell.
    pub speed: u64,
    /// Milliseconds since it was started.
    pub times: CpuTimes,
}

/// What a processor spent its time on, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CpuTimes {
    /// Programs.
    pub user: u64,
    /// Programs of lower priority.
    pub nice: u64,
    /// The kernel.
    pub sys: u64,
    /// Nothing.
    pub idle: u64,
    /// Interrupts.
    pub irq: u64,
}

/// The processors that are at work.
///
/// # Errors
///
/// [`Failure::input`] where `/proc/stat` cannot be read.
pub fn cpus(kernel: &Kernel) -> Result<Vec<Cpu>> {
    let mut text = Vec::new();
    kernel.machine("stat", &mut text)?;
    let tick = 1000 / ticks_a_second().max(1);
    let mut found: Vec<Cpu> = lines(&text)
        .filter(|line| line.starts_with(b"cpu") && line.get(3).is_some_and(u8::is_ascii_digit))
        .map(|line| {
            let mut times = line.split(|byte| *byte == b' ').skip(1).filter_map(number);
            let mut next = || times.next().unwrap_or(0) * tick;
            let (user, nice, sys, idle) = (next(), next(), next(), next());
            let irq = (next(), next()).1;
            Cpu { times: CpuTimes { user, nice, sys, idle, irq }, ..Cpu::default() }
        })
        .collect();
    // Names and speeds differ from architecture to architecture and may be missing.
    if kernel.machine("cpuinfo", &mut text).is_ok() {
        let told = |wanted: &[u8]| -> Vec<String> {
            fields(&text)
                .filter(|(name, _)| name.trim_ascii_end() == wanted)
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
                .collect()
        };
        for (cpu, model) in found.iter_mut().zip(told(b"model name")) {
            cpu.model = model;
        }
        for (cpu, speed) in found.iter_mut().zip(told(b"cpu MHz")) {
            cpu.speed = speed.parse::<f64>().map_or(0, |mhz| mhz.round() as u64);
        }
    }
    Ok(found)
}

/// In what the kernel counts processor time.
pub(super) fn ticks_a_second() -> u64 {
    // SAFETY: the call only answers a constant of the system.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_free() {
        let text = b"MemTotal:       24684096 kB\nMemFree:        21894512 kB\n\
            MemAvailable:   23772876 kB\nBuffers:           10028 kB\nCached:          2048860 kB\n\
            SReclaimable:      85320 kB\nShmem:              8788 kB\nSwapTotal: 9 kB\nSwapFree: 4 kB\n";
        let machine = Machine::parse(text).unwrap();
        assert_eq!(machine.used() / 1024, 24_684_096 - 23_772_876);
        assert_eq!(machine.caches() / 1024, 10_028 + 2_048_860 + 85_320);
        assert_eq!((machine.shared, machine.swap_used()), (8788 << 10, 5 << 10));
        assert_eq!(Machine::parse(b"MemFree: 1 kB\n"), None);
        assert_eq!(Machine::parse(b"MemTotal: much\n"), None);
    }

    #[test]
    fn every_processor_here_is_found() {
        let found = cpus(&Kernel::here()).unwrap();
        let parallel = std::thread::available_parallelism().unwrap().get();
        assert!(found.len() >= parallel);
        assert!(found.iter().any(|cpu| cpu.times.user + cpu.times.sys + cpu.times.idle > 0));
    }
}
