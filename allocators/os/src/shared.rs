//! Memory without a place of its own, that can be seen at several addresses.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};

use core::ptr::NonNull;

use memmap2::{MmapOptions, MmapRaw};

use crate::OsError;
use crate::memory::sys::{keep_errno, last_error, page_size};

/// Anonymous memory of the system (a `memfd`), seen as a whole from [`base`](Self::base), and in pieces
/// wherever [`view`](Self::view) puts them. Zero at first; takes memory where it is touched.
///
/// Views are further mappings of the same pages: a write through one is read through all.
///
/// ```
/// use strata_os::memory::{page_size, release, reserve};
/// use strata_os::SharedMemory;
///
/// let page = page_size();
/// let memory = SharedMemory::new(8 * page)?;
/// let place = reserve(2 * page, 1)?;
/// // SAFETY: a reserved range of our own; whole pages inside the memory.
/// unsafe {
///     // Pages 5 and 2, side by side.
///     memory.view(place, 5 * page, page)?;
///     memory.view(place.add(page), 2 * page, page)?;
///     place.add(page).write(7);
///     assert_eq!(memory.base().add(2 * page).read(), 7);
///     release(place, 2 * page)?;
/// }
/// # Ok::<(), strata_os::OsError>(())
/// ```
#[derive(Debug)]
pub struct SharedMemory {
    map: MmapRaw,
    file: File,
}

impl SharedMemory {
    /// `len` bytes, a multiple of the page.
    ///
    /// # Errors
    ///
    /// `memfd_create`, `ftruncate` or `mmap`: no memory, address space or file descriptors.
    pub fn new(len: usize) -> Result<Self, OsError> {
        keep_errno(|| {
            // SAFETY: the name is a C string; the flag closes the file in programs that are started.
            let number = unsafe { libc::memfd_create(c"strata".as_ptr(), libc::MFD_CLOEXEC) };
            if number < 0 {
                return Err(last_error("memfd_create"));
            }
            // SAFETY: a fresh descriptor, which nobody else closes.
            let file = unsafe { File::from_raw_fd(number) };
            let error = |op| {
                move |error: std::io::Error| OsError {
                    op,
                    errno: error.raw_os_error().unwrap_or(0),
                }
            };
            file.set_len(len as u64).map_err(error("ftruncate"))?;
            let map = MmapOptions::new().len(len).map_raw(&file).map_err(error("mmap"))?;
            Ok(Self { map, file })
        })
    }

    /// Bytes.
    #[expect(clippy::len_without_is_empty, reason = "no mapping is empty")]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Where the whole memory is seen, in order, as long as this lives.
    pub fn base(&self) -> NonNull<u8> {
        // A mapping is never at zero.
        NonNull::new(self.map.as_mut_ptr()).unwrap_or(NonNull::dangling())
    }

    /// Shows `len` bytes from `offset` at `at`, in place of what is mapped there. The view stays when
    /// this memory ends, until its addresses are released.
    ///
    /// # Errors
    ///
    /// `mmap`: too many mappings, or `offset + len` is beyond the end; nothing changed.
    ///
    /// # Safety
    ///
    /// 1. The caller owns `[at, at + len)`, reserved or mapped by this crate, and nobody uses what is
    ///    there.
    /// 2. `at`, `offset` and `len` are multiples of the [page](crate::memory::page_size), and `len` is
    ///    not zero.
    pub unsafe fn view(&self, at: NonNull<u8>, offset: usize, len: usize) -> Result<(), OsError> {
        debug_assert!(offset.is_multiple_of(page_size()) && len > 0);
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len());
        let offset = libc::off_t::try_from(offset).ok().filter(|_| inside);
        let Some(offset) = offset else {
            return Err(OsError { op: "mmap", errno: libc::EINVAL });
        };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        // SAFETY: 1. of this method: what is replaced is the caller's. 2. whole pages.
        unsafe { replace(at, len, protection, flags, self.file.as_raw_fd(), offset) }
    }

    /// Takes a view away: its addresses are reserved again and must not be touched.
    ///
    /// # Errors
    ///
    /// `mmap`: too many mappings; nothing changed.
    ///
    /// # Safety
    ///
    /// 1. As for [`view`](Self::view), which made it. 2. As there.
    pub unsafe fn hide(at: NonNull<u8>, len: usize) -> Result<(), OsError> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: 1. of this method: the caller's own view. 2. whole pages.
        unsafe { replace(at, len, libc::PROT_NONE, flags, -1, 0) }
    }

    /// Gives the contents of `len` bytes from `offset` back to the system; they read as zero, through
    /// every view.
    ///
    /// # Errors
    ///
    /// `fallocate`: the range is beyond the end.
    ///
    /// # Safety
    ///
    /// 1. Nobody reads or writes the range during the call, through whatever view.
    pub unsafe fn purge(&self, offset: usize, len: usize) -> Result<(), OsError> {
        let beyond = OsError { op: "fallocate", errno: libc::EINVAL };
        let from = libc::off_t::try_from(offset).map_err(|_| beyond)?;
        let bytes = libc::off_t::try_from(len).map_err(|_| beyond)?;
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        keep_errno(|| {
            // SAFETY: our own file; 1. of this method: nobody looks.
            let status = unsafe { libc::fallocate(self.file.as_raw_fd(), mode, from, bytes) };
            if status == 0 { Ok(()) } else { Err(last_error("fallocate")) }
        })
    }
}

/// Maps over a range.
///
/// # Safety
///
/// 1. The caller owns `[at, at + len)` and nobody uses what is there; whole pages.
unsafe fn replace(
    at: NonNull<u8>,
    len: usize,
    protection: i32,
    flags: i32,
    file: i32,
    offset: libc::off_t,
) -> Result<(), OsError> {
    keep_errno(|| {
        // SAFETY: 1. of this function.
        let mapped =
            unsafe { libc::mmap(at.as_ptr().cast(), len, protection, flags, file, offset) };
        if mapped == libc::MAP_FAILED { Err(last_error("mmap")) } else { Ok(()) }
    })
}
