//! Which slots are taken: a bit each, and above them a bit for each word without a free one.
//!
//! ```text
//!   full    1 0 0 0 …          one bit for a word (for several, beyond 64 words)
//!           │ │
//!   taken  [1111…] [0110…] …   one bit a slot
//! ```
//!
//! A slot belongs to whoever set its bit. `full` is a hint: it says where not to look first, and a
//! request fails only after all words were looked at. All zero is a pool of free slots.

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

    /// Takes a free slot of the first `slots`, the lowest one as a rule. Lock-free. O(1) while the
    /// hints are right and there is one, O(words) otherwise.
    #[inline]
    pub(crate) fn take(&self, slots: usize) -> Option<usize> {
        let words = slots.div_ceil(BITS);
        // Relaxed: a hint.
        let hinted = self.full.load(Ordering::Relaxed);
        let first = (!hinted).trailing_zeros() as usize;
        // The usual case: a word that has a free slot, and another one besides.
        if first < words
            && let Some(slot) = self.take_in(first, slots)
        {
            return Some(slot);
        }
        self.take_slow(slots)
    }

    #[cold]
    fn take_slow(&self, slots: usize) -> Option<usize> {
        // Every word once, whatever the hints say: a thread may have been stopped before it put one
        // right.
        (0..slots.div_ceil(BITS)).find_map(|word| {
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
