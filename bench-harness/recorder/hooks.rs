//! The table that a Rust program's recording `#[global_allocator]` finds by its symbol.

use crate::format::{FAILED, HOOKS_VERSION, Hooks, NO_ALIGN, tag, word};
use crate::{stream, tls};

/// The symbol: see `HOOKS_SYMBOL`.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static strata_recorder_hooks: Hooks = Hooks {
    version: HOOKS_VERSION,
    bytes: size_of::<Hooks>() as u32,
    begin_allocate,
    end_allocate,
    begin_reallocate,
    end_reallocate,
    begin_free,
    end_free,
};

// Each `begin` that answers 1 leaves the thread entered, so its `end` finds it so.

unsafe extern "C" fn begin_allocate() -> u32 {
    u32::from(!stream::enter().is_null())
}

unsafe extern "C" fn end_allocate(block: *mut u8, bytes: usize, align_log2: u32, flags: u32) {
    let thread = tls::current();
    // SAFETY: entered by `begin_allocate`, whose answer was 1.
    unsafe {
        if !block.is_null() {
            let word = word(tag::ALLOCATE, align_log2, flags);
            stream::write(thread, word, 0, block as u64, bytes as u64);
        }
        stream::leave(thread);
    }
}

unsafe extern "C" fn begin_reallocate(block: *mut u8) -> u32 {
    let thread = stream::enter();
    if thread.is_null() {
        return 0;
    }
    // SAFETY: as `enter` answered.
    unsafe { stream::write(thread, word(tag::BEGIN, NO_ALIGN, 0), 0, block as u64, 0) };
    1
}

unsafe extern "C" fn end_reallocate(block: *mut u8, bytes: usize, align_log2: u32) {
    let thread = tls::current();
    let flags = if block.is_null() { FAILED } else { 0 };
    // SAFETY: entered by `begin_reallocate`, whose answer was 1.
    unsafe {
        let word = word(tag::END, align_log2, flags);
        stream::write(thread, word, 0, block as u64, bytes as u64);
        stream::leave(thread);
    }
}

unsafe extern "C" fn begin_free(block: *mut u8) -> u32 {
    let thread = stream::enter();
    if thread.is_null() {
        return 0;
    }
    // SAFETY: as `enter` answered.
    unsafe { stream::write(thread, word(tag::FREE, NO_ALIGN, 0), 0, block as u64, 0) };
    1
}

unsafe extern "C" fn end_free() {
    // SAFETY: entered by `begin_free`, whose answer was 1.
    unsafe { stream::leave(tls::current()) };
}
