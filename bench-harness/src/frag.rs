//! Fragmentation inside a crate's own tests: one number, without a harness around it.

use crate::child::Touch;
use crate::child::touch::touch;
use crate::error::{Context, Failure, Result};
use crate::footprint::anonymous;
use crate::run::Workload;
use crate::trace::{BlockId, LiveSet, Op};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashMap;
use std::fmt;

/// What an allocator held where most of a trace was live.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fragmentation {
    /// Bytes that the program had asked for and not freed.
    pub live: u64,
    /// Bytes that are resident more than before the first call: what the allocator took of the
    /// system for them, its own tables with it.
    pub taken: u64,
    /// Live blocks.
    pub blocks: u64,
}

impl Fragmentation {
    /// Bytes of memory a live byte.
    pub fn ratio(&self) -> f64 {
        self.taken as f64 / self.live.max(1) as f64
    }
}

impl fmt::Display for Fragmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::results::words::{bytes, count};
        let (taken, live, blocks) = (bytes(self.taken), bytes(self.live), count(self.blocks));
        let ratio = self.ratio();
        write!(f, "{ratio:.3} bytes a live byte: {taken} for {live} in {blocks} blocks")
    }
}

/// One call, with what it needs looked up before.
#[derive(Clone, Copy)]
enum Call {
    Allocate { slot: usize, layout: Layout, zeroed: bool },
    Reallocate { slot: usize, to: usize },
    Free { slot: usize },
}

/// Replays a trace up to where most is live, on one thread, in a child that is forked for it, and
/// tells what that took.
///
/// `workload` is a trace file or the name of a built-in one (`strata-bench workloads`). Every block's first
/// bytes and each of its pages are written. The allocator should be one that nobody else used
/// before or uses meanwhile, so not the test's own `#[global_allocator]`: memory that it kept from
/// earlier calls is not counted again, and a lock that another thread holds stays locked in the
/// child.
///
/// # Errors
///
/// [`Failure::input`] where the trace cannot be read or holds too little for a ratio to mean anything,
/// or less became resident than is live, since the allocator had memory from before;
/// [`Failure::subject`] where the child crashes or an allocation is refused.
///
/// ```
/// use strata_bench::subject::calibration::PowersOfTwo;
///
/// static ALLOC: PowersOfTwo = PowersOfTwo::new();
/// let found = strata_bench::fragmentation(&ALLOC, "live-set")?;
/// assert!(found.ratio() > 1.3 && found.ratio() < 2.0, "{found}");
/// # Ok::<(), strata_bench::error::Failure>(())
/// ```
pub fn fragmentation<A: GlobalAlloc>(alloc: &A, workload: &str) -> Result<Fragmentation> {
    let plan = Plan::of(workload)?;
    // Below this a ratio tells of the page size, not of the allocator.
    const MEANINGFUL: u64 = 256 << 10;
    if plan.live < MEANINGFUL {
        return Err(Failure::input(format!(
            "{workload} has {} live bytes at most, too few for a ratio to mean anything",
            plan.live
        )));
    }
    let mut table =
        vec![Held { block: std::ptr::null_mut(), layout: Layout::new::<u8>() }; plan.slots];
    let mut ends = [0; 2];
    // SAFETY: the call writes two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(Failure::input("cannot make a pipe for a child"));
    }
    // SAFETY: the child runs the code below and nothing else: it calls the allocator and the
    // system, and ends without unwinding or running this process's destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let answer = play(alloc, &plan.calls, &mut table).unwrap_or(u64::MAX).to_ne_bytes();
        // SAFETY: the pointer and length are those of an array; `_exit` does not return.
        unsafe {
            libc::write(ends[1], answer.as_ptr().cast(), answer.len());
            libc::_exit(0);
        }
    }
    let answer = heard(child, ends).context(|| "cannot start a child".into())?;
    match answer {
        Ok(u64::MAX) => Err(Failure::subject(format!("an allocation of {workload} was refused"))),
        // Every page of a live block was written: less can only be resident anew where others were.
        Ok(taken) if taken < plan.live => Err(Failure::input(format!(
            "the allocator serves {workload} from memory that it kept of earlier calls: give one of \
             its own, which nobody used before"
        ))),
        Ok(taken) => Ok(Fragmentation { live: plan.live, taken, blocks: plan.blocks }),
        Err(status) => Err(Failure::subject(match libc::WIFSIGNALED(status) {
            true => {
                format!("the replay of {workload} was ended by signal {}", libc::WTERMSIG(status))
            }
            false => {
                format!("the replay of {workload} ended with status {}", libc::WEXITSTATUS(status))
            }
        })),
    }
}

/// What the child says, or how it ended without a word.
fn heard(child: libc::pid_t, ends: [i32; 2]) -> std::io::Result<std::result::Result<u64, i32>> {
    let failed = std::io::Error::last_os_error();
    let mut answer = [0_u8; 8];
    let mut status = 0;
    // SAFETY: the descriptors are this function's own; reads go into the array and no further; the
    // status is written once.
    let got = unsafe {
        libc::close(ends[1]);
        let got = match child {
            ..0 => -1,
            _ => libc::read(ends[0], answer.as_mut_ptr().cast(), answer.len()),
        };
        libc::close(ends[0]);
        if child > 0 {
            libc::waitpid(child, &raw mut status, 0);
        }
        got
    };
    match (child, got) {
        (..0, _) => Err(failed),
        (_, 8) => Ok(Ok(u64::from_ne_bytes(answer))),
        _ => Ok(Err(status)),
    }
}

