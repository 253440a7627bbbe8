//! Threads: their starts, ends and joins.

use crate::format::{NO_ALIGN, Record, tag, word};
use crate::{next, stream, sys};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32};

type Start = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

const EAGAIN: c_int = 11;

/// What a new thread needs to begin, handed over by the thread that starts it.
#[repr(C)]
struct Ticket {
    taken: AtomicU32,
    ordinal: u32,
    start: usize,
    argument: *mut c_void,
}

const TICKETS: usize = 4064 / size_of::<Ticket>();

/// A page of tickets. Pages are never given back; a ticket is as soon as its thread has read it.
#[repr(C)]
struct Tickets {
    next: AtomicPtr<Tickets>,
    tickets: [Ticket; TICKETS],
}

const _: () = assert!(size_of::<Tickets>() <= 4096);

static FIRST: AtomicPtr<Tickets> = AtomicPtr::new(null_mut());

fn take_ticket() -> Option<*mut Ticket> {
    let mut link = &FIRST;
    loop {
        // Acquire: pairs with the release part of the exchange below.
        let mut page = link.load(Acquire);
        if page.is_null() {
            let fresh = sys::private_page().ok()?.cast::<Tickets>();
            // AcqRel: publishes the page (release) to the acquire above; a loser sees the winner's.
            match link.compare_exchange(null_mut(), fresh, AcqRel, Acquire) {
                Ok(_) => page = fresh,
                Err(other) => {
                    // SAFETY: a whole mapping that nobody has seen.
                    unsafe { sys::unmap(fresh.cast(), 4096) };
                    page = other;
                }
            }
        }
        // SAFETY: pages are zeroed when made, a valid state of every field, and stay mapped.
        unsafe {
            for place in 0..TICKETS {
                let ticket = &raw mut (*page).tickets[place];
                // Acquire: pairs with the release by which its last reader gave it back.
                if (*ticket).taken.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
                    return Some(ticket);
                }
            }
            link = &(*page).next;
        }
    }
}

/// The thread's own start routine and argument, in the two registers that answer a call.
#[repr(C)]
struct Begun {
    start: usize,
    argument: *mut c_void,
}

/// On the new thread: takes its ordinal and writes START.
unsafe extern "C" fn begin(ticket: *mut Ticket) -> Begun {
    // SAFETY: the ticket is this thread's until it is given back below. Creating a thread orders
    // what its creator wrote before what it reads.
    unsafe {
        let begun = Begun { start: (*ticket).start, argument: (*ticket).argument };
        let ordinal = (*ticket).ordinal;
        // Release: pairs with the acquire in `take_ticket`.
        (*ticket).taken.store(0, Release);
        let thread = stream::enter();
        if !thread.is_null() {
            if (*thread).ordinal == 0 {
                (*thread).ordinal = ordinal;
                watch_exit();
            }
            let own = sys::pthread_self() as u64;
            stream::write(thread, word(tag::START, NO_ALIGN, 0), 0, own, 0);
            stream::leave(thread);
        }
        begun
    }
}

/// Where a new thread begins: jumps to the program's routine and leaves no frame behind, so that
/// `pthread_exit` and cancellation unwind as if nothing stood in between.
#[unsafe(naked)]
unsafe extern "C" fn trampoline(ticket: *mut c_void) -> *mut c_void {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {begin}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "mov rdi, rdx",
        "jmp rax",
        ".cfi_endproc",
        begin = sym begin,
    )
}

