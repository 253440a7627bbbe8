//! Which slots are taken: a bit each, and above them a bit for each word without a free one.
//!
//! ```text
//!   full    1 0 0 0 …          one bit for a word (for several, beyond 64 words)
//!           │ │
//!   taken  [1111…] [0110…] …   one bit a slot
//! ```
//!
//! A slot belongs to whoever set its bit. A request looks at one word first, each thread at another one,
//! so that threads seldom write to one line. `full` is a hint: it says where not to look after that, and
//! a request fails only after all words were looked at. All zero is a pool of free slots.

use strata_core::span::AlreadyFree;
use strata_core::sync::{AtomicUsize, Ordering};

/// Bits of a word.
pub(crate) const BITS: usize = usize::BITS as usize;

/// The slots of a pool, `WORDS * BITS` at most.
#[derive(Debug)]
pub(crate) struct Bits<const WORDS: usize> {
    full: AtomicUsize,
    taken: [AtomicUsize; WORDS],
}

/// The slots that word `word` has of `slots`.
#[inline]
const fn mask(word: usize, slots: usize) -> usize {
    let left = slots - word * BITS;
    if left >= BITS { usize::MAX } else { (1 << left) - 1 }
}

impl<const WORDS: usize> Bits<WORDS> {
    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        Self { full: AtomicUsize::new(0), taken: [const { AtomicUsize::new(0) }; WORDS] }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        let taken = core::array::from_fn(|_| AtomicUsize::new(0));
        Self { full: AtomicUsize::new(0), taken }
    }

    /// Takes a free slot of the first `slots`: the lowest one of word `from`, which is below
    /// [`starts`](Self::starts), or else of the next word that has one. Lock-free. O(1) while the hints
    /// are right and there is one, O(words) otherwise.
    #[inline]
    pub(crate) fn take(&self, slots: usize, from: usize) -> Option<usize> {
        debug_assert!(from < Self::starts(slots));
        // The hints are not asked first: their line may have words that other threads write.
        match self.take_in(from, slots) {
            Some(slot) => Some(slot),
            None => self.take_beyond(slots, from),
        }
    }

    #[inline(never)]
    fn take_beyond(&self, slots: usize, from: usize) -> Option<usize> {
        // Relaxed: a hint.
        let open = !self.full.load(Ordering::Relaxed) & mask(0, Self::starts(slots));
        // What is rotated out comes in again on top.
        let first = open.rotate_right(from as u32).trailing_zeros() as usize;
        if first < BITS
            && let Some(slot) = self.take_in((first + from) % BITS, slots)
        {
            return Some(slot);
        }
        self.take_slow(slots)
    }

    /// The words that have a hint of their own, or share it with higher ones: a look may begin there.
    #[inline]
    pub(crate) const fn starts(slots: usize) -> usize {
        let words = slots.div_ceil(BITS);
        if words < BITS { words } else { BITS }
    }

    #[cold]
    fn take_slow(&self, slots: usize) -> Option<usize> {
        // Every word, whatever the hints say: a thread may have been stopped before it put one right. And
        // all of them once more, the other way: while this one was stopped in between, others may have
        // used up what lay ahead of it and put back what lies behind.
        let words = 0..slots.div_ceil(BITS);
        words.clone().chain(words.rev()).find_map(|word| {
            let slot = self.take_in(word, slots)?;
            self.note_free(word);
            Some(slot)
        })
    }

    /// Takes the lowest free slot of a word.
    #[inline]
    fn take_in(&self, word: usize, slots: usize) -> Option<usize> {
        let mask = mask(word, slots);
        let taken = &self.taken[word];
        // Relaxed: the value is only compared.
        let mut old = taken.load(Ordering::Relaxed);
        loop {
            let free = !old & mask;
            if free == 0 {
                return None;
            }
            let bit = free & free.wrapping_neg();
            // Acquire: its partner is the Release in `put`, before which the slot's last owner was
            // done with it. The changes in between are read-modify-writes.
            match taken.compare_exchange_weak(old, old | bit, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => {
                    if free == bit {
                        self.note_full(word, slots);
                    }
                    return Some(word * BITS + bit.trailing_zeros() as usize);
                }
                Err(seen) => old = seen,
            }
        }
    }

    /// Makes a slot free. Lock-free.
    ///
    /// # Errors
    ///
    /// [`AlreadyFree`], and nothing changed.
    #[inline]
    pub(crate) fn put(&self, slot: usize, slots: usize) -> Result<(), AlreadyFree> {
        let (word, bit) = (slot / BITS, 1 << (slot % BITS));
        // Release: its partner is the Acquire of the slot's next owner. Acquire: see `note_full`.
        let old = self.taken[word].fetch_and(!bit, Ordering::AcqRel);
        if old & bit == 0 {
            return Err(AlreadyFree);
        }
        if old == mask(word, slots) {
            self.note_free(word);
        }
        Ok(())
    }

    /// Says that a word has no free slot, if none of those that share its hint has.
    #[cold]
    fn note_full(&self, word: usize, slots: usize) {
        let words = slots.div_ceil(BITS);
        let shared = (word % BITS..words).step_by(BITS);
        // Relaxed: looks, which the one below makes good.
        let is_full = |&word: &usize| self.taken[word].load(Ordering::Relaxed) == mask(word, slots);
        if !shared.clone().all(|word| is_full(&word)) {
            return;
        }
        let bit = 1 << (word % BITS);
        // Relaxed: ordered by the read-modify-writes below.
        self.full.fetch_or(bit, Ordering::Relaxed);
        for word in shared {
            // A put that came before this is seen here. One that comes after reads what this wrote:
            // its Acquire is partner to this Release, so that it clears the hint after it was set.
            if self.taken[word].fetch_or(0, Ordering::AcqRel) != mask(word, slots) {
                self.full.fetch_and(!bit, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Says that a word has a free slot.
    #[cold]
    fn note_free(&self, word: usize) {
        let bit = 1 << (word % BITS);
        // Relaxed, both: a hint.
        if self.full.load(Ordering::Relaxed) & bit != 0 {
            self.full.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether a slot is taken; racy.
    pub(crate) fn is_taken(&self, slot: usize) -> bool {
        // Relaxed: a figure.
        self.taken[slot / BITS].load(Ordering::Relaxed) >> (slot % BITS) & 1 == 1
    }

    /// Taken slots; racy.
    pub(crate) fn taken(&self) -> usize {
        // Relaxed: a figure.
        self.taken.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }
}
