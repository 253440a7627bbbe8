//! Each recorded thread is a thread again, with its recorded operations in their order.
//!
//! Threads wait for each other only where the program did: an operation on a block waits for the
//! operation before it on the same block when that is another thread's (see
//! [`Op::version`](crate::script::Op)), a started thread for its start, a join for the thread's end.
//!
//! Between segments all threads stand still. The coordinator, which replays nothing itself,
//! publishes a segment by storing its number in `go`; a thread that has operations in it counts
//! itself into `arrived` when they are done.

use super::pass::Pass;
use super::segments::Segment;
use super::serial::{Refused, step};
use crate::script::{Op, Place, WAIT, kind};
use crate::subject::Subject;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Address space of a thread's stack.
const STACK: usize = 1 << 20;

/// What the coordinator and the threads share.
pub(super) struct Crew<'a, S, P> {
    subject: &'a S,
    pass: P,
    blocks: &'a [AtomicU64],
    versions: &'a [AtomicU32],
    /// Number of the published segment, from 1; 0 before the first.
    go: AtomicU32,
    /// Threads that finished their part of the published segment.
    arrived: AtomicU32,
    /// 1 + the index in the segment of the operation that the subject refused; 0 for none.
    refused: AtomicU64,
    /// The segment's first place.
    first_place: AtomicPtr<Place>,
    stalled: Spent,
    active: Spent,
    members: Vec<Member<'a, S, P>>,
    stacks: *mut u8,
}

/// Time of threads, summed.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// On the clock.
    pub(super) wall: AtomicU64,
    /// On a processor: with more threads than processors, a thread's time on the clock is mostly the
    /// others'.
    pub(super) processor: AtomicU64,
}

impl Spent {
    fn add(&self, (wall, processor): (u64, u64)) {
        // Statistics: read when the threads stand still.
        self.wall.fetch_add(wall, Ordering::Relaxed);
        self.processor.fetch_add(processor, Ordering::Relaxed);
    }
}

/// One thread.
struct Member<'a, S, P> {
    crew: AtomicPtr<Crew<'a, S, P>>,
    index: u32,
    /// The segment that the next two fields are for.
    segment: AtomicU32,
    ops: AtomicPtr<Op>,
    places: AtomicPtr<Place>,
    count: AtomicU32,
    /// 1 once the thread has come to its end, 2 once it was joined.
    ended: AtomicU32,
    /// Written by the thread itself before it sets `ended`, read by whoever has seen that.
    handle: UnsafeCell<libc::pthread_t>,
}

// SAFETY: `handle` is written by the member's own thread before its release of `ended`, and read
// after an acquire of that; the pointers lead to what outlives the threads.
unsafe impl<S: Sync, P: Send> Sync for Member<'_, S, P> {}
// SAFETY: as above; `stacks` is only used to compute addresses, and `pass` is only cloned.
unsafe impl<S: Sync, P: Send> Sync for Crew<'_, S, P> {}

impl<'a, S: Subject, P: Pass<S>> Crew<'a, S, P> {
    /// A crew for `threads` recorded threads; allocates all that it will need.
    pub(super) fn new(
        subject: &'a S,
        pass: P,
        blocks: &'a [AtomicU64],
        versions: &'a [AtomicU32],
        threads: u32,
    ) -> std::io::Result<Box<Self>> {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs no other.
        let stacks = unsafe {
            libc::mmap(
                ptr::null_mut(),
                STACK * threads as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK,
                -1,
                0,
            )
        };
        if stacks == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        // Which pages of a stack are there must not depend on the system's mood. A kernel without
        // huge pages refuses, and then there is nothing to advise against.
        // SAFETY: the range is the mapping just made.
        unsafe { libc::madvise(stacks, STACK * threads as usize, libc::MADV_NOHUGEPAGE) };
        let members = (0..threads)
            .map(|index| Member {
                crew: AtomicPtr::new(ptr::null_mut()),
                index,
                segment: AtomicU32::new(0),
                ops: AtomicPtr::new(ptr::null_mut()),
                places: AtomicPtr::new(ptr::null_mut()),
                count: AtomicU32::new(0),
                ended: AtomicU32::new(0),
                handle: UnsafeCell::new(0),
            })
            .collect();
        let crew = Box::new(Self {
            subject,
            pass,
            blocks,
            versions,
            go: AtomicU32::new(0),
            arrived: AtomicU32::new(0),
            refused: AtomicU64::new(0),
            first_place: AtomicPtr::new(ptr::null_mut()),
            stalled: Spent::default(),
            active: Spent::default(),
            members,
            stacks: stacks.cast(),
        });
        let address = ptr::from_ref(&*crew).cast_mut();
        for member in &crew.members {
            // Read by the thread, which is started later.
            member.crew.store(address, Ordering::Relaxed);
        }
        Ok(crew)
    }

    /// Where the stacks of the threads lie.
    pub(super) fn stacks(&self) -> std::ops::Range<usize> {
        let start = self.stacks.addr();
        start..start + STACK * self.members.len()
    }

