//! The clock of latency samples: the processor's counter where there is one.

use std::time::Instant;

/// Ticks of the sample clock; later calls give later ticks on every processor of a sane machine.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: both instructions exist on every x86-64 processor. The fence keeps the timed call
    // from drifting across the reading.
    unsafe {
        std::arch::x86_64::_mm_lfence();
        let ticks = std::arch::x86_64::_rdtsc();
        std::arch::x86_64::_mm_lfence();
        ticks
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// Picoseconds a tick, and the ticks between two readings with nothing in between.
pub(crate) fn calibrate() -> (u64, u64) {
    let (start, from) = (Instant::now(), ticks());
    while start.elapsed().as_millis() < 2 {
        std::hint::spin_loop();
    }
    let passed = ticks().wrapping_sub(from).max(1);
    let picos = (start.elapsed().as_nanos() as u64).saturating_mul(1000) / passed;
    let mut readings: Vec<u64> = (0..1001)
        .map(|_| {
            let first = ticks();
            ticks().wrapping_sub(first)
        })
        .collect();
    readings.sort_unstable();
    (picos.max(1), readings[500])
}
