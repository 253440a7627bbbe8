//! Building a script from a stream of events, in one pass and in memory bounded by the live set.

use super::slots::Slots;
use super::{NO_CHECKPOINT, Op, Place, SegmentHead, Stream, WAIT, bytes_of, kind};
use crate::error::{Context, Result};
use crate::kernel::Order;
use crate::results::Threads;
use crate::trace::{BlockId, Event, Op as Happened, ThreadId};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};

/// How many operations a segment holds at most; it bounds the child's window. Small enough to stay in
/// a processor's second-level cache, and longer where a cut makes threads wait for one another.
const SEGMENT_OPS: usize = 1 << 15;
const SEGMENT_OPS_THREADED: usize = 1 << 17;

/// How many different layouts are kept for finding out strides.
const LAYOUTS: usize = 1024;

/// Where to stop for a reading: after this many records, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointPlan {
    /// Records before each checkpoint.
    pub after: Vec<u64>,
}

impl CheckpointPlan {
    /// `count` checkpoints over `records`, the last at the end, one of them at `peak`.
    pub fn spread(records: u64, peak: u64, count: usize) -> Self {
        let count = count.max(2) as u64;
        let mut after: Vec<u64> =
            (1..count).map(|k| records * k / (count - 1)).filter(|&a| a > 0).collect();
        after.push(peak.clamp(1, records.max(1)));
        after.sort_unstable();
        after.dedup();
        Self { after }
    }
}

/// How to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// One stream in the recorded order, or one a recorded thread.
    pub threads: Threads,
    /// Where to stop for readings.
    pub checkpoints: CheckpointPlan,
}

/// What the trace says should be true at a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Records before it.
    pub(crate) record: u64,
    /// Bytes asked for by live blocks.
    pub(crate) live_bytes: u64,
    /// Live blocks.
    pub(crate) live_blocks: u64,
}

/// A finished script.
#[derive(Debug)]
pub struct Script {
    /// The segments, one after the other; unlinked, so that nothing is left behind.
    pub(crate) file: File,
    /// Slots needed.
    pub(crate) slots: u32,
    /// Recorded threads.
    pub(crate) threads: u32,
    /// Bytes of the longest segment with its head.
    pub(crate) window_bytes: u64,
    /// Allocations, frees and reallocs.
    pub(crate) operations: u64,
    /// At each checkpoint.
    pub(crate) expected: Vec<Expected>,
    /// Different layouts (bytes, align_log2), the most allocated first.
    pub(crate) layouts: Vec<(u64, u8)>,
    /// How it is to be replayed.
    pub(crate) mode: Threads,
    /// What to run in place of segments; there are none then.
    pub(crate) kernel: Option<Order>,
}

