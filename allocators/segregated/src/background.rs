//! A thread that gives idle memory back when the program is calm, for those who wish for one.
//!
//! Without it, memory goes back in the calls that free it, down to the budget; what the budget covers stays
//! until somebody allocates or frees. The thread takes that too. It sleeps without waking until a call
//! somewhere left memory idle; then it looks again each time a **calm** has passed. Once nothing was left idle
//! for so long it gives all that is idle back, and sleeps until called again.
//!
//! ```text
//!            idle memory grew           still growing
//!   asleep ────────────────────► awake ◄────────────┐
//!     ▲                            │ a calm passes ─┘  look at the group
//!     └──── give all back ◄────────┘ nothing grew
//! ```

use core::fmt;
use std::thread;
use std::time::{Duration, Instant};

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicU32;
use strata_os::{Bell, Pressure};

use crate::process::{self, HEAP};
use crate::{SegregatedAlloc, stocks, usage};

/// What the thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background {
    /// How long no memory may have been left idle before all of it goes. Half a second by default.
    pub calm: Duration,
    /// Whether to watch the process's control group while the program is busy: near its `memory.high` or
    /// `memory.max`, or where tasks wait for memory (its `memory.pressure`, or the machine's), what is idle goes at
    /// every look, and at once where the system tells of tasks that wait (a trigger, where the process may set
    /// one). By files of the system's; a figure that is not there counts as no limit.
    pub watches_group: bool,
}

impl Default for Background {
    fn default() -> Self {
        Self { calm: Duration::from_millis(500), watches_group: false }
    }
}

/// Why there is no thread.
#[derive(Debug)]
#[non_exhaustive]
pub enum BackgroundError {
    /// The process has one already: one is enough.
    AlreadyRunning,
    /// The system gives no thread.
    NoThread(std::io::Error),
}

impl fmt::Display for BackgroundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning => f.write_str("the process has a background thread already"),
            Self::NoThread(error) => write!(f, "no background thread: {error}"),
        }
    }
}

impl core::error::Error for BackgroundError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::AlreadyRunning => None,
            Self::NoThread(error) => Some(error),
        }
    }
}

/// The process that has the thread; another one where this is a child of it, without one.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// Rung where memory was left idle.
static IDLE_GREW: Bell = Bell::new();

/// A call left memory idle. Called by every slow path that does, with locks held or not.
#[inline]
pub(crate) fn idle_grew() {
    // Relaxed: without a thread nobody hears it.
    if OWNER.load(Ordering::Relaxed) != 0 {
        IDLE_GREW.ring();
    }
}

impl SegregatedAlloc {
    /// Starts the process's background thread. It ends with the process; a child of a `fork` has none until it
    /// starts one itself.
    ///
    /// With [`GiveBack::Never`](crate::GiveBack::Never), it alone gives back. It reaches everything that is idle but what other threads keep ready, 2 MiB of blocks a thread at most,
    /// and the large block that each freed last: those go when their threads end or flush.
    ///
    /// # Errors
    ///
    /// [`BackgroundError`]: there is one already, or the system gives no thread.
    ///
    /// ```
    /// use strata_segregated::{Background, BackgroundError, SegregatedAlloc};
    ///
    /// #[global_allocator]
    /// static ALLOC: SegregatedAlloc = SegregatedAlloc::new();
    ///
    /// ALLOC.start_background(Background::default())?;
    /// let again = ALLOC.start_background(Background::default());
    /// assert!(matches!(again, Err(BackgroundError::AlreadyRunning)));
    /// # Ok::<(), BackgroundError>(())
    /// ```
    pub fn start_background(&self, background: Background) -> Result<(), BackgroundError> {
        let mine = std::process::id();
        // Relaxed, all: it only decides who starts it.
        let before = OWNER.swap(mine, Ordering::Relaxed);
        if before == mine {
            return Err(BackgroundError::AlreadyRunning);
        }
        let began = thread::Builder::new()
            .name("strata".into())
            .stack_size(128 << 10)
            .spawn(move || run(background));
        began.map(drop).map_err(|error| {
            OWNER.store(before, Ordering::Relaxed);
            BackgroundError::NoThread(error)
        })
    }
}

/// The thread.
fn run(background: Background) {
    // What is idle now is no call's any more.
    IDLE_GREW.ring();
    let mut pressure = background.watches_group.then(usage::watch_pressure).flatten();
    loop {
        IDLE_GREW.wait();
        loop {
            rest(background.calm, &mut pressure);
            if !IDLE_GREW.rang() {
                break;
            }
            HEAP.tick();
            if background.watches_group {
                if usage::is_tight() {
                    process::purge();
                }
                // What asking left idle is no reason to look again; what others did goes with the rest.
                IDLE_GREW.rang();
            }
        }
        stocks::flush_left(usize::MAX);
        process::purge();
    }
}

/// Sleeps for so long. Where tasks wait for memory meanwhile, what is idle goes at once.
fn rest(calm: Duration, pressure: &mut Option<Pressure>) {
    let until = Instant::now() + calm;
    while let Some(trigger) = pressure {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match trigger.wait(left) {
            Ok(true) => _ = process::purge(),
            Ok(false) => {}
            // The group is gone, say: without it.
            Err(_) => *pressure = None,
        }
    }
    thread::sleep(until.saturating_duration_since(Instant::now()));
}
