//! C++'s `operator new` and `operator delete` in all forms, under the names that the Itanium ABI gives
//! them.
//!
//! Where there is no memory, C++ wants the new-handler called, in a loop, and `std::bad_alloc` thrown.
//! Only the C++ runtime knows how. So the request is passed on to the definition that this one stands
//! before, the runtime's own: that asks `malloc`, which is ours and fails again, and then does what is
//! right. An exception passes through the functions here, which have nothing to clean up.

use core::ffi::{CStr, c_void};
use core::{mem, ptr};

use strata_core::misuse;

use crate::c_family::{free, free_aligned_sized, free_sized};
use crate::thread::heap;

/// Files that may have the runtime's definitions, where a library brought one that its symbols did
/// not become everybody's.
const RUNTIMES: [&CStr; 3] = [c"libstdc++.so.6", c"libc++.so.1", c"libc++abi.so.1"];

/// The C++ runtime's own definition of an operator; null where no runtime is loaded.
#[cold]
fn next(name: &CStr, ours: *mut c_void) -> *mut c_void {
    let other = |found: *mut c_void| (!found.is_null() && found != ours).then_some(found);
    // SAFETY: a C string, and handles that the loader knows.
    let all = unsafe {
        [
            libc::dlsym(libc::RTLD_NEXT, name.as_ptr()),
            libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()),
        ]
    };
    all.into_iter()
        .find_map(other)
        .or_else(|| {
            RUNTIMES.iter().find_map(|file| {
                // SAFETY: C strings; nothing new is loaded.
                let handle =
                    unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
                if handle.is_null() {
                    return None;
                }
                // SAFETY: a handle of a loaded library.
                other(unsafe { libc::dlsym(handle, name.as_ptr()) })
            })
        })
        .unwrap_or(ptr::null_mut())
}

/// What `operator new` that may throw does where nobody can.
#[cold]
fn cannot_throw() -> *mut c_void {
    misuse::stop("operator new has no memory, and there is no C++ runtime to say so")
}

/// Defines forms of `operator new`: by their names, the names of their arguments, how they allocate,
/// out of what is at hand and otherwise, and what they answer where there is neither memory nor a
/// runtime.
macro_rules! operators_new {
    ($($doc:literal $name:ident($($arg:ident: $type:ty),*) = $quick:expr, or $block:expr, else $none:expr;)*) => {$(
        #[doc = concat!("`", $doc, "`.\n\n# Safety\n\nNone: any arguments are answered.")]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        #[allow(non_snake_case, reason = "the ABI's names")]
        pub unsafe extern "C-unwind" fn $name($($arg: $type),*) -> *mut c_void {
            #[cold]
            #[inline(never)]
            #[allow(unused_variables, reason = "not all forms use all")]
            unsafe extern "C-unwind" fn slow($($arg: $type),*) -> *mut c_void {
                const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                };
                let block: *mut u8 = $block;
                if !block.is_null() {
                    return block.cast();
                }
                let next = next(NAME, $name as *mut c_void);
                if next.is_null() {
                    return $none;
                }
                // SAFETY: the function of this name has this type.
                let next = unsafe {
                    mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn($($type),*) -> *mut c_void>(next)
                };
                // SAFETY: the caller's arguments.
                unsafe { next($($arg),*) }
            }
            let block: *mut u8 = $quick;
            if block.is_null() {
                // SAFETY: the caller's arguments.
                return unsafe { slow($($arg),*) };
            }
            block.cast()
        }
    )*};
}

/// An alignment as C++ passes it (`std::align_val_t`).
pub type Align = usize;
/// `const std::nothrow_t &`.
pub type NoThrow = *const c_void;

operators_new! {
    "operator new(size)"
    _Znwm(size: usize)
        = heap().allocate_at_hand(size), or heap().allocate(size), else cannot_throw();
    "operator new[](size)"
    _Znam(size: usize)
        = heap().allocate_at_hand(size), or heap().allocate(size), else cannot_throw();
    "operator new(size, align)"
    _ZnwmSt11align_val_t(size: usize, align: Align)
        = ptr::null_mut(), or heap().allocate_aligned(size, align), else cannot_throw();
    "operator new[](size, align)"
    _ZnamSt11align_val_t(size: usize, align: Align)
        = ptr::null_mut(), or heap().allocate_aligned(size, align), else cannot_throw();
    "operator new(size, std::nothrow)"
    _ZnwmRKSt9nothrow_t(size: usize, tag: NoThrow)
        = heap().allocate_at_hand(size), or heap().allocate(size), else ptr::null_mut();
    "operator new[](size, std::nothrow)"
    _ZnamRKSt9nothrow_t(size: usize, tag: NoThrow)
        = heap().allocate_at_hand(size), or heap().allocate(size), else ptr::null_mut();
    "operator new(size, align, std::nothrow)"
    _ZnwmSt11align_val_tRKSt9nothrow_t(size: usize, align: Align, tag: NoThrow)
        = ptr::null_mut(), or heap().allocate_aligned(size, align), else ptr::null_mut();
    "operator new[](size, align, std::nothrow)"
    _ZnamSt11align_val_tRKSt9nothrow_t(size: usize, align: Align, tag: NoThrow)
        = ptr::null_mut(), or heap().allocate_aligned(size, align), else ptr::null_mut();
}

/// Defines forms of `operator delete`.
macro_rules! operators_delete {
    ($($doc:literal $name:ident($block:ident $(, $arg:ident: $type:ty)*) = $free:expr;)*) => {$(
        #[doc = concat!("`", $doc, "`.\n\n# Safety\n\n1. As [`free`].")]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        #[allow(non_snake_case, reason = "the ABI's names")]
        pub unsafe extern "C" fn $name($block: *mut c_void $(, $arg: $type)*) {
            // SAFETY: 1. null, or a live block: the obligation of who calls this operator.
            unsafe { $free }
        }
    )*};
}

operators_delete! {
    "operator delete(block)"
    _ZdlPv(block) = free(block);
    "operator delete(block, size)"
    _ZdlPvm(block, size: usize) = free_sized(block, size);
    "operator delete(block, align)"
    _ZdlPvSt11align_val_t(block, _align: Align) = free(block);
    "operator delete(block, size, align)"
    _ZdlPvmSt11align_val_t(block, size: usize, align: Align) = free_aligned_sized(block, align, size);
    "operator delete(block, std::nothrow)"
    _ZdlPvRKSt9nothrow_t(block, _tag: NoThrow) = free(block);
    "operator delete(block, align, std::nothrow)"
    _ZdlPvSt11align_val_tRKSt9nothrow_t(block, _align: Align, _tag: NoThrow) = free(block);
    "operator delete[](block)"
    _ZdaPv(block) = free(block);
    "operator delete[](block, size)"
    _ZdaPvm(block, size: usize) = free_sized(block, size);
    "operator delete[](block, align)"
    _ZdaPvSt11align_val_t(block, _align: Align) = free(block);
    "operator delete[](block, size, align)"
    _ZdaPvmSt11align_val_t(block, size: usize, align: Align) = free_aligned_sized(block, align, size);
    "operator delete[](block, std::nothrow)"
    _ZdaPvRKSt9nothrow_t(block, _tag: NoThrow) = free(block);
    "operator delete[](block, align, std::nothrow)"
    _ZdaPvSt11align_val_tRKSt9nothrow_t(block, _align: Align, _tag: NoThrow) = free(block);
}
