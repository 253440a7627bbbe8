//! The bytes of a trace file, exactly, so that others can write a reader.
//!
//! All fixed-width numbers are little-endian. A *varint* is a number of up to 64 bits in groups of
//! seven, the lowest first, the top bit of a byte saying that another follows. A *difference* is a
//! varint that codes the signed (wrapping) difference to a former number d: 2d where d ≥ 0, −2d − 1
//! else. A *text* is a u32 length and that many bytes of UTF-8. A *crc* is CRC-32 (IEEE).
//!
//! A *tick* is [`Meta::nanos_per_tick`] nanoseconds; every time in the file is a number of ticks.
//! A file may be wrapped whole in one xz stream, and is then named `.xz`.
//!
//! # Header
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `STRTRACE` |
//! | u32 | version: 1 |
//! | u32 | length of the header, all of this table, at most 1 MiB |
//! | u64 | nanoseconds in a tick, at least 1 |
//! | u32 | 1 where the totals that follow are known (the file was finished), else 0 and they are 0 |
//! | u32 | threads that appear |
//! | u64 × 6 | events; seq of the last; greatest time in nanoseconds; greatest bytes of live blocks; live blocks at that moment; the record after which it is first reached, from 0 |
//! | text × 2 | the recorded program's command line; how it was recorded |
//! | u32 | number of notes, then a pair of texts for each: name and text |
//! | u32 | crc of everything before |
//!
//! # Chunks
//!
//! Each holds up to 65,536 events that lie together in the global order.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `CHNK` |
//! | u32 | length of the payload, at most 16 MiB |
//! | u32 | events in it, at least 1 |
//! | u32 | sections in it |
//! | u64 | seq of its first event |
//! | u64 | tick that the times of its sections start from |
//! | u32 | crc of the payload |
//! | u32 | crc of this header up to here |
//!
//! The payload has one section for each thread with events in the chunk, by ascending thread:
//!
//! | bytes | what |
//! |---|---|
//! | varint | the thread, from 1 |
//! | varint | its events in this chunk, at least 1 |
//! | varint | blocks that it allocated in all chunks before |
//! | varint × 9 | lengths in bytes of the columns, which follow one after the other |
//!
//! # Columns of a section
//!
//! 0. Operation, one byte an event: 0 allocate, plus 1 if zeroed, plus 2 if with an alignment; 4
//!    reallocate, 6 free, each plus 1 if another thread allocated the block; 8 spawn, 9 start, 10
//!    exit, 11 join.
//! 1. Place, an event: varint seq − (seq of the section's event before + 1); for its first event seq
//!    − the chunk's first seq.
//! 2. Time, an event: difference in ticks to the section's event before; for its first to the
//!    chunk's tick.
//! 3. Size, an allocate or reallocate: varint.
//! 4. Alignment, an allocate with one: one byte, its binary logarithm, at most 63.
//! 5. Block, a reallocate or free of a block of the thread itself: difference of its number among
//!    the thread's blocks to the number before in this column; for the first to the number of blocks
//!    allocated in all chunks before.
//! 6. Block, a reallocate or free of another thread's: varint, that thread; difference of its
//!    number among that thread's blocks to the number before in this column for that thread; for the
//!    first to 0.
//! 7. Begin, a reallocate: varint, places before its seq that the call began, at least 1; varint,
//!    ticks before.
//! 8. Child, a spawn or join: varint, the thread.
//!
//! Blocks are numbered from 0 for each thread in the order of its allocations; a reallocate keeps
//! the number.
//!
//! # Index and trailer
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `INDX` |
//! | u32 | chunks |
//! | u32 | threads |
//! | 32 a chunk | u64 offset of the chunk in the (unpacked) file; u64 its first seq; u64 its tick; u64 events before it |
//! | 12 a thread | u32 thread; u64 blocks that it allocated; by ascending thread |
//! | u64 | offset of `INDX` |
//! | u32 | crc of everything from `INDX` up to here |
//! | 4 | `TEND` |
//!
//! A file without its index is one that was cut off: its whole chunks are good.

use super::bytes::{Cursor, Flaw};
use super::section::Allocations;
use super::{Meta, Totals};

/// The first bytes of a file.
pub(super) const MAGIC: [u8; 8] = *b"STRTRACE";
/// The version written, and the newest that is read.
pub(super) const VERSION: u32 = 1;
/// Bytes before the length of the header is known.
pub(super) const HEADER_START: usize = 16;
/// No header is longer.
pub(super) const HEADER_LIMIT: u32 = 1 << 20;
/// Events in a full chunk.
pub(super) const CHUNK_EVENTS: usize = 1 << 16;
/// No payload is longer.
pub(super) const PAYLOAD_LIMIT: u32 = 1 << 24;
/// Columns of a section.
pub(super) const COLUMNS: usize = 9;
/// What follows a chunk: another one, or the index.
pub(super) const CHUNK_MAGIC: [u8; 4] = *b"CHNK";
pub(super) const INDEX_MAGIC: [u8; 4] = *b"INDX";
/// The last bytes of a file.
pub(super) const END_MAGIC: [u8; 4] = *b"TEND";

