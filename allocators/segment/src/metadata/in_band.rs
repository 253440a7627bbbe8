//! Bookkeeping in the managed memory: a header of 8 bytes before each block.

mod regions;

use core::ptr;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicU32;

use self::regions::NEXT_REGION;
use super::{Bookkeeping, Name, Piece, SegmentState};

/// Bytes of a unit: what blocks are aligned to, and what lengths are multiples of.
pub(crate) const UNIT: usize = 1 << UNIT_SHIFT;
pub(crate) const UNIT_SHIFT: u32 = 4;
/// Bytes of a header.
pub(crate) const HEADER: usize = 8;

/// Bytes of a word.
const WORD: isize = 4;
/// Words of a header: where they are, counted from where the block begins.
const LEN: isize = -2;
const CHECK: isize = -1;
/// The link that lies in the block itself, and the length of a free neighbour below.
const SECOND_LINK: isize = 0;
const LEN_BELOW: isize = -3;

/// Flags in the word of the length.
const USED: u32 = 1;
const BELOW_FREE: u32 = 2;
const FLAGS: u32 = 3;
const LEN_SHIFT: u32 = 2;

/// Set in a used header's check word, and never in a link.
const CHECKED: u32 = 1 << 31;
/// Set, below a length, in the check word of a block that was freed by another thread and is on its way.
const SENT: u32 = 1 << 30;
/// Bits of the check word that say whose segments these are.
const OWNER_SHIFT: u32 = 24;
pub(crate) const OWNERS: u32 = 128;

/// Places are counted from an address that is a multiple of this, so that a place is aligned as its
/// address is. The first region lies one to two windows above it.
const WINDOW: usize = if usize::BITS > 32 { 1 << (32 % usize::BITS) } else { 0 };

/// Bookkeeping in the memory itself, for memory that the program may write: 8 bytes before each
/// block, blocks at multiples of 16, and nothing else anywhere but 16 bytes a region.
///
/// ```text
///            word: -2          -1          0           1                         -3 of the next
///   used   │ length, flags │ check     │ ... the program's bytes ...                          │
///   free   │ length, flags │ link      │ link      │     ...                     │ length     │
///   end    │ 0, used       │ lowest    │
/// ```
///
/// A word has 32 bits. A name is the place of a block: its address, in units of 16 bytes from an
/// anchor. The length of a free segment stands in its last word too, where its neighbour above
/// finds it if that one's flag says so. The shortest segment is one unit: the header, a link, and the
/// length again. The check word is made of the name and the owner, with the highest bit set, which no
/// link has: so a header that does not belong to a used block is recognised.
///
/// # Invariants
///
/// 1. Each region is memory that is this bookkeeping's alone, whose provenance was exposed, and which
///    lies where places can be told in 30 bits from `anchor`.
/// 2. Each region is a row of segments as drawn above, from its lowest to its end.
#[derive(Debug)]
pub struct InBand {
    /// The address of place zero.
    anchor: usize,
    /// The region that comes first, by address.
    first: Name,
    /// The bits of a check word that say whose segments these are, and that it is one.
    owner: u32,
    /// Units from the first region's lowest block to the last region's end; zero without a region.
    span: usize,
}

impl InBand {
    /// No region yet.
    pub(crate) const fn new() -> Self {
        Self { anchor: 0, first: Name::NONE, owner: CHECKED, span: 0 }
    }

    /// A word by its place from where a block begins.
    #[inline]
    fn word(&self, segment: Name, at: isize) -> *mut u32 {
        let block = self.anchor.wrapping_add((segment.0 as usize) << UNIT_SHIFT);
        ptr::with_exposed_provenance_mut(block.wrapping_add_signed(at * WORD))
    }

    #[inline]
    fn get(&self, segment: Name, at: isize) -> u32 {
        // SAFETY: invariants of `Name` and 1.: words of a segment of ours, which is at least one
        // unit, lie in its region, and nobody else touches them.
        unsafe { self.word(segment, at).read() }
    }

    #[inline]
    fn set(&mut self, segment: Name, at: isize, to: u32) {
        // SAFETY: as for `get`.
        unsafe { self.word(segment, at).write(to) }
    }

