//! The calling thread's own bytes, reached without a call.
//!
//! `#[thread_local]` is unstable and `thread_local!` needs std, whose general-dynamic model calls
//! into the loader, which may allocate. The block is declared in assembly instead and read by the
//! initial-exec model, which a preloaded library may use: the loader fills its offset in.

use crate::format::Record;
use core::arch::{asm, global_asm};

global_asm!(
    ".pushsection .tbss.strata_recorder_thread,\"awT\",@nobits",
    ".balign 64",
    ".globl strata_recorder_thread",
    ".hidden strata_recorder_thread",
    ".type strata_recorder_thread, @object",
    ".size strata_recorder_thread, 64",
    "strata_recorder_thread: .zero 64",
    ".popsection",
);

/// What the recorder keeps per thread; all zero at the thread's birth.
#[repr(C)]
pub(crate) struct Thread {
    /// Whether the thread is inside the recorder or an allocation, whose inner calls do not count.
    pub(crate) busy: u32,
    /// Whether its EXIT is written: from then on it keeps no mapping between records.
    pub(crate) exited: u32,
    /// Where the next record goes, and the end of the piece. Equal when there is no room.
    pub(crate) cursor: *mut Record,
    pub(crate) end: *mut Record,
    /// The piece in use: address (null while unmapped), length, place in the file.
    pub(crate) piece: *mut u8,
    pub(crate) piece_bytes: u64,
    pub(crate) piece_offset: u64,
    /// The thread's number in its process image; 0 before its first record.
    pub(crate) ordinal: u32,
    /// Pieces taken so far.
    pub(crate) pieces: u32,
    /// Whether the thread is looking up the next definitions.
    pub(crate) resolving: u32,
    /// Records in the piece while it is unmapped.
    pub(crate) parked: u32,
}

const _: () = assert!(size_of::<Thread>() == 64);

/// The calling thread's bytes. Valid until the thread ends; no reference to them is ever made, for
/// a signal handler may come in between.
#[inline(always)]
pub(crate) fn current() -> *mut Thread {
    let thread: *mut Thread;
    // SAFETY: the x86-64 thread pointer is the word at fs:0 and the loader has put the offset of
    // the block from it into the slot named here. Both are constant for a thread.
    unsafe {
        asm!(
            "mov {0}, qword ptr fs:[0]",
            "add {0}, qword ptr [rip + strata_recorder_thread@GOTTPOFF]",
            out(reg) thread,
            options(pure, nomem, nostack),
        );
    }
    thread
}