/// Encodes the header; `totals` where the file is finished.
pub(super) fn header(meta: &Meta, totals: Option<&Totals>) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend([0; 4]);
    out.extend(meta.nanos_per_tick.to_le_bytes());
    out.extend(u32::from(totals.is_some()).to_le_bytes());
    let t = totals.copied().unwrap_or_default();
    out.extend(t.threads.to_le_bytes());
    for number in
        [t.events, t.last_seq, t.duration_nanos, t.peak_bytes, t.peak_blocks, t.peak_record]
    {
        out.extend(number.to_le_bytes());
    }
    put_text(&mut out, &meta.program);
    put_text(&mut out, &meta.origin);
    out.extend((meta.notes.len() as u32).to_le_bytes());
    for (name, text) in &meta.notes {
        put_text(&mut out, name);
        put_text(&mut out, text);
    }
    let len = out.len() as u32 + 4;
    out[12..16].copy_from_slice(&len.to_le_bytes());
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Decodes a whole header, whose magic, version and length are already checked.
pub(super) fn parse_header(bytes: &[u8]) -> Result<(Meta, Option<Totals>), Flaw> {
    let body = checked(bytes)?;
    let mut cursor = Cursor::new(&body[HEADER_START..]);
    let nanos_per_tick = cursor.u64()?;
    let known = cursor.u32()?;
    let threads = cursor.u32()?;
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = cursor.u64()?;
    }
    let [events, last_seq, duration_nanos, peak_bytes, peak_blocks, peak_record] = numbers;
    let totals =
        Totals { events, threads, last_seq, duration_nanos, peak_bytes, peak_blocks, peak_record };
    let program = cursor.text()?;
    let origin = cursor.text()?;
    let mut notes = Vec::new();
    for _ in 0..cursor.u32()? {
        notes.push((cursor.text()?, cursor.text()?));
    }
    cursor.end()?;
    if nanos_per_tick == 0 {
        return Err("its ticks are of 0 nanoseconds".into());
    }
    Ok((Meta { program, origin, nanos_per_tick, notes }, (known == 1).then_some(totals)))
}

/// The bytes before a crc at their end, if it is right.
fn checked(bytes: &[u8]) -> Result<&[u8], Flaw> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or("it is too short")?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err("its checksum is wrong".into());
    }
    Ok(body)
}

/// What stands before a chunk's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    pub(super) payload_len: u32,
    pub(super) events: u32,
    pub(super) sections: u32,
    pub(super) first_seq: u64,
    pub(super) first_tick: u64,
    pub(super) payload_crc: u32,
}

impl ChunkHeader {
    /// Bytes of a chunk's header, its magic included.
    pub(super) const LEN: usize = 40;

    pub(super) fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&CHUNK_MAGIC);
        out[4..8].copy_from_slice(&self.payload_len.to_le_bytes());
        out[8..12].copy_from_slice(&self.events.to_le_bytes());
        out[12..16].copy_from_slice(&self.sections.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        out[24..32].copy_from_slice(&self.first_tick.to_le_bytes());
        out[32..36].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32fast::hash(&out[..36]);
        out[36..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn parse(bytes: &[u8; Self::LEN]) -> Result<Self, Flaw> {
        let mut cursor = Cursor::new(&checked(bytes)?[4..]);
        let header = Self {
            payload_len: cursor.u32()?,
            events: cursor.u32()?,
            sections: cursor.u32()?,
            first_seq: cursor.u64()?,
            first_tick: cursor.u64()?,
            payload_crc: cursor.u32()?,
        };
        if header.payload_len > PAYLOAD_LIMIT {
            return Err(format!("it declares {} bytes, too many", header.payload_len));
        }
        if header.events == 0 || header.events as usize > CHUNK_EVENTS {
            return Err(format!("it declares {} events, not 1 to 65536", header.events));
        }
        Ok(header)
    }
}

/// One chunk's entry of the index.
pub(super) fn index_entry(offset: u64, header: &ChunkHeader, events_before: u64) -> [u8; 32] {
    let mut out = [0; 32];
    out[..8].copy_from_slice(&offset.to_le_bytes());
    out[8..16].copy_from_slice(&header.first_seq.to_le_bytes());
    out[16..24].copy_from_slice(&header.first_tick.to_le_bytes());
    out[24..].copy_from_slice(&events_before.to_le_bytes());
    out
}

/// Index and trailer. `entries` are the chunks' entries one after the other.
pub(super) fn index(entries: &[u8], allocations: &Allocations, offset: u64) -> Vec<u8> {
    let mut threads: Vec<_> = allocations.iter().collect();
    threads.sort_unstable();
    let mut out = Vec::with_capacity(entries.len() + 12 * threads.len() + 28);
    out.extend(INDEX_MAGIC);
    out.extend(((entries.len() / 32) as u32).to_le_bytes());
    out.extend((threads.len() as u32).to_le_bytes());
    out.extend(entries);
    for (thread, count) in threads {
        out.extend(thread.to_le_bytes());
        out.extend(count.to_le_bytes());
    }
    out.extend(offset.to_le_bytes());
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out.extend(END_MAGIC);
    out
}
