//! Traces from what other tools write: malloc-lab's `.rep`, `valgrind --trace-malloc`, mtrace, heaptrack.
//!
//! Each format is a module with a parser of one line; `blocks` makes events of addresses, and
//! `input` finds out what a file is. None of these tools tells threads or times: all is on one
//! thread, a microsecond an event, in the order of the file.

mod blocks;
mod heaptrack;
mod input;
mod mtrace;
mod rep;
mod valgrind;

pub use blocks::Imported;
pub use input::{Format, import};

use crate::error::Result;
use blocks::Blocks;

/// A parser: line by line into blocks.
trait Parser {
    /// Takes one line; what is wrong with it, in a few words.
    fn line(&mut self, line: &str, blocks: &mut Blocks) -> Result<(), Wrong>;

    /// After the last line.
    fn end(&mut self) -> Result<(), Wrong> {
        Ok(())
    }
}

/// Why a line is refused.
enum Wrong {
    /// It is not as the format has it.
    Line(String),
    /// The trace cannot be written.
    Trace(crate::error::Failure),
}

impl From<crate::error::Failure> for Wrong {
    fn from(failure: crate::error::Failure) -> Self {
        Self::Trace(failure)
    }
}

/// A refusal of a line.
fn wrong<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Line(why.into()))
}

/// A hexadecimal number, with `0x` or without.
fn hexadecimal(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
}
