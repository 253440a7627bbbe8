//! A library that is closed while its code still has to run.
#![cfg(target_os = "linux")]

use std::ffi::{CStr, CString, c_void};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, mem, thread};

use strata_os::library;

/// Where cargo put the example that is a library.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile.join("examples/libunloadable.so");
    assert!(path.exists(), "no {path:?}: `cargo test` builds it, `cargo test --test` does not");
    path
}

/// Opens a library; null if that fails, or for `RTLD_NOLOAD` if it is not loaded.
fn open(path: &CStr, flags: i32) -> *mut c_void {
    // SAFETY: a C string; the library's constructors are those of Rust's std, which do nothing bad.
    unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | flags) }
}

fn close(handle: *mut c_void) {
    // SAFETY: an open handle of the caller's.
    assert_eq!(unsafe { libc::dlclose(handle) }, 0);
}

/// The library's `pin_and_arm`.
fn pin_and_arm(handle: *mut c_void) -> unsafe extern "C" fn(&AtomicU32) -> bool {
    // SAFETY: an open handle of the caller's, and a C string.
    let symbol = unsafe { libc::dlsym(handle, c"pin_and_arm".as_ptr()) };
    assert!(!symbol.is_null());
    // SAFETY: the example declares it so.
    unsafe { mem::transmute(symbol) }
}

#[test]
fn a_pinned_library_outlives_its_closing_and_another_does_not() {
    static ENDED: AtomicU32 = AtomicU32::new(0);
    let folder = env::temp_dir().join(format!("strata-unload-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, pinned) in [("control.so", false), ("pinned.so", true)] {
        // A name of its own makes it a library of its own.
        let path = folder.join(name);
        fs::copy(built(), &path).unwrap();
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let ended = ENDED.load(Ordering::Relaxed);
        let thread = thread::spawn({
            let path = path.clone();
            move || {
                let handle = open(&path, 0);
                assert!(!handle.is_null());
                let pin_and_arm = pin_and_arm(handle);
                if pinned {
                    // SAFETY: 1. a static of the program's.
                    assert!(unsafe { pin_and_arm(&ENDED) });
                }
                close(handle);
                let still = open(&path, libc::RTLD_NOLOAD);
                if !still.is_null() {
                    close(still);
                }
                // Where a C library unloads nothing, the control stays as well.
                assert!(still.is_null() != pinned || cfg!(target_env = "musl"));
            }
        });
        thread.join().unwrap();
        assert_eq!(ENDED.load(Ordering::Relaxed) - ended, u32::from(pinned));
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_program_and_the_c_library_can_be_pinned_and_what_is_no_object_cannot() {
    // SAFETY: the thread's own errno.
    unsafe { *libc::__errno_location() = 77 };
    // SAFETY: 1. loaded for ever, all of them; the last two are in no object.
    unsafe {
        assert!(library::pin_self(built as *const ()));
        assert!(library::pin_self(libc::getpid as *const ()));
        let local = 0;
        assert!(!library::pin_self((&raw const local).cast()) || cfg!(target_env = "musl"));
        assert!(!library::pin_self(core::ptr::null()) || cfg!(target_env = "musl"));
    }
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(77));
}
