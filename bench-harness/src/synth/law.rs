//! How long blocks live about the mean of their size.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A law of lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Law {
    /// Exponential: a block's age says nothing about its end. What a profile alone implies.
    Memoryless,
    /// Each block lives exactly as long as its size does in the mean: first in, first out.
    Fixed,
    /// Of the blocks 95% live a tenth of the mean, nearly all others to the end of a phase of the
    /// program, of which a run has twenty, and one in a thousand for ever.
    Mixed,
}

/// Phases of a run.
const PHASES: f64 = 20.0;

impl Law {
    /// When a block goes that is allocated `now`, of a size with this mean lifetime, in a run that lasts
    /// `length`.
    pub(super) fn end(
        self,
        random: &mut Xoshiro256PlusPlus,
        now: f64,
        mean: f64,
        length: f64,
    ) -> f64 {
        match self {
            Self::Memoryless => now + exponential(random, mean),
            Self::Fixed => now + mean,
            Self::Mixed => match random.random_range(0..1000) {
                0 => f64::INFINITY,
                1..=950 => now + exponential(random, mean / 10.0),
                _ => {
                    let phase = length / PHASES;
                    ((now / phase).floor() + 1.0) * phase
                }
            },
        }
    }

    /// When a block goes that is there at the start.
    pub(super) fn rest(self, random: &mut Xoshiro256PlusPlus, mean: f64) -> f64 {
        match self {
            Self::Memoryless | Self::Mixed => exponential(random, mean),
            Self::Fixed => random.random_range(0.0..1.0) * mean,
        }
    }
}

pub(super) fn exponential(random: &mut Xoshiro256PlusPlus, mean: f64) -> f64 {
    // Never 0, whose logarithm is none.
    -mean * (1.0 - random.random_range(0.0..1.0_f64)).ln()
}
