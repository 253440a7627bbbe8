//! Heaps, pools, segments and frames beside each other: one table and one page of what `run`, `pools`,
//! `regions` and `frames` stored.
//!
//! ```text
//! results of a command ─► read: its rows ─► Part: a line an allocator, tables, pictures ─► page
//! ```

mod page;
mod parts;

pub(crate) use page::html;
pub(crate) use parts::read;

use crate::results::Header;

/// A layer of the suite, from the program down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    Heaps,
    Pools,
    Segments,
    Frames,
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Heaps => "heaps",
            Self::Pools => "pools",
            Self::Segments => "segments",
            Self::Frames => "frames",
        }
    }

    /// What the two figures of a line are.
    fn explain(self) -> &'static str {
        match self {
            Self::Heaps => "an operation of the traces; resident by live bytes at the peak",
            Self::Pools => "a block of 64 B taken and given back; memory on top of full blocks",
            Self::Segments => {
                "a block of 64 B taken and given back, alone; of the region asked for when the next \
                 request fails"
            }
            Self::Frames => {
                "a block of the least order taken and given back; whole huge frames after churn, of those \
                 that could be"
            }
        }
    }
}

/// An allocator in the table of all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    label: String,
    version: String,
    /// One of known properties that nobody would use.
    calibration: bool,
    nanos: Option<f64>,
    memory: Option<String>,
}

/// What one file of results tells.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    layer: Layer,
    header: Header,
    lines: Vec<Line>,
    /// The command's own tables.
    text: String,
    /// SVG, each a picture of its own.
    pictures: Vec<String>,
}

/// From the program down; files of one layer stay in their order.
pub(crate) fn sort(parts: &mut [Part]) {
    parts.sort_by_key(|part| part.layer);
}
