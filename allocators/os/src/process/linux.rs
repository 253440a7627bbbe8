//! The calls on Linux.

use core::ffi::c_void;
#[cfg(not(target_env = "musl"))]
use core::ffi::{c_char, c_int};
#[cfg(not(target_env = "musl"))]
use core::slice;

pub(crate) use crate::memory::sys::keep_errno;

/// A thread-specific value's key with a destructor.
pub(crate) fn create_key(destructor: unsafe extern "C" fn(*mut c_void)) -> Option<u32> {
    let mut key = 0;
    // SAFETY: the key is written, the destructor kept. What it is called with is up to `set_key`.
    let status = unsafe { libc::pthread_key_create(&mut key, Some(destructor)) };
    (status == 0).then_some(key)
}

/// # Safety
///
/// 1. `key` is one that [`create_key`] made.
/// 2. Its destructor may be called with `value` when this thread ends, or `value` is null.
pub(crate) unsafe fn set_key(key: u32, value: *mut c_void) -> bool {
    // SAFETY: 1. and 2. of this function.
    unsafe { libc::pthread_setspecific(key, value) == 0 }
}

/// # Safety
///
/// 1. The functions may be called at every `fork`, and stay loaded.
pub(crate) unsafe fn at_fork(
    prepare: unsafe extern "C" fn(),
    parent: unsafe extern "C" fn(),
    child: unsafe extern "C" fn(),
) -> bool {
    // SAFETY: 1. of this function.
    unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) == 0 }
}

/// The thread's handle, which is an address.
pub(crate) fn thread_id() -> usize {
    // SAFETY: always right.
    unsafe { libc::pthread_self() as usize }
}

/// The end of the mapping that this thread's stack is in.
///
/// From the kernel's list, and not from the C library, which allocates with a lock held when it is asked.
pub(crate) fn stack_top() -> Option<usize> {
    let here = 0_u8;
    let here = core::hint::black_box(&raw const here).addr();
    // SAFETY: a C string.
    let file = unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return None;
    }
    let mut buffer = [0_u8; 1024];
    let (mut line, mut found) = (crate::stack::MapsLine::new(), None);
    while found.is_none() {
        // SAFETY: a place of that length, and a file that is open.
        let got = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), buffer.len()) };
        let Some(bytes) = usize::try_from(got).ok().and_then(|got| buffer.get(..got)) else {
            break;
        };
        if bytes.is_empty() {
            break;
        }
        found =
            bytes.iter().find_map(|byte| line.next(*byte).filter(|range| range.contains(&here)));
    }
    // SAFETY: open, and closed once.
    unsafe { libc::close(file) };
    found.map(|range| range.end)
}

/// Eight bytes of the system's, without waiting for them; `None` where it has none yet.
pub(crate) fn random() -> Option<u64> {
    let mut bits = 0_u64;
    // SAFETY: a place of that length.
    let got =
        unsafe { libc::getrandom((&raw mut bits).cast(), size_of::<u64>(), libc::GRND_NONBLOCK) };
    (got == size_of::<u64>() as isize).then_some(bits)
}

pub(crate) fn coarse_millis() -> u64 {
    let now = read(libc::CLOCK_MONOTONIC_COARSE);
    (now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000)
}

pub(crate) fn nanos() -> u64 {
    let now = read(libc::CLOCK_MONOTONIC);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place. Where the clock is unknown it stays zero.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now
}

pub(crate) fn address_space() -> Option<usize> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a valid place.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    if status != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    usize::try_from(limit.rlim_cur).ok()
}

/// musl unloads nothing.
#[cfg(target_env = "musl")]
pub(crate) unsafe fn pin(_address: usize) -> bool {
    true
}

/// # Safety
///
/// 1. The object that holds `address`, if there is one, stays loaded during the call.
#[cfg(not(target_env = "musl"))]
pub(crate) unsafe fn pin(address: usize) -> bool {
    let mut search = Search { address, found: None };
    // SAFETY: `visit` gets `search`, which outlives the call, and touches nothing else.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    let Some(object) = search.found else {
        return false;
    };
    // SAFETY: no argument but a known name; zero where the system does not tell.
    let headers_of_program = unsafe { libc::getauxval(libc::AT_PHDR) };
    // The program itself is never unloaded. glibc gives it no name; where the loader was run as a
    // command, the kernel's answer speaks of the loader, and only the name tells.
    // SAFETY: 1. of `library::pin_self`: the object is loaded, so its name is there.
    let nameless = object.name.is_null() || unsafe { *object.name } == 0;
    if nameless || object.headers == headers_of_program as usize {
        return true;
    }
    // SAFETY: 1. as above, and names of the loader's are C strings.
    unsafe { open_for_ever(object.name) }
}

/// Opens a loaded object once more, by the name that the loader has for it.
///
/// # Safety
///
/// 1. `name` is a C string.
#[cfg(all(not(target_env = "musl"), not(target_feature = "crt-static")))]
unsafe fn open_for_ever(name: *const c_char) -> bool {
    // NOLOAD: nothing new is mapped, and no constructor runs.
    let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: 1. of this function. The handle is kept on purpose.
    unsafe { !libc::dlopen(name, flags).is_null() }
}

/// A static program has no loader to ask, and linking one in would be most of its size.
#[cfg(all(not(target_env = "musl"), target_feature = "crt-static"))]
unsafe fn open_for_ever(_name: *const c_char) -> bool {
    false
}

/// The object that holds an address, as `dl_iterate_phdr` tells of it.
#[cfg(not(target_env = "musl"))]
struct Object {
    name: *const c_char,
    /// Where its program headers lie.
    headers: usize,
}

#[cfg(not(target_env = "musl"))]
struct Search {
    address: usize,
    found: Option<Object>,
}

/// Looks at one object; not zero ends the walk. It runs under a lock of the loader's.
///
/// # Safety
///
/// 1. `info` describes a loaded object.
/// 2. `search` is a [`Search`] that nobody else uses.
#[cfg(not(target_env = "musl"))]
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: 2. of this function.
    let search = unsafe { &mut *search.cast::<Search>() };
    // SAFETY: 1. of this function.
    let info = unsafe { &*info };
    // SAFETY: 1. of this function: the table has so many entries, and stays.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    // The widths are those of the address space, so the casts lose nothing.
    let offset = search.address.wrapping_sub(info.dlpi_addr as usize);
    let holds = headers.iter().any(|part| {
        let start = part.p_vaddr as usize;
        part.p_type == libc::PT_LOAD && offset.wrapping_sub(start) < part.p_memsz as usize
    });
    if holds {
        search.found = Some(Object { name: info.dlpi_name, headers: info.dlpi_phdr.addr() });
    }
    holds.into()
}