    /// What threads spent waiting for one another's blocks, and in all.
    pub(super) fn waits(&self) -> (&Spent, &Spent) {
        (&self.stalled, &self.active)
    }

    /// Replays segment `number` (from 1) and returns the nanoseconds from its publication to its end.
    pub(super) fn run(&self, number: u32, segment: &Segment<'_>) -> Result<u64, Refused> {
        self.arrived.store(0, Ordering::Relaxed);
        // Published by the release of `go` below.
        self.first_place.store(segment.places.as_ptr().cast_mut(), Ordering::Relaxed);
        for stream in segment.streams {
            let (ops, places) = segment.of(stream);
            let member = &self.members[stream.thread as usize];
            member.ops.store(ops.as_ptr().cast_mut(), Ordering::Relaxed);
            member.places.store(places.as_ptr().cast_mut(), Ordering::Relaxed);
            member.count.store(stream.ops, Ordering::Relaxed);
            // Release pairs with the acquire in `work`: a thread that sees the number sees the
            // fields before it.
            member.segment.store(number, Ordering::Release);
        }
        let start = Instant::now();
        // Release pairs with the acquire in `work` and in `wait_for_change`.
        self.go.store(number, Ordering::Release);
        if number == 1
            && let Some(first) = segment.streams.first()
        {
            // The first recorded thread has nobody to start it.
            self.start(first_running(segment).unwrap_or(first.thread));
        }
        wake(&self.go);
        let expected = segment.streams.len() as u32;
        loop {
            // Acquire pairs with the release in `work`: the segment's effects are seen.
            let arrived = self.arrived.load(Ordering::Acquire);
            if arrived >= expected {
                break;
            }
            // Acquire pairs with the release in `follow`.
            if let Some(at) = self.refused.load(Ordering::Acquire).checked_sub(1) {
                return Err(Refused(at as usize));
            }
            wait(&self.arrived, arrived);
        }
        let nanos = start.elapsed().as_nanos() as u64;
        self.bury();
        // Acquire pairs with the release in `follow`.
        match self.refused.load(Ordering::Acquire).checked_sub(1) {
            Some(at) => Err(Refused(at as usize)),
            None => Ok(nanos),
        }
    }

    fn start(&self, index: u32) {
        let member = &self.members[index as usize];
        // SAFETY: the attribute object is initialised before use; the stack is this member's own
        // part of a mapping that is never unmapped; `work` takes what is passed to it.
        let status = unsafe {
            // The thread knows its own handle; this copy may be written after the thread has ended.
            let mut handle = 0;
            let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
            libc::pthread_attr_init(&raw mut attributes);
            let stack = self.stacks.add(STACK * index as usize);
            libc::pthread_attr_setstack(&raw mut attributes, stack.cast(), STACK);
            libc::pthread_create(
                &raw mut handle,
                &raw const attributes,
                work::<S, P>,
                ptr::from_ref(member).cast_mut().cast(),
            )
        };
        if status != 0 {
            // Nothing can be replayed faithfully without the thread, and a half-made crew cannot
            // be taken apart; the parent reports the status.
            std::process::exit(super::channel::UNUSABLE);
        }
    }

    fn join(&self, index: u32) {
        let member = &self.members[index as usize];
        loop {
            // Acquire pairs with the release at the end of `work`.
            match member.ended.load(Ordering::Acquire) {
                0 => wait(&member.ended, 0),
                1 => break,
                _ => return,
            }
        }
        // Relaxed: the script joins a thread once, and `bury` runs while no thread does.
        member.ended.store(2, Ordering::Relaxed);
        // SAFETY: nobody has joined it, as the word said; the acquire above orders the thread's write
        // of its handle before this read.
        unsafe { libc::pthread_join(*member.handle.get(), ptr::null_mut()) };
    }

    /// Waits for the very end of all threads that came to theirs, so that what the subject does at
    /// a thread's exit is done before anything is read.
    fn bury(&self) {
        for member in &self.members {
            // Relaxed: a look only; `join` acquires.
            if member.ended.load(Ordering::Relaxed) == 1 {
                self.join(member.index);
            }
        }
    }

