//! Building a script from a stream of events, in one pass and in memory bounded by the live set.

use super::outlet::{Now, Outlet};
use super::slots::Slots;
use super::{Op, Place, WAIT, kind};
use crate::error::{Context, Result};
use crate::kernel::Order;
use crate::results::Threads;
use crate::trace::{BlockId, Event, IdMap, Op as Happened, ThreadId};
use static_assertions::const_assert_eq;
use std::fs::File;

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

/// A slot: the block that is in it or was in it last, the thread of the last operation on it, and how
/// many there were. One array of these, since every event is a miss of the cache or two.
#[derive(Clone, Copy, Debug)]
struct Slot {
    bytes: u64,
    last: u32,
    version: u16,
    align_log2: u8,
}

const_assert_eq!(size_of::<Slot>(), 16);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Running,
    Ended,
}

/// Builds a [`Script`] event by event, or `N` that differ in their checkpoints.
#[derive(Debug)]
pub struct Builder<const N: usize = 1> {
    threads: Threads,
    outlets: [Outlet; N],
    slots: Slots,
    table: Vec<Slot>,
    /// The slot of each live block.
    live: IdMap<BlockId, u32>,
    live_bytes: u64,
    layouts: IdMap<(u64, u8), u64>,
    states: Vec<State>,
    last_thread: u32,
    records: u64,
    operations: u64,
}

impl Builder {
    /// An empty script in an unlinked temporary file.
    ///
    /// # Errors
    ///
    /// When no temporary file can be made.
    pub fn new(options: Options) -> Result<Self> {
        Self::several(options.threads, [options.checkpoints])
    }

    /// Ends the script.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub fn finish(self) -> Result<Script> {
        let [script] = self.finish_all()?;
        Ok(script)
    }
}

impl<const N: usize> Builder<N> {
    /// An empty script for each plan: what the events mean is found out once for all of them.
    pub(crate) fn several(threads: Threads, plans: [CheckpointPlan; N]) -> Result<Self> {
        let outlet = |plan| Outlet::new(threads == Threads::Recorded, plan);
        let outlets = plans.into_iter().map(outlet).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            threads,
            outlets: outlets.try_into().expect("an outlet for each plan"),
            slots: Slots::default(),
            table: Vec::new(),
            live: IdMap::default(),
            live_bytes: 0,
            layouts: IdMap::default(),
            states: Vec::new(),
            last_thread: 0,
            records: 0,
            operations: 0,
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
                self.fill(slot, thread, bytes, align_log2);
                self.operation(thread, slot, what);
                self.live.insert(block, slot);
                self.live_bytes += bytes;
                self.count_layout(bytes, align_log2);
            }
            Happened::Free { block } => {
                if let Some(slot) = self.live.remove(&block) {
                    self.operation(thread, slot, kind::FREE);
                    self.live_bytes -= self.table[slot as usize].bytes;
                    self.slots.give(slot, thread);
                }
            }
            Happened::Reallocate { block, size, .. } => {
                if let Some(&slot) = self.live.get(&block) {
                    self.operation(thread, slot, kind::REALLOCATE);
                    let bytes = size.max(1);
                    let block = &mut self.table[slot as usize];
                    self.live_bytes = self.live_bytes - block.bytes + bytes;
                    block.bytes = bytes;
                    let align_log2 = block.align_log2;
                    self.count_layout(bytes, align_log2);
                    let more = Op { slot, kind: kind::MORE, align_log2: 0, version: 0, bytes };
                    self.emit(thread, more, 0);
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
        let now = Now {
            records: self.records,
            live_bytes: self.live_bytes,
            live_blocks: self.live.len() as u64,
        };
        self.outlets.iter_mut().try_for_each(|outlet| outlet.step(now))
    }

    /// Ends the scripts, in the order of their plans.
    pub(crate) fn finish_all(self) -> Result<[Script; N]> {
        let mut layouts: Vec<_> = self.layouts.into_iter().collect();
        layouts.sort_unstable_by_key(|&(layout, count)| (std::cmp::Reverse(count), layout));
        let layouts: Vec<_> = layouts.into_iter().map(|(layout, _)| layout).collect();
        let (slots, threads) = (self.slots.count().max(1), self.states.len().max(1) as u32);
        let script = |outlet: Outlet| {
            let (file, window_bytes, expected) = outlet.finish(self.records)?;
            Ok(Script {
                file,
                slots,
                threads,
                window_bytes,
                operations: self.operations,
                expected,
                layouts: layouts.clone(),
                mode: self.threads,
                kernel: None,
            })
        };
        let all = self.outlets.into_iter().map(script).collect::<Result<Vec<_>>>()?;
        Ok(all.try_into().expect("a script for each plan"))
    }

    /// One more block has this layout, by allocation or by reallocation.
    fn count_layout(&mut self, bytes: u64, align_log2: u8) {
        let key = (bytes, align_log2);
        if let Some(count) = self.layouts.get_mut(&key) {
            *count += 1;
        } else if self.layouts.len() < LAYOUTS {
            self.layouts.insert(key, 1);
        }
    }

    fn threaded(&self) -> bool {
        self.threads == Threads::Recorded
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
        if self.state(thread) == State::Unknown {
            if self.states.iter().all(|&s| s == State::Unknown) {
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
            let op = Op { slot: of, kind: what, align_log2: 0, version: 0, bytes: 0 };
            self.emit(thread, op, 0);
        }
    }

    /// A new block is in a slot.
    fn fill(&mut self, slot: u32, thread: u32, bytes: u64, align_log2: u8) {
        let index = slot as usize;
        if self.table.len() <= index {
            self.table.resize(index + 1, Slot { bytes, last: thread, version: 0, align_log2 });
        }
        (self.table[index].bytes, self.table[index].align_log2) = (bytes, align_log2);
    }

    /// An operation on the block in a slot.
    fn operation(&mut self, thread: u32, slot: u32, what: u8) {
        let threaded = self.threaded();
        let block = &mut self.table[slot as usize];
        block.version = block.version.wrapping_add(1);
        let wait = if threaded && block.last != thread { WAIT } else { 0 };
        block.last = thread;
        let &mut Slot { bytes, version, align_log2, .. } = block;
        self.emit(thread, Op { slot, kind: what | wait, align_log2, version, bytes }, 1);
        self.operations += 1;
    }

    fn emit(&mut self, thread: u32, op: Op, counts: u32) {
        let stream = if self.threaded() { thread as usize } else { 0 };
        let place = Place { record: self.records, thread: u64::from(thread) + 1 };
        for outlet in &mut self.outlets {
            outlet.put(stream, op, place, counts);
        }
    }
}
