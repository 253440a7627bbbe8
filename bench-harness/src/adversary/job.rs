//! The programs, what a parent tells its child, and what it is told in return.

use crate::footprint::Figure;
use serde::{Deserialize, Serialize};

/// What the value of the child's variable begins with; the job follows.
pub(super) const JOB: &str = "adversary ";

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Program {
    /// Robson's game, with largest blocks of 16, 256 and 4096 words.
    Robson,
    /// Small blocks, a share of them freed by chance, then the same bytes in larger blocks.
    Phase,
    /// Every second block by address freed, then the same bytes in blocks of twice the size.
    Checkerboard,
    /// Blocks of random sizes, then random ones replaced again and again.
    Fill,
    /// All but a random twentieth freed, then nothing.
    Idle,
}

impl Program {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Robson => "robson",
            Self::Phase => "phase",
            Self::Checkerboard => "checkerboard",
            Self::Fill => "fill",
            Self::Idle => "idle",
        }
    }

    /// What its figures are, in a line.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::Robson => {
                "pages that ever held a block, and most that was resident, by most that was live; \
                 words of 256 B; ≥ what every allocator needs that does not move blocks"
            }
            Self::Phase => {
                "16 to 256 B until full, a share freed by chance, as many bytes of 1 to 4 KiB: memory \
                 beyond the full heap's by bytes asked for, 0 where all is used again"
            }
            Self::Checkerboard => {
                "1 KiB until full, every second by address freed, as many bytes asked for: memory beyond \
                 the full heap's by these"
            }
            Self::Fill => {
                "1 B to 4 KiB until full, then a twentieth replaced by chance, 200 times: requested by \
                 resident"
            }
            Self::Idle => {
                "2^b + U(2^b) bytes, b 4 to 10, until full, 95% freed by chance: resident by what stays \
                 live, and the pages that its blocks are on"
            }
        }
    }

    /// The children of a row: what differs between them.
    pub(super) fn parts(self) -> &'static [u32] {
        match self {
            Self::Robson => &[4, 8, 12],
            Self::Phase => &[10, 25, 50, 75, 90, 95, 99],
            Self::Checkerboard | Self::Fill | Self::Idle => &[0],
        }
    }
}

/// What a child is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) program: Program,
    /// Bytes that are live at most, about.
    pub(crate) live: usize,
    /// One of the program's [`parts`](Program::parts).
    pub(crate) part: u32,
    pub(crate) seed: u64,
    /// Seconds of idling at which it is looked.
    pub(crate) seconds: f64,
}

/// What a child found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) figures: Vec<Figure>,
}
