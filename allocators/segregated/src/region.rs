//! 512 frames: which are used, which are kept with contents, and what stands on each.
//!
//! Everything here is plain arithmetic on one region; `ground.rs` decides which region, and holds
//! the lock.

use core::ops::Range;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicU32;

use crate::class::CLASSES;

/// Frames of a region: 2 MiB of them, a huge page on most systems.
pub(crate) const FRAMES: usize = 512;
/// Frames at the end of each region that nobody uses: a fence (`hardened/fences.rs`).
pub(crate) const FENCED: usize =
    cfg!(all(feature = "guard-pages", not(feature = "composed"))) as usize;
const WORDS: usize = FRAMES / 64;

/// One bit a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct FrameSet([u64; WORDS]);

impl FrameSet {
    fn mask(word: usize, range: &Range<usize>) -> u64 {
        let from = range.start.max(64 * word) - 64 * word;
        let to = range.end.min(64 * word + 64) - 64 * word;
        (u64::MAX >> (64 - (to - from))) << from
    }

    /// Calls back with each word that `range` touches and the bits of it there.
    fn words(range: Range<usize>, mut each: impl FnMut(usize, u64)) {
        debug_assert!(range.end <= FRAMES);
        if !range.is_empty() {
            for word in range.start / 64..=(range.end - 1) / 64 {
                each(word, Self::mask(word, &range));
            }
        }
    }

    /// Adds a range; answers how many it did not have.
    pub(crate) fn insert(&mut self, range: Range<usize>) -> usize {
        let mut new = 0;
        Self::words(range, |word, mask| {
            new += (mask & !self.0[word]).count_ones() as usize;
            self.0[word] |= mask;
        });
        new
    }

    /// Takes a range out; answers how many it had.
    pub(crate) fn remove(&mut self, range: Range<usize>) -> usize {
        let mut had = 0;
        Self::words(range, |word, mask| {
            had += (mask & self.0[word]).count_ones() as usize;
            self.0[word] &= !mask;
        });
        had
    }

    /// The first 64 frames of a range, the first as the lowest bit.
    pub(crate) fn window(&self, range: Range<usize>) -> u64 {
        let (word, bit) = (range.start / 64, range.start % 64);
        let low = self.0[word] >> bit;
        let high = if bit == 0 || word + 1 == WORDS { 0 } else { self.0[word + 1] << (64 - bit) };
        let len = range.len().min(64);
        (low | high) & (u64::MAX >> (64 - len))
    }

    /// All frames that it lacks.
    pub(crate) fn complement(&self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(crate) fn contains(&self, frame: usize) -> bool {
        self.0[frame / 64] >> (frame % 64) & 1 == 1
    }

    /// How many of `range` it has.
    pub(crate) fn count(&self, range: Range<usize>) -> usize {
        let mut had = 0;
        Self::words(range, |word, mask| had += (mask & self.0[word]).count_ones() as usize);
        had
    }

    /// The first frame from `from` on that it has (`with`) or has not; [`FRAMES`] if none.
    pub(crate) fn next(&self, from: usize, with: bool) -> usize {
        let mut word = from / 64;
        let mut mask = u64::MAX << (from % 64);
        while word < WORDS {
            let bits = if with { self.0[word] } else { !self.0[word] } & mask;
            if bits != 0 {
                return 64 * word + bits.trailing_zeros() as usize;
            }
            mask = u64::MAX;
            word += 1;
        }
        FRAMES
    }

    /// The first frame behind the last one below `from` that it has; 0 if none.
    pub(crate) fn gap_start(&self, from: usize) -> usize {
        let bits = |word: usize, mask: u64| {
            let bits = self.0[word] & mask;
            (bits != 0).then(|| 64 * word + 64 - bits.leading_zeros() as usize)
        };
        let last = from / 64;
        let partial = from % 64;
        if partial != 0
            && let Some(found) = bits(last, (1 << partial) - 1)
        {
            return found;
        }
        (0..last).rev().find_map(|word| bits(word, u64::MAX)).unwrap_or(0)
    }

    /// The maximal ranges that it lacks, in order.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut from = 0;
        core::iter::from_fn(move || {
            let start = self.next(from, false);
            if start == FRAMES {
                return None;
            }
            let end = self.next(start, true);
            from = end;
            Some(start..end)
        })
    }

    /// The lowest `count` neighbouring frames that it lacks, the first at a multiple of `align`
    /// once `phase` is added; and the longest gap where there are none.
    pub(crate) fn find_gap(
        &self,
        count: usize,
        align: usize,
        phase: usize,
    ) -> Result<usize, usize> {
        let mut longest = 0;
        for gap in self.gaps() {
            let start = (phase + gap.start).next_multiple_of(align) - phase;
            if start + count <= gap.end {
                return Ok(start);
            }
            longest = longest.max(gap.len());
        }
        Err(longest)
    }
}

