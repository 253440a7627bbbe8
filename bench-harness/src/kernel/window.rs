//! The window under the clock, and the calls inside it.

use super::pace::{Pace, Turn, WINDOW, Wish, reference, switches};
use crate::subject::Subject;
use std::alloc::Layout;
use std::time::Instant;

/// Under how many rounds there is one of warming up, where windows are not asked for one by one.
const WARM: u64 = 4;
/// How many windows' rounds warm up one that is asked for.
const WARM_ASKED: u64 = 2;

/// How long to run, and what came of it.
pub(crate) struct Window<'a> {
    /// Rounds of a window at most.
    rounds: u64,
    pace: Pace<'a>,
    /// Nanoseconds on the clock, of all windows.
    pub(crate) nanos: u64,
    /// Calls of the harness's own heap meanwhile.
    pub(crate) heap_calls: u64,
}

impl<'a> Window<'a> {
    /// Windows of at most `rounds`; all of them where the pace is fixed.
    pub(crate) fn new(rounds: u64, pace: Pace<'a>) -> Self {
        Self { rounds, pace, nanos: 0, heap_calls: 0 }
    }

    /// Warms up, then times `body`, which does as many rounds as it is told, window after window.
    ///
    /// `body` calls a function that is not inlined, so that the code under the clock is the very
    /// code that was warmed up.
    pub(super) fn run(&mut self, body: impl FnMut(u64)) {
        self.run_with(|_| {}, body);
    }

    /// The same with `awake` called with true before and false after each window: what else has to
    /// run in it should sleep in between.
    pub(super) fn run_with(&mut self, mut awake: impl FnMut(bool), mut body: impl FnMut(u64)) {
        if let Pace::Fixed(windows) = self.pace {
            awake(true);
            body(self.rounds.div_ceil(WARM));
            for _ in 0..windows {
                let turn = Turn { rounds: self.rounds, ..Turn::default() };
                self.keep(timed(turn, &mut body));
            }
            return awake(false);
        }
        awake(true);
        let rounds = settled(self.rounds, &mut body);
        awake(false);
        let mut last = None;
        loop {
            let wish = match &mut self.pace {
                Pace::Asked(ask) => ask(last),
                Pace::Fixed(_) => Wish::End,
            };
            if wish == Wish::End {
                return;
            }
            awake(true);
            if wish == Wish::Warm {
                body(rounds * WARM_ASKED);
            }
            let (before, lost) = (reference(), switches());
            let turn = timed(Turn { rounds, ..Turn::default() }, &mut body);
            let switches = switches() - lost;
            let reference = reference().max(before);
            awake(false);
            last = Some(Turn { reference, switches, ..turn });
            self.keep(turn);
        }
    }

    fn keep(&mut self, turn: Turn) {
        self.nanos += turn.nanos;
        self.heap_calls += turn.heap_calls;
    }
}

fn timed(turn: Turn, body: &mut impl FnMut(u64)) -> Turn {
    let calls = crate::heap::calls();
    let start = Instant::now();
    body(turn.rounds);
    let nanos = start.elapsed().as_nanos() as u64;
    Turn { nanos, heap_calls: crate::heap::calls() - calls, ..turn }
}

/// How many rounds, `most` at most, last as long as a window should once the subject has seen a few: the
/// first ones may be a hundred times slower, where an allocator learns what to keep.
fn settled(most: u64, body: &mut impl FnMut(u64)) -> u64 {
    const TRIES: usize = 8;
    let mut rounds = calibrated(most, body);
    for _ in 0..TRIES {
        let before = std::mem::replace(&mut rounds, calibrated(most, body));
        if rounds <= 2 * before {
            break;
        }
    }
    rounds
}

/// How many rounds, `most` at most, last as long as a window should.
fn calibrated(most: u64, body: &mut impl FnMut(u64)) -> u64 {
    let mut rounds = most.min(1);
    loop {
        // The best of three: a window that was interrupted says little of the others.
        let mut best = u64::MAX;
        for _ in 0..3 {
            best = best.min(timed(Turn { rounds, ..Turn::default() }, body).nanos);
        }
        let wanted = WINDOW.as_nanos() as u64;
        if best >= wanted / 4 || rounds == most {
            let scaled = u128::from(rounds) * u128::from(wanted) / u128::from(best.max(1));
            return (scaled as u64).clamp(1, most);
        }
        rounds = (rounds * 4).min(most);
    }
}

