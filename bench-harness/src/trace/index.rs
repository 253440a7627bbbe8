//! The index of a trace: where its chunks are, so that reading can begin at any of them.

use super::bytes::{Cursor, Flaw};
use super::format::{END_MAGIC, INDEX_MAGIC};
use super::{Reader, ThreadId};
use crate::error::{Context, Failure, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The index of an unpacked trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    path: PathBuf,
    /// Offset of the index itself, where the last chunk ends.
    pub(super) offset: u64,
    /// The chunks in order.
    pub chunks: Vec<ChunkPlace>,
    /// The threads with events, by number, and how many blocks each allocated.
    pub threads: Vec<(ThreadId, u64)>,
}

/// Where a chunk is, and what comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Its offset in the file.
    pub offset: u64,
    /// `Event::seq` of its first event.
    pub first_seq: u64,
    /// `Event::nanos` of its first event.
    pub first_nanos: u64,
    /// Events of the chunks before it.
    pub events_before: u64,
}

impl Index {
    /// Reads the index of the file at `path` without reading its chunks.
    ///
    /// # Errors
    /// Where the file is no unpacked trace of this suite's format, or was cut off.
    pub fn read(path: &Path) -> Result<Self> {
        let nanos_per_tick = Reader::open(path)?.meta().nanos_per_tick;
        let name = path.display();
        let failed = || format!("cannot read {name}");
        let mut file = File::open(path).context(failed)?;
        let none = || {
            Failure::input(format!(
                "{name} has no index: it is packed, of another format or cut off; convert it to a plain trace"
            ))
        };
        let len = file.seek(SeekFrom::End(0)).context(failed)?;
        let trailer_at = len.checked_sub(16).ok_or_else(none)?;
        file.seek(SeekFrom::Start(trailer_at)).context(failed)?;
        let mut trailer = [0; 16];
        file.read_exact(&mut trailer).context(failed)?;
        let [offset @ .., _, _, _, _, _, _, _, _] = trailer;
        let offset = u64::from_le_bytes(offset);
        if trailer[12..] != END_MAGIC || offset > trailer_at {
            return Err(none());
        }
        file.seek(SeekFrom::Start(offset)).context(failed)?;
        let mut bytes = Vec::new();
        file.take(len - offset).read_to_end(&mut bytes).context(failed)?;
        parse(&bytes, nanos_per_tick)
            .map(|(chunks, threads)| Self { path: path.to_owned(), offset, chunks, threads })
            .map_err(|flaw| {
                Failure::input(format!(
                    "{name} is damaged: in the index at byte {offset} {flaw}; copy or record it again"
                ))
            })
    }

    /// The chunk with the record that has `record` records before it.
    pub fn chunk_of(&self, record: u64) -> Option<usize> {
        self.chunks.partition_point(|chunk| chunk.events_before <= record).checked_sub(1)
    }

    /// Reads the trace from the chunk of that number on.
    ///
    /// # Errors
    /// As [`Reader::open`].
    ///
    /// # Panics
    /// Where there is no such chunk.
    pub fn reader_from(&self, chunk: usize) -> Result<Reader> {
        Reader::open_at(&self.path, self.chunks[chunk], self.offset)
    }
}

/// The chunks and the threads.
type Parts = (Vec<ChunkPlace>, Vec<(ThreadId, u64)>);

fn parse(bytes: &[u8], nanos_per_tick: u64) -> Result<Parts, Flaw> {
    // The crc covers everything but itself and the magic after it.
    let body = bytes.len().checked_sub(8).ok_or("there are too few bytes")?;
    let mut tail = Cursor::new(&bytes[body..]);
    if crc32fast::hash(&bytes[..body]) != tail.u32()? {
        return Err("the checksum is wrong".into());
    }
    let mut cursor = Cursor::new(&bytes[..body]);
    if cursor.take(4)? != INDEX_MAGIC {
        return Err("the mark is missing".into());
    }
    let (chunks, threads) = (cursor.u32()?, cursor.u32()?);
    let chunks = (0..chunks)
        .map(|_| {
            let (offset, first_seq, tick) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
            let first_nanos = tick.checked_mul(nanos_per_tick).ok_or("a time has over 64 bits")?;
            Ok(ChunkPlace { offset, first_seq, first_nanos, events_before: cursor.u64()? })
        })
        .collect::<Result<Vec<_>, Flaw>>()?;
    let threads = (0..threads)
        .map(|_| Ok((ThreadId(cursor.u32()?), cursor.u64()?)))
        .collect::<Result<Vec<_>, Flaw>>()?;
    cursor.u64()?;
    cursor.end()?;
    Ok((chunks, threads))
}
