//! A chunk's payload: one section a thread, and in it one column a field.
//!
//! Columns, because equal things beside equal things is what a compressor lives from. The layout
//! is specified in [`mod@super::format`].

use super::bytes::{Cursor, Flaw, put_difference, put_varint};
use super::format::{COLUMNS, ChunkHeader};
use super::{BlockId, Event, Op, ThreadId};
use std::collections::HashMap;

/// The codes in the column of operations.
mod code {
    pub(super) const ALLOCATE: u8 = 0;
    pub(super) const ZEROED: u8 = 1;
    pub(super) const ALIGNED: u8 = 2;
    pub(super) const REALLOCATE: u8 = 4;
    pub(super) const FREE: u8 = 6;
    /// Added to the two above where another thread allocated the block.
    pub(super) const OTHERS: u8 = 1;
    pub(super) const SPAWN: u8 = 8;
    pub(super) const START: u8 = 9;
    pub(super) const EXIT: u8 = 10;
    pub(super) const JOIN: u8 = 11;
}

/// Indices of the columns.
const OPS: usize = 0;
const SEQS: usize = 1;
const TIMES: usize = 2;
const SIZES: usize = 3;
const ALIGNS: usize = 4;
const BLOCKS: usize = 5;
const OTHERS: usize = 6;
const REALLOCS: usize = 7;
const CHILDREN: usize = 8;

/// How many blocks each thread had allocated at the end of the chunks so far.
pub(super) type Allocations = HashMap<u32, u64>;

/// Encodes the events of a chunk, which are in order; answers how many sections it took.
pub(super) fn encode(
    events: &[Event],
    header: &ChunkHeader,
    nanos_per_tick: u64,
    allocations: &mut Allocations,
    out: &mut Vec<u8>,
) -> u32 {
    let mut by_thread: Vec<&Event> = events.iter().collect();
    by_thread.sort_by_key(|event| event.thread);
    let mut sections = 0;
    for group in by_thread.chunk_by(|a, b| a.thread == b.thread) {
        let count = allocations.entry(group[0].thread.0).or_default();
        let mut section = Section::new(header, nanos_per_tick, *count);
        put_varint(out, u64::from(group[0].thread.0));
        put_varint(out, group.len() as u64);
        put_varint(out, *count);
        for event in group {
            section.push(event);
        }
        *count = section.allocations;
        for column in &section.columns {
            put_varint(out, column.len() as u64);
        }
        for column in &section.columns {
            out.extend_from_slice(column);
        }
        sections += 1;
    }
    sections
}

/// A section being encoded.
struct Section {
    columns: [Vec<u8>; COLUMNS],
    nanos_per_tick: u64,
    seq: u64,
    tick: u64,
    allocations: u64,
    last_own: u64,
    last_of_others: HashMap<u32, u64>,
}

impl Section {
    fn new(header: &ChunkHeader, nanos_per_tick: u64, allocations: u64) -> Self {
        Self {
            columns: Default::default(),
            nanos_per_tick,
            seq: header.first_seq,
            tick: header.first_tick,
            allocations,
            last_own: allocations,
            last_of_others: HashMap::new(),
        }
    }

    fn push(&mut self, event: &Event) {
        put_varint(&mut self.columns[SEQS], event.seq - self.seq);
        self.seq = event.seq + 1;
        let tick = event.nanos / self.nanos_per_tick;
        put_difference(&mut self.columns[TIMES], self.tick, tick);
        self.tick = tick;
        let code = match event.op {
            Op::Allocate { size, align_log2, zeroed, .. } => {
                self.allocations += 1;
                put_varint(&mut self.columns[SIZES], size);
                self.columns[ALIGNS].extend(align_log2);
                code::ALLOCATE
                    + if zeroed { code::ZEROED } else { 0 }
                    + if align_log2.is_some() { code::ALIGNED } else { 0 }
            }
            Op::Reallocate { block, size, began_seq_before, began_nanos_before } => {
                put_varint(&mut self.columns[SIZES], size);
                let began = (event.nanos - began_nanos_before) / self.nanos_per_tick;
                put_varint(&mut self.columns[REALLOCS], began_seq_before);
                put_varint(&mut self.columns[REALLOCS], tick - began);
                code::REALLOCATE + self.block(event.thread, block)
            }
            Op::Free { block } => code::FREE + self.block(event.thread, block),
            Op::Spawn { child } => self.child(child, code::SPAWN),
            Op::Join { child } => self.child(child, code::JOIN),
            Op::Start => code::START,
            Op::Exit => code::EXIT,
        };
        self.columns[OPS].push(code);
    }

