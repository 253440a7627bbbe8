//! Small memory for the heap's own use: stocks and their arrays, the entries of large blocks.
//!
//! A frame cut into 64 pieces of 64 bytes is a **sheet**. Its first piece says which others are free, as
//! one word, so that neighbours that are free are one piece again with nothing done for it. Sheets with
//! free pieces are on a list, the one that was freed into last first. What does not fit a sheet is a run
//! of frames of its own. Runs in use no more, and sheets without a piece in use, wait on a list a length;
//! none goes back to the ground, for stocks that give their arrays back soon want others: what is held
//! is bounded by the most that was ever in use at once.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use crate::class::FRAME;
use crate::ground::{Ground, Wanted, settle};
use crate::region::Use;
use crate::territory::Territories;

/// Bytes of a piece; a scrap lies at a multiple of it.
const PIECE: usize = 64;
/// All pieces of a sheet but the first, which is its own.
const ALL: u64 = u64::MAX << 1;
/// The largest scrap that a sheet has room for.
const MOST: usize = FRAME - PIECE;
/// Sheets that are looked at before another frame becomes one.
const LOOKS: usize = 16;
/// Lengths of runs, as powers of two frames.
const LENGTHS: usize = 3;

static_assertions::const_assert_eq!(FRAME / PIECE, u64::BITS as usize);
static_assertions::const_assert!(size_of::<Sheet>() <= PIECE);

#[derive(Debug)]
pub(crate) struct Scraps {
    /// The first sheet with free pieces.
    first: Option<NonNull<Sheet>>,
    /// Runs in use by nobody, by the logarithm of their frames; the first word of each is the next one.
    runs: [Option<NonNull<Link>>; LENGTHS],
    /// Bytes taken from the ground.
    taken: usize,
}

#[derive(Debug)]
struct Link(Option<NonNull<Link>>);

/// The first piece of a sheet.
#[derive(Debug)]
struct Sheet {
    /// Free pieces; never the first.
    free: u64,
    /// Neighbours on the list; of no meaning without a free piece.
    next: Option<NonNull<Self>>,
    prev: Option<NonNull<Self>>,
}

impl Scraps {
    pub(crate) const fn new() -> Self {
        Self { first: None, runs: [None; LENGTHS], taken: 0 }
    }

    /// Bytes taken from the ground.
    pub(crate) fn bytes(&self) -> usize {
        self.taken
    }

    /// # Safety
    ///
    /// 1. `at` is a sheet on no list.
    unsafe fn link(&mut self, at: NonNull<Sheet>) {
        // SAFETY: sheets are reached under the ground's lock, one reference at a time (1.); those on
        // the list live.
        unsafe {
            (*at.as_ptr()).prev = None;
            (*at.as_ptr()).next = self.first;
            if let Some(first) = self.first {
                (*first.as_ptr()).prev = Some(at);
            }
        }
        self.first = Some(at);
    }

    /// # Safety
    ///
    /// 1. `at` is a sheet on this list.
    unsafe fn unlink(&mut self, at: NonNull<Sheet>) {
        // SAFETY: as in `link` (1.).
        unsafe {
            let Sheet { next, prev, .. } = at.read();
            match prev {
                Some(prev) => (*prev.as_ptr()).next = next,
                None => self.first = next,
            }
            if let Some(next) = next {
                (*next.as_ptr()).prev = prev;
            }
        }
    }

    /// # Safety
    ///
    /// 1. At `at` there are `1 << length` frames that nobody uses, not even as a sheet.
    unsafe fn push(&mut self, at: NonNull<u8>, length: usize) {
        let link = at.cast::<Link>();
        // SAFETY: frames in nobody's hand (1.).
        unsafe { link.write(Link(self.runs[length])) };
        self.runs[length] = Some(link);
    }

    fn pop(&mut self, length: usize) -> Option<NonNull<u8>> {
        let link = self.runs[length]?;
        // SAFETY: a run on the list begins with its link.
        self.runs[length] = unsafe { link.read() }.0;
        Some(link.cast())
    }

    /// Takes `pieces` of a sheet on the list, if one of the first has them in a row.
    fn take(&mut self, pieces: u32) -> Option<NonNull<u8>> {
        let mut next = self.first;
        for _ in 0..LOOKS {
            let at = next?;
            // SAFETY: as in `link`.
            let sheet = unsafe { &mut *at.as_ptr() };
            let Some(piece) = row(sheet.free, pieces) else {
                next = sheet.next;
                continue;
            };
            sheet.free &= !mask(piece, pieces);
            if sheet.free == 0 {
                // SAFETY: 1. found on it.
                unsafe { self.unlink(at) };
            }
            // SAFETY: a piece of the sheet.
            return Some(unsafe { at.cast::<u8>().add(piece as usize * PIECE) });
        }
        None
    }
}

