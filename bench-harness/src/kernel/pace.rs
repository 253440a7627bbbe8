//! How a kernel's windows follow one another, and what is noted of each.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long a window is meant to last where the parent asks for it: shorter than the slices of
/// processor time that a system gives to its programs, so that others beside do not get into each.
pub(super) const WINDOW: Duration = Duration::from_millis(2);

/// One window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) rounds: u64,
    pub(crate) nanos: u64,
    /// Calls of the harness's own heap meanwhile.
    pub(crate) heap_calls: u64,
    /// Nanoseconds of the [`reference`] beside it, the slower of before and after.
    pub(crate) reference: u64,
    /// How often the process lost its processor meanwhile.
    pub(crate) switches: u64,
}

/// What the parent wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A window, warmed up: others ran meanwhile.
    Warm,
    /// A window right after the one before.
    More,
    /// The end.
    End,
}

/// Who says how many windows there are.
pub(crate) enum Pace<'a> {
    /// So many, all rounds in each, the first one warmed up.
    Fixed(u32),
    /// Told of each window, the parent says what it wants next. `None` before the first.
    Asked(&'a mut dyn FnMut(Option<Turn>) -> Wish),
}

/// A piece of work that keeps all units of a processor busy and touches nothing but a page: how long
/// it takes tells whether something else runs on the same core, or slows it, whatever is measured
/// beside.
#[inline(never)]
pub(super) fn reference() -> u64 {
    const ROUNDS: usize = 10_000;
    let mut page = [1_u64; 512];
    let mut sums = [1_u64, 2, 3, 4, 5, 6];
    let start = Instant::now();
    for round in 0..ROUNDS {
        let line = round % 64 * 8;
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(page[line + lane] ^ round as u64);
        }
        page[line + 7] = sums[0];
        sums = black_box(sums);
    }
    start.elapsed().as_nanos() as u64
}

/// How often this process lost its processor so far.
pub(super) fn switches() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is writable for the structure, of which zeros are a valid value.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    u64::try_from(usage.ru_nivcsw).unwrap_or(0)
}