    /// Writes which block is meant; answers what that adds to the code.
    fn block(&mut self, thread: ThreadId, block: BlockId) -> u8 {
        if block.thread == thread {
            put_difference(&mut self.columns[BLOCKS], self.last_own, block.nth);
            self.last_own = block.nth;
            return 0;
        }
        let last = self.last_of_others.entry(block.thread.0).or_default();
        put_varint(&mut self.columns[OTHERS], u64::from(block.thread.0));
        put_difference(&mut self.columns[OTHERS], *last, block.nth);
        *last = block.nth;
        code::OTHERS
    }

    fn child(&mut self, child: ThreadId, code: u8) -> u8 {
        put_varint(&mut self.columns[CHILDREN], u64::from(child.0));
        code
    }
}

/// A chunk to decode.
pub(super) struct Chunk<'a> {
    pub(super) payload: &'a [u8],
    pub(super) header: &'a ChunkHeader,
    pub(super) nanos_per_tick: u64,
    /// Whether chunks before it were left out, so that a thread's allocations may start anywhere.
    pub(super) midway: bool,
}

/// Decodes a chunk into `events`, in order of `seq`.
pub(super) fn decode(
    chunk: &Chunk<'_>,
    allocations: &mut Allocations,
    events: &mut Vec<Event>,
) -> Result<(), Flaw> {
    let &Chunk { payload, header, nanos_per_tick, midway } = chunk;
    let mut cursor = Cursor::new(payload);
    events.clear();
    let mut previous = 0;
    for _ in 0..header.sections {
        let thread = cursor.varint_u32()?;
        if thread <= previous {
            return Err(format!("its section of thread {thread} is out of order"));
        }
        previous = thread;
        let count = cursor.varint()?;
        if count == 0 || count > u64::from(header.events) - events.len() as u64 {
            return Err(format!("its section of thread {thread} declares {count} events"));
        }
        let first_nth = cursor.varint()?;
        let due = allocations.entry(thread).or_insert(if midway { first_nth } else { 0 });
        if first_nth != *due {
            return Err(format!("its section of thread {thread} skips allocations"));
        }
        let mut lengths = [0; COLUMNS];
        for len in &mut lengths {
            *len = cursor.varint()?;
        }
        let mut columns = [const { Cursor::empty() }; COLUMNS];
        for (column, len) in columns.iter_mut().zip(lengths) {
            *column = Cursor::new(cursor.take(len)?);
        }
        let mut section = Columns {
            columns,
            nanos_per_tick,
            thread: ThreadId(thread),
            seq: header.first_seq,
            tick: header.first_tick,
            allocations: *due,
            last_own: *due,
            last_of_others: HashMap::new(),
        };
        for _ in 0..count {
            events.push(section.event()?);
        }
        for column in &section.columns {
            column.end()?;
        }
        *due = section.allocations;
    }
    cursor.end()?;
    if events.len() != header.events as usize {
        return Err(format!("it declares {} events and has {}", header.events, events.len()));
    }
    if header.sections > 1 {
        events.sort_by_key(|event| event.seq);
        if events.windows(2).any(|pair| pair[0].seq == pair[1].seq) {
            return Err("two of its events have the same place in the order".into());
        }
    }
    if events.first().is_some_and(|first| first.seq != header.first_seq) {
        return Err("its first event is not the one it declares".into());
    }
    Ok(())
}

