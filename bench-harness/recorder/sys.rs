//! System calls made directly, which leave `errno` alone and which no program can redefine, and
//! the few functions of the C library that have no such form.

use core::arch::asm;
use core::ffi::{c_char, c_int, c_void};

const READ: usize = 0;
const WRITE: usize = 1;
const CLOSE: usize = 3;
const MMAP: usize = 9;
const MUNMAP: usize = 11;
const PWRITE64: usize = 18;
const MADVISE: usize = 28;
const GETPID: usize = 39;
const READLINK: usize = 89;
const GETRLIMIT: usize = 97;
const GETPPID: usize = 110;
const OPENAT: usize = 257;
const FALLOCATE: usize = 285;

pub(crate) const EEXIST: i32 = 17;
const EINTR: i32 = 4;
const EFBIG: i32 = 27;
const ENOSYS: i32 = 38;
const EOPNOTSUPP: i32 = 95;
/// What the C library sets when it has no memory.
pub(crate) const ENOMEM: i32 = 12;

const AT_FDCWD: usize = -100_isize as usize;
const O_RDWR: usize = 2;
const O_CREAT: usize = 0o100;
const O_EXCL: usize = 0o200;
const O_CLOEXEC: usize = 0o2_000_000;
const PROT_READ_WRITE: usize = 3;
const MAP_SHARED: usize = 1;
const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
const MADV_WIPEONFORK: usize = 18;
const MADV_POPULATE_WRITE: usize = 23;
const RLIMIT_FSIZE: usize = 1;
const CLOCK_MONOTONIC: c_int = 1;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

#[link(name = "c")]
unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    fn __errno_location() -> *mut c_int;
    static environ: *const *const c_char;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn pthread_self() -> usize;
    pub(crate) fn pthread_key_create(
        key: *mut u32,
        destructor: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> c_int;
    pub(crate) fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
    fn abort() -> !;
}

/// The second and later definitions in the order of the loader.
pub(crate) const RTLD_NEXT: *mut c_void = usize::MAX as *mut c_void;

/// A system call.
///
/// # Safety
///
/// 1. The call does nothing to memory that Rust code relies on.
unsafe fn call(number: usize, a: [usize; 6]) -> Result<usize, i32> {
    let answer: isize;
    // SAFETY: the kernel's convention: these registers in, rax out, rcx and r11 lost.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    if (-4095..0).contains(&answer) { Err(-answer as i32) } else { Ok(answer as usize) }
}

