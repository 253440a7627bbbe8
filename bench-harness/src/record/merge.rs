//! From the records of threads to the events of a trace: one order, and blocks in place of
//! addresses.

use super::capture::{Raw, Stream};
use super::format::{FAILED, ZEROED, tag};
use crate::error::Result;
use crate::trace::{BlockId, Event, Op, ThreadId};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

#[cfg(test)]
mod tests;

/// What was met that a faithful record of a correct program does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// Events made.
    pub(super) events: u64,
    /// Threads met.
    pub(super) threads: u32,
    /// Allocations and reallocs that answered a block still live: its free was not seen, and was
    /// put in.
    pub(super) reused: u64,
    /// Frees of blocks whose allocation was not seen (from before a fork, or before the recording):
    /// left out.
    pub(super) unknown_frees: u64,
    /// Reallocs of such blocks: made allocations.
    pub(super) unknown_reallocs: u64,
    /// Reallocs cut off by the end of the process: left out.
    pub(super) unfinished: u64,
}

/// Merges the streams of a process image's threads, by their ordinals, and hands each event to
/// `sink` in the order of the trace.
///
/// The streams are ordered by their stamps, all of one clock; at equal stamps memory is given back
/// before it is taken. Memory is bounded by the live blocks.
pub(super) fn merge<'a>(
    streams: impl Iterator<Item = (u32, Stream<'a>)>,
    start_nanos: u64,
    sink: &mut dyn FnMut(&Event) -> Result<()>,
) -> Result<Merged> {
    let mut merger = Merger {
        sink,
        start_nanos,
        seq: 0,
        now: 0,
        live: HashMap::new(),
        threads: HashMap::new(),
        handles: HashMap::new(),
        merged: Merged::default(),
    };
    let mut heads = Vec::new();
    let mut heap = BinaryHeap::new();
    for (ordinal, stream) in streams {
        let mut head = Head { ordinal, stream, next: None, began: None, exits: false };
        head.next = head.stream.next();
        if let Some(raw) = head.next {
            heap.push(Reverse((raw.stamp, rank(raw.tag), heads.len())));
        }
        heads.push(head);
    }
    while let Some(Reverse((_, _, index))) = heap.pop() {
        let head = &mut heads[index];
        let Some(raw) = head.next else { continue };
        head.next = head.stream.next();
        merger.take(head, raw)?;
        match head.next {
            Some(next) => heap.push(Reverse((next.stamp.max(raw.stamp), rank(next.tag), index))),
            None if head.exits => merger.exit(head.ordinal)?,
            None => {}
        }
    }
    merger.merged.threads = merger.threads.len() as u32;
    Ok(merger.merged)
}

/// The order of records with one stamp.
fn rank(of: u32) -> u8 {
    match of {
        tag::FREE | tag::BEGIN | tag::SPAWN => 0,
        tag::JOIN => 2,
        _ => 1,
    }
}

/// A thread's stream, one record ahead.
struct Head<'a> {
    ordinal: u32,
    stream: Stream<'a>,
    next: Option<Raw>,
    /// The realloc that the thread is in: its block, and the place and time of its begin.
    began: Option<Began>,
    /// Whether its EXIT was met: it ends with its last record.
    exits: bool,
}

struct Began {
    block: Option<BlockId>,
    seq: u64,
    nanos: u64,
}

#[derive(Clone, Copy)]
struct Known {
    id: ThreadId,
    allocations: u64,
}

/// A thread by its `pthread_t`.
struct Handle {
    ordinal: u32,
    ended: bool,
}

struct Merger<'s> {
    sink: &'s mut dyn FnMut(&Event) -> Result<()>,
    start_nanos: u64,
    seq: u64,
    now: u64,
    live: HashMap<u64, BlockId>,
    threads: HashMap<u32, Known>,
    /// The last two threads of each `pthread_t`, which is used again once a thread is joined.
    handles: HashMap<u64, Vec<Handle>>,
    merged: Merged,
}

