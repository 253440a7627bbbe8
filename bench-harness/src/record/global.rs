//! The recording `#[global_allocator]` of Rust programs.

use super::format::{DIRECTORY_VARIABLE, HOOKS_SYMBOL, HOOKS_VERSION, Hooks, ZEROED};
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Release};

/// A global allocator that lets `strata-bench record` see each request as the program made it:
/// size, alignment, realloc and zeroing, whatever allocator serves it.
///
/// ```
/// use std::alloc::System;
///
/// #[global_allocator]
/// static ALLOCATOR: strata_bench::Recorder<System> = strata_bench::Recorder::new(System);
///
/// fn main() {
///     println!("{}", vec![1, 2, 3].len());
/// }
/// ```
///
/// Outside a recording it only forwards, at the price of a load and a branch. In a recording the
/// calls that the allocator makes underneath (of `malloc`, say) are not recorded a second time;
/// those of C libraries in the same program are recorded as their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorder<A>(A);

impl<A> Recorder<A> {
    /// Records the requests that go to `inner`.
    pub const fn new(inner: A) -> Self {
        Self(inner)
    }
}

/// Tells `strata-bench record` that this executable is recorded from within, so that it may have an
/// allocator of its own: the name of the section is what counts. Not `#[used]`: the linker is to
/// drop it where no `Recorder` refers to it.
#[unsafe(link_section = ".strata_recorder")]
static MARK: [u8; 8] = *b"recorder";

/// The recorder's hooks: null before they are looked for, `ABSENT` where there are none.
static HOOKS: AtomicPtr<Hooks> = AtomicPtr::new(null_mut());

/// Never called: it only gives `HOOKS` an address that stands for "none".
static ABSENT: u8 = 0;

fn absent() -> *mut Hooks {
    (&raw const ABSENT).cast_mut().cast()
}

/// The hooks of the recorder that this process was started under, if it was.
#[inline]
fn hooks() -> Option<&'static Hooks> {
    // Acquire: pairs with the release in `find_slow`.
    let found = HOOKS.load(Acquire);
    let found = if found.is_null() { find_slow() } else { found };
    // SAFETY: neither null nor `ABSENT`, so it is the table of a library that stays loaded.
    (found != absent()).then(|| unsafe { &*found })
}

/// Looks for the hooks, without allocating. Threads that do so at once find the same.
#[cold]
#[inline(never)]
fn find_slow() -> *mut Hooks {
    // Read so that the linker keeps it.
    // SAFETY: a static.
    let _ = unsafe { (&raw const MARK).read_volatile() };
    let mut found = null_mut::<Hooks>();
    // The variable is asked for first: where a symbol is not found, the C library allocates the
    // words to say so.
    if is_set(DIRECTORY_VARIABLE) {
        // SAFETY: a valid handle and a C string.
        found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, HOOKS_SYMBOL.as_ptr()) }.cast();
    }
    // SAFETY: the symbol is a `Hooks`, whose first two fields are of every version.
    let usable = !found.is_null()
        && unsafe {
            (*found).version == HOOKS_VERSION && (*found).bytes as usize >= size_of::<Hooks>()
        };
    let answer = if usable { found } else { absent() };
    // Release: pairs with the acquire in `hooks`.
    HOOKS.store(answer, Release);
    answer
}

/// Whether a variable is in the environment. `std::env` would allocate.
fn is_set(name: &str) -> bool {
    let mut text = [0_u8; 64];
    text[..name.len()].copy_from_slice(name.as_bytes());
    let Ok(name) = CStr::from_bytes_until_nul(&text) else { return false };
    // SAFETY: a C string; the answer is only compared.
    !unsafe { libc::getenv(name.as_ptr()) }.is_null()
}

// SAFETY: each method forwards to the inner allocator with the caller's own arguments and answers
// what it answered. The hooks neither allocate nor unwind, and each `begin` that answers 1 is
// followed by its `end` on the same thread.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Recorder<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        let call = || unsafe { self.0.alloc(layout) };
        allocate(layout, 0, call)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        let call = || unsafe { self.0.alloc_zeroed(layout) };
        allocate(layout, ZEROED, call)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of the method called; `begin_free` takes any
        // address.
        unsafe {
            let recording = hooks().filter(|hooks| (hooks.begin_free)(block) != 0);
            self.0.dealloc(block, layout);
            if let Some(hooks) = recording {
                (hooks.end_free)();
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`.
        unsafe {
            let recording = hooks().filter(|hooks| (hooks.begin_reallocate)(block) != 0);
            let fresh = self.0.realloc(block, layout, bytes);
            if let Some(hooks) = recording {
                (hooks.end_reallocate)(fresh, bytes, layout.align().trailing_zeros());
            }
            fresh
        }
    }
}

#[inline]
fn allocate(layout: Layout, flags: u32, call: impl FnOnce() -> *mut u8) -> *mut u8 {
    // SAFETY: `begin_allocate` has no obligations.
    let recording = hooks().filter(|hooks| unsafe { (hooks.begin_allocate)() } != 0);
    let block = call();
    if let Some(hooks) = recording {
        // SAFETY: `begin_allocate` answered 1 on this thread.
        unsafe {
            (hooks.end_allocate)(block, layout.size(), layout.align().trailing_zeros(), flags);
        }
    }
    block
}
