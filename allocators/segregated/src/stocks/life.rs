//! A thread's stocks from its first allocation to its end, and all threads that have some.

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use strata_core::lock::Guarded;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::library;
use strata_os::thread::ExitHook;

#[cfg(feature = "stats")]
use super::STOCKS;
use super::adapt::Pace;
use super::peak::ALL;
use super::thread::{Cold, Thread, give_scrap, take_scrap};
use super::{Stocks, adapt, nothing, passed};
use crate::class::CLASSES;
use crate::fork::{self, ForkLock};
use crate::huge;
use crate::process::{self, HEAP};

/// Where a thread stands; part of its thread-local words.
#[derive(Debug)]
pub(super) struct State {
    pub(super) thread: Cell<*mut Thread>,
    phase: Cell<Phase>,
    /// How often the exit hook ran: a thread that allocates in the last rounds of destructors gets
    /// no stocks any more, for nobody would take them back.
    exits: Cell<u8>,
    /// Whether the library that this code is in may be unloaded, and so is [pinned](pin).
    pins: bool,
    #[cfg(feature = "stats")]
    requested: strata_core::sync::unexplored::AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// No stocks. Zero, as `by_address` promises.
    Fresh = 0,
    /// The exit hook is being armed, in which the C library may allocate: no stocks for that.
    Arming,
    Armed,
    /// No stocks, for good.
    Ended,
}

impl State {
    pub(super) const fn new(pins: bool) -> Self {
        Self {
            thread: Cell::new(ptr::null_mut()),
            phase: Cell::new(Phase::Fresh),
            exits: Cell::new(0),
            pins,
            #[cfg(feature = "stats")]
            requested: strata_core::sync::unexplored::AtomicUsize::new(0),
        }
    }
}

/// Exits after which a thread gets stocks again: less than the rounds of destructors that the C
/// library runs.
const REARMS: u8 = 2;

/// All stocks: those of threads, and those that threads left behind.
pub(super) struct Registry {
    pub(super) threads: *mut Thread,
    /// Stocks of threads that ended, for the next ones that begin: linked by `next`.
    pub(super) left: *mut Thread,
    /// Bytes of their blocks, and of those that ending threads are about to leave.
    pub(super) left_bytes: usize,
    /// Bytes that they themselves take.
    pub(super) left_own: usize,
}
// SAFETY: the lists are reached under the lock; threads outlive their membership.
unsafe impl Send for Registry {}
pub(super) static REGISTRY: Guarded<Registry, ForkLock> = Guarded::new(
    ForkLock::new(),
    Registry { threads: ptr::null_mut(), left: ptr::null_mut(), left_bytes: 0, left_own: 0 },
);

/// Threads with stocks. Relaxed, all: who reads it acts rightly on any value.
pub(super) static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Whether more threads than one have stocks.
pub(super) fn are_several() -> bool {
    THREADS.load(Ordering::Relaxed) > 1
}

static HOOK: ExitHook = ExitHook::new(thread_ends);

/// This thread's slow side; `None` where it has no stocks now.
#[expect(clippy::mut_from_ref, reason = "the thread's own, behind a pointer in its words")]
pub(super) fn thread(stocks: &Stocks) -> Option<&mut Thread> {
    let state = &stocks.state;
    if state.phase.get() == Phase::Fresh {
        arm(stocks);
    }
    // SAFETY: null, or the scrap that `arm` made, which only this thread reaches through here, one
    // call at a time: nothing below calls back into the allocator.
    unsafe { state.thread.get().as_mut() }
}

