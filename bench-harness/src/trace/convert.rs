//! Writing a trace again: in the current format, with other meta, or packed differently.

use super::{Meta, Reader, Summary, Writer};
use crate::error::{Failure, Result};
use std::path::Path;

/// Writes what `reader` reads to `path`, packed where that ends in `.xz`.
///
/// # Errors
/// Where the trace cannot be read whole (one that was cut off is refused), breaks the contract
/// of its events, or cannot be written.
pub fn convert(mut reader: Reader, path: &Path, meta: Meta) -> Result<Summary> {
    let mut writer = Writer::create(path, meta)?;
    for event in &mut reader {
        writer.push(&event?)?;
    }
    match reader.cut_off() {
        Some(cut_off) => Err(Failure::input(format!("{cut_off}; record it again"))),
        None => writer.finish(),
    }
}
