//! An unwinder that remembers: what the tables of a program's code say of a place is read once.
//!
//! The unwinder is framehop. Where a return address leads into and how large the frame there is it keeps for
//! some hundred addresses, so that a stack which comes by again costs two loads a frame instead of a search
//! through tables.

use core::ffi::{c_int, c_void};
use core::ops::Range;
use core::ptr;
use std::string::String;
use std::vec::Vec;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, Module, MustNotAllocateDuringUnwind, Unwinder,
};
use strata_core::lock::{Guarded, RawLock, SpinLock};

/// A part of an object that is loaded.
type Section = &'static [u8];

/// The tables of all code that was loaded when they were looked for.
///
/// Makes and drops allocate; unwinding does not. Some 40 KiB.
///
/// ```
/// use strata_os::stack::{self, tables::Tables};
///
/// #[inline(never)]
/// fn capture(tables: &Tables, out: &mut [usize]) -> Option<usize> {
///     let here = 0_u8;
///     tables.unwind(out, (&raw const here).addr(), stack::top()?)
/// }
/// let tables = Tables::of_process();
/// let mut addresses = [0; 32];
/// assert!(capture(&tables, &mut addresses) > Some(0));
/// ```
pub struct Tables {
    unwinder: UnwinderX86_64<Section, MustNotAllocateDuringUnwind>,
    /// One thread at a time unwinds by it. Nobody waits.
    cache: Guarded<CacheX86_64<MustNotAllocateDuringUnwind>, SpinLock>,
    /// Where there is code with tables, in order.
    code: Vec<Range<usize>>,
    changes: Changes,
}

/// How often the loader loaded and unloaded something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    loaded: u64,
    unloaded: u64,
}

impl core::fmt::Debug for Tables {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tables").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Tables {
    /// Looks for the tables of all code that is loaded now. O(objects).
    pub fn of_process() -> Self {
        // Before the objects: what changes in between makes these tables old.
        let changes = changes();
        let (mut unwinder, mut code) = (UnwinderX86_64::new(), Vec::new());
        for object in objects() {
            code.push(object.start..object.start + object.len);
            unwinder.add_module(object.module());
        }
        code.sort_unstable_by_key(|range: &Range<usize>| range.start);
        let cache = Guarded::new(RawLock::OPEN, CacheX86_64::new_in());
        Self { unwinder, cache, code, changes }
    }

    /// Whether nothing was loaded or unloaded since. Takes a lock of the loader's, which a thread may take
    /// again that has it.
    pub fn are_current(&self) -> bool {
        changes() == self.changes
    }

    /// As [`unwind`](super::unwind), in a fraction of its time: what is known of a place is not looked up
    /// again. Reads the stack up to `top` only, which is [`top`](super::top) of this thread.
    ///
    /// `None` where that cannot be told: code was loaded or unloaded since, another thread unwinds at this
    /// moment, a frame has tables of a kind that framehop does not read, or the stack is not the thread's usual
    /// one. Nothing is allocated.
    #[inline(never)]
    pub fn unwind(&self, out: &mut [usize], here: usize, top: usize) -> Option<usize> {
        if !self.are_current() {
            return None;
        }
        let (pc, sp, bp): (usize, usize, usize);
        // SAFETY: reads registers.
        unsafe {
            core::arch::asm!(
                "lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) pc, out(reg) sp, out(reg) bp,
                options(nomem, nostack, preserves_flags)
            );
        }
        self.cache.try_with(|cache| {
            let mut read = |at: u64| {
                let at = at as usize;
                let inside = at >= sp && at.is_multiple_of(size_of::<usize>()) && at < top;
                if !inside || top - at < size_of::<usize>() {
                    return Err(());
                }
                // SAFETY: a word of this thread's own stack, above what this function has of it and below its top,
                // which is mapped; nobody writes it while this runs.
                Ok(unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() } as u64)
            };
            let mut frame = FrameAddress::from_instruction_pointer(pc as u64);
            let mut registers = UnwindRegsX86_64::new(pc as u64, sp as u64, bp as u64);
            let mut len = 0;
            while len < out.len() {
                let next = self.unwinder.unwind_frame(frame, &mut registers, cache, &mut read);
                let Some(address) = next.ok()? else { break };
                frame = FrameAddress::from_return_address(address)?;
                // Frames below are of functions that the one with `here` called.
                if registers.sp() as usize > here {
                    out[len] = address as usize;
                    len += 1;
                }
                if !self.knows(address as usize) {
                    // Without tables the stack ends, as it does for other unwinders.
                    break;
                }
            }
            Some(len)
        })?
    }

    /// Whether there are tables for the code that returns to `address`.
    fn knows(&self, address: usize) -> bool {
        let after = self.code.partition_point(|range| range.start < address);
        // The call may be the last thing before the end.
        after != 0 && address <= self.code[after - 1].end
    }
}

