//! What a checked block holds: words derived from its seed and the offset in it.
//!
//! A block of at most [`WHOLE`] bytes is filled entirely, so that one changed byte is found. A
//! larger one holds words at its head, its tail, its usable tail and one in every page:
//!
//! ```text
//! 0     64        4096             8192          asked-64 asked     filled-64 filled
//! |head |         |8|              |8|             |tail   |           |tail   |
//! ```
//!
//! The words depend on the offset in the block and not on the address, so a moved block can be
//! verified where it went, and a copy to the wrong offset shows.

use std::ops::Range;

/// Blocks up to this many bytes are filled and verified whole.
const WHOLE: usize = 4096;
/// Freed blocks up to this many bytes are scribbled whole.
const SCRIBBLE_WHOLE: usize = 64 << 10;
/// Bytes filled at each edge of a larger block.
const EDGE: usize = 64;
/// Between two sampled words of a larger block.
const STEP: usize = 4096;
const WORD: usize = size_of::<u64>();
/// Odd, so that distinct offsets have distinct words.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// What freed memory holds, so that its reuse shows.
const FREED: u8 = 0xde;

/// The extent of a block's content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Bytes asked for.
    pub(super) asked: usize,
    /// Bytes that hold content: `asked`, or more where the subject promised more. At least `asked`.
    pub(super) filled: usize,
    /// Chooses the words.
    pub(super) seed: u64,
    /// Whether all of it is filled, and not the sampled places alone.
    whole: bool,
}

