//! What a pool may hold, and how much of it idle.

/// What a pool may hold, how much of it idle, and how much of that in magazines.
///
/// ```
/// use strata_pool::Config;
/// // At most 10 000 blocks, no more than 500 of them in magazines, and no empty chunk kept.
/// const SMALL: Config = Config::new().capacity(10_000).hoard(500).keep_empty(0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) capacity: usize,
    pub(crate) keep_empty: usize,
    pub(crate) hoard: usize,
    pub(crate) rounds: usize,
    pub(crate) interval: usize,
}

/// Empty chunks that are kept where nothing else was said.
const KEEP_EMPTY: usize = 4;
/// Blocks of a magazine at most.
pub(crate) const MOST_ROUNDS: usize = 256;
/// Where nothing else was said: more would keep more idle than they save.
const ROUNDS: usize = 64;
/// Milliseconds between two decays of themselves.
const INTERVAL: usize = 1000;

impl Config {
    /// Any number of blocks, magazines of up to 64 blocks as they are needed, 4 empty chunks kept
    /// (more while they are used from one decay to the next), a decay a second where there is a
    /// clock.
    pub const fn new() -> Self {
        Self {
            capacity: usize::MAX,
            keep_empty: KEEP_EMPTY,
            hoard: usize::MAX,
            rounds: ROUNDS,
            interval: INTERVAL,
        }
    }

    /// At most `blocks` blocks in all. Zero is refused when the pool is made.
    #[must_use]
    pub const fn capacity(self, blocks: usize) -> Self {
        Self { capacity: blocks, ..self }
    }

    /// Chunks without a live block that are kept: the high watermark above which one goes back to
    /// the source in the call that emptied it. A pool of many chunks keeps one in eight, unless this
    /// is zero.
    #[must_use]
    pub const fn keep_empty(self, chunks: usize) -> Self {
        Self { keep_empty: chunks, ..self }
    }

    /// At most `blocks` free blocks in the magazines of all threads and the depot together. A thread
    /// for which there is no magazine goes to the chunks for each block. Zero: no magazines. (A
    /// [`LocalPool`](crate::LocalPool) has one block at hand all the same.)
    #[must_use]
    pub const fn hoard(self, blocks: usize) -> Self {
        Self { hoard: blocks, ..self }
    }

    /// At most `blocks` (256 at most) in one magazine. Magazines start at 32 and double up to that
    /// when threads meet at the chunks' lock, as Bonwick's do.
    #[must_use]
    pub const fn magazine(self, blocks: usize) -> Self {
        Self { rounds: if blocks < MOST_ROUNDS { blocks } else { MOST_ROUNDS }, ..self }
    }

    /// A pool in use decays by itself when `millis` have passed since the last time; zero: never.
    /// Needs feature `std` for its clock.
    #[must_use]
    pub const fn decay_every(self, millis: usize) -> Self {
        Self { interval: millis, ..self }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