impl Merger<'_> {
    fn take(&mut self, head: &mut Head<'_>, raw: Raw) -> Result<()> {
        self.now = raw.stamp.saturating_sub(self.start_nanos).max(self.now);
        let thread = head.ordinal;
        match raw.tag {
            tag::ALLOCATE => self.allocate(thread, raw),
            tag::FREE => match self.live.remove(&raw.address) {
                Some(block) => self.emit(thread, Op::Free { block }),
                None => {
                    self.merged.unknown_frees += 1;
                    Ok(())
                }
            },
            tag::BEGIN => self.begin(head, raw),
            tag::END => self.end(head, raw),
            tag::SPAWN => {
                // In this order: the parent appears first.
                self.thread(thread);
                let child = self.thread(raw.child).id;
                self.emit(thread, Op::Spawn { child })
            }
            tag::START => {
                let handles = self.handles.entry(raw.address).or_default();
                if handles.len() > 1 {
                    handles.remove(0);
                }
                handles.push(Handle { ordinal: thread, ended: false });
                self.emit(thread, Op::Start)
            }
            tag::EXIT => {
                head.exits = true;
                Ok(())
            }
            tag::JOIN => self.join(thread, raw.address),
            _ => Ok(()),
        }
    }

    fn allocate(&mut self, thread: u32, raw: Raw) -> Result<()> {
        self.free_unseen(thread, raw.address)?;
        let id = self.thread(thread).id;
        let known = self.threads.get_mut(&thread).expect("met just now");
        let block = BlockId { thread: id, nth: known.allocations };
        known.allocations += 1;
        self.live.insert(raw.address, block);
        let zeroed = raw.flags & ZEROED != 0;
        let op = Op::Allocate { block, size: raw.bytes, align_log2: raw.align_log2, zeroed };
        self.emit(thread, op)
    }

    /// From here on the old block's memory may be another's, if the realloc succeeds: the thread's
    /// next record tells.
    fn begin(&mut self, head: &mut Head<'_>, raw: Raw) -> Result<()> {
        let Some(end) = head.next.filter(|next| next.tag == tag::END) else {
            self.merged.unfinished += 1;
            return Ok(());
        };
        if end.flags & FAILED != 0 {
            return Ok(());
        }
        let block = self.live.remove(&raw.address);
        if end.address == 0 {
            // A realloc to no bytes that freed.
            self.merged.unknown_frees += u64::from(block.is_none());
            return block.map_or(Ok(()), |block| self.emit(head.ordinal, Op::Free { block }));
        }
        self.seq += 1;
        head.began = Some(Began { block, seq: self.seq, nanos: self.now });
        Ok(())
    }

    fn end(&mut self, head: &mut Head<'_>, raw: Raw) -> Result<()> {
        // None: it failed or freed.
        let Some(began) = head.began.take() else { return Ok(()) };
        let Some(block) = began.block else {
            self.merged.unknown_reallocs += 1;
            return self.allocate(head.ordinal, raw);
        };
        self.free_unseen(head.ordinal, raw.address)?;
        self.live.insert(raw.address, block);
        let op = Op::Reallocate {
            block,
            size: raw.bytes,
            began_seq_before: self.seq + 1 - began.seq,
            began_nanos_before: self.now - began.nanos,
        };
        self.emit(head.ordinal, op)
    }

    /// Frees the block that is live at an address which was just answered: it cannot be.
    fn free_unseen(&mut self, thread: u32, address: u64) -> Result<()> {
        let Some(block) = self.live.remove(&address) else { return Ok(()) };
        self.merged.reused += 1;
        self.emit(thread, Op::Free { block })
    }

    fn join(&mut self, thread: u32, handle: u64) -> Result<()> {
        let handles = self.handles.entry(handle).or_default();
        let ended = handles.iter().rposition(|handle| handle.ended);
        let Some(place) = ended.or(handles.len().checked_sub(1)) else { return Ok(()) };
        let child = self.thread_of(handle, place);
        self.emit(thread, Op::Join { child })
    }

    fn thread_of(&mut self, handle: u64, place: usize) -> ThreadId {
        let joined = self.handles.get_mut(&handle).map(|handles| handles.remove(place));
        self.thread(joined.map_or(0, |joined| joined.ordinal)).id
    }

    fn exit(&mut self, thread: u32) -> Result<()> {
        for handle in self.handles.values_mut().flatten() {
            handle.ended |= handle.ordinal == thread;
        }
        self.emit(thread, Op::Exit)
    }

    /// The thread of an ordinal; threads are numbered as they appear.
    fn thread(&mut self, ordinal: u32) -> Known {
        let id = ThreadId(self.threads.len() as u32 + 1);
        *self.threads.entry(ordinal).or_insert(Known { id, allocations: 0 })
    }

    fn emit(&mut self, thread: u32, op: Op) -> Result<()> {
        self.seq += 1;
        self.merged.events += 1;
        let thread = self.thread(thread).id;
        (self.sink)(&Event { seq: self.seq, nanos: self.now, thread, op })
    }
}
