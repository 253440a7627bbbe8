//! The window under the clock, and the calls inside it.

use crate::subject::Subject;
use std::alloc::Layout;
use std::time::Instant;

/// Under how many rounds there is one of warming up.
const WARM: u64 = 4;

/// How long to run, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    rounds: u64,
    repeat: u32,
    /// Nanoseconds on the clock, of all repetitions.
    pub(crate) nanos: u64,
    /// Calls of the harness's own heap meanwhile.
    pub(crate) heap_calls: u64,
}

impl Window {
    /// `rounds` under the clock, `repeat` times.
    pub(crate) fn new(rounds: u64, repeat: u32) -> Self {
        Self { rounds, repeat, nanos: 0, heap_calls: 0 }
    }

    /// Warms up, then times `body`, which does as many rounds as it is told.
    ///
    /// `body` calls a function that is not inlined, so that the code under the clock is the very
    /// code that was warmed up.
    pub(super) fn run(&mut self, mut body: impl FnMut(u64)) {
        for repetition in 0..=self.repeat {
            let warming = repetition == 0;
            let rounds = if warming { self.rounds.div_ceil(WARM) } else { self.rounds };
            let calls = crate::heap::calls();
            let start = Instant::now();
            body(rounds);
            let nanos = start.elapsed().as_nanos() as u64;
            if !warming {
                self.nanos += nanos;
                self.heap_calls += crate::heap::calls() - calls;
            }
        }
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
