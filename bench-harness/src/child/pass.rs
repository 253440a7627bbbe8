//! The four operations as each pass does them around the subject's call.
//!
//! Everything is generic over the subject, so that its calls are inlined as a program's would be.

use super::control::{Control, SAMPLES, Table, Touch};
use super::touch::touch;
use crate::check::{At, Checker};
use crate::script::{Op, Place, kind};
use crate::subject::Subject;
use std::alloc::Layout;
use std::sync::atomic::Ordering::Relaxed;

/// How one pass allocates, frees and reallocates.
///
/// # Safety
///
/// The methods' callers promise what [`Subject`]'s methods ask: live blocks, their layouts.
pub(crate) trait Pass<S: Subject>: Clone + Send {
    /// Whether the table of blocks must tell live slots from free ones.
    const KEEP: bool;

    /// # Safety
    /// 1. The layout's size is not 0.
    unsafe fn allocate(&mut self, s: &S, layout: Layout, op: Op, place: &Place) -> *mut u8;

    /// # Safety
    /// 1. `block` is live and was allocated with `layout`.
    unsafe fn free(&mut self, s: &S, block: *mut u8, layout: Layout, op: Op, place: &Place);

    /// # Safety
    /// 1. `block` is live and was allocated with `layout`; `new` is not 0.
    unsafe fn reallocate(
        &mut self,
        s: &S,
        block: *mut u8,
        layout: Layout,
        new: usize,
        op: Op,
        place: &Place,
    ) -> *mut u8;
}

/// The plain call.
///
/// # Safety
/// 1. The layout's size is not 0.
#[inline(always)]
unsafe fn call<S: Subject>(s: &S, layout: Layout, what: u8) -> *mut u8 {
    // SAFETY: by obligation 1.
    unsafe { if what & 7 == kind::ZEROED { s.alloc_zeroed(layout) } else { s.alloc(layout) } }
}

/// Under the clock: the call and the touch, nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed<const TOUCH: u32>;

impl<const TOUCH: u32> Timed<TOUCH> {
    const HOW: Touch = match TOUCH {
        0 => Touch::None,
        1 => Touch::First,
        2 => Touch::Pages,
        _ => Touch::All,
    };
}

impl<S: Subject, const TOUCH: u32> Pass<S> for Timed<TOUCH> {
    const KEEP: bool = false;

    #[inline(always)]
    unsafe fn allocate(&mut self, s: &S, layout: Layout, op: Op, _place: &Place) -> *mut u8 {
        // SAFETY: by the caller's obligation; a block that is not null is writable for its size.
        unsafe {
            let block = call(s, layout, op.kind);
            if !block.is_null() {
                touch(Self::HOW, block, 0, layout.size());
            }
            block
        }
    }

    #[inline(always)]
    unsafe fn free(&mut self, s: &S, block: *mut u8, layout: Layout, _op: Op, _place: &Place) {
        // SAFETY: by the caller's obligation.
        unsafe { s.dealloc(block, layout) }
    }

    #[inline(always)]
    unsafe fn reallocate(
        &mut self,
        s: &S,
        block: *mut u8,
        layout: Layout,
        new: usize,
        _op: Op,
        _place: &Place,
    ) -> *mut u8 {
        // SAFETY: by the caller's obligation; a block that is not null is writable for its size.
        unsafe {
            let moved = s.realloc(block, layout, new);
            if !moved.is_null() && new > layout.size() {
                touch(Self::HOW, moved, layout.size(), new);
            }
            moved
        }
    }
}

/// With checkpoints: keeps sizes and the history of pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched<'a> {
    pub(crate) table: &'a Table,
    pub(crate) how: Touch,
}

impl Watched<'_> {
    #[inline]
    fn begin(&self, place: &Place) {
        self.table.control().record.store(place.record, Relaxed);
    }

    #[inline]
    fn note(&self, op: Op, block: *mut u8, bytes: usize) {
        self.table.sizes()[op.slot as usize]
            .store(bytes as u64 | u64::from(op.align_log2) << 56, Relaxed);
        self.table.history().mark(block.addr(), bytes);
    }
}

impl<S: Subject> Pass<S> for Watched<'_> {
    const KEEP: bool = true;

    unsafe fn allocate(&mut self, s: &S, layout: Layout, op: Op, place: &Place) -> *mut u8 {
        self.begin(place);
        // SAFETY: by the caller's obligation; a block that is not null is writable for its size.
        unsafe {
            let block = call(s, layout, op.kind);
            if !block.is_null() {
                touch(self.how, block, 0, layout.size());
                self.note(op, block, layout.size());
            }
            block
        }
    }

    unsafe fn free(&mut self, s: &S, block: *mut u8, layout: Layout, _op: Op, place: &Place) {
        self.begin(place);
        // SAFETY: by the caller's obligation.
        unsafe { s.dealloc(block, layout) }
    }

    unsafe fn reallocate(
        &mut self,
        s: &S,
        block: *mut u8,
        layout: Layout,
        new: usize,
        op: Op,
        place: &Place,
    ) -> *mut u8 {
        self.begin(place);
        // SAFETY: by the caller's obligation; a block that is not null is writable for its size.
        unsafe {
            let moved = s.realloc(block, layout, new);
            if !moved.is_null() {
                if new > layout.size() {
                    touch(self.how, moved, layout.size(), new);
                }
                self.note(op, moved, new);
            }
            moved
        }
    }
}

