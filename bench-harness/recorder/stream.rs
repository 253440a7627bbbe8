//! The calling thread's records.

use crate::format::{LONGEST_PIECE, NO_ALIGN, PieceHeader, Record, UNIT, tag, word};
use crate::tls::{self, Thread};
use crate::{capture, session, sys, threads};
use core::sync::atomic::Ordering::{Relaxed, Release};

/// Enters the recorder: answers the thread's bytes, or null where this call is not to be recorded
/// because it comes from within another or because nothing is recorded. Until [`leave`] the
/// thread's calls of the malloc family are parts of this one.
#[inline]
pub(crate) fn enter() -> *mut Thread {
    let thread = tls::current();
    // SAFETY: the thread's own bytes. A signal handler that comes in between enters and leaves.
    unsafe {
        if (*thread).busy != 0 {
            return core::ptr::null_mut();
        }
        (*thread).busy = 1;
        if !session::is_on(thread) {
            (*thread).busy = 0;
            return core::ptr::null_mut();
        }
    }
    thread
}

/// Leaves it.
///
/// # Safety
///
/// 1. `thread` is the answer of this thread's [`enter`], not null.
#[inline]
pub(crate) unsafe fn leave(thread: *mut Thread) {
    // SAFETY: (1) the thread's own bytes.
    unsafe { (*thread).busy = 0 };
}

/// Writes a record, stamped now.
///
/// # Safety
///
/// 1. `thread` is the answer of this thread's [`enter`], not null, and not left yet.
#[inline]
pub(crate) unsafe fn write(thread: *mut Thread, word: u32, child: u32, address: u64, bytes: u64) {
    // SAFETY: (1) the thread's own bytes; between cursor and end lies mapped room for at least one
    // record, in a part of the file that this thread alone writes.
    unsafe {
        if (*thread).cursor == (*thread).end && !refill_slow(thread) {
            return;
        }
        let record = (*thread).cursor;
        (*record).stamp = sys::now();
        (*record).child = child;
        (*record).address = address;
        (*record).bytes = bytes;
        // Release: a reader of a living process acquires it; and if this process is stopped here,
        // a record with a word is whole.
        (*record).word.store(word, Release);
        (*thread).cursor = record.add(1);
        if (*thread).exited != 0 {
            park_slow(thread);
        }
    }
}

/// The thread's ordinal, given now if it has none.
///
/// # Safety
///
/// 1. As for [`write`].
pub(crate) unsafe fn ordinal(thread: *mut Thread) -> u32 {
    // SAFETY: (1) the thread's own bytes.
    unsafe {
        if (*thread).ordinal == 0 {
            (*thread).ordinal = new_ordinal();
            threads::watch_exit();
        }
        (*thread).ordinal
    }
}

/// A fresh thread ordinal.
pub(crate) fn new_ordinal() -> u32 {
    // Relaxed: a counter; nothing is published through it.
    capture::header().threads.fetch_add(1, Relaxed) + 1
}

/// Finds room for a record; false where there is none, and recording has ended.
#[cold]
#[inline(never)]
unsafe fn refill_slow(thread: *mut Thread) -> bool {
    // SAFETY: the caller's obligation: the thread's own bytes, and pieces that it alone uses.
    unsafe {
        let room = if (*thread).exited != 0 { unpark(thread) } else { Ok(false) };
        let room = match room {
            Ok(false) => next_piece(thread),
            other => other,
        };
        if let Err(errno) = room {
            session::stop(errno);
            return false;
        }
        true
    }
}

/// Moves on to a fresh piece, the longer the more the thread has used.
unsafe fn next_piece(thread: *mut Thread) -> Result<bool, i32> {
    // SAFETY: as in `refill_slow`.
    unsafe {
        let ordinal = ordinal(thread);
        release_piece(thread);
        let bytes = (UNIT << (*thread).pieces.min(16)).min(LONGEST_PIECE);
        let piece = capture::take_piece(ordinal, (*thread).pieces, bytes)?;
        (*thread).pieces += 1;
        (*thread).piece_offset = piece.offset;
        (*thread).piece_bytes = piece.bytes;
        (*thread).piece = piece.address;
        (*thread).cursor = piece.address.add(size_of::<PieceHeader>()).cast();
        (*thread).end = piece.address.add(piece.bytes as usize).cast();
    }
    Ok(true)
}

/// Unmaps the piece in use, if any.
unsafe fn release_piece(thread: *mut Thread) {
    // SAFETY: as in `refill_slow`; the piece is a whole mapping.
    unsafe {
        if !(*thread).piece.is_null() {
            let piece = (*thread).piece;
            (*thread).piece = core::ptr::null_mut();
            (*thread).cursor = core::ptr::null_mut();
            (*thread).end = core::ptr::null_mut();
            sys::unmap(piece, (*thread).piece_bytes as usize);
        }
    }
}

/// Writes the EXIT of the calling thread; from now on each record maps its piece for itself, for
/// no later moment is known at which a mapping could be given back.
///
/// # Safety
///
/// 1. As for [`write`].
pub(crate) unsafe fn exit(thread: *mut Thread) {
    // SAFETY: (1) passes on.
    unsafe {
        if (*thread).exited == 0 {
            write(thread, word(tag::EXIT, NO_ALIGN, 0), 0, 0, 0);
            (*thread).exited = 1;
            park_slow(thread);
        }
    }
}

/// Unmaps the piece and remembers how far it is used.
#[cold]
#[inline(never)]
unsafe fn park_slow(thread: *mut Thread) {
    // SAFETY: as in `refill_slow`; the cursor points into the piece.
    unsafe {
        if !(*thread).piece.is_null() {
            let used = (*thread).cursor as usize - (*thread).piece as usize;
            (*thread).parked = (used / size_of::<Record>()) as u32;
            release_piece(thread);
        }
    }
}

/// Maps the parked piece again; false where it is full or there is none.
unsafe fn unpark(thread: *mut Thread) -> Result<bool, i32> {
    // SAFETY: as in `refill_slow`.
    unsafe {
        let bytes = (*thread).piece_bytes;
        let used = (*thread).parked as usize * size_of::<Record>();
        if !(*thread).piece.is_null() || used as u64 >= bytes {
            return Ok(false);
        }
        let address = capture::map_piece((*thread).piece_offset, bytes)?;
        (*thread).piece = address;
        (*thread).cursor = address.add(used).cast();
        (*thread).end = address.add(bytes as usize).cast();
    }
    Ok(true)
}

/// Forgets what the thread that forked this process had: its ordinal, its piece.
///
/// # Safety
///
/// 1. `thread` is the calling thread's.
pub(crate) unsafe fn forget(thread: *mut Thread) {
    // SAFETY: (1) the thread's own bytes; the piece is its copy of a shared mapping.
    unsafe {
        release_piece(thread);
        (*thread).piece_bytes = 0;
        (*thread).parked = 0;
        (*thread).ordinal = 0;
        (*thread).pieces = 0;
        (*thread).exited = 0;
    }
}
