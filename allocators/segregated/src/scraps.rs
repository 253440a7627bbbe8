//! Small memory for the heap's own use: powers of two from 64 B to 16 KiB.
//!
//! Cut from runs of the ground, kept on a list a size, never given back: what it holds is bounded by
//! the most that was ever in use at once.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use crate::class::FRAME;
use crate::ground::{Ground, settle};
use crate::region::Use;
use crate::territory::Territories;

const SMALLEST: u32 = 6;
const LARGEST: u32 = 14;
const SIZES: usize = (LARGEST - SMALLEST + 1) as usize;

#[derive(Debug)]
pub(crate) struct Scraps {
    /// Free scraps of each size; the first word of each is the next one.
    free: [Option<NonNull<Link>>; SIZES],
    /// Bytes taken from the ground.
    taken: usize,
}

#[derive(Debug)]
struct Link(Option<NonNull<Link>>);

impl Scraps {
    pub(crate) const fn new() -> Self {
        Self { free: [None; SIZES], taken: 0 }
    }

    /// Bytes taken from the ground.
    pub(crate) fn bytes(&self) -> usize {
        self.taken
    }

    fn size_of(len: usize) -> u32 {
        len.next_power_of_two().trailing_zeros().max(SMALLEST)
    }

    fn push(&mut self, size: u32, at: NonNull<u8>) {
        let list = &mut self.free[(size - SMALLEST) as usize];
        let link = at.cast::<Link>();
        // SAFETY: a scrap is at least 64 bytes at a multiple of 64, and nobody uses it.
        unsafe { link.write(Link(*list)) };
        *list = Some(link);
    }

    fn pop(&mut self, size: u32) -> Option<NonNull<u8>> {
        let list = &mut self.free[(size - SMALLEST) as usize];
        let link = (*list)?;
        // SAFETY: a free scrap begins with its link.
        *list = unsafe { link.read() }.0;
        Some(link.cast())
    }
}

impl Ground {
    /// `len` bytes at a multiple of 64, 16 KiB at most. Their contents are undefined.
    pub(crate) fn take_scrap<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        len: usize,
    ) -> Result<NonNull<u8>, Exhausted> {
        let size = Scraps::size_of(len);
        debug_assert!(size <= LARGEST);
        if let Some(scrap) = self.scraps.pop(size) {
            return Ok(scrap);
        }
        let frames = (1_usize << size).div_ceil(FRAME);
        let taken = self.take(source, all, frames, 1, true)?;
        settle(all, taken.run, Use::Own { frames: frames as u32 });
        self.scraps.taken += frames * FRAME;
        // The rest in the largest pieces: first what lies behind the scrap, its own size, then twice
        // that, and so on up to half of the frame.
        let mut piece = size;
        while 1_usize << piece < frames * FRAME {
            // SAFETY: inside the run.
            self.scraps.push(piece, unsafe { taken.base.add(1 << piece) });
            piece += 1;
        }
        Ok(taken.base)
    }

    /// Takes a scrap back.
    ///
    /// # Safety
    ///
    /// 1. `at` is from [`Ground::take_scrap`] for the same `len`, and nobody uses it any more.
    pub(crate) unsafe fn put_scrap(&mut self, at: NonNull<u8>, len: usize) {
        self.scraps.push(Scraps::size_of(len), at);
    }
}