/// Gives this thread stocks: those that an ended one left, or new ones.
#[cold]
fn arm(stocks: &Stocks) {
    let state = &stocks.state;
    state.phase.set(Phase::Arming);
    pin(state.pins);
    let Some(at) = REGISTRY.with(take_left).or_else(new_thread) else {
        state.phase.set(Phase::Fresh);
        return;
    };
    // SAFETY: the value is a thread's slow side, as the hook expects. The code stays: `pin`, or
    // where the stocks do not pin, who made them promised it.
    if !unsafe { HOOK.arm(at.cast::<c_void>()) } {
        // SAFETY: 1. in nobody's hand but ours.
        unsafe { drop_left(at) };
        state.phase.set(Phase::Fresh);
        return;
    }
    // SAFETY: ours alone until it is in the registry.
    let thread = unsafe { &mut *at.as_ptr() };
    thread.stocks = stocks;
    thread.owner = strata_os::thread::id();
    thread.pace = Pace::NEW;
    for class in (0..CLASSES).filter(|class| !thread.cold[*class].base.is_null()) {
        thread.set(class, thread.left[class].into());
    }
    REGISTRY.with(|registry| {
        thread.prev = ptr::null_mut();
        thread.next = registry.threads;
        // SAFETY: members of the registry are there until they leave it, under this lock.
        if let Some(first) = unsafe { registry.threads.as_mut() } {
            first.prev = at.as_ptr();
        }
        registry.threads = at.as_ptr();
    });
    THREADS.fetch_add(1, Ordering::Relaxed);
    state.thread.set(at.as_ptr());
    state.phase.set(Phase::Armed);
}

/// Stocks without a block, in a scrap.
fn new_thread() -> Option<NonNull<Thread>> {
    let thread = take_scrap(size_of::<Thread>())?.cast::<Thread>();
    let cold = Cold { base: ptr::null_mut(), scrap: 0, bound: 0, last: 0, took: 0, gave: 0 };
    let at = thread.as_ptr();
    // SAFETY: a scrap of this length, ours alone. The arrays are written when they are used.
    unsafe {
        (&raw mut (*at).stocks).write(ptr::null());
        (&raw mut (*at).owner).write(0);
        (&raw mut (*at).next).write(ptr::null_mut());
        (&raw mut (*at).prev).write(ptr::null_mut());
        (&raw mut (*at).cold).write([cold; CLASSES]);
        (&raw mut (*at).left).write([0; CLASSES]);
        (&raw mut (*at).bytes).write(0);
        (&raw mut (*at).visits).write(0);
        (&raw mut (*at).pace).write(Pace::NEW);
        (&raw mut (*at).hand).write(0);
        (&raw mut (*at).trim_hand).write(0);
        (&raw mut (*at).grown).write(0);
    }
    Some(thread)
}

/// Stocks that a thread left behind.
fn take_left(registry: &mut Registry) -> Option<NonNull<Thread>> {
    let at = NonNull::new(registry.left)?;
    // SAFETY: members of the registry are there, and change under this lock only.
    let thread = unsafe { &*at.as_ptr() };
    registry.left = thread.next;
    let bytes = thread.left_bytes();
    registry.left_bytes -= bytes;
    registry.left_own -= thread.own_bytes();
    // Relaxed: a sum that orders nothing.
    HEAP.slots.fetch_sub(bytes, Ordering::Relaxed);
    Some(at)
}

/// Flushes what no thread has: blocks on their way between two, and stocks of threads that ended,
/// until `bytes` of blocks went. Answers how many did not.
pub(crate) fn flush_left(bytes: usize) -> usize {
    let mut bytes = bytes.saturating_sub(passed::flush(bytes));
    while bytes != 0
        && let Some(at) = REGISTRY.with(take_left)
    {
        // SAFETY: ours alone: just taken out.
        bytes = bytes.saturating_sub(unsafe { at.as_ref() }.left_bytes());
        // SAFETY: 1. just taken out.
        unsafe { drop_left(at) };
    }
    bytes
}

/// Gives stocks back, with their blocks.
///
/// # Safety
///
/// 1. Neither a thread nor the registry has them.
unsafe fn drop_left(at: NonNull<Thread>) {
    // SAFETY: ours alone (1.).
    let thread = unsafe { &mut *at.as_ptr() };
    for class in 0..CLASSES {
        let (cold, len) = (thread.cold[class], usize::from(thread.left[class]));
        if len != 0 {
            // SAFETY: above its null the array holds that many blocks.
            process::flush(class, unsafe { core::slice::from_raw_parts(cold.base.add(1), len) });
        }
        // SAFETY: 1. ours alone, and done with.
        unsafe { cold.give() };
    }
    ALL.count(thread.bytes, 0);
    // SAFETY: 1. from `new_thread`; nobody has it any more.
    unsafe { give_scrap(at.cast(), size_of::<Thread>()) };
}