/// Pieces for `len` bytes.
fn pieces(len: usize) -> u32 {
    len.div_ceil(PIECE) as u32
}

/// `pieces` bits from `first` on.
fn mask(first: u32, pieces: u32) -> u64 {
    (u64::MAX >> (u64::BITS - pieces)) << first
}

/// Where the first `pieces` bits in a row begin.
fn row(mut bits: u64, pieces: u32) -> Option<u32> {
    // A bit stays where it and as many behind it are set as were asked for so far.
    let mut more = pieces - 1;
    let mut step = 1;
    while more > 0 {
        let by = step.min(more);
        bits &= bits >> by;
        more -= by;
        step += by;
    }
    (bits != 0).then(|| bits.trailing_zeros())
}

/// How many frames a run for `len` bytes has, as a logarithm.
fn length(len: usize) -> usize {
    len.div_ceil(FRAME).next_power_of_two().trailing_zeros() as usize
}

impl Ground {
    /// `len` bytes at a multiple of 64, 16 KiB at most. Their contents are undefined.
    pub(crate) fn take_scrap<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        len: usize,
    ) -> Result<NonNull<u8>, Exhausted> {
        debug_assert!(len > 0 && length(len) < LENGTHS);
        if len > MOST {
            return self.take_own(source, all, length(len));
        }
        if let Some(scrap) = self.scraps.take(pieces(len)) {
            return Ok(scrap);
        }
        let frame = self.take_own(source, all, 0)?;
        let free = ALL & !mask(1, pieces(len));
        // SAFETY: the first piece of a frame that was just taken; 1. a new sheet.
        unsafe {
            frame.cast().write(Sheet { free, next: None, prev: None });
            if free != 0 {
                self.scraps.link(frame.cast());
            }
            Ok(frame.add(PIECE))
        }
    }

    /// Takes a scrap back.
    ///
    /// # Safety
    ///
    /// 1. `at` is from [`Ground::take_scrap`] for the same `len`, and nobody uses it any more.
    pub(crate) unsafe fn put_scrap(&mut self, at: NonNull<u8>, len: usize) {
        if len > MOST {
            // SAFETY: 1. a run of this length, and no sheet.
            return unsafe { self.scraps.push(at, length(len)) };
        }
        let place = at.addr().get() % FRAME;
        // SAFETY: a scrap of this length lies in a sheet (1.), which begins where its frame does.
        let sheet = unsafe { at.sub(place) }.cast::<Sheet>();
        // SAFETY: as in `link`; 1. a sheet is on the list exactly while it has free pieces; a sheet all
        // of whose pieces are free is used by nobody.
        unsafe {
            let before = (*sheet.as_ptr()).free;
            let after = before | mask((place / PIECE) as u32, pieces(len));
            (*sheet.as_ptr()).free = after;
            if before != 0 {
                self.scraps.unlink(sheet);
            }
            if after == ALL {
                self.scraps.push(sheet.cast(), 0);
            } else {
                self.scraps.link(sheet);
            }
        }
    }

    /// `1 << length` frames for the heap's own use.
    fn take_own<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        length: usize,
    ) -> Result<NonNull<u8>, Exhausted> {
        if let Some(run) = self.scraps.pop(length) {
            return Ok(run);
        }
        let frames = 1 << length;
        #[cfg(all(feature = "guard-metadata", target_os = "linux", not(strata_loom)))]
        return self.take_in_yard(source, all, frames);
        #[cfg(not(all(feature = "guard-metadata", target_os = "linux", not(strata_loom))))]
        self.take_alone(source, all, frames)
    }

    /// Frames for the heap's own use, from the ground.
    #[inline(always)]
    pub(crate) fn take_alone<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        frames: usize,
    ) -> Result<NonNull<u8>, Exhausted> {
        let taken = self.take(source, all, Wanted::Span, frames, 1)?;
        settle(all, taken.run, Use::Own { frames: frames as u32 });
        self.scraps.taken += frames * FRAME;
        Ok(taken.base)
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_bits_is_the_first_that_is_long_enough() {
        let slow = |bits: u64, pieces: u32| {
            (0..=u64::BITS - pieces)
                .find(|first| bits & mask(*first, pieces) == mask(*first, pieces))
        };
        let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..2000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let dense = bits | bits.rotate_left(17) | bits.rotate_left(40);
            for pieces in 1..=u64::BITS {
                for bits in [bits, dense, !dense, ALL, u64::MAX] {
                    assert_eq!(row(bits, pieces), slow(bits, pieces), "{pieces} of {bits:#x}");
                }
            }
        }
    }
}