/// A section being decoded.
struct Columns<'a> {
    columns: [Cursor<'a>; COLUMNS],
    nanos_per_tick: u64,
    thread: ThreadId,
    seq: u64,
    tick: u64,
    allocations: u64,
    last_own: u64,
    last_of_others: HashMap<u32, u64>,
}

impl Columns<'_> {
    #[inline]
    fn event(&mut self) -> Result<Event, Flaw> {
        let step = self.columns[SEQS].varint()?;
        // The last number is not a seq, so that the one after a seq always exists.
        let seq = self.seq.checked_add(step).filter(|seq| *seq < u64::MAX).ok_or_else(overflow)?;
        self.seq = seq + 1;
        self.tick = self.columns[TIMES].difference(self.tick)?;
        let nanos = self.tick.checked_mul(self.nanos_per_tick).ok_or_else(overflow)?;
        let code = self.columns[OPS].byte()?;
        let op = match code {
            code::ALLOCATE..code::REALLOCATE => {
                let block = BlockId { thread: self.thread, nth: self.allocations };
                self.allocations = self.allocations.checked_add(1).ok_or_else(overflow)?;
                let align_log2 = match code & code::ALIGNED {
                    0 => None,
                    _ => Some(self.columns[ALIGNS].byte()?),
                };
                if align_log2.is_some_and(|log2| log2 > 63) {
                    return Err("it has an alignment of more than 64 bits".into());
                }
                let size = self.columns[SIZES].varint()?;
                Op::Allocate { block, size, align_log2, zeroed: code & code::ZEROED != 0 }
            }
            code::REALLOCATE..code::FREE => {
                let block = self.block(code - code::REALLOCATE)?;
                let size = self.columns[SIZES].varint()?;
                let began_seq_before = self.columns[REALLOCS].varint()?;
                let began_ticks_before = self.columns[REALLOCS].varint()?;
                if began_seq_before == 0 || began_seq_before > seq || began_ticks_before > self.tick
                {
                    return Err("it has a realloc that began before the recording".into());
                }
                let began_nanos_before = began_ticks_before * self.nanos_per_tick;
                Op::Reallocate { block, size, began_seq_before, began_nanos_before }
            }
            code::FREE..code::SPAWN => Op::Free { block: self.block(code - code::FREE)? },
            code::SPAWN => Op::Spawn { child: self.child()? },
            code::START => Op::Start,
            code::EXIT => Op::Exit,
            code::JOIN => Op::Join { child: self.child()? },
            _ => return Err(format!("it has an operation {code}, which does not exist")),
        };
        Ok(Event { seq, nanos, thread: self.thread, op })
    }

    #[inline]
    fn block(&mut self, others: u8) -> Result<BlockId, Flaw> {
        if others == 0 {
            self.last_own = self.columns[BLOCKS].difference(self.last_own)?;
            let nth = self.last_own;
            if nth >= self.allocations {
                return Err("it names a block that was never allocated".into());
            }
            return Ok(BlockId { thread: self.thread, nth });
        }
        let thread = self.columns[OTHERS].varint_u32()?;
        if thread == 0 || thread == self.thread.0 {
            return Err("it names a block of another thread that is none".into());
        }
        let last = self.last_of_others.entry(thread).or_default();
        *last = self.columns[OTHERS].difference(*last)?;
        Ok(BlockId { thread: ThreadId(thread), nth: *last })
    }

    fn child(&mut self) -> Result<ThreadId, Flaw> {
        match self.columns[CHILDREN].varint_u32()? {
            0 => Err("it names a thread 0".into()),
            child => Ok(ThreadId(child)),
        }
    }
}

fn overflow() -> Flaw {
    "it has a place or a time of more than 64 bits".into()
}