    /// Replays one thread's part of a segment; true when it ends the thread.
    ///
    /// # Safety
    ///
    /// 1. The operations are this thread's next ones of the crew's script.
    unsafe fn follow(&self, pass: &mut P, ops: &[Op], places: &[Place], index: u32) -> bool {
        let mut stalled = (0, 0);
        let mut at = 0;
        let mut end = false;
        while at < ops.len() {
            let op = ops[at];
            // Whoever keeps the table of blocks reads the places too.
            assert!(
                !P::KEEP || places[at].thread == u64::from(index) + 1,
                "an operation is replayed by the thread that was recorded"
            );
            let what = op.kind & !WAIT;
            match what {
                kind::SPAWN => self.start(op.slot),
                kind::JOIN => self.join(op.slot),
                kind::EXIT => end = true,
                _ => {
                    let version = &self.versions[op.slot as usize];
                    if op.kind & WAIT != 0 {
                        let before = u32::from(op.version.wrapping_sub(1));
                        // Acquire pairs with the release below: the block is there.
                        if version.load(Ordering::Acquire) != before {
                            let (wall, processor) = stall(version, before);
                            stalled = (stalled.0 + wall, stalled.1 + processor);
                        }
                    }
                    // SAFETY: by obligation 1, and the wait above for what other threads do before.
                    let done = unsafe {
                        step(
                            self.subject,
                            pass,
                            what,
                            ops.as_ptr().add(at),
                            places.as_ptr().add(at),
                            self.blocks.as_ptr(),
                        )
                    };
                    if !done {
                        let first = self.first_place.load(Ordering::Relaxed).addr();
                        let at = (places[at..].as_ptr().addr() - first) / size_of::<Place>();
                        // Release pairs with the acquire in `run`.
                        self.refused.store(at as u64 + 1, Ordering::Release);
                        wake(&self.arrived);
                        return false;
                    }
                    // Release pairs with the acquire above.
                    version.store(u32::from(op.version), Ordering::Release);
                    at += usize::from(what == kind::REALLOCATE);
                }
            }
            at += 1;
        }
        self.stalled.add(stalled);
        end
    }
}

/// The thread that runs first: one that nobody in the segment starts.
fn first_running(segment: &Segment<'_>) -> Option<u32> {
    let started = |thread: u32| {
        segment.ops.iter().any(|op| op.kind & !WAIT == kind::SPAWN && op.slot == thread)
    };
    segment.streams.iter().map(|stream| stream.thread).find(|&thread| !started(thread))
}

/// The life of a replaying thread.
extern "C" fn work<S: Subject, P: Pass<S>>(member: *mut c_void) -> *mut c_void {
    // SAFETY: `start` passes a member of a crew that outlives its threads.
    let member = unsafe { &*member.cast::<Member<'_, S, P>>() };
    // SAFETY: the crew was set before any thread started, and outlives them.
    let crew = unsafe { &*member.crew.load(Ordering::Relaxed) };
    // SAFETY: only this thread writes the cell, and nobody reads it before `ended` is set.
    unsafe { *member.handle.get() = libc::pthread_self() };
    let mut pass = crew.pass.clone();
    let mut done = 0;
    let mut end = false;
    while !end {
        // Acquire pairs with the release in `run`.
        let number = crew.go.load(Ordering::Acquire);
        // Acquire pairs with the release in `run`.
        if number == done || member.segment.load(Ordering::Acquire) != number {
            wait(&crew.go, number);
            continue;
        }
        done = number;
        let (ops, places) =
            (member.ops.load(Ordering::Relaxed), member.places.load(Ordering::Relaxed));
        let count = member.count.load(Ordering::Relaxed) as usize;
        let start = now();
        // SAFETY: the coordinator published this part and keeps the window still until this thread
        // has arrived.
        end = unsafe {
            let ops = std::slice::from_raw_parts(ops, count);
            let places = std::slice::from_raw_parts(places, count);
            crew.follow(&mut pass, ops, places, member.index)
        };
        crew.active.add(since(start));
        if end {
            // Release pairs with the acquire in `join`.
            member.ended.store(1, Ordering::Release);
            wake(&member.ended);
        }
        // Release pairs with the acquire in `run`.
        crew.arrived.fetch_add(1, Ordering::Release);
        wake(&crew.arrived);
    }
    ptr::null_mut()
}

/// The clock, and the processor time of the calling thread in nanoseconds.
fn now() -> (Instant, u64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    (Instant::now(), time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Nanoseconds on the clock and on the processor since `start`.
fn since(start: (Instant, u64)) -> (u64, u64) {
    (start.0.elapsed().as_nanos() as u64, now().1 - start.1)
}

/// Waits until `version` is `before`; the nanoseconds on the clock and on the processor that took.
#[cold]
#[inline(never)]
fn stall(version: &AtomicU32, before: u32) -> (u64, u64) {
    let start = now();
    let mut turns = 0_u32;
    // Acquire pairs with the release in `follow`.
    while version.load(Ordering::Acquire) != before {
        turns += 1;
        match turns {
            0..64 => std::hint::spin_loop(),
            64..128 => std::thread::yield_now(),
            // A long wait: leave the processor to those who are waited for.
            _ => std::thread::sleep(std::time::Duration::from_micros(20)),
        }
    }
    since(start)
}

/// Sleeps until `word` is not `value` any more, or for no reason.
fn wait(word: &AtomicU32, value: u32) {
    // SAFETY: the word outlives the call; the kernel only reads it.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            ptr::null::<libc::timespec>(),
        );
    }
}

/// Wakes all that sleep on `word`.
fn wake(word: &AtomicU32) {
    // SAFETY: the word outlives the call; the kernel only uses its address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        );
    }
}
