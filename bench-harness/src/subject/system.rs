//! The platform's own allocator, the base of every ratio, or what is preloaded in its place.

use super::{Description, OwnFigures, Subject};
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// `std::alloc::System`: the C library's malloc, or the library that is preloaded in its place.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl System {
    /// The one value there is, by the name that every subject's constructor has.
    pub const fn new() -> Self {
        Self
    }
}

// SAFETY: every method forwards to `std::alloc::System` with the caller's own arguments.
unsafe impl GlobalAlloc for System {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        unsafe { std::alloc::System.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { std::alloc::System.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { std::alloc::System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { std::alloc::System.realloc(ptr, layout, new_size) }
    }
}

// SAFETY:
// 1. The implementation above forwards to `System`, which keeps `GlobalAlloc`'s obligations.
// 2. `malloc_usable_size` is called with a live block of the same malloc, and its promise is that
//    all those bytes belong to the block.
unsafe impl Subject for System {
    /// Under a preloaded library the name is `lib:` and the library's own, and the version is the
    /// name of the file itself, which by convention ends in it.
    fn describe(&self) -> Description {
        let mut description = Description { name: "system".into(), ..Description::default() };
        if let Some(library) = preloaded() {
            let stem = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let file = library.canonicalize().unwrap_or(library);
            description.name = format!("lib:{}", stem.split(".so").next().unwrap_or_default());
            description.purge_settings = "the library's own".into();
            description.version =
                file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        } else if let Some(version) = c_library_version() {
            description.version = format!("glibc {version}");
            description.purge_settings = tunables();
        }
        description
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        // SAFETY: by obligation 1 `ptr` is a live block of the C library's malloc.
        Some(unsafe { libc::malloc_usable_size(ptr.cast()) })
    }

    /// `malloc_trim(0)`, where the malloc in place has one of its own.
    fn purge(&self) -> bool {
        type Trim = unsafe extern "C" fn(usize) -> c_int;
        let Some(address) = beside_malloc(c"malloc_trim") else { return false };
        // SAFETY: the symbol is the function that glibc documents, of this type.
        let trim: Trim = unsafe { std::mem::transmute(address) };
        // SAFETY: may be called at any time.
        unsafe { trim(0) };
        true
    }

    /// From `mallinfo2`, where the malloc in place has one of its own. What thread caches hold
    /// counts as allocated there, and so do chunk headers.
    fn figures(&self) -> OwnFigures {
        type Info = unsafe extern "C" fn() -> libc::mallinfo2;
        let Some(address) = beside_malloc(c"mallinfo2") else { return OwnFigures::default() };
        // SAFETY: the symbol is the function that glibc documents, of this type.
        let info: Info = unsafe { std::mem::transmute(address) };
        // SAFETY: may be called at any time.
        let info = unsafe { info() };
        OwnFigures {
            allocated: Some((info.uordblks + info.hblkhd) as u64),
            mapped: Some((info.arena + info.hblkhd) as u64),
            ..OwnFigures::default()
        }
    }
}

/// The address of a symbol of the program as it runs, preloaded libraries first.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a lookup by name, which runs no code of the library found.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// The file of the library that an address belongs to.
fn library_of(address: *const c_void) -> Option<PathBuf> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` accepts any address and writes the whole structure where it finds one;
    // zeros are a valid value of it otherwise.
    let info = unsafe {
        if libc::dladdr(address, info.as_mut_ptr()) == 0 {
            return None;
        }
        info.assume_init()
    };
    // SAFETY: the name is a string of the loader, which lives as long as the library is loaded.
    let name = (!info.dli_fname.is_null()).then(|| unsafe { CStr::from_ptr(info.dli_fname) })?;
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// A symbol, if it comes from the library that also `malloc` comes from: glibc's statistics say
/// nothing of a preloaded malloc.
fn beside_malloc(name: &CStr) -> Option<*mut c_void> {
    let address = symbol(name)?;
    (library_of(address)? == library_of(symbol(c"malloc")?)?).then_some(address)
}

/// The library that has taken the C library's place as the program's malloc.
fn preloaded() -> Option<PathBuf> {
    // `strlen`'s library would do as well: any function that only a C library has.
    let c_library = library_of(symbol(c"getenv")?)?;
    let library = library_of(symbol(c"malloc")?)?;
    (library != c_library).then_some(library)
}

/// The version of the C library as it says itself. `None` where it is not glibc.
fn c_library_version() -> Option<String> {
    type Version = unsafe extern "C" fn() -> *const c_char;
    let address = symbol(c"gnu_get_libc_version")?;
    // SAFETY: the symbol is the function that glibc documents, of this type.
    let version: Version = unsafe { std::mem::transmute(address) };
    // SAFETY: it answers a string in static memory.
    Some(unsafe { CStr::from_ptr(version()) }.to_string_lossy().into_owned())
}

/// When glibc gives memory back: its defaults, or what the environment changed.
fn tunables() -> String {
    let changed = std::env::var("GLIBC_TUNABLES").unwrap_or_default();
    let malloc: Vec<&str> =
        changed.split(':').filter_map(|one| one.strip_prefix("glibc.malloc.")).collect();
    if malloc.is_empty() { "trim_threshold=128KiB, dynamic".into() } else { malloc.join(" ") }
}