impl Script {
    /// A script without segments, that names a kernel.
    pub(crate) fn of_kernel(order: Order) -> Result<Self> {
        let file = tempfile::tempfile().context(|| "cannot make a temporary file".into())?;
        Ok(Self {
            file,
            slots: 0,
            threads: order.kernel.threads,
            window_bytes: 0,
            operations: order.pairs(),
            expected: Vec::new(),
            layouts: Vec::new(),
            mode: if order.kernel.threads > 1 { Threads::Recorded } else { Threads::Serial },
            kernel: Some(order),
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Live {
    slot: u32,
    bytes: u64,
    align_log2: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Running,
    Ended,
}

/// Builds a [`Script`] event by event.
#[derive(Debug)]
pub struct Builder {
    options: Options,
    out: BufWriter<File>,
    slots: Slots,
    /// By slot: the thread of the last operation on it, and how many there were.
    history: Vec<(u32, u16)>,
    live: HashMap<BlockId, Live>,
    live_bytes: u64,
    layouts: HashMap<(u64, u8), u64>,
    streams: Vec<(Vec<Op>, Vec<Place>)>,
    states: Vec<State>,
    last_thread: u32,
    records: u64,
    segment_first: u64,
    segment_ops: usize,
    segment_operations: u32,
    next_checkpoint: usize,
    operations: u64,
    window_bytes: u64,
    expected: Vec<Expected>,
}

impl Builder {
    /// An empty script in an unlinked temporary file.
    ///
    /// # Errors
    ///
    /// When no temporary file can be made.
    pub fn new(options: Options) -> Result<Self> {
        let file = tempfile::tempfile().context(|| "cannot make a temporary file".into())?;
        Ok(Self {
            options,
            out: BufWriter::with_capacity(1 << 18, file),
            slots: Slots::default(),
            history: Vec::new(),
            live: HashMap::new(),
            live_bytes: 0,
            layouts: HashMap::new(),
            streams: Vec::new(),
            states: Vec::new(),
            last_thread: 0,
            records: 0,
            segment_first: 0,
            segment_ops: 0,
            segment_operations: 0,
            next_checkpoint: 0,
            operations: 0,
            window_bytes: 0,
            expected: Vec::new(),
        })
    }

    /// Adds the next event in the global order.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub fn push(&mut self, event: &Event) -> Result<()> {
        let thread = self.enter(event.thread);
        match event.op {
            Happened::Allocate { block, size, align_log2, zeroed } => {
                let bytes = size.max(1);
                let align_log2 = align_log2.unwrap_or(if bytes > 8 { 4 } else { 3 });
                let slot = self.slots.take(thread);
                let what = if zeroed { kind::ZEROED } else { kind::ALLOCATE };
                self.operation(thread, slot, what, align_log2, bytes);
                self.live.insert(block, Live { slot, bytes, align_log2 });
                self.live_bytes += bytes;
                self.count_layout(bytes, align_log2);
            }
            Happened::Free { block } => {
                if let Some(live) = self.live.remove(&block) {
                    self.operation(thread, live.slot, kind::FREE, live.align_log2, live.bytes);
                    self.live_bytes -= live.bytes;
                    self.slots.give(live.slot, thread);
                }
            }
            Happened::Reallocate { block, size, .. } => {
                if let Some(live) = self.live.get_mut(&block) {
                    let old = *live;
                    live.bytes = size.max(1);
                    let new = *live;
                    self.live_bytes = self.live_bytes - old.bytes + new.bytes;
                    self.count_layout(new.bytes, new.align_log2);
                    let more = Op {
                        slot: old.slot,
                        kind: kind::MORE,
                        align_log2: 0,
                        version: 0,
                        bytes: new.bytes,
                    };
                    self.operation(thread, old.slot, kind::REALLOCATE, old.align_log2, old.bytes);
                    self.emit(thread, more);
                }
            }
            Happened::Spawn { child } => self.spawn(thread, child.0 - 1),
            Happened::Join { child } => {
                if self.state(child.0 - 1) == State::Ended {
                    self.lifecycle(thread, kind::JOIN, child.0 - 1);
                }
            }
            Happened::Start => {}
            Happened::Exit => {
                self.lifecycle(thread, kind::EXIT, thread);
                self.states[thread as usize] = State::Ended;
                self.slots.retire(thread);
            }
        }
        self.last_thread = thread;
        self.records += 1;
        let planned = self.options.checkpoints.after.get(self.next_checkpoint);
        if planned == Some(&self.records) {
            self.expected.push(Expected {
                record: self.records,
                live_bytes: self.live_bytes,
                live_blocks: self.live.len() as u64,
            });
            self.next_checkpoint += 1;
            self.cut(self.expected.len() as u32 - 1, false)?;
        } else if self.segment_ops >= self.segment_limit() {
            self.cut(NO_CHECKPOINT, false)?;
        }
        Ok(())
    }

    /// Ends the script.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub fn finish(mut self) -> Result<Script> {
        self.cut(NO_CHECKPOINT, true)?;
        let file = self
            .out
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .context(|| "cannot write the replay script".into())?;
        let mut layouts: Vec<_> = self.layouts.into_iter().collect();
        layouts.sort_unstable_by_key(|&(layout, count)| (std::cmp::Reverse(count), layout));
        Ok(Script {
            file,
            slots: self.slots.count().max(1),
            threads: self.states.len().max(1) as u32,
            window_bytes: self.window_bytes,
            operations: self.operations,
            expected: self.expected,
            layouts: layouts.into_iter().map(|(layout, _)| layout).collect(),
            mode: self.options.threads,
            kernel: None,
        })
    }

    fn segment_limit(&self) -> usize {
        if self.threaded() { SEGMENT_OPS_THREADED } else { SEGMENT_OPS }
    }

    /// One more block has this layout, by allocation or by reallocation.
    fn count_layout(&mut self, bytes: u64, align_log2: u8) {
        let key = (bytes, align_log2);
        if self.layouts.len() < LAYOUTS || self.layouts.contains_key(&key) {
            *self.layouts.entry(key).or_default() += 1;
        }
    }

    fn threaded(&self) -> bool {
        self.options.threads == Threads::Recorded
    }

    fn state(&mut self, thread: u32) -> State {
        let index = thread as usize;
        if self.states.len() <= index {
            self.states.resize(index + 1, State::Unknown);
        }
        self.states[index]
    }

    /// The event's thread as an index; a thread that nobody was seen to start is started by the one
    /// whose record came just before, the first by the replay itself.
    fn enter(&mut self, id: ThreadId) -> u32 {
        let thread = id.0 - 1;
        let first = self.states.iter().all(|&s| s == State::Unknown);
        if self.state(thread) == State::Unknown {
            if first {
                self.states[thread as usize] = State::Running;
            } else {
                let parent = self.last_thread;
                let parent = if self.state(parent) == State::Running { parent } else { 0 };
                self.spawn(parent, thread);
            }
        }
        thread
    }

    fn spawn(&mut self, parent: u32, child: u32) {
        if self.state(child) == State::Unknown {
            self.states[child as usize] = State::Running;
            self.lifecycle(parent, kind::SPAWN, child);
        }
    }

    fn lifecycle(&mut self, thread: u32, what: u8, of: u32) {
        if self.threaded() {
            self.emit(thread, Op { slot: of, kind: what, align_log2: 0, version: 0, bytes: 0 });
        }
    }

    fn operation(&mut self, thread: u32, slot: u32, what: u8, align_log2: u8, bytes: u64) {
        let index = slot as usize;
        if self.history.len() <= index {
            self.history.resize(index + 1, (thread, 0));
        }
        let (last, version) = self.history[index];
        let version = version.wrapping_add(1);
        self.history[index] = (thread, version);
        let wait = if self.threaded() && last != thread { WAIT } else { 0 };
        self.emit(thread, Op { slot, kind: what | wait, align_log2, version, bytes });
        self.operations += 1;
        self.segment_operations += 1;
    }

    fn emit(&mut self, thread: u32, op: Op) {
        let stream = if self.threaded() { thread as usize } else { 0 };
        if self.streams.len() <= stream {
            self.streams.resize_with(stream + 1, Default::default);
        }
        let place = Place { record: self.records, thread: u64::from(thread) + 1 };
        self.streams[stream].0.push(op);
        self.streams[stream].1.push(place);
        self.segment_ops += 1;
    }

    fn cut(&mut self, checkpoint: u32, last: bool) -> Result<()> {
        let mut table = Vec::new();
        let mut first = 0;
        for (thread, (ops, _)) in self.streams.iter().enumerate() {
            if !ops.is_empty() {
                let ops = ops.len() as u32;
                table.push(Stream { thread: thread as u32, ops, first, reserved: 0 });
                first += ops;
            }
        }
        let bytes =
            size_of_val(&table[..]) + self.segment_ops * (size_of::<Op>() + size_of::<Place>());
        let head = SegmentHead {
            bytes: bytes as u64,
            first_record: self.segment_first,
            streams: table.len() as u32,
            ops: self.segment_ops as u32,
            operations: self.segment_operations,
            checkpoint,
            last: u32::from(last),
            reserved: 0,
        };
        self.window_bytes = self.window_bytes.max((bytes + size_of::<SegmentHead>()) as u64);
        let failed = || "cannot write the replay script to a temporary file".to_owned();
        self.out.write_all(bytes_of(&[head])).context(failed)?;
        self.out.write_all(bytes_of(&table)).context(failed)?;
        for (ops, _) in &self.streams {
            self.out.write_all(bytes_of(ops)).context(failed)?;
        }
        for (_, places) in &mut self.streams {
            self.out.write_all(bytes_of(places)).context(failed)?;
            places.clear();
        }
        self.streams.iter_mut().for_each(|(ops, _)| ops.clear());
        self.segment_ops = 0;
        self.segment_operations = 0;
        self.segment_first = self.records;
        Ok(())
    }
}
