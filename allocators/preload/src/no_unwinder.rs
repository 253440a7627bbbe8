//! Nothing unwinds here: the library does without the system's unwinder.
//!
//! Rust's standard library wants one for panics, and would have the loader bring `libgcc_s.so` into
//! every program, which for a short one is a part of its life. A panic in an allocator ends the
//! process anyway. So the names that it wants are here, for this library alone (hidden): raising is
//! refused, which the standard library answers by a message and an abort; a backtrace is empty; and the
//! rest is asked only while something is raised.
//!
//! Exceptions of C++ that pass through `operator new` are their own unwinder's. It asks the library of a
//! frame only where that has something to clean up, and none here has: in optimised builds, which is why
//! others link the real one. A test throws through the library that it built.

use core::arch::global_asm;

/// Defines hidden functions that answer a number.
macro_rules! answers {
    ($($name:literal: $answer:literal,)*) => {
        global_asm!(
            ".pushsection .text.strata_no_unwinder,\"ax\",@progbits",
            $(
                concat!(".globl ", $name),
                concat!(".hidden ", $name),
                concat!(".type ", $name, ", @function"),
                concat!($name, ":"),
                concat!("mov eax, ", $answer),
                "ret",
            )*
            ".popsection",
        );
    };
}

/// Defines hidden functions that are never called.
macro_rules! traps {
    ($($name:literal)*) => {
        global_asm!(
            ".pushsection .text.strata_no_unwinder,\"ax\",@progbits",
            $(
                concat!(".globl ", $name),
                concat!(".hidden ", $name),
                concat!(".type ", $name, ", @function"),
                concat!($name, ":"),
            )*
            "ud2",
            ".popsection",
        );
    };
}

answers! {
    // _URC_FATAL_PHASE1_ERROR
    "_Unwind_RaiseException": 3,
    // _URC_END_OF_STACK
    "_Unwind_Backtrace": 5,
}

traps! {
    "_Unwind_DeleteException"
    "_Unwind_FindEnclosingFunction"
    "_Unwind_GetCFA"
    "_Unwind_GetDataRelBase"
    "_Unwind_GetIP"
    "_Unwind_GetIPInfo"
    "_Unwind_GetLanguageSpecificData"
    "_Unwind_GetRegionStart"
    "_Unwind_GetTextRelBase"
    "_Unwind_Resume"
    "_Unwind_SetGR"
    "_Unwind_SetIP"
}
