//! The raw capture, as the recorder writes it and the converter reads it.
//!
//! One file per process image, written through shared mappings, so that whatever the process did
//! before its end is in the file, however it ended:
//!
//! ```text
//! 0        Header
//! UNIT     piece: PieceHeader, Record, Record, …      (each piece belongs to one thread)
//! …        piece, at the next free multiple of UNIT
//! ```
//!
//! A reader goes from unit to unit: where a unit does not begin with `PIECE_MAGIC`, its thread was
//! stopped before it could use it, and the next unit is looked at. Within a piece it stops at the
//! first record whose word is zero, for the word of a record is written last.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// The environment variable that names the folder for captures.
pub(crate) const DIRECTORY_VARIABLE: &str = "STRATA_RECORD_DIR";

/// First bytes of a capture; written last by whoever makes one.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"STRATARW");
/// First bytes of a piece; written last by its thread.
pub(crate) const PIECE_MAGIC: u64 = u64::from_le_bytes(*b"STRPIECE");
/// Of this layout.
pub(crate) const VERSION: u32 = 1;

/// Pieces begin at multiples of this many bytes and are as long as a multiple of it.
pub(crate) const UNIT: u64 = 16 << 10;
/// The longest piece.
pub(crate) const LONGEST_PIECE: u64 = 256 << 10;
/// The part of a capture that is mapped as its header.
pub(crate) const HEADER_BYTES: usize = 4096;

/// `Header::flags`: the image began with a fork, so blocks of its parent are in its memory.
pub(crate) const FORKED: u32 = 1;

/// The head of a capture.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: AtomicU64,
    pub(crate) version: u32,
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) flags: u32,
    /// CLOCK_MONOTONIC at the start of the recording.
    pub(crate) start_nanos: u64,
    /// Where the next piece goes.
    pub(crate) next_offset: AtomicU64,
    /// Thread ordinals handed out so far; the first is 1.
    pub(crate) threads: AtomicU32,
    /// Why the recording stopped before the process did: an errno, 0 if it did not.
    pub(crate) stopped: AtomicU32,
    /// Bytes of `program`.
    pub(crate) program_bytes: u32,
    /// Bytes of `command`.
    pub(crate) command_bytes: u32,
    /// The path of the executable.
    pub(crate) program: [u8; 1024],
    /// The arguments, each followed by a zero byte, cut to what fits.
    pub(crate) command: [u8; 2048],
}

/// The head of a piece, as long as a record.
#[repr(C)]
pub(crate) struct PieceHeader {
    pub(crate) magic: AtomicU64,
    /// Ordinal of the thread whose records follow.
    pub(crate) thread: u32,
    /// The how-manieth piece of that thread, from 0.
    pub(crate) nth: u32,
    /// Length of the piece, this head included.
    pub(crate) bytes: u64,
    pub(crate) reserved: u64,
}

/// One operation.
#[repr(C)]
pub(crate) struct Record {
    /// CLOCK_MONOTONIC nanoseconds.
    pub(crate) stamp: u64,
    /// `tag | align_log2 << 8 | flags << 16`; zero until the rest is written.
    pub(crate) word: AtomicU32,
    /// Ordinal of the child (SPAWN).
    pub(crate) child: u32,
    /// The block; the old one (BEGIN), the new one (END); a `pthread_t` (START, JOIN).
    pub(crate) address: u64,
    /// Bytes asked for.
    pub(crate) bytes: u64,
}

/// What a record says.
pub(crate) mod tag {
    pub(crate) const ALLOCATE: u32 = 1;
    pub(crate) const FREE: u32 = 2;
    /// A realloc is about to be called; its END is the next record of the thread.
    pub(crate) const BEGIN: u32 = 3;
    pub(crate) const END: u32 = 4;
    pub(crate) const SPAWN: u32 = 5;
    pub(crate) const START: u32 = 6;
    /// Thread-local destructors are running; a few more operations may follow.
    pub(crate) const EXIT: u32 = 7;
    pub(crate) const JOIN: u32 = 8;
    /// A SPAWN whose thread could not be started.
    pub(crate) const SKIP: u32 = 9;
}

/// In place of a log2: the entry point has no alignment.
pub(crate) const NO_ALIGN: u32 = 0xff;
/// Record flag: zeroed memory was asked for.
pub(crate) const ZEROED: u32 = 1;
/// Record flag: the realloc failed and the old block is as it was.
pub(crate) const FAILED: u32 = 2;

/// The word of a record.
pub(crate) const fn word(tag: u32, align_log2: u32, flags: u32) -> u32 {
    tag | align_log2 << 8 | flags << 16
}

const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);
const _: () = assert!(size_of::<Record>() == 32 && size_of::<PieceHeader>() == 32);

/// What the recorder offers a Rust program's `#[global_allocator]`, found by [`HOOKS_SYMBOL`].
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Hooks {
    pub(crate) version: u32,
    pub(crate) bytes: u32,
    /// Opens an allocation; answers whether it is recorded and must be closed.
    pub(crate) begin_allocate: unsafe extern "C" fn() -> u32,
    /// Closes it: block or null, bytes, log2 of the alignment, `ZEROED` or 0.
    pub(crate) end_allocate: unsafe extern "C" fn(*mut u8, usize, u32, u32),
    /// Opens the change of a block; answers as `begin_allocate`.
    pub(crate) begin_reallocate: unsafe extern "C" fn(*mut u8) -> u32,
    /// Closes it: new block or null, bytes, log2 of the alignment.
    pub(crate) end_reallocate: unsafe extern "C" fn(*mut u8, usize, u32),
    /// Opens the freeing of a block; answers as `begin_allocate`.
    pub(crate) begin_free: unsafe extern "C" fn(*mut u8) -> u32,
    /// Closes it.
    pub(crate) end_free: unsafe extern "C" fn(),
}

/// Version of [`Hooks`].
pub(crate) const HOOKS_VERSION: u32 = 1;
/// The name under which the recorder exports its [`Hooks`].
pub(crate) const HOOKS_SYMBOL: &core::ffi::CStr = c"strata_recorder_hooks";
