//! A clock for decisions, not for measurements.

use crate::process;

/// Milliseconds of a clock that only goes forward, since some moment of the system's choice.
///
/// It is as coarse as the system's timer tick (1 to 10 ms), and on the usual machines read from
/// memory that the kernel shares, without a system call. It stands still while the machine sleeps.
/// On a system that this crate does not know it is always zero, so that no time ever passes.
///
/// ```
/// use strata_os::clock::coarse_millis;
///
/// let then = coarse_millis();
/// // Wrapping: right for every clock, the one that stands still included.
/// assert!(coarse_millis().wrapping_sub(then) < 60_000);
/// ```
#[inline]
pub fn coarse_millis() -> u64 {
    process::keep_errno(process::coarse_millis)
}

/// Nanoseconds of the same clock, as fine as the system has it: for what takes microseconds.
///
/// It costs some 20 ns, on the usual machines without a system call. On a system that this crate does
/// not know it is always zero.
///
/// ```
/// use strata_os::clock::nanos;
///
/// let then = nanos();
/// assert!(nanos().wrapping_sub(then) < 60_000_000_000);
/// ```
#[inline]
pub fn nanos() -> u64 {
    process::keep_errno(process::nanos)
}

#[cfg(all(test, target_os = "linux", not(strata_loom)))]
mod tests {
    use super::*;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    #[test]
    fn the_coarse_clock_follows_the_fine_one() {
        let outer = Instant::now();
        let start = coarse_millis();
        let (inner, mut last) = (Instant::now(), start);
        while inner.elapsed() < Duration::from_millis(60) {
            sleep(Duration::from_millis(1));
            let now = coarse_millis();
            assert!(now >= last, "it goes forward only");
            last = now;
        }
        // What lies between the two fine readings is read a tick late at either end.
        let least = inner.elapsed().as_millis() as u64;
        let coarse = coarse_millis() - start;
        let most = outer.elapsed().as_millis() as u64;
        assert!(coarse + 20 >= least && coarse <= most + 20, "{least} {coarse} {most}");
    }
}
