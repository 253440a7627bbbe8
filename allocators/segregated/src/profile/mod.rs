//! A sampling profiler of the process heap: which code requests how much, and which of it is live.
//!
//! ```
//! use strata_segregated::{SegregatedAlloc, profile};
//!
//! #[global_allocator]
//! static ALLOC: SegregatedAlloc = SegregatedAlloc::new();
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     profile::start(profile::Options::default().rate(64 << 10))?;
//!     let kept: Vec<String> = (0..50_000).map(|n| format!("line {n}")).collect();
//!     let taken = profile::take()?;
//!     profile::stop();
//!     taken.write_pprof(&mut std::io::sink())?; // a file: `pprof -http=: FILE` shows it
//!     taken.write_folded(profile::View::Live, &mut std::io::sink())?; // for a flame graph
//!     println!("{} B live in {} strings", taken.total(profile::View::Live).bytes, kept.len());
//!     Ok(())
//! }
//! ```
//!
//! # What is sampled
//!
//! Each requested byte with the same probability, one in [`Options::rate`] on average: what a sample stands
//! for follows from its size alone, and sums are right on average whatever the program requests, in whatever
//! order. A sum of `n` samples is off by about `1/√n` of it. Requests are those of the Rust face and of C's; a `realloc`
//! counts as one of its new size where the block gets another class, or another number of pages. Requests of
//! no bytes are not seen, and those of a [`Heap`](crate::Heap) of its own are not either.
//!
//! # What it costs
//!
//! With the feature, two instructions a request, and none a free, whether a profile is taken or not. A sample
//! costs a stack: some 100 ns by frame pointers, some microseconds by an unwinder. A sampled small block lies in a heap of
//! its own (see below), which takes a page or more for each class that has live samples. The table of live
//! samples, and a stack once each, are kept until the next profile begins.
//!
//! # How frees of samples are seen
//!
//! A freed small block goes to its thread's stock by its address alone, and nothing looks at it. Sampled
//! blocks come from a heap of their own at low addresses (below 2 GiB), so that a stock which hands one out again
//! sees it by the comparison that finds the stock empty; it is gone from the live view then, as when it leaves the
//! stock any other way. So no block is ever live twice. What stays in the live view though it was freed is what lies
//! in stocks: [`take`] empties those of its own thread and of threads that ended. **Blocks in other threads'
//! stocks count as live**, as they do in [`stats`](crate::SegregatedAlloc::stats): 2 MiB a thread at most, and
//! what a thread freed and did not request again, as a rule. Large blocks are exact.
//!
//! # Stacks
//!
//! See [`Stacks`]. At most 128 frames, those nearest to the request.
//!
//! # Forks, signals, threads
//!
//! A child of a `fork` goes on with its copy of the profile. Nothing in here may be called in a signal
//! handler but [`wish`], which sets a flag; the profile is taken later. All functions may be called by any thread at any
//! time.

pub(crate) mod capture;
mod folded;
pub(crate) mod gap;
mod mapped;
mod modules;
mod pprof;
pub(crate) mod sampled;
mod symbols;
pub(crate) mod table;
pub(crate) mod take;
mod taken;

use core::fmt;

use strata_core::sync::unexplored::AtomicUsize;
use strata_core::sync::{AtomicPtr, Ordering};

use self::table::{TABLE, Table};
use crate::stocks;

pub use taken::{Profile, Row, Total, View, take};

/// The rate of the profile that is being taken; zero while none is.
pub(crate) static RATE: AtomicUsize = AtomicUsize::new(0);
/// Which profile that is, from one on.
pub(crate) static SESSION: AtomicUsize = AtomicUsize::new(0);
/// Sampled small blocks end before it; what else is below is looked at twice. A number that x86-64 compares
/// with in one instruction. Zero, so that there are none, where it would be in the midst of all addresses.
pub(crate) const LOW: usize = if usize::BITS == 64 { i32::MAX as usize } else { 0 };
/// Live samples that are large blocks.
pub(crate) static LARGE: AtomicUsize = AtomicUsize::new(0);

/// How stacks are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stacks {
    /// By frame pointers where the first stacks show that they are there, else by the unwinder: the same stack
    /// is taken in both ways, and frame pointers are believed only where all frames were the same some dozen
    /// times in a row.
    #[default]
    Auto,
    /// By frame pointers, which code has that was built with them (`-C force-frame-pointers=yes`). Other
    /// code's frames are missing or wrong.
    FramePointers,
    /// By the unwinder that the standard library brings; on x86-64 by framehop, which remembers what it read in
    /// the program's tables and takes a fraction of the time, once the first stacks are the same by both, and while
    /// no code was loaded or unloaded since the profile began.
    Unwinder,
}

/// What a profile should be like.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    rate: usize,
    stacks: Stacks,
}

impl Options {
    /// Bytes a sample, on average, unless something else is wished: 512 KiB.
    pub const RATE: usize = 512 << 10;

    /// One sample in so many requested bytes, on average. With 1 every request is a sample.
    #[must_use]
    pub const fn rate(mut self, bytes: usize) -> Self {
        self.rate = bytes;
        self
    }