/// What lies in a slot.
#[derive(Clone, Copy)]
struct Held {
    block: *mut u8,
    layout: Layout,
}

/// The calls up to the peak.
struct Plan {
    calls: Vec<Call>,
    slots: usize,
    live: u64,
    blocks: u64,
}

impl Plan {
    fn of(workload: &str) -> Result<Self> {
        let found = Workload::find(workload, None)?;
        let mut live = LiveSet::new();
        let (mut calls, mut slots) = (Vec::new(), HashMap::<BlockId, usize>::new());
        let (mut free, mut next, mut until) = (Vec::new(), 0, 0);
        found.each(|event| {
            live.apply(event).map_err(|why| Failure::input(format!("{workload}: {why}")))?;
            let bytes = |size: u64| usize::try_from(size.max(1)).unwrap_or(usize::MAX);
            match event.op {
                Op::Allocate { block, size, align_log2, zeroed } => {
                    let slot = free.pop().unwrap_or_else(|| {
                        next += 1;
                        next - 1
                    });
                    let align = 1 << align_log2.unwrap_or(4).min(30);
                    let layout = Layout::from_size_align(bytes(size), align);
                    let layout = layout.map_err(|_| {
                        Failure::input(format!("{workload}: a block of {size} bytes is no layout"))
                    })?;
                    slots.insert(block, slot);
                    calls.push(Call::Allocate { slot, layout, zeroed });
                }
                Op::Reallocate { block, size, .. } => {
                    if let Some(&slot) = slots.get(&block) {
                        calls.push(Call::Reallocate { slot, to: bytes(size) });
                    }
                }
                Op::Free { block } => {
                    if let Some(slot) = slots.remove(&block) {
                        free.push(slot);
                        calls.push(Call::Free { slot });
                    }
                }
                _ => {}
            }
            let totals = live.totals();
            if totals.peak_record + 1 == totals.events {
                until = calls.len();
            }
            Ok(())
        })?;
        calls.truncate(until);
        let totals = live.totals();
        Ok(Self { calls, slots: next, live: totals.peak_bytes, blocks: totals.peak_blocks })
    }
}

/// All calls in order; how many more bytes are resident after them, or `None` where one was refused.
///
/// Nothing here allocates but `alloc`.
fn play<A: GlobalAlloc>(alloc: &A, calls: &[Call], table: &mut [Held]) -> Option<u64> {
    // Every page of it is there before the first reading.
    table.fill(Held { block: std::ptr::null_mut(), layout: Layout::new::<u8>() });
    let before = anonymous().ok()?;
    for call in calls {
        match *call {
            Call::Allocate { slot, layout, zeroed } => {
                // SAFETY: the layout is of a byte at least; the block is written within it.
                unsafe {
                    let block =
                        if zeroed { alloc.alloc_zeroed(layout) } else { alloc.alloc(layout) };
                    if block.is_null() {
                        return None;
                    }
                    touch(Touch::Pages, block, 0, layout.size());
                    table[slot] = Held { block, layout };
                }
            }
            Call::Reallocate { slot, to } => {
                let Held { block, layout } = table[slot];
                let longer = Layout::from_size_align(to, layout.align()).ok()?;
                // SAFETY: the block is live with this layout; the new one is written within its own.
                unsafe {
                    let moved = alloc.realloc(block, layout, to);
                    if moved.is_null() {
                        return None;
                    }
                    if to > layout.size() {
                        touch(Touch::Pages, moved, layout.size(), to);
                    }
                    table[slot] = Held { block: moved, layout: longer };
                }
            }
            Call::Free { slot } => {
                let Held { block, layout } = table[slot];
                // SAFETY: the block is live with this layout, and not used again.
                unsafe { alloc.dealloc(block, layout) };
            }
        }
    }
    Some(anonymous().ok()?.saturating_sub(before))
}

/// Asserts that an allocator takes at most so many bytes a live byte where most of a trace is live.
///
/// The allocator is a reference to any `GlobalAlloc`, the trace a file or the name of a built-in workload
/// (`strata-bench workloads`). It is replayed in a forked child: see
/// [`fragmentation`](crate::fragmentation()).
///
/// ```
/// use strata_bench::subject::calibration::PowersOfTwo;
///
/// static ALLOC: PowersOfTwo = PowersOfTwo::new();
/// strata_bench::assert_frag!(&ALLOC, "live-set", <= 2.0);
/// ```
#[macro_export]
macro_rules! assert_frag {
    ($alloc:expr, $workload:expr, <= $most:expr) => {{
        let (workload, most): (&str, f64) = ($workload, $most);
        match $crate::fragmentation($alloc, workload) {
            Ok(found) => assert!(
                found.ratio() <= most,
                "{} on {workload}: {found}; at most {most} was asserted",
                ::core::stringify!($alloc),
            ),
            Err(failure) => panic!("{} on {workload}: {failure}", ::core::stringify!($alloc)),
        }
    }};
}
