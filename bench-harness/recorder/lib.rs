//! The preload recorder: stands before the C library's malloc family, hands every call on to the
//! next definition and writes what happened into shared file mappings.
//!
//! It is compiled by strata-bench's build script with plain `rustc` and embedded in the command,
//! so it has no manifest and no dependencies. The design, from the outside in:
//!
//! - `entry`, `threads`, `hooks`: the functions that programs call;
//! - `next`, `bootstrap`: the definitions they are handed on to, and the memory for the calls that
//!   arrive while those are being looked up;
//! - `session`: whether this process is being recorded, and the process images that forks make;
//! - `stream`: the calling thread's records;
//! - `capture`: the file; `format`: its layout, shared with the converter;
//! - `tls`, `sys`: the thread's own bytes, and the system calls.
//!
//! Two rules hold everywhere. The recorded program comes first: whatever goes wrong here stops the
//! recording and nothing else. And nothing here may allocate, take a lock or change `errno`.

#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

mod bootstrap;
mod capture;
mod entry;
#[allow(dead_code)] // The converter uses the rest.
mod format;
mod hooks;
mod next;
mod session;
mod stream;
mod sys;
mod threads;
mod tls;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::abort_with(
        b"strata-bench: the recorder met a state that it does not know; it is at fault\n",
    )
}

// The precompiled core names the personality of unwinding; nothing unwinds through this library,
// and a program must never find this definition in place of its own: hence hidden.
core::arch::global_asm!(
    ".pushsection .text.strata_personality,\"ax\",@progbits",
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    ".type rust_eh_personality, @function",
    "rust_eh_personality: ud2",
    ".size rust_eh_personality, . - rust_eh_personality",
    ".popsection",
);