/// An object with tables.
struct Object {
    start: usize,
    len: usize,
    /// The index of the tables, and these from the first one to the end of what is mapped there.
    index: Section,
    tables: Section,
}

impl Object {
    fn module(&self) -> Module<Section> {
        let range = |part: Section| {
            let start = part.as_ptr().expose_provenance() as u64;
            Some(start..start + part.len() as u64)
        };
        let start = self.start as u64;
        // Addresses as they are: the object says that it lies where it does.
        let sections = ExplicitModuleSectionInfo {
            base_svma: start,
            eh_frame_svma: range(self.tables),
            eh_frame: Some(self.tables),
            eh_frame_hdr_svma: range(self.index),
            eh_frame_hdr: Some(self.index),
            ..Default::default()
        };
        Module::new(String::new(), start..start + self.len as u64, start, sections)
    }
}

/// What the loader says of an object.
type Info = libc::dl_phdr_info;
type Visit<'a> = &'a mut dyn FnMut(&Info) -> bool;

/// Calls back with what is loaded until that answers false.
fn each_object(mut visit: Visit<'_>) {
    unsafe extern "C" fn step(info: *mut Info, _: usize, visit: *mut c_void) -> c_int {
        // SAFETY: `each_object` gave its own callback, which nobody else has; the loader's information, for as long
        // as this runs.
        let go_on = unsafe { (*visit.cast::<Visit<'_>>())(&*info) };
        c_int::from(!go_on)
    }
    // SAFETY: `step` takes this callback.
    unsafe { libc::dl_iterate_phdr(Some(step), (&raw mut visit).cast()) };
}

fn changes() -> Changes {
    let mut changes = Changes::default();
    each_object(&mut |info| {
        changes = Changes { loaded: info.dlpi_adds, unloaded: info.dlpi_subs };
        false
    });
    changes
}

fn objects() -> Vec<Object> {
    let mut objects = Vec::new();
    each_object(&mut |info| {
        objects.extend(object(info));
        true
    });
    objects
}

/// An object's parts, if it has tables in the form that linkers give them.
fn object(info: &Info) -> Option<Object> {
    /// Of the index: its version, and that it begins with the tables' distance in four bytes, with a sign.
    const FORM: [u8; 2] = [1, 0x1B];
    const WORD: usize = size_of::<i32>();
    // SAFETY: the loader's headers, as many as it says.
    let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let range = |header: &libc::Elf64_Phdr| {
        let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        start..start + header.p_memsz as usize
    };
    let mapped = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD).map(range);
    let index = range(headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?);
    let part = |at: usize, len| {
        // SAFETY: what a header says is mapped, and only read; who keeps it asks whether it is loaded still.
        unsafe { core::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(at), len) }
    };
    let start = part(index.start, index.len());
    if !start.starts_with(&FORM) {
        return None;
    }
    let distance = i32::from_ne_bytes(*start.get(WORD..)?.first_chunk()?);
    let tables = (index.start + WORD).wrapping_add_signed(distance as isize);
    let end = mapped().find(|range| range.contains(&tables))?.end;
    let first = mapped().map(|range| range.start).min()?;
    let last = mapped().map(|range| range.end).max()?;
    Some(Object {
        start: first,
        len: last - first,
        index: part(index.start, index.len()),
        tables: part(tables, end - tables),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack;

    /// A test's turn: one of them loads something.
    fn turn() -> std::sync::MutexGuard<'static, ()> {
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        TURN.lock().unwrap_or_else(|error| error.into_inner())
    }

    /// A stack by both unwinders, taken at one place.
    #[inline(never)]
    fn both(tables: &Tables, out: &mut [[usize; 128]; 2]) -> (usize, Option<usize>) {
        let here = 0_u8;
        let here = (&raw const here).addr();
        let [first, second] = out;
        let top = stack::top().expect("a stack");
        (stack::unwind(first, here), tables.unwind(second, here, top))
    }

    #[inline(never)]
    fn deeper(
        tables: &Tables,
        depth: usize,
        out: &mut [[usize; 128]; 2],
    ) -> (usize, Option<usize>) {
        let lens = match depth {
            0 => both(tables, out),
            // Frames of the standard library, and one whose length is not known when it is compiled.
            _ if depth.is_multiple_of(3) => {
                let mut lens = None;
                [depth].iter().for_each(|depth| lens = Some(deeper(tables, depth - 1, out)));
                lens.expect("called")
            }
            _ => deeper(tables, depth - 1, out),
        };
        core::hint::black_box(lens)
    }

    #[test]
    fn it_tells_what_the_standard_library_s_unwinder_tells() {
        let _turn = turn();
        let tables = Tables::of_process();
        assert!(!tables.code.is_empty());
        for depth in [0, 1, 2, 3, 20, 60, 20, 3] {
            let mut out = [[0; 128]; 2];
            let (len, quick) = deeper(&tables, depth, &mut out);
            assert_eq!(quick, Some(len), "at {depth}");
            assert_eq!(out[0], out[1], "at {depth}");
            assert!(len > depth);
        }
        let beside = std::thread::scope(|scope| {
            let taken = scope.spawn(|| {
                let mut out = [[0; 128]; 2];
                (deeper(&tables, 5, &mut out), out)
            });
            taken.join().expect("it ends")
        });
        assert_eq!(beside.0, (beside.0.0, Some(beside.0.0)));
        assert_eq!(beside.1[0], beside.1[1]);
    }

    #[test]
    fn it_reads_no_further_than_the_stack_and_writes_no_more_than_there_is_room_for() {
        let _turn = turn();
        let tables = Tables::of_process();
        let here = 0_u8;
        let here = (&raw const here).addr();
        let mut out = [0; 3];
        assert_eq!(tables.unwind(&mut out, here, stack::top().expect("a stack")), Some(3));
        assert_eq!(tables.unwind(&mut out, here, here), None, "the top is too low");
        assert_eq!(tables.unwind(&mut out, here, 0), None);
        let held = tables.cache.with(|_| tables.unwind(&mut out, here, usize::MAX));
        assert_eq!(held, None, "somebody else unwinds");
    }

    #[test]
    fn tables_are_old_when_something_was_loaded() {
        let _turn = turn();
        let tables = Tables::of_process();
        assert!(tables.are_current());
        // SAFETY: a library of the C library's own, which runs nothing when it is loaded.
        let library = unsafe { libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            // Another C library.
            return;
        }
        assert!(!tables.are_current());
        let here = 0_u8;
        let top = stack::top().expect("a stack");
        assert_eq!(tables.unwind(&mut [0; 8], (&raw const here).addr(), top), None);
        assert!(Tables::of_process().are_current());
        // SAFETY: opened above.
        unsafe { libc::dlclose(library) };
    }
}