    /// How stacks are taken.
    #[must_use]
    pub const fn stacks(mut self, stacks: Stacks) -> Self {
        self.stacks = stacks;
        self
    }
}

impl Default for Options {
    /// [`Options::RATE`] and [`Stacks::Auto`].
    fn default() -> Self {
        Self { rate: Self::RATE, stacks: Stacks::Auto }
    }
}

/// Why there is no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// One is being taken already; it goes on.
    Running,
    /// None was ever begun.
    NotStarted,
    /// The rate is zero.
    ZeroRate,
    /// The system has no memory for it.
    NoMemory,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "a profile is being taken already",
            Self::NotStarted => "no profile was begun",
            Self::ZeroRate => "the rate of a profile is at least one byte",
            Self::NoMemory => "there is no memory for a profile",
        })
    }
}

impl core::error::Error for ProfileError {}

/// Begins a profile, and forgets the one before. From then on, this thread's requests are sampled, and
/// those of another one after it requested 256 KiB more, or made 64 requests as large as its last, at the latest.
///
/// # Errors
///
/// [`ProfileError::Running`] where one is being taken, [`ProfileError::ZeroRate`], and
/// [`ProfileError::NoMemory`]; nothing changed then.
pub fn start(options: Options) -> Result<(), ProfileError> {
    if options.rate == 0 {
        return Err(ProfileError::ZeroRate);
    }
    let table = Table::begin(options.rate).map_err(|_| ProfileError::NoMemory)?;
    capture::prepare();
    let old = TABLE.with(|there| {
        // Relaxed: it changes under this lock only.
        if RATE.load(Ordering::Relaxed) != 0 {
            return Err(table);
        }
        capture::choose(options.stacks);
        LARGE.store(0, Ordering::Relaxed);
        SESSION.fetch_add(1, Ordering::Relaxed);
        // Release: its partners are the Acquire loads in `stocks/sampling.rs`. The session and the table are
        // the new profile's.
        RATE.store(options.rate, Ordering::Release);
        Ok(core::mem::replace(there, table))
    });
    // Dropped here, outside of the lock, either of them: that is a call of the system's.
    let old = old.map_err(|_| ProfileError::Running)?;
    drop(old);
    stocks::look();
    Ok(())
}

/// Ends the profile: no more samples. What was sampled stays until the next one begins, and its live view goes
/// on following frees. Answers whether one was being taken.
pub fn stop() -> bool {
    // Relaxed: requests that are on their way may still be samples.
    TABLE.with(|_| RATE.swap(0, Ordering::Relaxed)) != 0
}

/// Whether a profile is being taken.
pub fn is_running() -> bool {
    // Relaxed: an answer of no certain moment.
    RATE.load(Ordering::Relaxed) != 0
}

/// How stacks are taken at the moment: [`Stacks::Auto`] while that is not known.
pub fn stacks() -> Stacks {
    capture::way()
}

/// What is done where somebody [wished](wish); null where nobody said.
static GRANTER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static WISHED: AtomicUsize = AtomicUsize::new(0);

/// Says what is to be done soon after a [`wish`], in place of what was said before: to write a profile, say.
///
/// It is called in the midst of an allocation, by any thread, with whatever locks the program holds there, and
/// on whatever stack. It may allocate, and what it requests is no sample; it must not wait for another thread.
pub fn on_wish(call: fn()) {
    // Release: its partner is the Acquire in `grant`.
    GRANTER.store(call as *mut (), Ordering::Release);
}

/// Has a thread do what [`on_wish`] said when it allocates next, or after it requested as much as is between
/// two samples. The one function here that a signal handler may call: it sets a flag. Wishes that come before
/// the first is granted are one.
pub fn wish() {
    // Relaxed: nothing is read because of it.
    WISHED.store(1, Ordering::Relaxed);
}

/// Does what was wished for, if something was. The caller holds nothing of the heap's.
pub(crate) fn grant(sampling: &stocks::Sampling) {
    // Relaxed, both: a wish orders nothing.
    if WISHED.load(Ordering::Relaxed) == 0 || WISHED.swap(0, Ordering::Relaxed) == 0 {
        return;
    }
    // Acquire: its partner is the Release in `on_wish`.
    let call = GRANTER.load(Ordering::Acquire);
    if !call.is_null() {
        sampling.pause();
        // SAFETY: only `on_wish` stores here: a function of this type.
        let call = unsafe { core::mem::transmute::<*mut (), fn()>(call) };
        call();
        sampling.look();
    }
}

/// Takes the profiler's locks, for a fork.
pub(crate) fn hold() {
    sampled::SAMPLED.hold();
    TABLE.hold();
}

/// Opens them.
///
/// # Safety
///
/// 1. This thread took them by [`hold`], or is that thread in a child of its process.
pub(crate) unsafe fn let_go() {
    // SAFETY: 1. the caller's.
    unsafe {
        TABLE.let_go();
        sampled::SAMPLED.let_go();
    }
}

/// A number to begin random ones with.
pub(crate) fn seed() -> u64 {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: only that they differ matters.
    let given = GIVEN.fetch_add(1, Ordering::Relaxed) as u64;
    given.rotate_left(40)
        ^ strata_os::clock::coarse_millis().rotate_left(20)
        ^ u64::from(std::process::id())
}
