//! The faces that probes go through: the two of the process heap, and C's of whatever library is loaded.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{CStr, c_int, c_void};
use core::hint::black_box;
use core::{mem, ptr};

use strata_segregated::SegregatedAlloc;
use strata_segregated::by_address::{ByAddress, Words};

thread_local! {
    static WORDS: Words = const { Words::new() };
}

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn free(block: *mut u8);
    fn realloc(block: *mut u8, size: usize) -> *mut u8;
    fn malloc_trim(pad: usize) -> c_int;
    fn dlsym(library: *mut c_void, name: *const core::ffi::c_char) -> *mut c_void;
}

/// `RTLD_DEFAULT`.
const ANY: *mut c_void = ptr::null_mut();

type New = extern "C" fn(usize) -> *mut u8;
type SizedDelete = unsafe extern "C" fn(*mut u8, usize);

/// C++'s `new` and sized `delete`: what C's face frees by size with.
fn sized() -> Option<(New, SizedDelete)> {
    // SAFETY: C strings.
    let find = |name: &CStr| unsafe { dlsym(ANY, name.as_ptr()) };
    let (new, delete) = (find(c"_Znwm"), find(c"_ZdlPvm"));
    // SAFETY: not null, and functions of these types by the C++ ABI.
    (!new.is_null() && !delete.is_null()).then(|| unsafe {
        let new = mem::transmute::<*mut c_void, New>(new);
        (new, mem::transmute::<*mut c_void, SizedDelete>(delete))
    })
}

/// The two faces of the process heap, and C's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    ByLayout,
    ByAddress,
    C,
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

impl Face {
    fn with<R>(work: impl FnOnce(ByAddress<'_>) -> R) -> R {
        // SAFETY: 1. a thread-local without a destructor. 2. this is the program itself.
        WORDS.with(|words| work(unsafe { ByAddress::of(words) }))
    }

    pub(crate) fn allocate(self, size: usize) -> *mut u8 {
        let block = match self {
            // SAFETY: not of no bytes.
            Self::ByLayout => unsafe { SegregatedAlloc.alloc(layout(size)) },
            Self::ByAddress => Self::with(|heap| heap.allocate(size)),
            // SAFETY: no obligations.
            Self::C => unsafe { malloc(size) },
        };
        black_box(block)
    }

    /// [`allocate`](Self::allocate) of what is freed by size; null where the face has no such free.
    pub(crate) fn allocate_sized(self, size: usize) -> *mut u8 {
        match self {
            Self::C => sized().map_or(ptr::null_mut(), |(new, _)| black_box(new(size))),
            _ => self.allocate(size),
        }
    }

    pub(crate) fn free(self, block: *mut u8, size: usize) {
        let block = black_box(block);
        // SAFETY: none, on purpose, in a child that ends.
        unsafe {
            match self {
                Self::ByLayout => SegregatedAlloc.dealloc(block, layout(size)),
                Self::ByAddress => Self::with(|heap| heap.free(block)),
                Self::C => free(block),
            }
        }
    }

    pub(crate) fn free_sized(self, block: *mut u8, size: usize) {
        match self {
            Self::ByLayout => self.free(block, size),
            // SAFETY: as in `free`.
            Self::ByAddress => Self::with(|heap| unsafe { heap.free_sized(block, size) }),
            Self::C => {
                if let Some((_, delete)) = sized() {
                    // SAFETY: as in `free`.
                    unsafe { delete(black_box(block), size) };
                }
            }
        }
    }

    pub(crate) fn resize(self, block: *mut u8, size: usize, new: usize) -> *mut u8 {
        let block = black_box(block);
        // SAFETY: none where the block is not one, on purpose, in a child that ends.
        let resized = unsafe {
            match self {
                Self::ByLayout => SegregatedAlloc.realloc(block, layout(size), new),
                Self::ByAddress => Self::with(|heap| heap.reallocate(block, new)),
                Self::C => realloc(block, new),
            }
        };
        black_box(resized)
    }

    /// What is seen late is seen now.
    pub(crate) fn flush(self) {
        match self {
            Self::ByLayout => SegregatedAlloc.flush_thread_cache(),
            Self::ByAddress => {
                Self::with(|heap| heap.purge());
            }
            // SAFETY: no obligations.
            Self::C => _ = unsafe { malloc_trim(0) },
        }
    }
}
