//! The calling thread's stack of calls, as return addresses: by frame pointers, or by an unwinder.
//!
//! Frame pointers are a chain through the stack that costs a load or two a frame, where everything was
//! built with them (`-C force-frame-pointers=yes`, `-fno-omit-frame-pointer`). The unwinder reads tables
//! that nearly all programs carry, at a hundred times the cost; with the feature `tables`, another one remembers
//! what it read there. Which of the two is right for a program
//! shows when both are asked for the same stack.
//!
//! Both leave out the frames at and below the function that has the local variable whose address they are
//! given: the caller's own.
//!
//! ```
//! use strata_os::stack;
//!
//! #[inline(never)]
//! fn capture(out: &mut [usize]) -> usize {
//!     let here = 0_u8;
//!     stack::unwind(out, (&raw const here).addr())
//! }
//! let mut addresses = [0; 32];
//! let len = capture(&mut addresses);
//! assert!(cfg!(not(target_os = "linux")) || len > 0);
//! ```

#[cfg(all(
    feature = "tables",
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(miri)
))]
pub mod tables;

use core::ops::Range;

use crate::process;

/// Where the mapping ends that the calling thread's stack is in: its highest address, and one. `None` where
/// the system does not tell. Reads a file of the kernel's, some 50 bytes a mapping: ask once a thread.
/// Nothing is allocated, and no lock of the C library's taken.
pub fn top() -> Option<usize> {
    process::keep_errno(process::stack_top)
}

/// The return addresses into the callers of the function that has a local variable at `here`, innermost
/// first. Answers how many; 0 without the feature `std`, which brings the unwinder.
///
/// Nothing is allocated by the unwinders of GCC and LLVM; locks of the loader's are taken by old ones.
pub fn unwind(out: &mut [usize], here: usize) -> usize {
    #[cfg(all(feature = "std", target_os = "linux", not(miri)))]
    return unwinder::unwind(out, here);
    #[cfg(not(all(feature = "std", target_os = "linux", not(miri))))]
    {
        let _ = (out, here);
        0
    }
}

/// As [`unwind`], by frame pointers: as far as there is a chain of them from `here` up to `top`, which is
/// [`top`] of this thread. Where code was built without frame pointers the answer has gaps, or wrong
/// addresses, but nothing outside of the stack is read. Answers 0 on a processor that this crate does not
/// know.
#[inline(always)]
pub fn by_frame_pointers(out: &mut [usize], here: usize, top: usize) -> usize {
    let Some(pointer) = frame_pointer() else { return 0 };
    // Whatever stands in the register: a frame's words lie above its variables.
    let bottom = 0_u8;
    follow(out, pointer, here, core::hint::black_box(&raw const bottom).addr()..top)
}

/// The register that holds the frame pointer, by convention.
#[inline(always)]
fn frame_pointer() -> Option<usize> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let pointer: usize;
        // SAFETY: reads a register.
        unsafe {
            core::arch::asm!("mov {}, rbp", out(reg) pointer, options(nomem, nostack, preserves_flags));
        }
        Some(pointer)
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let pointer: usize;
        // SAFETY: reads a register.
        unsafe {
            core::arch::asm!("mov {}, x29", out(reg) pointer, options(nomem, nostack, preserves_flags));
        }
        Some(pointer)
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    None
}

/// Follows a chain of frames.
///
/// ```text
///   pointer ──► │ the caller's pointer │ return address │ … higher addresses
/// ```
fn follow(out: &mut [usize], mut pointer: usize, here: usize, stack: Range<usize>) -> usize {
    const WORD: usize = size_of::<usize>();
    // The least that a return address can be: no code lies in the first page.
    const FIRST_PAGE: usize = 4096;
    let mut len = 0;
    let mut least = stack.start;
    while len < out.len()
        && pointer > least
        && pointer.is_multiple_of(WORD)
        && pointer.checked_add(2 * WORD).is_some_and(|end| end <= stack.end)
    {
        let frame = core::ptr::with_exposed_provenance::<usize>(pointer);
        // SAFETY: two words of this thread's own stack, between a live variable and its top, which is mapped;
        // nobody writes them while this runs.
        let (next, back) = unsafe { (frame.read_volatile(), frame.add(1).read_volatile()) };
        if back < FIRST_PAGE {
            break;
        }
        // Frames below are of functions that the one with `here` called.
        if pointer > here {
            out[len] = back;
            len += 1;
        }
        (least, pointer) = (pointer, next);
    }
    len
}

/// Reads the ranges that lines of `/proc/self/maps` begin with, byte by byte.
///
/// ```text
///   7ffd4c2e1000-7ffd4c303000 rw-p 00000000 00:00 0   [stack]
/// ```
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is no such file"))]
pub(crate) struct MapsLine {
    range: [usize; 2],
    /// Which of the two comes next; more behind them.
    part: usize,
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is no such file"))]
impl MapsLine {
    pub(crate) fn new() -> Self {
        Self { range: [0; 2], part: 0 }
    }

    /// Takes the next byte. Answers a range when its last digit was the one before.
    pub(crate) fn next(&mut self, byte: u8) -> Option<Range<usize>> {
        if byte == b'\n' {
            *self = Self::new();
            return None;
        }
        let number = self.range.get_mut(self.part)?;
        match char::from(byte).to_digit(16) {
            Some(digit) => {
                *number = *number << 4 | digit as usize;
                None
            }
            None => {
                self.part += 1;
                (self.part == 2).then(|| self.range[0]..self.range[1])
            }
        }
    }
}

#[cfg(all(feature = "std", target_os = "linux", not(miri)))]
mod unwinder {
    use core::ffi::{c_int, c_void};