/// CLOCK_MONOTONIC in nanoseconds: one clock for all threads and all processors.
#[inline]
pub(crate) fn now() -> u64 {
    let mut time = Timespec { seconds: 0, nanos: 0 };
    // SAFETY: `time` is a timespec of this platform.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut time) };
    (time.seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(time.nanos as u64)
}

/// The calling thread's `errno`.
pub(crate) fn errno() -> i32 {
    // SAFETY: the C library answers a valid address in every thread.
    unsafe { *__errno_location() }
}

/// Sets the calling thread's `errno`.
pub(crate) fn set_errno(value: i32) {
    // SAFETY: as above.
    unsafe { *__errno_location() = value }
}

/// Ends the process with a message, where going on would hurt the program.
pub(crate) fn abort_with(message: &[u8]) -> ! {
    // SAFETY: writing reads only `message`; abort has no obligations.
    unsafe {
        let _ = call(WRITE, [2, message.as_ptr() as usize, message.len(), 0, 0, 0]);
        abort()
    }
}

pub(crate) fn pid() -> u32 {
    // SAFETY: touches no memory.
    unsafe { call(GETPID, [0; 6]) }.unwrap_or(0) as u32
}

pub(crate) fn parent() -> u32 {
    // SAFETY: touches no memory.
    unsafe { call(GETPPID, [0; 6]) }.unwrap_or(0) as u32
}

/// An open file, closed when dropped.
pub(crate) struct File(usize);

impl File {
    fn open_with(path: &[u8], flags: usize) -> Result<Self, i32> {
        debug_assert_eq!(path.last(), Some(&0));
        loop {
            let arguments = [AT_FDCWD, path.as_ptr() as usize, flags | O_CLOEXEC, 0o600, 0, 0];
            // SAFETY: reads the path, which ends with a zero byte.
            match unsafe { call(OPENAT, arguments) } {
                Err(EINTR) => {}
                Err(error) => return Err(error),
                Ok(descriptor) => return Ok(Self(descriptor)),
            }
        }
    }

    /// Opens a file to read. The path ends with a zero byte, here and below.
    pub(crate) fn open(path: &[u8]) -> Result<Self, i32> {
        Self::open_with(path, 0)
    }

    /// Opens a file to read and write.
    pub(crate) fn open_rw(path: &[u8]) -> Result<Self, i32> {
        Self::open_with(path, O_RDWR)
    }

    /// Makes a file that must not be there yet.
    pub(crate) fn create(path: &[u8]) -> Result<Self, i32> {
        Self::open_with(path, O_RDWR | O_CREAT | O_EXCL)
    }

    /// Reads some bytes; 0 at the end.
    pub(crate) fn read(&self, into: &mut [u8]) -> Result<usize, i32> {
        loop {
            // SAFETY: writes at most `into.len()` bytes into `into`.
            match unsafe { call(READ, [self.0, into.as_mut_ptr() as usize, into.len(), 0, 0, 0]) } {
                Err(EINTR) => {}
                answer => return answer,
            }
        }
    }

    /// Makes room for the bytes from `offset`, so that writing them through a mapping can not end
    /// in a signal. Fails where the device or the process's file limit has no room.
    pub(crate) fn reserve(&self, offset: u64, bytes: u64) -> Result<(), i32> {
        // Passing the limit on file lengths would be answered by a signal.
        let mut limit = [0_u64; 2];
        // SAFETY: writes two words into `limit`.
        unsafe { call(GETRLIMIT, [RLIMIT_FSIZE, limit.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
        if offset + bytes > limit[0] {
            return Err(EFBIG);
        }
        loop {
            // SAFETY: touches no memory.
            let answer =
                unsafe { call(FALLOCATE, [self.0, 0, offset as usize, bytes as usize, 0, 0]) };
            match answer {
                Ok(_) => return Ok(()),
                Err(EINTR) => {}
                Err(ENOSYS | EOPNOTSUPP) => return self.fill(offset, bytes),
                Err(error) => return Err(error),
            }
        }
    }

    /// `reserve` on a file system without it: the room is made by writing zeros.
    #[cold]
    fn fill(&self, mut offset: u64, bytes: u64) -> Result<(), i32> {
        static ZEROS: [u8; 4096] = [0; 4096];
        let end = offset + bytes;
        while offset < end {
            let length = ZEROS.len().min((end - offset) as usize);
            let from = ZEROS.as_ptr() as usize;
            // SAFETY: reads `length` bytes of `ZEROS`.
            match unsafe { call(PWRITE64, [self.0, from, length, offset as usize, 0, 0]) } {
                Ok(written) => offset += written as u64,
                Err(EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Maps a range of the file, shared, and lets the pages come at once.
    pub(crate) fn map(&self, offset: u64, bytes: usize) -> Result<*mut u8, i32> {
        let arguments = [0, bytes, PROT_READ_WRITE, MAP_SHARED, self.0, offset as usize];
        // SAFETY: a new mapping at an address that the kernel chooses.
        let address = unsafe { call(MMAP, arguments) }?;
        // Only saves time, so its failure says nothing.
        // SAFETY: populating pages changes no contents.
        let _ = unsafe { call(MADVISE, [address, bytes, MADV_POPULATE_WRITE, 0, 0, 0]) };
        Ok(address as *mut u8)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: closes a descriptor that this value alone owns.
        let _ = unsafe { call(CLOSE, [self.0, 0, 0, 0, 0, 0]) };
    }
}

/// Gives a mapping back.
///
/// # Safety
///
/// 1. The range is a whole mapping of [`File::map`] and nothing refers to it.
pub(crate) unsafe fn unmap(address: *mut u8, bytes: usize) {
    // SAFETY: (1) by the caller's obligation.
    let _ = unsafe { call(MUNMAP, [address as usize, bytes, 0, 0, 0, 0]) };
}

/// A page of private zeroed memory.
pub(crate) fn private_page() -> Result<*mut u8, i32> {
    let arguments = [0, 4096, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0];
    // SAFETY: a new mapping at an address that the kernel chooses.
    unsafe { call(MMAP, arguments) }.map(|address| address as *mut u8)
}

/// Has the kernel clear a page of [`private_page`] in the child of every fork.
pub(crate) fn wipe_on_fork(page: *mut u8) -> Result<(), i32> {
    // SAFETY: changes nothing in this process.
    unsafe { call(MADVISE, [page as usize, 4096, MADV_WIPEONFORK, 0, 0, 0]) }.map(|_| ())
}

/// The target of a symbolic link, cut to what fits. The path ends with a zero byte.
pub(crate) fn read_link(path: &[u8], into: &mut [u8]) -> usize {
    let arguments = [path.as_ptr() as usize, into.as_mut_ptr() as usize, into.len(), 0, 0, 0];
    // SAFETY: writes at most `into.len()` bytes into `into`.
    unsafe { call(READLINK, arguments) }.unwrap_or(0)
}

/// The value of a variable of the environment that this process image began with, as the C library
/// has it: used only where /proc is missing.
pub(crate) fn variable(name: &[u8], into: &mut [u8]) -> Option<usize> {
    // SAFETY: `environ` is null or an array of C strings that ends with null; the program has not
    // run yet, so nobody changes it.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let text = core::ffi::CStr::from_ptr(*entry).to_bytes();
            if let Some(value) = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
                into.get_mut(..value.len())?.copy_from_slice(value);
                return Some(value.len());
            }
            entry = entry.add(1);
        }
    }
    None
}
