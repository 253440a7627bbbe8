//! Runs that a thread keeps and lends the front of.
//!
//! A thread that takes and frees one large block after the other, of changing sizes, keeps one run for
//! all of them: the longest one that it had. What stands on the run's first frame says how long the
//! block is, so that whoever frees or resizes it finds what it expects, and how long the run is, which
//! comes back as a whole. On the next two frames stands whose the run is: a thread that wants the part
//! behind the block back, because the block stays out, finds there whether the run still is the one
//! that it lent. Those words change under the ground's lock, or where the run is in hand without a block.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::Source;

use crate::central::{Central, Platform};
use crate::class::FRAME;
use crate::ground::Run;
use crate::large::frames_of;
use crate::region::{FRAMES, Front, Lender, Tenant, Use};

/// Says on the front of a run of `len` bytes that a block of so many frames has its front. By who keeps it.
#[inline(always)]
pub(crate) fn lend([first, ..]: &Front, frames: usize, len: usize) {
    first.set(Use::Run { frames: frames as u32, whole: (len / FRAME) as u32 });
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// Makes the run of a live block of `layout`, which is large, one that `lender` keeps. Answers the
    /// run's length in bytes, and what stands on its front; `None` where the block has a chunk to itself,
    /// or its run is too short. Stops the process where there is no such block.
    pub(crate) fn keep_run(
        &'static self,
        block: NonNull<u8>,
        layout: Layout,
        lender: Lender,
    ) -> Option<(usize, &'static Front)> {
        self.territories.locate(block.addr().get())?;
        self.ground.with(|_| {
            let run = self.run_at(block, frames_of(layout.size()));
            let front = self.front(run)?;
            lender.take(front);
            Some((run.frames * FRAME, front))
        })
    }

    /// What stands on the front of a run, if it is long enough to have one.
    fn front(&'static self, run: Run) -> Option<&'static Front> {
        if run.frames < size_of::<Front>() / size_of::<Tenant>() {
            return None;
        }
        let region = self.territories.get(run.territory).region(run.frame / FRAMES).as_ptr();
        // SAFETY: a run lies in one region, which is in use and so initialised and there for ever; the words
        // of its first frames are neighbours among the region's tenants, whose address this is, and atomics.
        unsafe {
            let tenants = (&raw const (*region).tenants).cast::<Tenant>();
            Some(&*tenants.add(run.frame % FRAMES).cast::<Front>())
        }
    }

    /// Ends what `lender` keeps at `block`, whose block of `layout` is out, or gone: the run is that block
    /// alone from now on, if it still is the one that was lent.
    pub(crate) fn end_loan(
        &'static self,
        block: NonNull<u8>,
        layout: Layout,
        front: &'static Front,
        lender: Lender,
    ) {
        let frames = frames_of(layout.size());
        let less = self.ground.with(|ground| {
            if !lender.has(front) {
                return 0;
            }
            let run = self.run_at(block, frames);
            self.cut_run(ground, run, frames);
            run.frames - frames
        });
        if less != 0 {
            self.give_back(less * FRAME);
        }
    }
}