    // The unwinder that the standard library brings for panics, by the interface that C++'s ABI gives it.
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            step: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            walk: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(frame: *mut c_void) -> usize;
        fn _Unwind_GetCFA(frame: *mut c_void) -> usize;
    }
    const GO_ON: c_int = 0;
    const END: c_int = 5;

    struct Walk<'a> {
        out: &'a mut [usize],
        len: usize,
        /// A frame whose callee's stack ended above this is a caller's.
        here: usize,
    }

    extern "C" fn step(frame: *mut c_void, walk: *mut c_void) -> c_int {
        // SAFETY: `unwind` gave its own walk, which nobody else has.
        let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
        // SAFETY: a frame that the unwinder is at.
        let (address, stack) = unsafe { (_Unwind_GetIP(frame), _Unwind_GetCFA(frame)) };
        if stack <= walk.here {
            return GO_ON;
        }
        if address == 0 || walk.len == walk.out.len() {
            return END;
        }
        walk.out[walk.len] = address;
        walk.len += 1;
        GO_ON
    }

    pub(super) fn unwind(out: &mut [usize], here: usize) -> usize {
        let mut walk = Walk { out, len: 0, here };
        // SAFETY: `step` takes this walk, and does not unwind.
        unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
        walk.len
    }
}

#[cfg(all(test, target_os = "linux", not(strata_loom)))]
mod tests {
    use super::*;

    #[inline(never)]
    fn capture(out: &mut [usize]) -> usize {
        let here = 0_u8;
        let len = unwind(out, (&raw const here).addr());
        // The call is not the last thing, so that there is a frame to return to.
        core::hint::black_box(len)
    }

    #[inline(never)]
    fn deeper(depth: usize, out: &mut [usize]) -> usize {
        let len = if depth == 0 { capture(out) } else { deeper(depth - 1, out) };
        core::hint::black_box(len)
    }

    #[test]
    #[cfg(feature = "std")]
    fn the_unwinder_tells_of_every_caller_and_of_no_more_than_there_is_room_for() {
        let (mut short, mut long) = ([0; 128], [0; 128]);
        let (less, more) = (deeper(3, &mut short), deeper(13, &mut long));
        assert!(less > 4, "{less} frames");
        assert_eq!(more, less + 10);
        assert_eq!(long[1..10], [long[1]; 9], "the calls in between come back to one place");
        let mut few = [0; 3];
        assert_eq!(deeper(13, &mut few), 3);
        assert_eq!(few[1..], long[1..3]);
    }

    #[test]
    #[cfg(feature = "std")]
    fn the_first_frame_is_the_nearest_caller_s() {
        #[inline(never)]
        fn caller(out: &mut [usize]) -> usize {
            core::hint::black_box(capture(out))
        }
        let mut out = [0; 128];
        assert!(caller(&mut out) > 1);
        let code = caller as fn(&mut [usize]) -> usize as usize;
        assert!((code..code + 256).contains(&out[0]), "{:#x} {code:#x}", out[0]);
    }

    #[test]
    fn the_top_of_the_stack_is_above_what_is_on_it() {
        let here = (&raw const *std::boxed::Box::new(0_u8)).addr();
        let local = 0_u8;
        let local = (&raw const local).addr();
        let top = top().unwrap();
        assert!(local < top && top - local < 1 << 30, "{local:#x} {top:#x}");
        let other = std::thread::spawn(super::top).join().unwrap().unwrap();
        assert!(other != top && here != top);
    }

    #[test]
    fn the_kernel_s_list_is_read_byte_by_byte() {
        let mut line = MapsLine::new();
        let text = b"1000-2fff r--p 00000000 08:01 3 /a-b\nffff0000-ffff1000 rw-p 0 0\n";
        let found: std::vec::Vec<_> = text.iter().filter_map(|byte| line.next(*byte)).collect();
        assert_eq!(found, [0x1000..0x2fff, 0xffff_0000..0xffff_1000]);
    }

    /// A chain as code with frame pointers leaves it, and what may stand in the register where code has
    /// none.
    #[test]
    fn a_chain_is_followed_upwards_and_never_out_of_the_stack() {
        let mut stack = [0_usize; 64];
        let base = stack.as_mut_ptr().expose_provenance();
        let at = |place: usize| base + place * size_of::<usize>();
        for (place, next) in [(2, 10), (10, 20), (20, 40), (40, 0)] {
            stack[place] = if next == 0 { 0 } else { at(next) };
            stack[place + 1] = 0x10_0000 + place;
        }
        let mut out = [0; 8];
        let whole = at(0)..at(64);
        let follow = |out: &mut [usize], pointer, here, end: usize| {
            follow(out, pointer, here, whole.start - 1..end)
        };
        let top = whole.end;
        assert_eq!(follow(&mut out, at(2), at(5), top), 3);
        assert_eq!(out[..3], [0x10_000A, 0x10_0014, 0x10_0028], "callees are left out");
        assert_eq!(follow(&mut out, at(2), at(0), at(41)), 3, "the last frame is not all there");
        for wrong in [0, 1, usize::MAX, top, at(63), at(2) + 1] {
            assert_eq!(follow(&mut out, wrong, at(0), top), 0, "{wrong:#x}");
        }
        stack[20] = at(10);
        assert_eq!(follow(&mut out, at(2), at(0), top), 3, "chains go up");
        assert_eq!(follow(&mut out[..2], at(2), at(0), top), 2);
        core::hint::black_box(&stack);
    }
}
