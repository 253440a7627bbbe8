//! Slots of the table of live blocks, and who may use one again.
//!
//! A slot used again by the thread that freed it needs no waiting. One freed by another thread does:
//! that edge is not in the program, so it is put off until thousands of frees lie between, when it
//! can hardly bind. Without any reuse across threads a producer's slots would grow without bound.

use std::collections::VecDeque;

/// How many slots a thread keeps for itself.
const OWN: usize = 1024;
/// How many freed slots must wait before a thread takes another's.
const QUARANTINE: usize = 4096;

/// Hands out slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    next: u32,
    own: Vec<Vec<u32>>,
    /// Oldest first.
    shared: VecDeque<u32>,
}

impl Slots {
    /// A slot for an allocation of `thread`.
    pub(super) fn take(&mut self, thread: u32) -> u32 {
        if let Some(slot) = self.own.get_mut(thread as usize).and_then(Vec::pop) {
            return slot;
        }
        if self.shared.len() > QUARANTINE
            && let Some(slot) = self.shared.pop_front()
        {
            return slot;
        }
        self.next += 1;
        self.next - 1
    }

    /// `thread` freed the block in `slot`.
    pub(super) fn give(&mut self, slot: u32, thread: u32) {
        let index = thread as usize;
        if self.own.len() <= index {
            self.own.resize_with(index + 1, Vec::new);
        }
        if self.own[index].len() < OWN {
            self.own[index].push(slot);
        } else {
            self.shared.push_back(slot);
        }
    }

    /// `thread` has ended: what it kept for itself is for the others.
    pub(super) fn retire(&mut self, thread: u32) {
        if let Some(own) = self.own.get_mut(thread as usize) {
            self.shared.extend(own.drain(..));
        }
    }

    /// How many slots were ever needed.
    pub(super) fn count(&self) -> u32 {
        self.next
    }
}
