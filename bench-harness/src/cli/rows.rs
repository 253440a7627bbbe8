//! What every command that measures does with its rows.

use super::show;
use crate::error::Result;
use crate::results::{Header, jsonl};
use serde::Serialize;
use std::path::Path;

/// Writes the rows to the file where one is named, and shows them: as lines, or as `text` says.
pub(super) fn deliver<R: Serialize>(
    header: &Header,
    rows: &[R],
    out: Option<&Path>,
    json: bool,
    text: impl FnOnce() -> String,
) -> Result<()> {
    if let Some(path) = out {
        jsonl::write_whole(path, |to| jsonl::lines(to, header, rows))?;
    }
    if json {
        // A reader that went away is no error.
        let _ = jsonl::lines(&mut std::io::stdout().lock(), header, rows);
        return Ok(());
    }
    show(&text())
}
