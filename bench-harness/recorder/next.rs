//! The next definitions of the functions that this library stands before.

use crate::{bootstrap, sys, tls};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A function's address once it is known: 0 before, and where there is none.
struct Slot {
    name: &'static CStr,
    address: AtomicUsize,
}

impl Slot {
    const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicUsize::new(0) }
    }
}

/// Declares the slots, one typed reader for each, and the list that the lookup goes through.
macro_rules! definitions {
    ($($name:ident: $type:ty = $symbol:literal;)*) => {
        #[allow(non_upper_case_globals)]
        mod slot {
            use super::Slot;
            $(pub(super) static $name: Slot = Slot::new($symbol);)*
        }

        static ALL: &[&Slot] = &[$(&slot::$name),*];

        $(
            /// The next definition, if there is one and it can be known now.
            #[inline]
            pub(crate) fn $name() -> Option<$type> {
                let address = find(&slot::$name);
                // SAFETY: the symbol of this name has this type by its standard or manual.
                (address != 0).then(|| unsafe { transmute::<usize, $type>(address) })
            }
        )*
    };
}

type Start = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

definitions! {
    malloc: unsafe extern "C" fn(usize) -> *mut u8 = c"malloc";
    free: unsafe extern "C" fn(*mut u8) = c"free";
    calloc: unsafe extern "C" fn(usize, usize) -> *mut u8 = c"calloc";
    realloc: unsafe extern "C" fn(*mut u8, usize) -> *mut u8 = c"realloc";
    memalign: unsafe extern "C" fn(usize, usize) -> *mut u8 = c"memalign";
    posix_memalign: unsafe extern "C" fn(*mut *mut u8, usize, usize) -> c_int = c"posix_memalign";
    aligned_alloc: unsafe extern "C" fn(usize, usize) -> *mut u8 = c"aligned_alloc";
    valloc: unsafe extern "C" fn(usize) -> *mut u8 = c"valloc";
    pvalloc: unsafe extern "C" fn(usize) -> *mut u8 = c"pvalloc";
    malloc_usable_size: unsafe extern "C" fn(*mut u8) -> usize = c"malloc_usable_size";
    free_sized: unsafe extern "C" fn(*mut u8, usize) = c"free_sized";
    free_aligned_sized: unsafe extern "C" fn(*mut u8, usize, usize) = c"free_aligned_sized";
    pthread_create:
        unsafe extern "C" fn(*mut usize, *const c_void, Start, *mut c_void) -> c_int
        = c"pthread_create";
    pthread_join: unsafe extern "C" fn(usize, *mut *mut c_void) -> c_int = c"pthread_join";
    pthread_tryjoin_np:
        unsafe extern "C" fn(usize, *mut *mut c_void) -> c_int = c"pthread_tryjoin_np";
    pthread_timedjoin_np:
        unsafe extern "C" fn(usize, *mut *mut c_void, *const c_void) -> c_int
        = c"pthread_timedjoin_np";
    pthread_clockjoin_np:
        unsafe extern "C" fn(usize, *mut *mut c_void, c_int, *const c_void) -> c_int
        = c"pthread_clockjoin_np";
}

/// `ABSENT` in a slot: looked up, and there is none.
const ABSENT: usize = 1;

#[inline]
fn find(slot: &Slot) -> usize {
    // Relaxed: every thread that looks a symbol up finds the same address, and code needs no
    // publication.
    match slot.address.load(Relaxed) {
        0 => find_slow(slot),
        ABSENT => 0,
        address => address,
    }
}

#[cold]
#[inline(never)]
fn find_slow(slot: &Slot) -> usize {
    let thread = tls::current();
    // SAFETY: the thread's own bytes, read and written by it alone.
    unsafe {
        if (*thread).resolving != 0 {
            return 0;
        }
        (*thread).resolving = 1;
    }
    let errno = sys::errno();
    for other in ALL {
        // SAFETY: RTLD_NEXT is a valid handle and the name a C string.
        let address = unsafe { sys::dlsym(sys::RTLD_NEXT, other.name.as_ptr().cast::<c_char>()) };
        other.address.store(if address.is_null() { ABSENT } else { address as usize }, Relaxed);
    }
    sys::set_errno(errno);
    // SAFETY: as above.
    unsafe { (*thread).resolving = 0 };
    match slot.address.load(Relaxed) {
        ABSENT => 0,
        address => address,
    }
}

/// What an allocation answers when its next definition is not there: bytes of the bootstrap buffer
/// while the thread looks the definitions up, else null with `errno` set.
#[cold]
#[inline(never)]
pub(crate) fn without(bytes: usize, align: usize) -> *mut u8 {
    // SAFETY: the thread's own bytes.
    let resolving = unsafe { (*tls::current()).resolving != 0 };
    let block = if resolving { bootstrap::allocate(bytes, align) } else { core::ptr::null_mut() };
    if block.is_null() {
        sys::set_errno(sys::ENOMEM);
    }
    block
}
