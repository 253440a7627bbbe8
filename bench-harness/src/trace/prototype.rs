//! The format of the recorder that came before this suite's own: `AHTRACE0`.
//!
//! A header of 24 bytes (magic, u32 version 1, u32 threads, u64 records), then 20 bytes a record:
//! u8 operation (1 malloc, 2 free, 3 realloc, 4 calloc), u8 binary logarithm of the alignment (0:
//! none given), u16 thread (from 1), u32 microseconds, u32 block (never reused, kept by a realloc),
//! u64 size; all little-endian. It has one stamp a record, no starts and no ends of threads.

use super::input::Input;
use super::live::IdMap;
use super::reader::Step;
use super::{BlockId, Event, Meta, Op, ThreadId, Totals};
use crate::error::{Failure, Result};
use std::collections::HashMap;

const HEADER: usize = 24;
const RECORD: usize = 20;
/// Records decoded at a time.
const BATCH: usize = 4096;

/// A file of that format being read.
pub(super) struct Prototype {
    records: u64,
    next: u64,
    /// The identities of the live blocks, by the file's number.
    blocks: IdMap<u32, BlockId>,
    allocations: HashMap<u16, u64>,
    buffer: Vec<u8>,
}

impl Prototype {
    pub(super) const MAGIC: [u8; 8] = *b"AHTRACE0";

    /// Reads the header, of which `start` was taken from `input` already.
    pub(super) fn open(input: &mut Input, start: &[u8]) -> Result<(Self, Meta, Option<Totals>)> {
        let mut bytes = [0; HEADER];
        let (head, tail) = bytes.split_at_mut(start.len());
        head.copy_from_slice(start);
        if input.fill(tail)? < tail.len() {
            let name = &input.name;
            return Err(Failure::input(format!(
                "{name} was cut off within its header: nothing is usable"
            )));
        }
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        if number(8) != 1 {
            return Err(Failure::input(format!(
                "{} has version {} of the prototype's trace format, of which only version 1 exists",
                input.name,
                number(8)
            )));
        }
        let records = u64::from_le_bytes(bytes[16..].try_into().expect("eight bytes"));
        let totals = Totals { events: records, threads: number(12), ..Totals::default() };
        let meta = Meta { origin: "prototype recorder".into(), ..Meta::default() };
        let prototype = Self {
            records,
            next: 0,
            blocks: IdMap::default(),
            allocations: HashMap::new(),
            buffer: Vec::new(),
        };
        Ok((prototype, meta, Some(totals)))
    }

    pub(super) fn next(&mut self, input: &mut Input, events: &mut Vec<Event>) -> Result<Step> {
        events.clear();
        let wanted = (self.records - self.next).min(BATCH as u64) as usize;
        if wanted == 0 {
            return match input.fill(&mut [0])? {
                0 => Ok(Step::End),
                _ => Err(input.damaged(input.offset - 1, "file", "something follows its end")),
            };
        }
        let offset = input.offset;
        let mut buffer = std::mem::take(&mut self.buffer);
        let filled = input.fill_vec(&mut buffer, wanted * RECORD)?;
        for (nth, record) in buffer[..filled].chunks_exact(RECORD).enumerate() {
            let record = record.try_into().expect("a record's bytes");
            let event = self
                .event(record)
                .map_err(|flaw| input.damaged(offset + (nth * RECORD) as u64, "record", &flaw))?;
            events.push(event);
        }
        self.buffer = buffer;
        match events.is_empty() {
            true => Ok(Step::Cut),
            false => Ok(Step::Batch),
        }
    }

    fn event(&mut self, record: &[u8; RECORD]) -> Result<Event, String> {
        let [op, align, t0, t1, m0, m1, m2, m3, b0, b1, b2, b3, size @ ..] = *record;
        let thread = u16::from_le_bytes([t0, t1]);
        let micros = u32::from_le_bytes([m0, m1, m2, m3]);
        let id = u32::from_le_bytes([b0, b1, b2, b3]);
        let size = u64::from_le_bytes(size);
        if thread == 0 || align > 63 {
            return Err("the thread is 0 or the alignment of more than 64 bits".into());
        }
        let unknown = || format!("block {id} is not live");
        let op = match op {
            1 | 4 => {
                let count = self.allocations.entry(thread).or_default();
                let block = BlockId { thread: ThreadId(thread.into()), nth: *count };
                if self.blocks.insert(id, block).is_some() {
                    return Err(format!("block {id} is allocated while it lives"));
                }
                *count += 1;
                let align_log2 = Some(align).filter(|log2| *log2 > 0);
                Op::Allocate { block, size, align_log2, zeroed: op == 4 }
            }
            2 => Op::Free { block: self.blocks.remove(&id).ok_or_else(unknown)? },
            3 => Op::Reallocate {
                block: *self.blocks.get(&id).ok_or_else(unknown)?,
                size,
                began_seq_before: 1,
                began_nanos_before: 0,
            },
            other => return Err(format!("the operation {other} does not exist")),
        };
        let seq = self.next;
        self.next += 1;
        if seq == 0 && matches!(op, Op::Reallocate { .. }) {
            return Err("a realloc comes first".into());
        }
        let nanos = u64::from(micros) * 1000;
        Ok(Event { seq, nanos, thread: ThreadId(thread.into()), op })
    }
}
