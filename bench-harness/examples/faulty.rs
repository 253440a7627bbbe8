//! Subjects that end badly after some sound calls: what a run does with them is tested with this.
//!
//! `aborting` ends its process, `refusing` answers null, `trapping` writes where nothing is, and
//! `hanging-up` leaves with a status of its own; `stuck` never serves a mebibyte in a forked child.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use strata_bench::results::Mode;
use strata_bench::subject::Plain;

/// What happens at the call after the last sound one.
#[derive(Clone, Copy, Debug)]
enum End {
    Abort,
    Refuse,
    Trap,
    Leave,
    Stick,
}

/// The system's allocator for a while.
#[derive(Debug)]
struct Faulty {
    end: End,
    calls: AtomicU64,
    /// The process of the first call.
    process: AtomicU32,
}

impl Faulty {
    const fn new(end: End) -> Self {
        Self { end, calls: AtomicU64::new(0), process: AtomicU32::new(0) }
    }
}

/// More calls than finding the strides of a small workload takes.
const SOUND: u64 = 5000;

// SAFETY: until the end, every block is the system allocator's.
unsafe impl GlobalAlloc for Faulty {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A number and a count order nothing.
        let own = std::process::id();
        let first = self.process.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed);
        if matches!(self.end, End::Stick) {
            while layout.size() == 1 << 20 && first.is_err_and(|first| first != own) {
                std::hint::spin_loop();
            }
        } else if self.calls.fetch_add(1, Ordering::Relaxed) >= SOUND {
            match self.end {
                End::Abort => std::process::abort(),
                End::Refuse => return std::ptr::null_mut(),
                End::Leave | End::Stick => std::process::exit(42),
                // SAFETY: there is no such thing: this is the fault.
                End::Trap => unsafe {
                    std::ptr::without_provenance_mut::<u8>(64).write_volatile(1)
                },
            }
        }
        // SAFETY: the caller's obligations are those of the method called.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static HARNESS_HEAP: strata_bench::heap::HarnessHeap = strata_bench::heap::HarnessHeap::new();

fn main() -> ExitCode {
    macro_rules! entry {
        ($name:literal, $end:ident) => {
            strata_bench::subject!(Plain<Faulty>, Plain::new($name, Faulty::new(End::$end)))
        };
    }
    let mut subjects = strata_bench::subject::linked();
    subjects.extend([
        entry!("aborting", Abort),
        entry!("refusing", Refuse),
        entry!("trapping", Trap),
        entry!("hanging-up", Leave),
        entry!("stuck", Stick),
    ]);
    strata_bench::command(&subjects, Mode::Explicit)
}