/// # Safety
///
/// 1. Those of `pthread_create`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    handle: *mut usize,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(create) = next::pthread_create() else { return EAGAIN };
    // SAFETY: (1) passes on. The recorder is left before the call: what the C library allocates
    // for the thread is this thread's own.
    unsafe {
        let thread = stream::enter();
        if thread.is_null() {
            return create(handle, attributes, start, argument);
        }
        let Some(ticket) = take_ticket() else {
            stream::leave(thread);
            return create(handle, attributes, start, argument);
        };
        let ordinal = stream::new_ordinal();
        (*ticket).ordinal = ordinal;
        (*ticket).start = start as usize;
        (*ticket).argument = argument;
        stream::write(thread, word(tag::SPAWN, NO_ALIGN, 0), ordinal, 0, 0);
        let (piece, record) = ((*thread).piece_offset, (*thread).cursor.wrapping_sub(1));
        stream::leave(thread);
        let answer = create(handle, attributes, trampoline, ticket.cast());
        if answer != 0 {
            (*ticket).taken.store(0, Release);
            let thread = stream::enter();
            if !thread.is_null() {
                // While the piece is still the one in use, its SPAWN can be taken back.
                if !(*thread).piece.is_null() && (*thread).piece_offset == piece {
                    let at = record.wrapping_byte_add(offset_of!(Record, word));
                    (*at.cast::<AtomicU32>()).store(word(tag::SKIP, NO_ALIGN, 0), Release);
                }
                stream::leave(thread);
            }
        }
        answer
    }
}

/// Writes that the calling thread has joined another.
fn joined(handle: usize) {
    let thread = stream::enter();
    if !thread.is_null() {
        // SAFETY: as `enter` answered.
        unsafe {
            stream::write(thread, word(tag::JOIN, NO_ALIGN, 0), 0, handle as u64, 0);
            stream::leave(thread);
        }
    }
}

const ENOSYS: c_int = 38;

/// # Safety
///
/// 1. Those of `pthread_join`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_join(handle: usize, value: *mut *mut c_void) -> c_int {
    let Some(join) = next::pthread_join() else { return ENOSYS };
    // SAFETY: (1) passes on.
    let answer = unsafe { join(handle, value) };
    if answer == 0 {
        joined(handle);
    }
    answer
}

/// # Safety
///
/// 1. Those of `pthread_tryjoin_np`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_tryjoin_np(handle: usize, value: *mut *mut c_void) -> c_int {
    let Some(join) = next::pthread_tryjoin_np() else { return ENOSYS };
    // SAFETY: (1) passes on.
    let answer = unsafe { join(handle, value) };
    if answer == 0 {
        joined(handle);
    }
    answer
}

/// # Safety
///
/// 1. Those of `pthread_timedjoin_np`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_timedjoin_np(
    handle: usize,
    value: *mut *mut c_void,
    until: *const c_void,
) -> c_int {
    let Some(join) = next::pthread_timedjoin_np() else { return ENOSYS };
    // SAFETY: (1) passes on.
    let answer = unsafe { join(handle, value, until) };
    if answer == 0 {
        joined(handle);
    }
    answer
}

/// # Safety
///
/// 1. Those of `pthread_clockjoin_np`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_clockjoin_np(
    handle: usize,
    value: *mut *mut c_void,
    clock: c_int,
    until: *const c_void,
) -> c_int {
    let Some(join) = next::pthread_clockjoin_np() else { return ENOSYS };
    // SAFETY: (1) passes on.
    let answer = unsafe { join(handle, value, clock, until) };
    if answer == 0 {
        joined(handle);
    }
    answer
}

/// `KEY` before there is one.
const NO_KEY: u32 = u32::MAX;

/// The key whose destructor tells that a thread ends.
static KEY: AtomicU32 = AtomicU32::new(NO_KEY);

unsafe extern "C" fn ended(_: *mut c_void) {
    let thread = stream::enter();
    if !thread.is_null() {
        // SAFETY: as `enter` answered.
        unsafe {
            stream::exit(thread);
            stream::leave(thread);
        }
    }
}

/// Makes the key, once per process and all its forks. Early, so that it is among the first, for
/// which the C library needs no memory.
pub(crate) fn prepare() -> bool {
    // Relaxed: only the one thread that starts an image comes here.
    if KEY.load(Relaxed) == NO_KEY {
        let mut key = 0;
        // SAFETY: `key` is writable.
        if unsafe { sys::pthread_key_create(&mut key, Some(ended)) } != 0 {
            return false;
        }
        KEY.store(key, Relaxed);
    }
    true
}

/// Has the calling thread's end recorded.
pub(crate) fn watch_exit() {
    // SAFETY: the key exists while the session is on. Any value but null arms the destructor.
    let _ = unsafe { sys::pthread_setspecific(KEY.load(Relaxed), (&raw const KEY).cast()) };
}