    /// The check word, which another thread may be writing: one that frees a block that it owns, and
    /// will tell the owner of the segments.
    #[inline]
    fn check_word(&self, segment: Name) -> &AtomicU32 {
        // SAFETY: as for `get`; it is read and written by this function's result only, wherever another
        // thread could write it.
        unsafe { AtomicU32::from_ptr(self.word(segment, CHECK)) }
    }

    /// Marks a block as freed by a thread that may not touch anything else, with the length that it said.
    ///
    /// # Safety
    ///
    /// 1. `block` is a live block of some segments in band, whose owner is the caller.
    #[inline]
    pub(crate) unsafe fn mark_sent(block: ptr::NonNull<u8>, len: u32) {
        // SAFETY: 1. the header lies before the block.
        let word = unsafe { AtomicU32::from_ptr(block.cast::<u32>().as_ptr().offset(CHECK)) };
        // Relaxed: the list that the block goes to publishes it; a walk meanwhile sees either.
        word.store(SENT | len, Ordering::Relaxed);
    }

    /// Whose segments a block is of, by its header; a block that is not live is nobody's.
    ///
    /// # Safety
    ///
    /// 1. The 8 bytes before `block` can be read.
    #[inline]
    pub(crate) unsafe fn owner_of(block: ptr::NonNull<u8>) -> Option<usize> {
        // SAFETY: 1. of this function.
        let word = unsafe { AtomicU32::from_ptr(block.cast::<u32>().as_ptr().offset(CHECK)) };
        // Relaxed: the caller owns the block, whose header was written before it was handed out.
        let word = word.load(Ordering::Relaxed);
        (word & CHECKED != 0).then_some((word >> OWNER_SHIFT) as usize % OWNERS as usize)
    }

    /// The length that was said when the block was sent; `None` where it was not.
    #[inline]
    pub(crate) fn sent_len(&self, segment: Name) -> Option<u32> {
        // Relaxed: the caller took the block off the list that published it.
        let word = self.check_word(segment).load(Ordering::Relaxed);
        (word & (CHECKED | SENT) == SENT).then_some(word & !SENT)
    }

    /// Names the owner of blocks that are handed out from now on.
    pub(crate) fn set_owner(&mut self, owner: usize) {
        debug_assert!(owner < OWNERS as usize);
        self.owner = CHECKED | (owner as u32) << OWNER_SHIFT;
    }

    /// What stands in the check word of a used block.
    #[inline]
    fn check(&self, segment: Name) -> u32 {
        // Multiplying by an odd constant mixes a name's bits upwards.
        let mixed = segment.0.wrapping_mul(0x9e37_79b1) >> (32 - OWNER_SHIFT);
        self.owner | mixed
    }

    /// Where a block at this address begins, as a name; nobody has looked whether there is one.
    #[inline]
    pub(crate) fn name_at(&self, address: usize) -> Name {
        Name((address.wrapping_sub(self.anchor) >> UNIT_SHIFT) as u32)
    }

    /// The address of a place.
    #[inline]
    pub(crate) fn address(&self, segment: Name) -> usize {
        self.anchor.wrapping_add((segment.0 as usize) << UNIT_SHIFT)
    }

    /// Whether a name that lies in a region of ours is where a used block begins.
    #[inline]
    pub(crate) fn is_live(&self, segment: Name) -> bool {
        // Relaxed: who asks owns the block, or only wants to know what it is by now.
        self.check_word(segment).load(Ordering::Relaxed) == self.check(segment)
    }

    /// Where a block at this address begins, if that is a place within the span of all regions.
    #[inline]
    pub(crate) fn name_in_span(&self, address: usize) -> Option<Name> {
        // A rotation moves what is not of a whole unit to the top, where it is beyond any place.
        let place = address.wrapping_sub(self.anchor).rotate_right(UNIT_SHIFT);
        (place.wrapping_sub(self.first.0 as usize) < self.span).then_some(Name(place as u32))
    }
}

impl Bookkeeping for InBand {
    #[inline]
    fn len(&self, segment: Name) -> u32 {
        self.get(segment, LEN) >> LEN_SHIFT
    }

    #[inline]
    fn unit_shift(&self) -> u32 {
        UNIT_SHIFT
    }

