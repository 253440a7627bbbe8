//! The child's words to its parent, over its standard input and output.
//!
//! Messages are 8 bytes: a letter and a number. The parent answers each with one byte, except the
//! last; only a kernel's windows and checkpoints have answers that differ. Plain system calls: nothing here
//! allocates.

use std::io;

/// What a child says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Word {
    /// Set up, nothing of the subject called yet.
    Ready = b'R',
    /// All threads stand still at checkpoint `number`.
    Checkpoint = b'C',
    /// Every size was probed.
    Probed = b'A',
    /// Every block is freed.
    Drained = b'D',
    /// 1000 pairs of small blocks were allocated and freed.
    Paired = b'P',
    /// The purge hook was called; `number` is 1 when there is one.
    Purged = b'U',
    /// A kernel stands before its window `number`, which [`WARM`], [`MORE`] or another answer decides.
    Window = b'W',
    /// The end. Not answered.
    Finished = b'F',
}

impl Word {
    /// The word of a letter.
    pub(crate) fn of(letter: u8) -> Option<Self> {
        use Word::{Checkpoint, Drained, Finished, Paired, Probed, Purged, Ready, Window};
        [Ready, Checkpoint, Probed, Drained, Paired, Purged, Window, Finished]
            .into_iter()
            .find(|&word| word as u8 == letter)
    }
}

/// The usual answer.
pub(crate) const GO: u8 = b'g';
/// Answers [`Word::Window`]: warm up, then time a window.
pub(crate) const WARM: u8 = b'w';
/// Answers [`Word::Window`]: time a window at once.
pub(crate) const MORE: u8 = b'm';
/// Answers [`Word::Checkpoint`]: probe what the free memory can serve, and say so.
pub(crate) const PROBE: u8 = b'p';
/// Answers [`Word::Window`]: that was all.
pub(crate) const END: u8 = b'e';

/// Exit status of a child whose subject refused an allocation.
pub(crate) const REFUSED: i32 = 90;
/// Exit status of a child that could not be set up.
pub(crate) const UNUSABLE: i32 = 91;

/// Says a word, and waits for the answer unless it is the last one.
pub(crate) fn say(word: Word, number: u32) -> io::Result<u8> {
    let mut message = [0; 8];
    message[0] = word as u8;
    message[4..].copy_from_slice(&number.to_le_bytes());
    let mut left = &message[..];
    while !left.is_empty() {
        // SAFETY: the pointer and length are those of a slice.
        let written = unsafe { libc::write(1, left.as_ptr().cast(), left.len()) };
        match usize::try_from(written) {
            Ok(written) => left = &left[written..],
            Err(_) if interrupted() => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    if word == Word::Finished {
        return Ok(GO);
    }
    let mut answer = 0_u8;
    loop {
        // SAFETY: one byte of a local is writable.
        match unsafe { libc::read(0, (&raw mut answer).cast(), 1) } {
            1 => return Ok(answer),
            -1 if interrupted() => {}
            _ => return Err(io::Error::other("the parent is gone")),
        }
    }
}

fn interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}
