//! The calling thread's words of the heap, and how they are reached.
//!
//! `thread_local!` in a library goes through `__tls_get_addr`, a call for each access, which may
//! itself allocate in a thread's first. Stable Rust has no option for the initial-exec model, which a
//! library that is loaded with the program may use: one load of an offset that the loader filled in.
//! So on x86-64 the words are declared in assembly, and read so.

use strata_segregated::by_address::{ByAddress, Words};

/// The heap as this thread uses it.
#[inline(always)]
pub(crate) fn heap() -> ByAddress<'static> {
    // SAFETY: 1. the calling thread's storage, which has no destructor, and of which this is the only
    // use; the lifetime is not longer than the thread, for no call here keeps or sends the answer.
    // 2. build.rs has it linked as never to be unloaded.
    unsafe { ByAddress::of(&*words()) }
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod by_hand {
    use super::Words;
    use core::arch::{asm, global_asm};
    use strata_segregated::by_address::NOTHING;

    // As `Words` says: so many words with the address of the common null, and zero to the end.
    global_asm!(
        ".pushsection .tdata.strata_thread_words,\"awT\",@progbits",
        ".balign 64",
        ".globl strata_thread_words",
        ".hidden strata_thread_words",
        ".type strata_thread_words, @object",
        ".size strata_thread_words, {len}",
        "strata_thread_words:",
        ".rept {nulls}",
        ".quad {nothing}",
        ".endr",
        ".zero {zeros}",
        ".popsection",
        len = const size_of::<Words>(),
        nulls = const Words::NULLS,
        zeros = const size_of::<Words>() - 8 * Words::NULLS,
        nothing = sym NOTHING,
    );

    const _: () = assert!(align_of::<Words>() <= 64);

    #[inline(always)]
    pub(super) fn words() -> *const Words {
        let words: *const Words;
        // SAFETY: the word at fs:0 is the thread pointer, as x86-64's ABI has it, and the loader has
        // put the storage's offset from it into the slot that is named here. A thread has both for
        // its whole life.
        unsafe {
            asm!(
                "mov {0}, qword ptr fs:[0]",
                "add {0}, qword ptr [rip + strata_thread_words@GOTTPOFF]",
                out(reg) words,
                options(pure, nomem, nostack),
            );
        }
        words
    }
}
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use by_hand::words;

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
#[inline(always)]
fn words() -> *const Words {
    std::thread_local! {
        static WORDS: Words = const { Words::new() };
    }
    WORDS.with(|words| core::ptr::from_ref(words))
}

#[cfg(test)]
mod tests;
