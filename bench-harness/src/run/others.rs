//! Processor time that others took: other programs of this machine, and its host.

use std::fs;
use std::time::Instant;

/// What had been used when.
///
/// Only what others did is looked at, never what was measured, so that a measurement may be repeated
/// for it without choosing among results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Others {
    start: Instant,
    /// Seconds of all processors.
    busy: f64,
    /// Seconds of this process and of the children that it has waited for.
    own: f64,
}

impl Others {
    /// Begins. `None` where the system does not tell.
    pub(crate) fn begin() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        Some(Self { start: Instant::now(), busy: busy(&text)?, own: own() })
    }

    /// The share of all processors' time since [`Others::begin`] that was neither idle nor this
    /// process's nor its children's, who all have been waited for.
    ///
    /// The system counts in ticks, so that tens of milliseconds have no meaning.
    pub(crate) fn share(&self) -> Option<f64> {
        let now = Self::begin()?;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let all = (now.start - self.start).as_secs_f64() * processors as f64;
        Some((((now.busy - self.busy) - (now.own - self.own)) / all).clamp(0.0, 1.0))
    }
}

/// Seconds that are neither idle nor waiting for a disk, those that the host took included.
fn busy(stat: &str) -> Option<f64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of the first two.
    let ticks = fields.take(8).enumerate().filter(|(index, _)| ![3, 4].contains(index));
    let ticks: u64 = ticks.map(|(_, ticks)| ticks.parse::<u64>().ok()).sum::<Option<u64>>()?;
    // SAFETY: asks for a number.
    let second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (second > 0).then(|| ticks as f64 / second as f64)
}

fn own() -> f64 {
    let of = |who| {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer is writable for the structure, of which zeros are a valid value.
        let usage = unsafe {
            libc::getrusage(who, usage.as_mut_ptr());
            usage.assume_init()
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_idle_and_disk_is_busy() {
        let text = "cpu  100 20 3 5000 600 4 5 60 7 8\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        // SAFETY: asks for a number.
        let second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        assert_eq!(busy(text), Some(192.0 / second));
        assert_eq!(busy("intr 1 2 3"), None);
    }

    #[test]
    fn a_share_is_a_share() {
        let others = Others::begin().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!((0.0..=1.0).contains(&others.share().unwrap()));
    }
}