    #[inline]
    fn base(&self, segment: Name) -> u64 {
        self.address(segment) as u64
    }

    #[inline]
    fn place(&self, segment: Name) -> u32 {
        segment.0
    }

    #[inline]
    fn is_free(&self, segment: Name) -> bool {
        self.get(segment, LEN) & USED == 0
    }

    #[inline]
    fn free_below(&self, segment: Name) -> Option<Piece> {
        if self.get(segment, LEN) & BELOW_FREE == 0 {
            return None;
        }
        let len = self.get(segment, LEN_BELOW);
        Some(Piece { name: Name(segment.0 - len), len })
    }

    #[inline]
    fn above(&self, segment: Piece) -> Name {
        Name(segment.name.0 + segment.len)
    }

    #[inline]
    fn link(&self, segment: Name, which: usize) -> Name {
        Name(self.get(segment, if which == 0 { CHECK } else { SECOND_LINK }))
    }

    #[inline]
    fn set_link(&mut self, segment: Name, which: usize, to: Name) {
        self.set(segment, if which == 0 { CHECK } else { SECOND_LINK }, to.0);
    }

    #[inline]
    fn can_split(&self, _: u32) -> bool {
        true
    }

    #[inline]
    fn split(&mut self, piece: Piece, keep: u32) -> Piece {
        let high = Piece { name: Name(piece.name.0 + keep), len: piece.len - keep };
        self.set(high.name, LEN, high.len << LEN_SHIFT | USED);
        high
    }

    #[inline]
    fn join(&mut self, low: Piece, high: Piece) -> Piece {
        Piece { name: low.name, len: low.len + high.len }
    }

    fn lower_begin(&mut self, below: Piece, segment: Piece, by: u32) -> Piece {
        let lowered = Piece { name: Name(segment.name.0 - by), len: segment.len + by };
        if by < below.len {
            self.set(lowered.name, LEN, lowered.len << LEN_SHIFT | USED);
        }
        lowered
    }

    fn split_low(&mut self, segment: Piece, by: u32) -> (Piece, Piece) {
        let high = self.split(segment, by);
        (Piece { name: segment.name, len: by }, high)
    }

    #[inline]
    fn mark_free(&mut self, piece: Piece, known: bool) {
        let below = self.get(piece.name, LEN) & BELOW_FREE;
        self.set(piece.name, LEN, piece.len << LEN_SHIFT | below);
        let above = self.above(piece);
        self.set(above, LEN_BELOW, piece.len);
        if !known {
            let word = self.get(above, LEN);
            self.set(above, LEN, word | BELOW_FREE);
        }
    }

    #[inline]
    fn mark_used(&mut self, piece: Piece, whole: bool) {
        let below = self.get(piece.name, LEN) & BELOW_FREE;
        self.set(piece.name, LEN, piece.len << LEN_SHIFT | USED | below);
        self.set(piece.name, CHECK, self.check(piece.name));
        if whole {
            let above = self.above(piece);
            let word = self.get(above, LEN);
            self.set(above, LEN, word & !BELOW_FREE);
        }
    }

    #[inline]
    fn mark_quick(&mut self, segment: Name) {
        self.check_word(segment).store(0, Ordering::Relaxed);
    }

    #[inline]
    fn unmark_quick(&mut self, segment: Name) {
        self.check_word(segment).store(self.check(segment), Ordering::Relaxed);
    }

    fn mark(&self, segment: Name) -> SegmentState {
        if self.is_free(segment) {
            SegmentState::Free
        } else if self.is_live(segment) || self.sent_len(segment).is_some() {
            SegmentState::Used
        } else {
            SegmentState::Quick
        }
    }

    fn first_region(&self) -> Option<Name> {
        (!self.first.is_none()).then_some(self.first)
    }

    fn next_region(&self, region: Name) -> Option<Name> {
        let next = Name(self.get(region, NEXT_REGION));
        (!next.is_none()).then_some(next)
    }

    fn lowest(&self, region: Name) -> Name {
        region
    }

    fn bounds(&self, region: Name) -> (u32, u32) {
        (region.0, self.region_len(region))
    }

    #[inline]
    fn is_end(&self, segment: Name) -> bool {
        self.get(segment, LEN) & !FLAGS == 0
    }
}
