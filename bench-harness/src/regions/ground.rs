//! The memory that regions are made of.

use std::io;
use std::ptr::NonNull;

/// A range of memory that is aligned to its length and warm: every page was written.
///
/// # Invariants
///
/// 1. `base` begins `bytes` bytes of a private mapping that nothing else knows.
#[derive(Debug)]
pub struct Ground {
    base: NonNull<u8>,
    bytes: usize,
    mapping: NonNull<u8>,
    mapped: usize,
}

impl Ground {
    /// `bytes` rounded up to a power of two of 4 KiB at least.
    ///
    /// # Errors
    ///
    /// The system's, where it gives no memory.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let bytes = bytes.max(4096).next_power_of_two();
        // Twice as much address space has an aligned half.
        let mapped = bytes * 2;
        // SAFETY: a new private mapping at an address of the system's choice touches nothing.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        let mapping = NonNull::new(mapping.cast::<u8>()).filter(|_| mapping != libc::MAP_FAILED);
        let mapping = mapping.ok_or_else(io::Error::last_os_error)?;
        let before = mapping.addr().get().next_multiple_of(bytes) - mapping.addr().get();
        // SAFETY: less than `bytes` of the twice as many that are mapped.
        let base = unsafe { mapping.add(before) };
        let ground = Self { base, bytes, mapping, mapped };
        ground.write(0, bytes, 0);
        Ok(ground)
    }

    /// Its length.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The region of its first bytes.
    ///
    /// # Panics
    ///
    /// Where it is not so long.
    pub fn region(&self, bytes: usize) -> NonNull<[u8]> {
        assert!(bytes <= self.bytes, "a region of {bytes} bytes on {} bytes of ground", self.bytes);
        NonNull::slice_from_raw_parts(self.base, bytes)
    }

    /// The address of a range that an allocator named.
    ///
    /// # Panics
    ///
    /// Where it leaves the ground: the allocator is at fault.
    #[inline(always)]
    pub(super) fn at(&self, start: usize, bytes: usize) -> NonNull<u8> {
        if start.checked_add(bytes).is_none_or(|end| end > self.bytes) {
            outside(start, bytes);
        }
        // SAFETY: within the mapping, as just checked (invariant 1).
        unsafe { self.base.add(start) }
    }

    /// What a program does with its block at least: a word of it, where it has room for one.
    #[inline(always)]
    pub(super) fn touch(&self, start: usize, bytes: usize, word: u64) {
        let place = self.at(start, bytes);
        if bytes >= size_of::<u64>() {
            // SAFETY: so many bytes are there (`at`).
            unsafe { place.cast::<u64>().as_ptr().write_unaligned(word) };
        }
    }

    /// Fills a range.
    pub(super) fn write(&self, start: usize, bytes: usize, byte: u8) {
        // SAFETY: so many bytes are there (`at`).
        unsafe { self.at(start, bytes).write_bytes(byte, bytes) };
    }

    /// Whether a range holds one byte everywhere.
    pub(super) fn holds(&self, start: usize, bytes: usize, byte: u8) -> bool {
        let place = self.at(start, bytes);
        // SAFETY: so many bytes are there (`at`), written once at least, and the caller is the only
        // thread that knows them.
        let found = unsafe { std::slice::from_raw_parts(place.as_ptr(), bytes) };
        found.iter().all(|&found| found == byte)
    }

    /// Copies within the ground; the ranges may overlap.
    pub(super) fn copy(&self, from: usize, to: usize, bytes: usize) {
        // SAFETY: so many bytes are at both places (`at`).
        unsafe { self.at(from, bytes).copy_to(self.at(to, bytes), bytes) };
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, which nobody else knows (invariant 1).
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.mapped) };
    }
}

#[cold]
#[inline(never)]
fn outside(start: usize, bytes: usize) -> ! {
    panic!("a block of {bytes} bytes at {start} leaves the region")
}
