//! The vocabulary of a trace: events, and the identities of blocks and threads.

/// A thread of the recorded program, numbered from 1 in the order of first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(pub u32);

/// A block of the recorded program: the `nth` allocation of the thread that allocated it, from 0.
///
/// Never reused within a trace. A realloc keeps the identity of its block. Because the number is
/// implied by counting a thread's allocations, a file spends no bytes on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId {
    /// The thread that allocated it.
    pub thread: ThreadId,
    /// How many blocks that thread had allocated before.
    pub nth: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A block was allocated. Stamped after the call returned.
    Allocate {
        /// Its identity: `block.thread` is the event's thread.
        block: BlockId,
        /// Bytes asked for; may be 0.
        size: u64,
        /// log2 of the alignment asked for; `None` where the entry point has none (`malloc`).
        align_log2: Option<u8>,
        /// Whether zeroed bytes were asked for.
        zeroed: bool,
    },
    /// A block changed its size. The event's own stamp is that of its return.
    Reallocate {
        /// The block, which keeps its identity.
        block: BlockId,
        /// The new size in bytes.
        size: u64,
        /// How many places of the global order before `Event::seq` the call began (at least 1).
        began_seq_before: u64,
        /// How many nanoseconds before `Event::nanos` the call began.
        began_nanos_before: u64,
    },
    /// A block was freed. Stamped before the call.
    Free {
        /// The block, possibly allocated by another thread.
        block: BlockId,
    },
    /// The event's thread is about to start thread `child`.
    Spawn {
        /// The thread being started.
        child: ThreadId,
    },
    /// The event's thread began to run. Absent for a thread that was not seen to start.
    Start,
    /// The event's thread ended; nothing of it follows. Absent for one alive at the end.
    Exit,
    /// The event's thread has waited for the end of thread `child`. Stamped after the call.
    Join {
        /// The thread that had ended.
        child: ThreadId,
    },
}

/// One event of a trace.
///
/// The events of a trace, in order of `seq`, are one global order in which each block is allocated
/// before it is changed or freed, and its memory is freed before another block gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Place in the global order: strictly increasing over the trace, not necessarily dense.
    pub seq: u64,
    /// Nanoseconds since the start of the recording, to the resolution of the file.
    pub nanos: u64,
    /// The thread it happened on.
    pub thread: ThreadId,
    /// What happened.
    pub op: Op,
}
