//! What the machine did between two readings: the figures of `vmstat`.

use super::kernel::Kernel;
use super::machine::ticks_a_second;
use super::text::{lines, number};
use crate::error::Result;
use serde::Serialize;

/// Counters since the machine was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Seconds since the start, to a hundredth.
    pub uptime: f64,
    /// Bytes read from swap space.
    pub swapped_in: u64,
    /// Bytes written to swap space.
    pub swapped_out: u64,
    /// Bytes read from devices.
    pub blocks_in: u64,
    /// Bytes written to devices.
    pub blocks_out: u64,
    /// Page faults of all processes.
    pub faults: u64,
    /// Of those, such that waited for a device.
    pub major_faults: u64,
    /// Interrupts.
    pub interrupts: u64,
    /// Switches between threads.
    pub switches: u64,
    /// Threads that run or could, now.
    pub running: u64,
    /// Threads that wait for a device, now.
    pub blocked: u64,
    /// Processor time in programs, the kernel, nothing, waiting for devices, and taken by the host;
    /// in the kernel's ticks.
    pub processor: [u64; 5],
}

/// What happened a second, and shares of processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// Over how many seconds.
    pub seconds: f64,
    /// Bytes from swap space a second: `si`.
    pub swapped_in: f64,
    /// Bytes to swap space a second: `so`.
    pub swapped_out: f64,
    /// Bytes from devices a second: `bi`.
    pub blocks_in: f64,
    /// Bytes to devices a second: `bo`.
    pub blocks_out: f64,
    /// Page faults a second.
    pub faults: f64,
    /// Of those, such that waited for a device.
    pub major_faults: f64,
    /// Interrupts a second: `in`.
    pub interrupts: f64,
    /// Switches between threads a second: `cs`.
    pub switches: f64,
    /// Shares, between 0 and 1, of [`Counters::processor`]: `us`, `sy`, `id`, `wa`, `st`.
    pub processor: [f64; 5],
}

impl Counters {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`Failure::input`](crate::error::Failure::input) where a file of `/proc` cannot be read.
    pub fn read(kernel: &Kernel) -> Result<Self> {
        let mut text = Vec::new();
        let mut counters = Self::default();
        kernel.machine("uptime", &mut text)?;
        let uptime = String::from_utf8_lossy(&text);
        let first = uptime.split_whitespace().next();
        counters.uptime = first.and_then(|word| word.parse().ok()).unwrap_or(0.0);
        kernel.machine("vmstat", &mut text)?;
        counters.add_vmstat(&text, page_bytes());
        kernel.machine("stat", &mut text)?;
        counters.add_stat(&text);
        Ok(counters)
    }

    fn add_vmstat(&mut self, text: &[u8], page: u64) {
        for line in lines(text) {
            let Some((name, value)) = named(line) else { continue };
            match name {
                b"pswpin" => self.swapped_in = value * page,
                b"pswpout" => self.swapped_out = value * page,
                b"pgpgin" => self.blocks_in = value * 1024,
                b"pgpgout" => self.blocks_out = value * 1024,
                b"pgfault" => self.faults = value,
                b"pgmajfault" => self.major_faults = value,
                _ => {}
            }
        }
    }

    fn add_stat(&mut self, text: &[u8]) {
        for line in lines(text) {
            if let Some(times) = line.strip_prefix(b"cpu ") {
                let mut times = times.split(|byte| *byte == b' ').filter_map(number);
                let mut next = || times.next().unwrap_or(0);
                let (user, nice, system, idle) = (next(), next(), next(), next());
                let (waiting, hard, soft, stolen) = (next(), next(), next(), next());
                self.processor = [user + nice, system + hard + soft, idle, waiting, stolen];
                continue;
            }
            let Some((name, value)) = named(line) else { continue };
            match name {
                b"intr" => self.interrupts = value,
                b"ctxt" => self.switches = value,
                b"procs_running" => self.running = value,
                b"procs_blocked" => self.blocked = value,
                _ => {}
            }
        }
    }

    /// What happened since `before`; since the machine's start, without one.
    ///
    /// ```
    /// use strata_bench::mem::{Counters, Kernel};
    ///
    /// let rates = Counters::read(&Kernel::here())?.since(None);
    /// assert!(rates.seconds > 0.0 && rates.processor.iter().sum::<f64>() < 1.001);
    /// # Ok::<(), strata_bench::error::Failure>(())
    /// ```
    pub fn since(&self, before: Option<&Self>) -> Rates {
        let none = Self::default();
        let before = before.unwrap_or(&none);
        let ticks: [u64; 5] =
            std::array::from_fn(|i| self.processor[i].saturating_sub(before.processor[i]));
        let all = ticks.iter().sum::<u64>();
        // Two readings closer than the clock's step are a step apart, not none.
        let seconds = (self.uptime - before.uptime).max(1.0 / ticks_a_second().max(1) as f64);
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        Rates {
            seconds,
            swapped_in: rate(self.swapped_in, before.swapped_in),
            swapped_out: rate(self.swapped_out, before.swapped_out),
            blocks_in: rate(self.blocks_in, before.blocks_in),
            blocks_out: rate(self.blocks_out, before.blocks_out),
            faults: rate(self.faults, before.faults),
            major_faults: rate(self.major_faults, before.major_faults),
            interrupts: rate(self.interrupts, before.interrupts),
            switches: rate(self.switches, before.switches),
            processor: ticks.map(|part| part as f64 / all.max(1) as f64),
        }
    }
}

/// `name value`.
fn named(line: &[u8]) -> Option<(&[u8], u64)> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    Some((&line[..blank], number(&line[blank..])?))
}

/// Bytes of the system's page.
pub(super) fn page_bytes() -> u64 {
    // SAFETY: the call only answers a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &[u8] = b"cpu  100 20 30 400 50 6 7 8 0 0\ncpu0 1 2 3 4\nintr 900 1 2\nctxt 1000\n\
        procs_running 3\nprocs_blocked 1\n";

    #[test]
    fn rates_are_differences_over_seconds() {
        let mut now = Counters { uptime: 12.0, ..Counters::default() };
        now.add_vmstat(
            b"pswpin 5\npswpout 0\npgpgin 40\npgpgout 8\npgfault 700\npgmajfault 2\n",
            4096,
        );
        now.add_stat(STAT);
        let then = Counters {
            uptime: 10.0,
            swapped_in: 4096,
            faults: 100,
            switches: 600,
            ..Counters::default()
        };
        let rates = now.since(Some(&then));
        assert_eq!((rates.seconds, rates.swapped_in), (2.0, 8192.0));
        assert_eq!((rates.blocks_in, rates.blocks_out), (20.0 * 1024.0, 4.0 * 1024.0));
        assert_eq!((rates.faults, rates.switches, rates.interrupts), (300.0, 200.0, 450.0));
        assert_eq!(now.processor, [120, 43, 400, 50, 8]);
        assert!((rates.processor.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!((now.running, now.blocked), (3, 1));
    }

    #[test]
    fn a_counter_that_went_back_is_no_negative_rate() {
        let then = Counters { faults: 9, uptime: 5.0, ..Counters::default() };
        let now = Counters { uptime: 5.0, ..Counters::default() };
        let rates = now.since(Some(&then));
        assert_eq!(rates.faults, 0.0);
        assert!(rates.seconds > 0.0 && rates.processor == [0.0; 5]);
    }
}
