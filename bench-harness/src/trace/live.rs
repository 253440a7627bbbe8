//! The live blocks of a trace, and the contract that its events keep.

use super::{BlockId, Event, Op, ThreadId, Totals};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What is known of a live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveBlock {
    /// Bytes asked for, by the last realloc where there was one.
    pub size: u64,
    /// The record that allocated it, counted from 0.
    pub born_record: u64,
    /// When that was.
    pub born_nanos: u64,
}

/// Applies events one after the other, and refuses one that breaks the contract of a trace.
///
/// Memory is bounded by the live blocks and the threads.
#[derive(Clone, Debug, Default)]
pub struct LiveSet {
    blocks: IdMap<BlockId, LiveBlock>,
    threads: IdMap<u32, Thread>,
    next_seq: u64,
    bytes: u64,
    totals: Totals,
}

/// A thread as the events so far show it.
#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    allocations: u64,
    started: bool,
    ended: bool,
}

impl LiveSet {
    /// No block is live, no thread is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the next event. For a realloc and a free, answers the block as it was before.
    ///
    /// # Errors
    /// What is wrong with the event, in a few words; nothing has changed then.
    pub fn apply(&mut self, event: &Event) -> Result<Option<LiveBlock>, String> {
        let before = self.change(event)?;
        let thread = self.threads.entry(event.thread.0).or_default();
        match event.op {
            Op::Allocate { .. } => thread.allocations += 1,
            Op::Start => thread.started = true,
            Op::Exit => thread.ended = true,
            Op::Spawn { child } | Op::Join { child } => {
                self.threads.entry(child.0).or_default();
            }
            Op::Reallocate { .. } | Op::Free { .. } => {}
        }
        if self.bytes > self.totals.peak_bytes {
            self.totals.peak_bytes = self.bytes;
            self.totals.peak_blocks = self.blocks.len() as u64;
            self.totals.peak_record = self.totals.events;
        }
        self.totals.events += 1;
        self.totals.threads = self.threads.len() as u32;
        self.totals.last_seq = event.seq;
        self.totals.duration_nanos = self.totals.duration_nanos.max(event.nanos);
        self.next_seq = event.seq.saturating_add(1);
        Ok(before)
    }

    /// The part of [`LiveSet::apply`] that can refuse, which it does before it changes anything.
    fn change(&mut self, event: &Event) -> Result<Option<LiveBlock>, String> {
        if event.seq < self.next_seq || event.seq == u64::MAX {
            return Err(format!("seq {} does not follow its predecessor's", event.seq));
        }
        if event.thread.0 == 0 {
            return Err("threads are numbered from 1".into());
        }
        let thread = self.threads.get(&event.thread.0).copied().unwrap_or_default();
        if thread.ended {
            return Err(format!("thread {} has ended before", event.thread.0));
        }
        match event.op {
            Op::Allocate { block, size, align_log2, .. } => {
                if block != (BlockId { thread: event.thread, nth: thread.allocations }) {
                    return Err(format!(
                        "thread {} allocates {} where its block number {} is due",
                        event.thread.0,
                        name(block),
                        thread.allocations
                    ));
                }
                if align_log2.is_some_and(|log2| log2 > 63) {
                    return Err("its alignment has more than 64 bits".into());
                }
                self.bytes = self.bytes.checked_add(size).ok_or_else(too_much)?;
                let born =
                    LiveBlock { size, born_record: self.totals.events, born_nanos: event.nanos };
                self.blocks.insert(block, born);
                Ok(None)
            }
            Op::Reallocate { block, size, began_seq_before, began_nanos_before } => {
                if began_seq_before == 0 || began_seq_before > event.seq {
                    return Err(format!("its realloc began {began_seq_before} places before"));
                }
                if began_nanos_before > event.nanos {
                    return Err("its realloc began before the recording did".into());
                }
                let live = self.blocks.get_mut(&block).ok_or_else(|| not_live("changes", block))?;
                let others = self.bytes - live.size;
                self.bytes = others.checked_add(size).ok_or_else(too_much)?;
                let before = *live;
                live.size = size;
                Ok(Some(before))
            }
            Op::Free { block } => {
                let live = self.blocks.remove(&block).ok_or_else(|| not_live("frees", block))?;
                self.bytes -= live.size;
                Ok(Some(live))
            }
            Op::Spawn { child } | Op::Join { child } => {
                if child == event.thread || child == ThreadId(0) {
                    return Err(format!("it names thread {} as its child", child.0));
                }
                Ok(None)
            }
            Op::Start if thread.started => Err(format!("thread {} started twice", event.thread.0)),
            Op::Start | Op::Exit => Ok(None),
        }
    }

    /// Bytes asked for by the live blocks.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many blocks are live.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether no block is live.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The block, where it is live.
    pub fn get(&self, block: BlockId) -> Option<&LiveBlock> {
        self.blocks.get(&block)
    }

    /// The live blocks, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&BlockId, &LiveBlock)> {
        self.blocks.iter()
    }

    /// The figures of the events applied so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }
}

/// A block as messages name it.
fn name(block: BlockId) -> String {
    format!("block {} of thread {}", block.nth, block.thread.0)
}

fn not_live(verb: &str, block: BlockId) -> String {
    format!("it {verb} {}, which is not live", name(block))
}

fn too_much() -> String {
    "the live blocks together pass 64 bits of bytes".into()
}

/// A map keyed by small dense numbers, which need mixing but no defence: a reader of traces that
/// somebody crafts to collide only keeps that somebody waiting.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Multiplies by a large odd number and folds the product's high half, where the mixing is, back.
#[derive(Clone, Copy, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0.rotate_left(32) ^ value) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}