/// A layout of constants.
pub(crate) const fn layout(bytes: usize, align: usize) -> Layout {
    match Layout::from_size_align(bytes, align) {
        Ok(layout) => layout,
        Err(_) => panic!("a kernel's sizes are small and its alignments powers of two"),
    }
}

/// Allocates, writes one word, and lets nobody know what became of the block.
#[inline(always)]
pub(crate) fn take<S: Subject>(subject: &S, layout: Layout) -> *mut u8 {
    const { assert!(size_of::<usize>() <= 8) };
    debug_assert!(layout.size() >= 8 && layout.align() >= 8);
    // SAFETY: no kernel asks for 0 bytes; a block that is not null is writable for its layout, which
    // has a word and its alignment.
    unsafe {
        let block = subject.alloc(layout);
        if block.is_null() {
            refused();
        }
        if S::TOUCHABLE {
            block.cast::<usize>().write(1);
        }
        opaque(block)
    }
}

/// Allocates a zeroed block, writes one word, and lets nobody know what became of the block.
#[inline(always)]
pub(crate) fn take_zeroed<S: Subject>(subject: &S, layout: Layout) -> *mut u8 {
    debug_assert!(layout.size() >= 8 && layout.align() >= 8);
    // SAFETY: as for `take`.
    unsafe {
        let block = if S::TOUCHABLE { subject.alloc_zeroed(layout) } else { subject.alloc(layout) };
        if block.is_null() {
            refused();
        }
        if S::TOUCHABLE {
            block.cast::<usize>().write(1);
        }
        opaque(block)
    }
}

/// Gives a block another length; what there was is there.
///
/// # Safety
///
/// 1. `block` is live and came from [`take`], or from here, with this subject and layout.
#[inline(always)]
pub(crate) unsafe fn grow<S: Subject>(
    subject: &S,
    block: *mut u8,
    layout: Layout,
    bytes: usize,
) -> *mut u8 {
    // SAFETY: by obligation 1; no kernel asks for 0 bytes. Where nothing may be touched, nothing can
    // be copied.
    let block = unsafe {
        if S::TOUCHABLE {
            subject.realloc(block, layout, bytes)
        } else {
            subject.dealloc(block, layout);
            subject.alloc(Layout::from_size_align_unchecked(bytes, layout.align()))
        }
    };
    if block.is_null() {
        refused();
    }
    opaque(block)
}

/// Writes a word on every 4 KiB of a block, each on another line of its page than the one before: words
/// at one distance would all go to the same few places of a cache, and measure nothing but that.
///
/// # Safety
///
/// 1. `block` is live and of this layout.
#[inline(always)]
pub(crate) unsafe fn touch_pages<S: Subject>(block: *mut u8, layout: Layout) {
    if S::TOUCHABLE {
        let mut line = 0;
        for at in (0..layout.size() & !4095).step_by(4096) {
            // SAFETY: 1: inside the block, which has whole pages there, and at a multiple of a line.
            unsafe { block.add(at + line).cast::<usize>().write_volatile(at) };
            line = (line + 5 * 64) & 4095;
        }
    }
}

/// Frees.
///
/// # Safety
///
/// 1. `block` is live and came from [`take`] with this subject and layout.
#[inline(always)]
pub(crate) unsafe fn give<S: Subject>(subject: &S, block: *mut u8, layout: Layout) {
    // SAFETY: by obligation 1.
    unsafe { subject.dealloc(block, layout) };
}

/// The child has nobody left to tell: its parent reads the status.
#[cold]
#[inline(never)]
fn refused() -> ! {
    std::process::exit(crate::child::channel::REFUSED)
}

/// The same pointer, of which the compiler knows nothing any more, nor of the memory behind it.
///
/// `black_box` sends a value through the stack: a store and a load in a window of a few
/// instructions. An assembler text that is a comment costs none.
#[inline(always)]
fn opaque(block: *mut u8) -> *mut u8 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut block = block;
        // SAFETY: the text is a comment: no register, flag, stack or memory changes.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) block, options(nostack, preserves_flags));
        }
        block
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    std::hint::black_box(block)
}