/// Done once a process, before anything of the system's may call into this code: it keeps the library
/// that the code is in loaded, unless whoever made the stocks promised that (`pins`), has forks watched, and
/// asks what a sandbox may forbid later.
pub(crate) fn pin(pins: bool) {
    static PINNED: AtomicUsize = AtomicUsize::new(0);
    // Relaxed, both: it only decides who does it.
    if PINNED.load(Ordering::Relaxed) == 0 && PINNED.swap(1, Ordering::Relaxed) == 0 {
        if pins {
            // SAFETY: the object that this code is in stays loaded during the call.
            unsafe { library::pin_self((&raw const HOOK).cast()) };
        }
        fork::watch();
        huge::process::learn();
    }
}

/// The exit hook.
unsafe extern "C" fn thread_ends(thread: *mut c_void) {
    // SAFETY: what `arm` gave the hook: this thread's slow side, which names its words.
    let stocks = unsafe { &*(*thread.cast::<Thread>()).stocks };
    let state = &stocks.state;
    let at = state.thread.replace(ptr::null_mut());
    state.phase.set(Phase::Arming);
    if let Some(at) = NonNull::new(at) {
        // SAFETY: made by `arm`, and reachable by this thread alone.
        unsafe { leave(&mut *at.as_ptr()) };
    }
    #[cfg(feature = "stats")]
    {
        // Relaxed, both: see `requested`.
        let mine = state.requested.swap(0, Ordering::Relaxed);
        REQUESTED.fetch_add(mine, Ordering::Relaxed);
    }
    let exits = state.exits.get() + 1;
    state.exits.set(exits);
    state.phase.set(if exits > REARMS { Phase::Ended } else { Phase::Fresh });
}

/// Takes a thread's stocks out of its hands, and keeps them for the next thread: their bounds, and as
/// many blocks as there is room for.
fn leave(thread: &mut Thread) {
    #[cfg(feature = "measures")]
    crate::hardened::drain(thread.stocks());
    thread.stocks().slot.give();
    THREADS.fetch_sub(1, Ordering::Relaxed);
    let high = HEAP.resident.high();
    let bytes = thread.stocked_bytes();
    let room = REGISTRY.with(|registry| {
        // SAFETY: members of the registry are there until they leave it, under this lock.
        unsafe {
            match thread.prev.as_mut() {
                Some(prev) => prev.next = thread.next,
                None => registry.threads = thread.next,
            }
            if let Some(next) = thread.next.as_mut() {
                next.prev = thread.prev;
            }
        }
        let room = adapt::most_left(high).saturating_sub(registry.left_bytes).min(bytes);
        registry.left_bytes += room;
        room
    });
    for class in 0..CLASSES {
        let len = thread.len(class);
        thread.cut_to(class, if bytes == room { len } else { len * room / bytes });
        thread.left[class] = thread.len(class) as u16;
        thread.stocks().tops[class].store(nothing(), Ordering::Relaxed);
        thread.stocks().limits[class].store(nothing(), Ordering::Relaxed);
    }
    thread.stocks = ptr::null();
    let (at, own) = (NonNull::from(&mut *thread), thread.own_bytes());
    let kept = REGISTRY.with(|registry| {
        let keeps = registry.left_own + own <= adapt::most_own_left(high);
        registry.left_bytes -= room;
        if keeps {
            let bytes = thread.left_bytes();
            registry.left_bytes += bytes;
            registry.left_own += own;
            // Kept without a block of the program, as idle pages are. Relaxed: a sum that orders nothing.
            HEAP.slots.fetch_add(bytes, Ordering::Relaxed);
            thread.next = registry.left;
            registry.left = at.as_ptr();
        }
        keeps
    });
    if !kept {
        // SAFETY: 1. out of the registry, and its thread ends.
        unsafe { drop_left(at) };
    }
}

