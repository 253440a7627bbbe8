//! `mallinfo2` and `mallinfo`: the heap's figures in glibc's words.

use core::ffi::c_int;

use strata_core::{ByteCount, Stats};
use strata_segregated::SegregatedAlloc;

/// A figure; zero where it is not kept.
fn bytes(figure: Option<ByteCount>) -> usize {
    figure.map_or(0, ByteCount::get)
}

/// What glibc calls the arena is all that is committed here, mappings of their own included; free is
/// what of it holds no block (stocks and metadata too), and what `malloc_trim` would give back is
/// `keepcost`.
fn of(stats: Stats) -> libc::mallinfo2 {
    let (committed, allocated) = (bytes(stats.committed), bytes(stats.allocated));
    libc::mallinfo2 {
        arena: committed,
        ordblks: 0,
        smblks: 0,
        hblks: 0,
        hblkhd: 0,
        usmblks: 0,
        fsmblks: 0,
        uordblks: allocated,
        fordblks: committed.saturating_sub(allocated),
        keepcost: bytes(stats.cached),
    }
}

/// The heap's figures. Those that have no counterpart here are zero.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn mallinfo2() -> libc::mallinfo2 {
    of(SegregatedAlloc::new().stats())
}

/// [`mallinfo2`] in 32 bits: what is more says so by the largest number.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn mallinfo() -> libc::mallinfo {
    let all = mallinfo2();
    let short = |figure: usize| c_int::try_from(figure).unwrap_or(c_int::MAX);
    libc::mallinfo {
        arena: short(all.arena),
        ordblks: 0,
        smblks: 0,
        hblks: 0,
        hblkhd: 0,
        usmblks: 0,
        fsmblks: 0,
        uordblks: short(all.uordblks),
        fordblks: short(all.fordblks),
        keepcost: short(all.keepcost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_the_heap() {
        let before = mallinfo2();
        let block = crate::c_family::malloc(3 << 20);
        let during = mallinfo2();
        assert!(during.uordblks >= before.uordblks + (3 << 20));
        assert!(
            during.arena >= during.uordblks && during.arena == during.uordblks + during.fordblks
        );
        assert!(mallinfo().uordblks >= 3 << 20);
        // SAFETY: 1. from `malloc`.
        unsafe { crate::c_family::free(block) };
    }
}
