//! The memory of the calibration subjects: one mapping, reserved at first use, cut from its start.

use std::ops::Range;

/// The addresses asked for; halved until the system agrees.
const LARGEST: usize = 64 << 30;
/// A reservation smaller than this is a failure.
const SMALLEST: usize = 1 << 20;

/// An own anonymous private mapping without a commit charge, of which a prefix is handed out.
///
/// Huge pages are advised against, for a known answer counts pages: what nobody touched must not be
/// resident because a neighbour was.
///
/// # Invariants
///
/// 1. Either `base` is 0 and so are the others, or `base..base + len` is a mapping of ours,
///    readable and writable, that lives as long as `self`.
/// 2. `base <= top <= base + len`, and all memory from `top` on is untouched.
pub(crate) struct Region {
    base: usize,
    len: usize,
    top: usize,
}

impl Region {
    pub(crate) const fn new() -> Self {
        Self { base: 0, len: 0, top: 0 }
    }

    /// The whole range of addresses, which is reserved if it is not yet. `None` if the system
    /// refuses.
    pub(crate) fn range(&mut self) -> Option<Range<usize>> {
        if self.base == 0 {
            self.reserve();
        }
        (self.base != 0).then_some(self.base..self.base + self.len)
    }

    /// Bytes handed out so far, with what alignment skipped.
    pub(crate) fn carved(&self) -> usize {
        self.top - self.base
    }

    /// Hands out `bytes` at an address that is a multiple of `align` after adding `offset`. `None`
    /// once the region is used up. `align` is a power of two.
    pub(crate) fn carve(&mut self, bytes: usize, align: usize, offset: usize) -> Option<usize> {
        debug_assert!(align.is_power_of_two());
        let range = self.range()?;
        let aligned = self.top.checked_add(offset)?.checked_next_multiple_of(align)?;
        let start = aligned - offset;
        let end = start.checked_add(bytes)?;
        if end > range.end {
            return None;
        }
        self.top = end;
        Some(start)
    }

    #[cold]
    fn reserve(&mut self) {
        let mut len = LARGEST;
        while len >= SMALLEST {
            // SAFETY: a new anonymous mapping at an address of the system's choice touches nothing
            // that exists.
            let address = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    len,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                    -1,
                    0,
                )
            };
            if address != libc::MAP_FAILED {
                // SAFETY: the range is the mapping just made. A kernel without huge pages refuses,
                // and then there is nothing to advise against.
                unsafe { libc::madvise(address, len, libc::MADV_NOHUGEPAGE) };
                *self = Self { base: address as usize, len, top: address as usize };
                return;
            }
            len /= 2;
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.base != 0 {
            // SAFETY: by invariant 1 the mapping is ours, and who drops the region answers for its
            // blocks, as with every allocator that is dropped.
            unsafe { libc::munmap(self.base as *mut libc::c_void, self.len) };
        }
    }
}

/// The system's page in bytes.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: `sysconf` reads a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

/// Makes every page of a freshly carved range resident by writing a zero where zeros are.
///
/// # Safety
///
/// 1. `start..start + bytes` was just carved from a [`Region`] and nobody else knows it yet.
pub(crate) unsafe fn touch(start: usize, bytes: usize) {
    let page = page_bytes();
    let mut at = start;
    while at < start + bytes {
        // SAFETY: by obligation 1 the byte is ours alone, and zero as the system gave it. The write
        // is volatile because its effect, residency, is outside the language.
        unsafe { (at as *mut u8).write_volatile(0) };
        at = (at & !(page - 1)) + page;
    }
}