/// Under the judge, which also writes the contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked<'a> {
    pub(crate) control: &'a Control,
    pub(crate) judge: &'a Checker,
}

impl Checked<'_> {
    fn at(&self, place: &Place) -> At {
        self.control.record.store(place.record, Relaxed);
        At { record: place.record, thread: place.thread as u32 }
    }
}

/// Asks for the usable size.
///
/// # Safety
/// 1. `block` is null or live and was allocated with `layout`.
unsafe fn usable<S: Subject>(s: &S, block: *mut u8, layout: Layout) -> Option<usize> {
    if block.is_null() {
        return None;
    }
    // SAFETY: by obligation 1.
    unsafe { s.usable_size(block, layout) }
}

impl<S: Subject> Pass<S> for Checked<'_> {
    const KEEP: bool = true;

    unsafe fn allocate(&mut self, s: &S, layout: Layout, op: Op, place: &Place) -> *mut u8 {
        let at = self.at(place);
        // SAFETY: by the caller's obligation; the judge is told of what was really handed out.
        unsafe {
            let block = call(s, layout, op.kind);
            let zeroed = op.kind & 7 == kind::ZEROED;
            let usable = usable(s, block, layout);
            self.judge.allocated(at, op.slot, block, layout, zeroed, usable);
            block
        }
    }

    unsafe fn free(&mut self, s: &S, block: *mut u8, layout: Layout, op: Op, place: &Place) {
        let at = self.at(place);
        // SAFETY: by the caller's obligation; the judge learns before the memory is given back.
        unsafe {
            self.judge.freeing(at, op.slot);
            s.dealloc(block, layout);
            self.judge.freed(at, op.slot);
        }
    }

    unsafe fn reallocate(
        &mut self,
        s: &S,
        block: *mut u8,
        layout: Layout,
        new: usize,
        op: Op,
        place: &Place,
    ) -> *mut u8 {
        let at = self.at(place);
        // SAFETY: by the caller's obligation; the new layout is valid because the new size came
        // from a recorded request.
        unsafe {
            self.judge.reallocating(at, op.slot, new);
            let moved = s.realloc(block, layout, new);
            let layout = Layout::from_size_align_unchecked(new, layout.align());
            self.judge.reallocated(at, op.slot, moved, new, usable(s, moved, layout));
            moved
        }
    }
}

/// Samples the latency of one operation in 64, at irregular distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampled<'a> {
    pub(crate) table: &'a Table,
    pub(crate) how: Touch,
    pub(crate) left: u32,
    pub(crate) random: u32,
}

impl Sampled<'_> {
    /// Runs `call`, timed when its turn has come.
    #[inline(always)]
    fn sample<R>(&mut self, op: Op, bytes: usize, call: impl FnOnce() -> R) -> R {
        if self.left > 0 {
            self.left -= 1;
            return call();
        }
        // xorshift32: irregular, so that a periodic trace does not resonate with the sampling.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.left = self.random % 127;
        let start = super::clock::ticks();
        let result = call();
        let ticks = super::clock::ticks().wrapping_sub(start);
        let control = self.table.control();
        let index = control.samples.fetch_add(1, Relaxed) as usize;
        if index < SAMPLES {
            let sample = &self.table.samples()[index];
            sample[0].store(ticks.min(u64::from(u32::MAX)) as u32, Relaxed);
            let bytes = bytes.min((1 << 28) - 1) as u32;
            sample[1].store(bytes | u32::from(op.kind & 7) << 28, Relaxed);
        }
        result
    }
}

impl<S: Subject> Pass<S> for Sampled<'_> {
    const KEEP: bool = false;

    unsafe fn allocate(&mut self, s: &S, layout: Layout, op: Op, _place: &Place) -> *mut u8 {
        let how = self.how;
        // SAFETY: by the caller's obligation; a block that is not null is writable for its size.
        unsafe {
            let block = self.sample(op, layout.size(), || call(s, layout, op.kind));
            if !block.is_null() {
                touch(how, block, 0, layout.size());
            }
            block
        }
    }

    unsafe fn free(&mut self, s: &S, block: *mut u8, layout: Layout, op: Op, _place: &Place) {
        // SAFETY: by the caller's obligation.
        self.sample(op, layout.size(), || unsafe { s.dealloc(block, layout) });
    }

    unsafe fn reallocate(
        &mut self,
        s: &S,
        block: *mut u8,
        layout: Layout,
        new: usize,
        op: Op,
        _place: &Place,
    ) -> *mut u8 {
        let how = self.how;
        // SAFETY: by the caller's obligation; a block that is not null is writable for its size.
        unsafe {
            let moved = self.sample(op, new, || s.realloc(block, layout, new));
            if !moved.is_null() && new > layout.size() {
                touch(how, moved, layout.size(), new);
            }
            moved
        }
    }
}