/// A seed for the `nth` content of a run (splitmix64's finisher).
pub(super) fn seed(nth: u64) -> u64 {
    let mut z = nth.wrapping_add(1).wrapping_mul(SPREAD);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn word(seed: u64, offset: usize) -> [u8; WORD] {
    (seed ^ ((offset / WORD) as u64).wrapping_mul(SPREAD)).to_ne_bytes()
}

/// The last [`EDGE`] bytes before `end`, from a whole word on.
fn tail(end: usize) -> Range<usize> {
    end.saturating_sub(EDGE) / WORD * WORD..end
}

impl Extent {
    /// The extent of a block of `asked` bytes with content in `filled` of them.
    pub(super) fn new(asked: usize, filled: usize, seed: u64) -> Self {
        debug_assert!(asked <= filled);
        Self { asked, filled, seed, whole: filled <= WHOLE }
    }

    /// Gives up the bytes that were promised beyond those asked for.
    pub(super) fn cut(&mut self) {
        self.filled = self.asked;
    }

    /// Visits the sampled places until one answers: those in `asked` before the usable ones.
    /// `paged_from` leaves out the page words of lower offsets.
    fn places<T>(
        &self,
        paged_from: usize,
        mut visit: impl FnMut(Range<usize>) -> Option<T>,
    ) -> Option<T> {
        if self.whole {
            return visit(0..self.filled);
        }
        visit(0..EDGE.min(self.asked)).or_else(|| visit(tail(self.asked))).or_else(|| {
            (paged_from.div_ceil(STEP).max(1)..)
                .map(|page| page * STEP)
                .take_while(|offset| offset + WORD <= self.filled)
                .find_map(|offset| visit(offset..offset + WORD))
                .or_else(|| visit(tail(self.filled)))
        })
    }

    /// Fills a block. Page words that end at or before offset `kept` are already there.
    ///
    /// # Safety
    ///
    /// 1. `ptr..ptr + filled` may be written, and nobody else reads or writes it meanwhile.
    pub(super) unsafe fn fill(&self, ptr: *mut u8, kept: usize) {
        self.places::<()>(kept.saturating_sub(WORD), |place| {
            // SAFETY: every place is within `filled`, so this is obligation 1.
            unsafe { write(ptr, place, self.seed) };
            None
        });
    }

    /// Adds the content that [`Extent::prefix`] of `end` bytes has at its tail.
    ///
    /// # Safety
    ///
    /// 1. As for [`Extent::fill`].
    pub(super) unsafe fn fill_tail(&self, ptr: *mut u8, end: usize) {
        debug_assert!(end <= self.asked);
        // SAFETY: the place is within `filled`, so this is obligation 1.
        unsafe { write(ptr, tail(end), self.seed) };
    }

    /// The first `end` bytes, with the places that this extent was filled at.
    pub(super) fn prefix(&self, end: usize) -> Self {
        Self { asked: end, filled: end, ..*self }
    }

    /// The offset of a changed byte among the places.
    ///
    /// # Safety
    ///
    /// 1. `ptr..ptr + filled` may be read, and nobody writes it meanwhile.
    pub(super) unsafe fn changed(&self, ptr: *const u8) -> Option<usize> {
        self.places(0, |place| {
            // SAFETY: every place is within `filled`, so this is obligation 1.
            unsafe { differs(ptr, place, self.seed) }
        })
    }

    /// As [`Extent::changed`], for the edges of the block alone: at most three times [`EDGE`] bytes
    /// and two words.
    ///
    /// # Safety
    ///
    /// 1. `ptr..ptr + filled` may be read, and nobody writes it meanwhile.
    pub(super) unsafe fn edges_changed(&self, ptr: *const u8) -> Option<usize> {
        let head = 0..EDGE.min(self.asked);
        let places = [head, tail(self.asked), tail(self.filled)];
        places.into_iter().find_map(|place| {
            // SAFETY: `filled` is at least `asked` and bounds every place: obligation 1.
            unsafe { differs(ptr, place, self.seed) }
        })
    }

    /// Makes memory that is about to be freed recognisable.
    ///
    /// # Safety
    ///
    /// 1. As for [`Extent::fill`].
    pub(super) unsafe fn scribble(&self, ptr: *mut u8) {
        if self.filled <= SCRIBBLE_WHOLE {
            // SAFETY: obligation 1.
            unsafe { ptr.write_bytes(FREED, self.filled) };
        } else {
            self.places::<()>(0, |place| {
                // SAFETY: every place is within `filled`, so this is obligation 1.
                unsafe { ptr.add(place.start).write_bytes(FREED, place.len()) };
                None
            });
        }
    }
}

/// Writes the content of `place`, whose start is a multiple of [`WORD`].
///
/// # Safety
///
/// 1. `place`, as offsets from `ptr`, may be written, and nobody else uses it meanwhile.
unsafe fn write(ptr: *mut u8, place: Range<usize>, seed: u64) {
    debug_assert!(place.start.is_multiple_of(WORD));
    let mut offset = place.start;
    while offset < place.end {
        let bytes = word(seed, offset);
        let count = WORD.min(place.end - offset);
        // SAFETY: `count` bytes at `offset` are within `place` (obligation 1), and `bytes` is ours.
        unsafe { ptr.add(offset).copy_from_nonoverlapping(bytes.as_ptr(), count) };
        offset += count;
    }
}

/// The offset of the first byte of `place` that is not its content.
///
/// # Safety
///
/// 1. `place`, as offsets from `ptr`, may be read, and nobody writes it meanwhile.
unsafe fn differs(ptr: *const u8, place: Range<usize>, seed: u64) -> Option<usize> {
    let mut offset = place.start;
    while offset < place.end {
        let expected = word(seed, offset);
        let count = WORD.min(place.end - offset);
        let mut found = expected;
        // SAFETY: `count` bytes at `offset` are within `place` (obligation 1), and `found` is ours.
        unsafe { ptr.add(offset).copy_to_nonoverlapping(found.as_mut_ptr(), count) };
        if found != expected {
            let byte = (0..WORD).find(|&byte| found[byte] != expected[byte]);
            return byte.map(|byte| offset + byte);
        }
        offset += count;
    }
    None
}

/// The offset of the first byte that is not zero.
///
/// # Safety
///
/// 1. `ptr..ptr + length` may be read, and nobody writes it meanwhile.
pub(super) unsafe fn nonzero(ptr: *const u8, length: usize) -> Option<usize> {
    static ZERO: [u8; 4096] = [0; 4096];
    // SAFETY: obligation 1; checked memory is initialised, as a mapping's always is.
    let bytes = unsafe { std::slice::from_raw_parts(ptr, length) };
    // Comparing slices is fast without optimisation too, which a loop over bytes is not.
    bytes.chunks(ZERO.len()).enumerate().find_map(|(nth, chunk)| {
        if chunk == &ZERO[..chunk.len()] {
            return None;
        }
        let byte = chunk.iter().position(|&byte| byte != 0)?;
        Some(nth * ZERO.len() + byte)
    })
}
