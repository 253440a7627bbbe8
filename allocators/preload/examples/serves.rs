//! Which library serves this program's `malloc`, and what blocks of a few sizes have.
//!
//! ```text
//! cargo build --release -p strata-preload --lib --example serves
//! LD_PRELOAD=target/release/libstrata.so target/release/examples/serves
//! ```

#[cfg(target_os = "linux")]
fn main() {
    use core::ffi::CStr;

    // SAFETY: a C string, and places to write to; the name is a loaded object's.
    let file = unsafe {
        let mut info: libc::Dl_info = core::mem::zeroed();
        let malloc = libc::dlsym(libc::RTLD_DEFAULT, c"malloc".as_ptr());
        if libc::dladdr(malloc, &mut info) == 0 {
            println!("malloc is in no library");
            return;
        }
        CStr::from_ptr(info.dli_fname).to_string_lossy()
    };
    println!("malloc is in {file}");
    for size in [1, 9, 100, 1025, 40_000, 2_000_000] {
        // SAFETY: a block that was just allocated, and is freed once.
        let usable = unsafe {
            let block = libc::malloc(size);
            let usable = libc::malloc_usable_size(block);
            libc::free(block);
            usable
        };
        println!("a block of {size} bytes has {usable}");
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
