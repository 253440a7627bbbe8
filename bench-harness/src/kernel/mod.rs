//! Time kernels: workloads written in Rust instead of replayed, so that a pair of an allocation and
//! a free is measured without a script's overhead.
//!
//! Each is compiled for its subject (`S: Subject`), so that where the subject is inlinable a
//! constant size folds as it does in a program; in the executables whose global allocator is the
//! subject, the calls are `std::alloc`'s. Kernels are grouped in [families](Family), which weigh the
//! same however many kernels they have.
//!
//! A kernel sets up, warms up, runs a window of rounds under the clock, then another as often as it
//! is asked, and frees all that it holds. Nothing between start and stop of the clock calls the
//! harness's heap. Windows are short: see the parent's `sitting`.

mod batch;
mod cross;
mod growth;
mod large;
mod live;
mod pace;
mod pair;
mod random;
mod room;
#[cfg(test)]
mod tests;
mod thread;
mod thread_churn;
mod window;

use crate::subject::Subject;
pub(crate) use live::Slot;
pub(crate) use pace::{Pace, Turn, Wish};
pub(crate) use random::{Random, by_powers, to_a_kib};
pub(crate) use room::{Alone, Room, Zero};
pub(crate) use thread::{Thread, Work};
pub(crate) use window::{Window, give, layout, take};

/// Kernels that count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    SmallPair,
    MediumPair,
    Batch,
    LiveSet,
    Churn,
    CrossThread,
    ThreadChurn,
    Aligned,
    LargePair,
    Growth,
    Calloc,
}

impl Family {
    /// The name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SmallPair => "small-pair",
            Self::MediumPair => "medium-pair",
            Self::Batch => "batch",
            Self::LiveSet => "live-set",
            Self::Churn => "churn",
            Self::CrossThread => "cross-thread",
            Self::ThreadChurn => "thread-churn",
            Self::Aligned => "aligned-64",
            Self::LargePair => "large-pair",
            Self::Growth => "growth",
            Self::Calloc => "calloc",
        }
    }
}

/// A kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    /// The name after [`PREFIX`].
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    /// What it does, in a line.
    pub(crate) explain: &'static str,
    /// Rounds of a window at most; those asked for one by one have as many as fit a few
    /// milliseconds, of every subject.
    pub(crate) rounds: u64,
    /// Pairs of allocation and free in a round.
    pub(crate) pairs: u64,
    /// Threads that allocate or free at the same time.
    pub(crate) threads: u32,
    /// Its place in [`ALL`].
    pub(crate) index: usize,
}

/// A kernel's full name begins with this, which tells it from a replayed load of the same name.
pub(crate) const PREFIX: &str = "kernel:";

/// A kernel and how many rounds of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) kernel: &'static Kernel,
    pub(crate) rounds: u64,
}

impl Kernel {
    /// The name in tables, `kernel:pair-64`.
    pub(crate) fn full_name(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// Whether it is judged by itself: batches of large blocks count in their family's mean only.
    pub(crate) fn counts_alone(&self) -> bool {
        self.family != Family::Batch || self.name.ends_with("-64")
    }

    /// The kernel with its rounds times `scale`, at least one.
    pub(crate) fn scaled(&'static self, scale: f64) -> Order {
        Order { kernel: self, rounds: ((self.rounds as f64 * scale) as u64).max(1) }
    }
}

impl Order {
    /// The same kernel for a tool that runs it some fifty times slower and counts exactly.
    pub(crate) fn counted(self) -> Self {
        Self { rounds: (self.rounds / 20).max(self.rounds.min(16)), ..self }
    }

