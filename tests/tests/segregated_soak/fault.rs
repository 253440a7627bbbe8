//! What an allocator must not do.

use std::alloc::Layout;
use std::fmt;

use strata_core::stats::BrokenLaw;
use strata_segregated::Broken;

/// The first thing that went wrong.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What should hold of a block and does not.
    Block { law: &'static str, at: usize, layout: Layout },
    /// Tables that contradict one another.
    Heap(Broken),
    /// A law of statistics that a reading breaks.
    Stats(BrokenLaw),
    /// Bytes that the heap counts where nobody allocates, and those of the blocks that there are.
    Figures { counted: usize, live: usize },
    /// A child that did not end well: what `waitpid` answers, or nothing where it did not end.
    Child(Option<i32>),
    /// What the system refused, which is no fault of the heap's.
    System(std::io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block { law, at, layout } => {
                let (len, align) = (layout.size(), layout.align());
                write!(f, "at {at:#x}, {len} bytes aligned to {align}: {law} does not hold")
            }
            Self::Heap(broken) => broken.fmt(f),
            Self::Stats(law) => law.fmt(f),
            Self::Figures { counted, live } => {
                write!(f, "{counted} bytes are counted where blocks have {live}")
            }
            Self::Child(None) => f.write_str("a child did not end"),
            Self::Child(Some(status)) => write!(f, "a child ended with status {status:#x}"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Heap(broken)
    }
}
