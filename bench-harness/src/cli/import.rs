//! `strata-bench import`.

use super::show;
use crate::error::Result;
use crate::import::{Format, import};
use std::path::PathBuf;
use std::process::ExitCode;

/// The words of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What another tool wrote; - for standard input.
    from: PathBuf,
    /// The trace to write; packed where the name ends in .xz.
    to: PathBuf,
    /// What it is; found out without it.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) fn main(args: &Args) -> Result<ExitCode> {
    let found = import(&args.from, &args.to, args.format)?;
    let (totals, bytes) = (found.summary.totals, found.summary.file_bytes);
    let mut text =
        format!("wrote {}: {} events in {bytes} bytes", args.to.display(), totals.events);
    for (count, what) in [
        (found.unknown, "of blocks from before the file left out"),
        (found.replaced, "blocks without a free freed where their place was taken"),
        (found.failed, "failed calls left out"),
    ] {
        if count > 0 {
            text += &format!("; {count} {what}");
        }
    }
    show(&(text + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
