//! Numbers that nobody can foretell, for keys.

use core::ptr;

use crate::{clock, process, thread};

/// Eight random bytes: the system's. Where it has none (before its pool is filled, or in a sandbox that does
/// not know the call), what differs from start to start instead: the clock, and where code and stacks lie.
///
/// A system call; not for every number that is wanted.
///
/// ```
/// use strata_os::random::bits;
/// assert_ne!(bits(), bits());
/// ```
pub fn bits() -> u64 {
    process::keep_errno(process::random).unwrap_or_else(|| {
        let here = 0_u8;
        let places = (&raw const here).addr() ^ (ptr::from_ref(&bits).addr() << 16) ^ thread::id();
        // Each word over all bits, so that none of them is as it was.
        (places as u64 ^ clock::nanos().rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}
