//! Shared memory between the parent and a child: a memfd, mapped on both sides.
//!
//! Shared mappings are never counted as Anonymous by the kernel, so tables that live here do not
//! disturb what is measured.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

/// Creates a memfd of `bytes`, inherited by children unless `close_on_exec`.
pub(crate) fn create(bytes: usize, close_on_exec: bool) -> io::Result<OwnedFd> {
    let flags = if close_on_exec { libc::MFD_CLOEXEC } else { 0 };
    // SAFETY: the name is a C string.
    let fd = unsafe { libc::memfd_create(c"strata-bench".as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the descriptor is open.
    if unsafe { libc::ftruncate(fd.as_raw_fd(), bytes as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}

/// Maps `bytes` of a memfd, read-write and shared. Never unmapped here; see [`Mapping`].
pub(crate) fn map(fd: i32, bytes: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice disturbs no other.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_NORESERVE,
            fd,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)
}

/// A new shared mapping that nobody else can find, kept for ever.
///
/// Allocates nothing: the heap itself calls it.
pub(crate) fn map_unnamed(bytes: usize) -> Option<NonNull<u8>> {
    let fd = create(bytes, true).ok()?;
    map(fd.as_raw_fd(), bytes).ok()
}

/// A mapping of a memfd that is unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is plain memory; whoever reads or writes through the pointer answers for
// races.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the whole of a memfd of `bytes`.
    pub(crate) fn new(fd: i32, bytes: usize) -> io::Result<Self> {
        Ok(Self { start: map(fd, bytes)?, bytes })
    }

    /// Its first byte; aligned to a page.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length and no reference outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
