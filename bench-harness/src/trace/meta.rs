//! What a trace says about itself before its first event.

use serde::{Deserialize, Serialize};

/// Where a trace comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The command line of the recorded program.
    pub program: String,
    /// How it was recorded, in a few words.
    pub origin: String,
    /// Resolution of the times in nanoseconds, at least 1: a coarse one makes small files.
    pub nanos_per_tick: u64,
    /// Anything else worth knowing, as pairs of a name and a text.
    pub notes: Vec<(String, String)>,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            program: String::new(),
            origin: String::new(),
            nanos_per_tick: 1000,
            notes: Vec::new(),
        }
    }
}

/// Figures of a whole trace, known before it is read where the file tells them in its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events of every kind.
    pub events: u64,
    /// Threads that appear.
    pub threads: u32,
    /// `Event::seq` of the last event.
    pub last_seq: u64,
    /// The latest `Event::nanos`, to the resolution of the file.
    pub duration_nanos: u64,
    /// Greatest sum of the sizes of live blocks.
    pub peak_bytes: u64,
    /// Live blocks at that moment.
    pub peak_blocks: u64,
    /// The record, counted from 0 in the order of `Event::seq`, after which it is first reached.
    pub peak_record: u64,
}
