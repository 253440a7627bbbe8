//! Synthetic loads: streams of events made by rule instead of recorded.
//!
//! Each is deterministic: the random ones draw from a generator with a fixed seed. Those that bear the
//! name of a benchmark do what is said of it, in code of this suite's own.

mod basic;
mod crowd;
mod events;
mod hands;
#[cfg(test)]
mod tests;
mod waste;

use crate::trace::Event;
use events::Events;

/// A synthetic load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// One block of 64 bytes at a time, allocated and freed.
    Pair,
    /// 16,384 live blocks of 16 B to 4 KiB, a random one replaced each time.
    LiveSet,
    /// One thread allocates messages, another frees them, at most 256 under way.
    ProducerConsumer,
    /// Vectors that grow by doubling from 64 B to 4 MiB, four at a time.
    VecGrowth,
    /// A MiB of each size in turn, of which one block a page stays.
    Survivor,
    /// Pairs of a small block that stays and one that goes; those that go grow from rung to rung.
    Ladder,
    /// 128 vectors that grow by half, in turn, with small blocks in between that stay.
    ReallocLadder,
    /// Rounds of small blocks and a large one, of which one small block stays each time.
    KeepOne,
    /// A peak of mixed blocks, a random twentieth of which stays while little else happens.
    AfterPeak,
    /// Threads that replace random blocks and hand all of them to a successor, as larson's server does.
    Server,
    /// Short threads in groups of four; 2% of their blocks outlive them.
    ShortThreads,
    /// Threads that replace blocks of one another and are born again, as mstress does.
    Mstress,
    /// Threads one after the other that each leave a block, as mleak does.
    Mleak,
    /// Two threads that only allocate and two that only free, as xmalloc-test has them.
    Xmalloc,
    /// Batches of small blocks, freed in order and in reverse, as sh6bench does.
    Sh6,
    /// The same with batches that another thread frees, as sh8bench does.
    Sh8,
    /// Sizes after Pareto up to 1 KiB, a random block replaced each time, as alloc-test does.
    AllocTest,
    /// Random sizes to 8 KiB in batches, half of each freed by a neighbour, as rptest does.
    Rptest,
}

/// What is told of a load: its name, and what it does in a line.
type Told = (&'static str, &'static str);

impl Load {
    /// Those of every suite.
    pub const ALL: [Self; 4] = [Self::Pair, Self::LiveSet, Self::ProducerConsumer, Self::VecGrowth];

    /// Those of the full suite only, and by name.
    pub const MORE: [Self; 14] = [
        Self::Survivor,
        Self::Ladder,
        Self::ReallocLadder,
        Self::KeepOne,
        Self::AfterPeak,
        Self::Server,
        Self::ShortThreads,
        Self::Mstress,
        Self::Mleak,
        Self::Xmalloc,
        Self::Sh6,
        Self::Sh8,
        Self::AllocTest,
        Self::Rptest,
    ];

    /// [`Load::ALL`] and [`Load::MORE`].
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::MORE)
    }

    fn told(self) -> Told {
        match self {
            Self::Pair => ("pair-64", "one 64-byte block at a time, allocated and freed"),
            Self::LiveSet => {
                ("live-set", "16,384 live blocks of 16 B to 4 KiB, a random one replaced each time")
            }
            Self::ProducerConsumer => {
                ("producer-consumer", "one thread allocates messages, another frees them")
            }
            Self::VecGrowth => {
                ("vec-growth", "vectors that grow by doubling from 64 B to 4 MiB, four at a time")
            }
            Self::Survivor => {
                ("survivor", "a MiB of each size in turn, of which one block a page stays")
            }
            Self::Ladder => (
                "ladder",
                "pairs of 16 B that stay and a block that goes, a quarter larger each rung",
            ),
            Self::ReallocLadder => {
                ("realloc-ladder", "128 vectors grow by half in turn, small blocks stay in between")
            }
            Self::KeepOne => {
                ("keep-one", "rounds of 256 small blocks and a large one; one small block stays")
            }
            Self::AfterPeak => (
                "after-peak",
                "32 MiB of mixed blocks, a random twentieth stays while little else happens",
            ),
            Self::Server => (
                "server",
                "4 threads replace random blocks of 8 B to 1000 B, then hand all to a successor",
            ),
            Self::ShortThreads => {
                ("short-threads", "64 threads, four at a time; 2% of their blocks outlive them")
            }
            Self::Mstress => {
                ("mstress", "threads that swap blocks through a table, die and are born again")
            }
            Self::Mleak => ("mleak", "400 threads one after the other, each leaves a block behind"),
            Self::Xmalloc => ("xmalloc", "two threads only allocate, two others only free"),
            Self::Sh6 => ("sh6", "batches of 1 B to 1000 B, freed in order and in reverse"),
            Self::Sh8 => ("sh8", "the same; every third batch is freed by another thread"),
            Self::AllocTest => {
                ("alloc-test", "32,768 blocks of Pareto sizes to 1 KiB, a random one replaced")
            }
            Self::Rptest => {
                ("rptest", "batches of 16 B to 8 KiB on 4 threads, half freed by a neighbour")
            }
        }
    }

    /// The name in tables.
    pub fn name(self) -> &'static str {
        self.told().0
    }

    /// What it does, in a line.
    pub fn explain(self) -> &'static str {
        self.told().1
    }

    /// Whether it has more than one thread.
    pub fn threaded(self) -> bool {
        matches!(
            self,
            Self::ProducerConsumer
                | Self::Server
                | Self::ShortThreads
                | Self::Mstress
                | Self::Mleak
                | Self::Xmalloc
                | Self::Sh8
                | Self::Rptest
        )
    }

    /// Its events.
    pub fn events(self) -> Vec<Event> {
        let mut load = Events::default();
        let to = &mut load;
        match self {
            Self::Pair => basic::pair(to, 100_000),
            Self::LiveSet => basic::live_set(to, 16_384, 100_000),
            Self::ProducerConsumer => basic::producer_consumer(to, 100_000, 256),
            Self::VecGrowth => basic::vec_growth(to, 200, 4),
            Self::Survivor => waste::survivor(to),
            Self::Ladder => waste::ladder(to),
            Self::ReallocLadder => waste::realloc_ladder(to),
            Self::KeepOne => waste::keep_one(to),
            Self::AfterPeak => waste::after_peak(to),
            Self::Server => crowd::server(to),
            Self::ShortThreads => crowd::short_threads(to),
            Self::Mstress => crowd::mstress(to),
            Self::Mleak => crowd::mleak(to),
            Self::Xmalloc => hands::xmalloc(to),
            Self::Sh6 => hands::sh(to, 1),
            Self::Sh8 => hands::sh(to, 4),
            Self::AllocTest => basic::alloc_test(to, 32_768, 200_000),
            Self::Rptest => hands::rptest(to),
        }
        load.into_events()
    }
}