    /// Pairs under the clock.
    pub(crate) fn pairs(self) -> u64 {
        pairs(self.kernel.index, self.rounds)
    }
}

/// Makes the list of kernels and the function that enters one from the same lines:
/// `family name rounds × pairs, threads: function, words;`.
macro_rules! kernels {
    ($($family:ident $name:literal $rounds:literal x $pairs:expr, $threads:literal: $run:expr,
        $explain:literal;)+) => {
        const NAMES: &[&str] = &[$($name),+];

        /// All kernels, family by family.
        pub(crate) static ALL: [Kernel; NAMES.len()] = {
            let mut all = [$(Kernel {
                name: $name,
                family: Family::$family,
                explain: $explain,
                rounds: $rounds,
                pairs: $pairs,
                threads: $threads,
                index: 0,
            }),+];
            let mut index = 0;
            while index < all.len() {
                all[index].index = index;
                index += 1;
            }
            all
        };

        /// The function of the kernel at a place of [`ALL`].
        fn function<S: Subject>(index: usize) -> Option<fn(&S, &mut Window)> {
            let all: [fn(&S, &mut Window); NAMES.len()] = [$($run),+];
            all.get(index).copied()
        }
    };
}

kernels! {
    SmallPair "pair-8" 5_000_000 x 1, 1: pair::constant::<S, 8>,
        "one 8-byte block at a time, allocated and freed, the size a constant";
    SmallPair "pair-16" 5_000_000 x 1, 1: pair::constant::<S, 16>,
        "the same of 16 bytes";
    SmallPair "pair-64" 5_000_000 x 1, 1: pair::constant::<S, 64>,
        "the same of 64 bytes";
    SmallPair "pair-256" 5_000_000 x 1, 1: pair::constant::<S, 256>,
        "the same of 256 bytes";
    SmallPair "pair-1024" 5_000_000 x 1, 1: pair::constant::<S, 1024>,
        "the same of 1 KiB";
    SmallPair "pair-mixed" 2_000_000 x 1, 1: pair::mixed::<S>,
        "one block at a time of a run-time size, 8 B to 1 KiB";
    MediumPair "pair-2048" 1_500_000 x 1, 1: pair::constant::<S, 2048>,
        "one 2 KiB block at a time, allocated and freed, the size a constant";
    MediumPair "pair-4096" 1_500_000 x 1, 1: pair::constant::<S, 4096>,
        "the same of 4 KiB";
    MediumPair "pair-8192" 1_500_000 x 1, 1: pair::constant::<S, 8192>,
        "the same of 8 KiB";
    MediumPair "pair-16384" 1_500_000 x 1, 1: pair::constant::<S, 16384>,
        "the same of 16 KiB";
    MediumPair "pair-32768" 1_500_000 x 1, 1: pair::constant::<S, 32768>,
        "the same of 32 KiB";
    Batch "batch-fwd-64" 3000 x batch::BLOCKS, 1: batch::forward::<S, 64>,
        "1000 blocks of 64 bytes allocated, then freed in the same order";
    Batch "batch-rev-64" 3000 x batch::BLOCKS, 1: batch::reverse::<S, 64>,
        "the same, freed in reverse order";
    Batch "batch-rnd-64" 3000 x batch::BLOCKS, 1: batch::random::<S, 64>,
        "the same, freed in random order";
    Batch "batch-fwd-1024" 800 x batch::BLOCKS, 1: batch::forward::<S, 1024>,
        "1000 blocks of 1 KiB allocated, then freed in the same order";
    Batch "batch-rev-1024" 800 x batch::BLOCKS, 1: batch::reverse::<S, 1024>,
        "the same, freed in reverse order";
    Batch "batch-rnd-1024" 800 x batch::BLOCKS, 1: batch::random::<S, 1024>,
        "the same, freed in random order";
    Batch "batch-fwd-8192" 100 x batch::BLOCKS, 1: batch::forward::<S, 8192>,
        "1000 blocks of 8 KiB allocated, then freed in the same order";
    Batch "batch-rev-8192" 100 x batch::BLOCKS, 1: batch::reverse::<S, 8192>,
        "the same, freed in reverse order";
    Batch "batch-rnd-8192" 100 x batch::BLOCKS, 1: batch::random::<S, 8192>,
        "the same, freed in random order";
    LiveSet "live-set" 300_000 x 1, 1: live::live_set::<S>,
        "65,536 live blocks of 2^b + U(2^b) bytes, b 4 to 10, a random one replaced each time";
    Churn "churn-4096" 2_000_000 x 1, 1: live::churn::<S>,
        "4096 live blocks of 8 B to 1 KiB, a random one replaced each time";
    CrossThread "cross-thread-64" 8000 x cross::ROUND, 2: cross::constant::<S, 64>,
        "one thread allocates blocks of 64 bytes, another frees them";
    CrossThread "cross-thread-1024" 8000 x cross::ROUND, 2: cross::constant::<S, 1024>,
        "the same of 1 KiB";
    ThreadChurn "thread-churn" 24 x thread_churn::PAIRS, 8: thread_churn::run::<S>,
        "8 threads a round allocate and free 2000 blocks each, 2% of them freed after they ended";
    Aligned "aligned-64" 1_200_000 x 1, 1: pair::aligned::<S>,
        "one 64-byte-aligned block at a time of a run-time size, 48 B to 1 KiB";
    Aligned "aligned-64-batch" 1500 x batch::BLOCKS, 1: batch::aligned::<S>,
        "1000 such blocks allocated, then freed in the same order";
    LargePair "large-65536" 1_500_000 x 1, 1: large::pair::<S, 65_536, false>,
        "one 64 KiB block at a time, a word of it written";
    LargePair "large-262144" 1_500_000 x 1, 1: large::pair::<S, 262_144, false>,
        "the same of 256 KiB";
    LargePair "large-1048576" 1_500_000 x 1, 1: large::pair::<S, 1_048_576, false>,
        "the same of 1 MiB";
    LargePair "large-4194304" 1_500_000 x 1, 1: large::pair::<S, 4_194_304, false>,
        "the same of 4 MiB";
    LargePair "large-16777216" 1_500_000 x 1, 1: large::pair::<S, 16_777_216, false>,
        "the same of 16 MiB";
    LargePair "large-touched-1048576" 100_000 x 1, 1: large::pair::<S, 1_048_576, true>,
        "one 1 MiB block at a time, a word of every page written";
    LargePair "large-touched-16777216" 1000 x 1, 1: large::pair::<S, 16_777_216, true>,
        "the same of 16 MiB";
    LargePair "large-mixed-1" 2000 x large::MIXED, 1: large::mixed::<S, { 1 << 20 }>,
        "one block at a time of 64 KiB to 1 MiB, a word of every page written";
    LargePair "large-mixed-16" 300 x large::MIXED, 1: large::mixed::<S, { 16 << 20 }>,
        "the same of 64 KiB to 16 MiB";
    Growth "grow-vec-1" 2000 x growth::steps(1 << 20), 1: growth::vector::<S, { 1 << 20 }>,
        "a block of 64 B doubled and filled until it has 1 MiB";
    Growth "grow-vec-16" 50 x growth::steps(16 << 20), 1: growth::vector::<S, { 16 << 20 }>,
        "the same to 16 MiB";
    Growth "grow-vec-256" 1 x growth::steps(256 << 20), 1: growth::vector::<S, { 256 << 20 }>,
        "the same to 256 MiB";
    Growth "grow-boxed-1" 2000 x growth::boxed_steps(1 << 20), 1: growth::boxed::<S, { 1 << 20 }>,
        "the same to 1 MiB, then cut to five eighths";
    Growth "grow-steps-16" 20 x growth::appends(16 << 20), 1: growth::appended::<S, { 16 << 20 }>,
        "a block of 64 KiB, 64 KiB more each time, filled, until it has 16 MiB";
    Growth "grow-table-64" 5000 x growth::tables(64 << 10), 1: growth::table::<S, { 64 << 10 }>,
        "a hash table of 16 B entries that doubles from 16 places to 64 Ki";
    Growth "grow-table-1024" 100 x growth::tables(1 << 20), 1: growth::table::<S, { 1 << 20 }>,
        "the same to 1 Mi places";
    Calloc "calloc-256" 2_000_000 x 1, 1: large::zeroed::<S, 256, false>,
        "one zeroed block of 256 B at a time, a word of it written";
    Calloc "calloc-65536" 1_000_000 x 1, 1: large::zeroed::<S, 65_536, false>,
        "the same of 64 KiB";
    Calloc "calloc-1048576" 200_000 x 1, 1: large::zeroed::<S, 1_048_576, false>,
        "the same of 1 MiB";
    Calloc "calloc-16777216" 20_000 x 1, 1: large::zeroed::<S, 16_777_216, false>,
        "the same of 16 MiB";
    Calloc "calloc-67108864" 20_000 x 1, 1: large::zeroed::<S, 67_108_864, false>,
        "the same of 64 MiB";
    Calloc "calloc-touched-65536" 200_000 x 1, 1: large::zeroed::<S, 65_536, true>,
        "one zeroed block of 64 KiB at a time, a word of every page written";
    Calloc "calloc-touched-1048576" 50_000 x 1, 1: large::zeroed::<S, 1_048_576, true>,
        "the same of 1 MiB";
    Calloc "calloc-touched-16777216" 1000 x 1, 1: large::zeroed::<S, 16_777_216, true>,
        "the same of 16 MiB";
    Calloc "calloc-touched-67108864" 100 x 1, 1: large::zeroed::<S, 67_108_864, true>,
        "the same of 64 MiB";
}

/// The kernel of a name, with or without [`PREFIX`].
pub(crate) fn find(name: &str) -> Option<&'static Kernel> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    ALL.iter().find(|kernel| kernel.name == name)
}

/// Pairs in so many rounds of the kernel at a place of [`ALL`].
pub(crate) fn pairs(index: usize, rounds: u64) -> u64 {
    ALL.get(index).map_or(0, |kernel| kernel.pairs * rounds)
}

/// Runs the kernel at a place of [`ALL`]; false when there is none.
pub(crate) fn run<S: Subject>(subject: &S, index: usize, window: &mut Window) -> bool {
    match function::<S>(index) {
        Some(function) => {
            function(subject, window);
            true
        }
        None => false,
    }
}