/// What stands on a frame, read without a lock.
///
/// Written under the ground's lock before a block on the frame is handed out, and after the last one
/// came back. Whoever asks for a live block's frame got the block from there, through however many
/// threads, and so sees the word: that is why Relaxed is enough.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Tenant(AtomicU32);

/// A [`Tenant`] in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Free, or not the first frame of a run.
    Nothing,
    /// A span of a class, by its place in the territory's table.
    Span { class: u8, place: u32 },
    /// The first frame of a large block's run: the frames of the block, and all of the run. They differ
    /// where a thread lends the front of a run that it keeps (`lend.rs`).
    Run { frames: u32, whole: u32 },
    /// The first frame of a run that the heap itself uses.
    Own { frames: u32 },
}

const LOW: u32 = (1 << 24) - 1;
const RUN: u32 = 0xFE;
const OWN: u32 = 0xFD;
/// On the second and third frame of a run that a thread keeps: half of its [`Lender`] each.
const LENDER: u32 = 0xFC;
/// Bits for a number of frames, one region's at most.
const COUNT: u32 = 10;

impl Use {
    fn encode(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Span { class, place } => (u32::from(class) + 1) << 24 | place,
            Self::Run { frames, whole } => RUN << 24 | whole << COUNT | frames,
            Self::Own { frames } => OWN << 24 | frames,
        }
    }
}

impl Tenant {
    #[inline]
    pub(crate) fn get(&self) -> Use {
        // Relaxed: see the type.
        let word = self.0.load(Ordering::Relaxed);
        match word >> 24 {
            0 | LENDER => Use::Nothing,
            RUN => Use::Run { frames: word & ((1 << COUNT) - 1), whole: (word & LOW) >> COUNT },
            OWN => Use::Own { frames: word & LOW },
            class => Use::Span { class: (class - 1) as u8, place: word & LOW },
        }
    }

    /// The place of the span of `class` here; `None` for everything else. The quick question.
    #[inline]
    pub(crate) fn span_of(&self, class: usize) -> Option<u32> {
        // Relaxed: see the type.
        let word = self.0.load(Ordering::Relaxed);
        (word >> 24 == class as u32 + 1).then_some(word & LOW)
    }

    /// The class of the span here; `None` for everything else. The quick question of who has an
    /// address alone.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    #[inline]
    pub(crate) fn class(&self) -> Option<usize> {
        // Relaxed: see the type.
        let word = self.0.load(Ordering::Relaxed) as i32;
        // Runs have the highest bit, and nothing is zero.
        (word > 0).then(|| (word >> 24) as usize - 1)
    }

    pub(crate) fn set(&self, usage: Use) {
        // Relaxed: see the type.
        self.0.store(usage.encode(), Ordering::Relaxed);
    }
}

/// A thread that keeps a run, by the address of what it keeps it in.
#[cfg(any(all(feature = "std", target_os = "linux", not(strata_loom)), all(test, strata_loom)))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lender([u32; 2]);

#[cfg(any(all(feature = "std", target_os = "linux", not(strata_loom)), all(test, strata_loom)))]
impl Lender {
    /// No thread.
    #[cfg(not(strata_loom))]
    pub(crate) const NOBODY: Self = Self([0; 2]);

    /// The one whose place, at a multiple of eight, this is.
    #[inline(always)]
    pub(crate) fn of<T>(place: &T) -> Self {
        const { assert!(align_of::<T>() >= 8) };
        let number = core::ptr::from_ref(place).addr() >> 3;
        Self([number as u32 & LOW | LENDER << 24, (number >> 24) as u32 & LOW | LENDER << 24])
    }

    /// Whether the run with these frames in front is this one's.
    #[inline(always)]
    pub(crate) fn has(self, front: &Front) -> bool {
        // Relaxed, both: see `Tenant`. Only who has the run, or holds the ground's lock, asks.
        let [_, second, third] = front;
        second.0.load(Ordering::Relaxed) == self.0[0]
            && third.0.load(Ordering::Relaxed) == self.0[1]
    }

    /// Makes the run this one's.
    pub(crate) fn take(self, front: &Front) {
        let [_, second, third] = front;
        second.0.store(self.0[0], Ordering::Relaxed);
        third.0.store(self.0[1], Ordering::Relaxed);
    }
}

/// What stands on the first frames of a run that may be lent.
pub(crate) type Front = [Tenant; 3];

/// The tables of 512 frames. All-zero memory is a region of free, untouched frames.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Region {
    /// Reached under the ground's lock.
    pub(crate) table: Table,
    /// What stands on each frame: reached without a lock.
    pub(crate) tenants: [Tenant; FRAMES],
}

/// The part of a [`Region`] that the ground's lock protects.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Table {
    /// In a span or run, or not there at all (behind the end of the territory).
    pub(crate) used: FrameSet,
    /// Free, with contents: what give-back is about. Disjoint from `used`.
    pub(crate) idle: FrameSet,
    /// Free, and given back since it was used last. Disjoint from `used` and `idle`.
    pub(crate) purged: FrameSet,
}