/// Calls back with the class and number of the blocks in all stocks, those of other threads racily.
pub(crate) fn stocked(mut visit: impl FnMut(usize, usize)) {
    passed::each(&mut visit);
    REGISTRY.with(|registry| {
        let mut left = registry.left;
        // SAFETY: members of the registry are there, and change under this lock only.
        while let Some(thread) = unsafe { left.as_ref() } {
            thread
                .left
                .iter()
                .enumerate()
                .for_each(|(class, blocks)| visit(class, (*blocks).into()));
            left = thread.next;
        }
        let mut at = registry.threads;
        // SAFETY: members of the registry are there while the lock is held. Of what another thread
        // may be writing only its atomics are read, and its arrays' bases by volatile.
        while !at.is_null() {
            for class in 0..CLASSES {
                // SAFETY: a member, and its thread's words, which outlive its membership.
                let (base, top) = unsafe {
                    let base = (&raw const (*at).cold[class].base).read_volatile();
                    (base, &(*(*at).stocks).tops[class])
                };
                let top = top.load(Ordering::Relaxed).addr();
                if !base.is_null() {
                    let blocks = top.wrapping_sub(base.addr()) / size_of::<*mut u8>();
                    visit(class, blocks.min(adapt::MOST));
                }
            }
            // SAFETY: a member; links change under the lock only.
            at = unsafe { (*at).next };
        }
    });
}

/// Bytes of large blocks in all threads' slots; racy.
pub(crate) fn slotted() -> usize {
    REGISTRY.with(|registry| {
        let (mut bytes, mut at) = (0, registry.threads);
        // SAFETY: members of the registry are there while the lock is held, and their threads' words
        // with them.
        while let Some(thread) = unsafe { at.as_ref() } {
            bytes += thread.stocks().slot.kept();
            at = thread.next;
        }
        bytes
    })
}

/// Bytes requested by threads that ended.
#[cfg(feature = "stats")]
static REQUESTED: strata_core::sync::unexplored::AtomicUsize =
    strata_core::sync::unexplored::AtomicUsize::new(0);

#[cfg(feature = "stats")]
pub(crate) mod requested {
    //! Requested bytes: each thread counts its own, and frees of others' blocks make its count wrap
    //! below zero; only the sum means something.

    use super::{REGISTRY, REQUESTED, Registry, STOCKS, Thread};
    use strata_core::sync::Ordering;
    use strata_core::sync::unexplored::AtomicUsize;

    #[inline]
    pub(crate) fn add(bytes: usize) {
        STOCKS.with(|stocks| {
            if stocks.state.thread.get().is_null() {
                // Not in the registry: nobody would find what it counts for itself.
                // Relaxed: a sum that orders nothing.
                REQUESTED.fetch_add(bytes, Ordering::Relaxed);
                return;
            }
            let mine = &stocks.state.requested;
            // Relaxed, both: only this thread writes.
            mine.store(mine.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
        });
    }

    #[inline]
    pub(crate) fn sub(bytes: usize) {
        add(bytes.wrapping_neg());
    }

    /// The sum over all threads that have stocks, and all that ended.
    pub(crate) fn total() -> usize {
        REGISTRY.with(|registry| {
            // Relaxed, all: a figure of no certain moment.
            REQUESTED.load(Ordering::Relaxed).wrapping_add(counted(registry, |_| true))
        })
    }

    /// The sum over the threads that have stocks, and that `counts` names.
    fn counted(registry: &Registry, counts: impl Fn(&Thread) -> bool) -> usize {
        let (mut total, mut at) = (0_usize, registry.threads);
        while !at.is_null() {
            // SAFETY: members of the registry are there while the lock is held.
            unsafe {
                if counts(&*at) {
                    let mine = &(*(*at).stocks).state.requested;
                    // Relaxed: see `total`.
                    total = total.wrapping_add(mine.load(Ordering::Relaxed));
                }
                at = (*at).next;
            }
        }
        total
    }

    /// What other threads counted when this one was about to fork.
    static OTHERS: AtomicUsize = AtomicUsize::new(0);

    /// Before a fork: notes what the child can no longer ask for. The forking thread holds the lock.
    pub(in crate::stocks) fn note_others() {
        let me = strata_os::thread::id();
        let total = REGISTRY.with(|registry| counted(registry, |thread| thread.owner != me));
        // Relaxed: read by this thread, in the child.
        OTHERS.store(total, Ordering::Relaxed);
    }

    /// In the child: their blocks are there still.
    pub(in crate::stocks) fn keep_others() {
        // Relaxed, both: nobody else is here.
        REQUESTED.fetch_add(OTHERS.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
