//! Reading what the recorder left: a capture, its threads, their records.

use super::format::{self, Header, MAGIC, PIECE_MAGIC, PieceHeader, Record, UNIT, VERSION, tag};
use crate::error::{Context, Result};
use memmap2::Mmap;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::mem::offset_of;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The capture of one process image.
pub(super) struct Capture {
    map: Mmap,
    /// The process.
    pub(super) pid: u32,
    /// The executable.
    pub(super) executable: PathBuf,
    /// The command line.
    pub(super) program: String,
    /// Whether the image began with a fork.
    pub(super) forked: bool,
    /// CLOCK_MONOTONIC at its start.
    pub(super) start_nanos: u64,
    /// Why it was recorded only in part: an errno, or 0.
    pub(super) stopped: i32,
    /// Allocations, frees and reallocs in it.
    pub(super) operations: u64,
    /// Each thread's ordinal and pieces, in the order of their use.
    threads: BTreeMap<u32, Vec<(u32, Range<usize>)>>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) stamp: u64,
    pub(super) tag: u32,
    pub(super) align_log2: Option<u8>,
    pub(super) flags: u32,
    pub(super) child: u32,
    pub(super) address: u64,
    pub(super) bytes: u64,
}

/// Opens all captures in a folder, in the order of their starts.
pub(super) fn open_all(folder: &Path) -> Result<Vec<Capture>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(folder).context(cannot)? {
        captures.extend(Capture::open(&entry.context(cannot)?.path())?);
    }
    captures.sort_by_key(|capture| capture.start_nanos);
    Ok(captures)
}

impl Capture {
    /// Opens a capture; `None` where its process ended before it had written the head.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(path).context(cannot)?;
        if file.metadata().context(cannot)?.len() < UNIT {
            return Ok(None);
        }
        // SAFETY: the folder is private to this recording and its writers have ended; a straggler
        // only fills bytes that it has reserved, and every field is checked after it is read.
        let map = unsafe { Mmap::map(&file) }.context(cannot)?;
        let mut capture = Self {
            pid: word32(&map, offset_of!(Header, pid)),
            executable: PathBuf::new(),
            program: String::new(),
            forked: word32(&map, offset_of!(Header, flags)) & format::FORKED != 0,
            start_nanos: word64(&map, offset_of!(Header, start_nanos)),
            stopped: word32(&map, offset_of!(Header, stopped)) as i32,
            operations: 0,
            threads: BTreeMap::new(),
            map,
        };
        if word64(&capture.map, offset_of!(Header, magic)) != MAGIC
            || word32(&capture.map, offset_of!(Header, version)) != VERSION
        {
            return Ok(None);
        }
        capture.executable = PathBuf::from(OsStr::from_bytes(capture.executable_path()));
        capture.program = capture.command_line();
        capture.find_pieces();
        capture.operations = capture.count();
        Ok(Some(capture))
    }

    fn executable_path(&self) -> &[u8] {
        let at = offset_of!(Header, program);
        let bytes = word32(&self.map, offset_of!(Header, program_bytes)) as usize;
        &self.map[at..at + bytes.min(offset_of!(Header, command) - at)]
    }

    /// The arguments as a shell would take them, or the executable where there are none.
    fn command_line(&self) -> String {
        let at = offset_of!(Header, command);
        let bytes = word32(&self.map, offset_of!(Header, command_bytes)) as usize;
        let words = &self.map[at..at + bytes.min(size_of::<Header>() - at)];
        if words.is_empty() {
            return self.executable.display().to_string();
        }
        String::from_utf8_lossy(words.strip_suffix(b"\0").unwrap_or(words))
            .split('\0')
            .map(quoted)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn find_pieces(&mut self) {
        let (mut at, unit, head) = (UNIT as usize, UNIT as usize, size_of::<PieceHeader>());
        while at + unit <= self.map.len() {
            if word64(&self.map, at + offset_of!(PieceHeader, magic)) != PIECE_MAGIC {
                at += unit;
                continue;
            }
            let thread = word32(&self.map, at + offset_of!(PieceHeader, thread));
            let nth = word32(&self.map, at + offset_of!(PieceHeader, nth));
            let bytes = word64(&self.map, at + offset_of!(PieceHeader, bytes)) as usize;
            let end = at.saturating_add(bytes.max(unit)).min(self.map.len());
            self.threads.entry(thread).or_default().push((nth, at + head..end));
            at = end.next_multiple_of(unit);
        }
        for pieces in self.threads.values_mut() {
            pieces.sort_by_key(|(nth, _)| *nth);
        }
    }

    fn count(&self) -> u64 {
        self.streams()
            .flat_map(|(_, stream)| stream)
            .filter(|raw| matches!(raw.tag, tag::ALLOCATE | tag::FREE | tag::END))
            .count() as u64
    }

    /// The threads that wrote anything: ordinal and records.
    pub(super) fn streams(&self) -> impl Iterator<Item = (u32, Stream<'_>)> {
        self.threads.iter().map(|(thread, pieces)| {
            (*thread, Stream { map: &self.map, pieces, piece: 0, at: pieces[0].1.start })
        })
    }
}

/// The records of a thread.
#[derive(Clone)]
pub(super) struct Stream<'a> {
    map: &'a [u8],
    pieces: &'a [(u32, Range<usize>)],
    piece: usize,
    at: usize,
}

impl Iterator for Stream<'_> {
    type Item = Raw;

    fn next(&mut self) -> Option<Raw> {
        loop {
            let (_, range) = self.pieces.get(self.piece)?;
            let end = self.at + size_of::<Record>();
            let word = if end <= range.end {
                word32(self.map, self.at + offset_of!(Record, word))
            } else {
                0
            };
            if word == 0 {
                self.piece += 1;
                self.at = self.pieces.get(self.piece)?.1.start;
                continue;
            }
            let at = std::mem::replace(&mut self.at, end);
            let align_log2 = (word >> 8) & 0xff;
            return Some(Raw {
                stamp: word64(self.map, at + offset_of!(Record, stamp)),
                tag: word & 0xff,
                align_log2: (align_log2 != format::NO_ALIGN).then_some(align_log2 as u8),
                flags: word >> 16,
                child: word32(self.map, at + offset_of!(Record, child)),
                address: word64(self.map, at + offset_of!(Record, address)),
                bytes: word64(self.map, at + offset_of!(Record, bytes)),
            });
        }
    }
}

/// A word of a command line as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./=:,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
impl<'a> Stream<'a> {
    /// The records in `map`, a run of them to a piece.
    pub(super) fn over(map: &'a [u8], pieces: &'a [(u32, Range<usize>)]) -> Self {
        Self { map, pieces, piece: 0, at: pieces[0].1.start }
    }
}

fn word32(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(std::array::from_fn(|place| bytes[at + place]))
}

fn word64(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(std::array::from_fn(|place| bytes[at + place]))
}