/// What choosing a region asks, in one word a region.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(8))]
pub(crate) struct Summary {
    /// Used frames.
    pub(crate) used: u16,
    /// Idle frames.
    pub(crate) idle: u16,
    /// No gap is longer than this. Exact only after a search that failed.
    pub(crate) gap: u16,
}

impl Table {
    /// Takes a free range. Answers how many of its frames had contents, and how many were purged.
    pub(crate) fn take(&mut self, range: Range<usize>, summary: &mut Summary) -> (usize, usize) {
        debug_assert_eq!(self.used.count(range.clone()), 0);
        let idle = self.idle.remove(range.clone());
        let purged = self.purged.remove(range.clone());
        self.used.insert(range.clone());
        summary.used += range.len() as u16;
        summary.idle -= idle as u16;
        (idle, purged)
    }

    /// Takes a used range back; which of its frames have contents is for the caller to add by
    /// [`Region::keep`].
    pub(crate) fn put(&mut self, range: Range<usize>, summary: &mut Summary) {
        debug_assert_eq!(self.used.count(range.clone()), range.len());
        self.used.remove(range.clone());
        summary.used -= range.len() as u16;
        let end = if range.end == FRAMES { FRAMES } else { self.used.next(range.end, true) };
        let gap = end - self.used.gap_start(range.start);
        summary.gap = summary.gap.max(gap as u16);
    }

    /// Free frames have contents. Answers how many.
    pub(crate) fn keep(&mut self, range: Range<usize>, summary: &mut Summary) -> usize {
        debug_assert_eq!(self.used.count(range.clone()), 0);
        self.purged.remove(range.clone());
        let new = self.idle.insert(range);
        summary.idle += new as u16;
        new
    }
}

static_assertions::const_assert_eq!(size_of::<Region>(), 64 * 3 + 4 * FRAMES);
static_assertions::const_assert_eq!(size_of::<Summary>(), 8);
// What `Tenant::class` goes by.
const _: () = assert!(CLASSES < 0x80 && OWN >= 0x80 && RUN >= 0x80 && LENDER >= 0x80);
static_assertions::const_assert!(FRAMES < 1 << COUNT && 2 * COUNT <= 24);

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(set: &FrameSet) -> std::vec::Vec<bool> {
        (0..FRAMES).map(|frame| set.contains(frame)).collect()
    }

    proptest! {
        #[test]
        fn a_set_does_what_a_list_of_booleans_does(
            steps in prop::collection::vec((any::<bool>(), 0..FRAMES, 0..80_usize), 0..60),
            count in 1..70_usize,
            align in 0..7_u32,
            phase in 0..64_usize,
        ) {
            let mut set = FrameSet::default();
            let mut list = std::vec![false; FRAMES];
            for (insert, start, len) in steps {
                let range = start..(start + len).min(FRAMES);
                let had = list[range.clone()].iter().filter(|&&has| has).count();
                prop_assert_eq!(set.count(range.clone()), had);
                let changed = if insert { set.insert(range.clone()) } else { set.remove(range.clone()) };
                prop_assert_eq!(changed, if insert { range.len() - had } else { had });
                list[range].fill(insert);
                prop_assert_eq!(naive(&set), list.clone());
            }
            let align = 1 << align;
            let first = (0..=FRAMES - count)
                .find(|&s| (phase + s) % align == 0 && list[s..s + count].iter().all(|&has| !has));
            prop_assert_eq!(set.find_gap(count, align, phase).ok(), first);
            let before = (0..phase * 8).rev().find(|&f| list[f]).map_or(0, |f| f + 1);
            prop_assert_eq!(set.gap_start(phase * 8), before);
            let window = set.window(phase * 4..phase * 4 + count);
            prop_assert!((0..count.min(64)).all(|n| (window >> n & 1 == 1) == list[phase * 4 + n]));
            let gaps: usize = set.gaps().map(|gap| gap.len()).sum();
            prop_assert_eq!(gaps, list.iter().filter(|&&has| !has).count());
        }
    }

    #[test]
    fn a_tenant_says_what_was_told() {
        let tenant = Tenant(AtomicU32::new(0));
        for usage in [
            Use::Nothing,
            Use::Span { class: 0, place: 0 },
            Use::Span { class: 79, place: LOW },
            Use::Run { frames: 256, whole: 256 },
            Use::Run { frames: 9, whole: 512 },
            Use::Own { frames: 2 },
        ] {
            tenant.set(usage);
            assert_eq!(tenant.get(), usage);
            if let Use::Span { class, place } = usage {
                assert_eq!(tenant.span_of(class.into()), Some(place));
            }
            assert_eq!(tenant.span_of(5), None);
            #[cfg(all(feature = "std", target_os = "linux"))]
            let class = if let Use::Span { class, .. } = usage { Some(class.into()) } else { None };
            #[cfg(all(feature = "std", target_os = "linux"))]
            assert_eq!(tenant.class(), class);
        }
    }
}
