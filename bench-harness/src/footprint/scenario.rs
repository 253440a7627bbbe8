//! The scenarios: their names and what each is about.

use serde::{Deserialize, Serialize};

/// A small program whose memory is known from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// One block of 64 bytes, allocated and freed.
    Idle,
    /// 300 MiB of blocks of mixed sizes; all freed in the order of their allocation.
    Mixed,
    /// 300 MiB of blocks of mixed sizes; all freed in shuffled order.
    MixedShuffled,
    /// 300 MiB of blocks of 64 bytes; all freed in shuffled order.
    #[value(name = "spike-64")]
    #[serde(rename = "spike-64")]
    Spike64,
    /// 300 MiB of blocks of mixed sizes, of which a random 90% are freed in shuffled order.
    #[value(name = "random-90")]
    #[serde(rename = "random-90")]
    Random90,
    /// 50 rounds of 8 new threads with 2000 blocks each, 2% of them freed by the main thread.
    ThreadChurn,
    /// 12 rounds of 1000 blocks of 8 KiB.
    #[value(name = "batches-8k")]
    #[serde(rename = "batches-8k")]
    Batches8k,
    /// 64 MiB of mixed blocks every 200 ms, five times; then one block of 40 KiB every 500 ms.
    Cyclic,
    /// One thread allocates, another frees, for 3 s.
    FreeOnly,
    /// Threads that hand blocks on in a ring, a chain whose last thread only frees, and pools that
    /// sleep, for as long as asked.
    Soak,
}

impl Scenario {
    /// All that run without being named.
    pub(crate) fn usual() -> Vec<Self> {
        use clap::ValueEnum;
        Self::value_variants().iter().copied().filter(|one| *one != Self::Soak).collect()
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Mixed => "mixed",
            Self::MixedShuffled => "mixed-shuffled",
            Self::Spike64 => "spike-64",
            Self::Random90 => "random-90",
            Self::ThreadChurn => "thread-churn",
            Self::Batches8k => "batches-8k",
            Self::Cyclic => "cyclic",
            Self::FreeOnly => "free-only",
            Self::Soak => "soak",
        }
    }

    /// What it does, in one line.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::Idle => "one block of 64 B allocated and freed",
            Self::Mixed => "300 MiB of blocks of 2^b + U(2^b) bytes, b = 4…10; freed in order",
            Self::MixedShuffled => "300 MiB of the mixed blocks; freed in shuffled order",
            Self::Spike64 => "300 MiB of blocks of 64 B; freed in shuffled order",
            Self::Random90 => "300 MiB of the mixed blocks; a random 90% freed in shuffled order",
            Self::ThreadChurn => {
                "50 rounds of 8 new threads × 2000 mixed blocks, 2% freed by the main thread"
            }
            Self::Batches8k => "12 rounds of 1000 blocks of 8 KiB, a word a page touched",
            Self::Cyclic => {
                "64 MiB of mixed blocks every 200 ms, five times; then a block of 40 KiB every 0.5 s"
            }
            Self::FreeOnly => "one thread allocates, another frees; at most 16 MiB live; 3 s",
            Self::Soak => {
                "4 threads in a ring, 3 in a chain whose last one only frees, 2 pools that sleep"
            }
        }
    }

    /// What its curve runs over.
    pub(crate) fn axis(self) -> &'static str {
        match self {
            Self::Cyclic | Self::FreeOnly | Self::Soak => "ms",
            Self::ThreadChurn | Self::Batches8k => "rounds",
            _ => "calls",
        }
    }

    /// Whether its own figures come from the samples that its curve is made of. Others are run once
    /// more for the curve, so that nothing is read on the way to a figure.
    pub(crate) fn samples_itself(self) -> bool {
        matches!(self, Self::Cyclic | Self::FreeOnly | Self::Soak)
    }
}

#[cfg(test)]
mod tests {
    use super::Scenario;
    use clap::ValueEnum;

    #[test]
    fn a_scenario_has_one_name_everywhere() {
        for &scenario in Scenario::value_variants() {
            let name = scenario.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(scenario.name()));
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(json.trim_matches('"'), scenario.name());
        }
        assert!(!Scenario::usual().contains(&Scenario::Soak));
    }
}
