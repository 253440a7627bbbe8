//! Blocks named by addresses or numbers that are used again, made into events.

use crate::error::Result;
use crate::trace::{BlockId, Event, Op, Summary, ThreadId, Writer};
use std::collections::HashMap;

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The trace.
    pub summary: Summary,
    /// Frees and changes of blocks that the file did not say anything of before, left out.
    pub unknown: u64,
    /// Blocks whose place another block got without a free in between: freed then.
    pub replaced: u64,
    /// Calls that failed in the recorded program, left out.
    pub failed: u64,
}

/// Writes events of one thread.
pub(super) struct Blocks {
    writer: Writer,
    live: HashMap<u64, BlockId>,
    allocated: u64,
    seq: u64,
    pub(super) unknown: u64,
    pub(super) replaced: u64,
    pub(super) failed: u64,
}

const THREAD: ThreadId = ThreadId(1);

impl Blocks {
    pub(super) fn new(writer: Writer) -> Self {
        let live = HashMap::new();
        Self { writer, live, allocated: 0, seq: 0, unknown: 0, replaced: 0, failed: 0 }
    }

    /// Whether a block is live under a name.
    pub(super) fn is_live(&self, name: u64) -> bool {
        self.live.contains_key(&name)
    }

    /// A new block. `align` is a power of two, where one was asked for.
    pub(super) fn allocate(
        &mut self,
        name: u64,
        size: u64,
        align: Option<u64>,
        zeroed: bool,
    ) -> Result<()> {
        if self.is_live(name) {
            self.replaced += 1;
            self.free(name)?;
        }
        let block = BlockId { thread: THREAD, nth: self.allocated };
        self.allocated += 1;
        self.live.insert(name, block);
        let align_log2 = align.map(|align| align.trailing_zeros() as u8);
        self.push(Op::Allocate { block, size, align_log2, zeroed })
    }

    /// A block has another size and perhaps another name.
    pub(super) fn reallocate(&mut self, old: u64, new: u64, size: u64) -> Result<()> {
        let Some(block) = self.live.remove(&old) else {
            // It began before the file did: from here on it is known.
            self.unknown += 1;
            return self.allocate(new, size, None, false);
        };
        if self.is_live(new) {
            self.replaced += 1;
            self.free(new)?;
        }
        self.live.insert(new, block);
        self.push(Op::Reallocate { block, size, began_seq_before: 1, began_nanos_before: 40 })
    }

    /// A block is gone.
    pub(super) fn free(&mut self, name: u64) -> Result<()> {
        match self.live.remove(&name) {
            Some(block) => self.push(Op::Free { block }),
            None => {
                self.unknown += 1;
                Ok(())
            }
        }
    }

    /// Allocations so far.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated
    }

    /// The trace takes its name.
    pub(super) fn finish(self) -> Result<Imported> {
        let (unknown, replaced, failed) = (self.unknown, self.replaced, self.failed);
        Ok(Imported { summary: self.writer.finish()?, unknown, replaced, failed })
    }

    fn push(&mut self, op: Op) -> Result<()> {
        self.seq += 2;
        self.writer.push(&Event { seq: self.seq, nanos: self.seq * 500, thread: THREAD, op })
    }
}
