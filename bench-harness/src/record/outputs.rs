//! Which process image becomes which file.

use super::capture::Capture;
use super::{FEW, Options, Recorded, executable, launch, merge};
use crate::error::{Failure, Result};
use crate::trace::{Meta, Writer};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder that a trace will be in.
pub(super) fn folder(output: &Path) -> Result<PathBuf> {
    let shown = output.display();
    if output.is_dir() || output.file_name().is_none() {
        return Err(Failure::input(format!("cannot write {shown}: it is a folder; name a file")));
    }
    match output.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(PathBuf::from(".")),
        Some(parent) if parent.is_dir() => Ok(parent.to_owned()),
        _ => Err(Failure::input(format!("cannot write {shown}: its folder does not exist"))),
    }
}

/// A process image and the file that its trace goes to.
pub(super) struct Image {
    pub(super) capture: Capture,
    pub(super) path: PathBuf,
}

/// The images to be written.
pub(super) struct Chosen {
    pub(super) images: Vec<Image>,
    pub(super) left_out: usize,
}

/// Chooses the images to write. The first, which gets the name that was asked for, is the busiest
/// of the command's own process, or the busiest of all where that did little (a shell that only
/// starts the program meant). The others are numbered from 2 in the order of their starts.
pub(super) fn choose(captures: Vec<Capture>, command: u32, options: &Options) -> Chosen {
    let mut captures: Vec<Capture> =
        captures.into_iter().filter(|capture| capture.operations > 0).collect();
    let busiest = |own: bool| {
        let images = captures.iter().enumerate();
        let images = images.filter(|(_, image)| !own || image.pid == command);
        // Of equals the first: `max_by_key` answers the last.
        images.rev().max_by_key(|(_, image)| image.operations).map(|(place, _)| place)
    };
    let own = busiest(true).filter(|&place| captures[place].operations >= FEW);
    let Some(first) = own.or_else(|| busiest(false)) else {
        return Chosen { images: Vec::new(), left_out: 0 };
    };
    let mut images = vec![Image { capture: captures.remove(first), path: options.output.clone() }];
    let found = captures.len();
    captures.retain(|image| options.all || image.operations >= FEW);
    let left_out = found - captures.len();
    for (place, capture) in captures.into_iter().enumerate() {
        let path = numbered(&options.output, place + 2);
        images.push(Image { capture, path });
    }
    Chosen { images, left_out }
}

/// `a/b.trace.xz` becomes `a/b.2.trace.xz`.
pub(super) fn numbered(path: &Path, number: usize) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A leading dot hides a file and begins no extension.
    let dot = name.char_indices().skip(1).find(|(_, letter)| *letter == '.');
    let stem = dot.map_or(name.len(), |(dot, _)| dot);
    path.with_file_name(OsString::from(format!("{}.{number}{}", &name[..stem], &name[stem..])))
}

/// Writes the trace of an image.
pub(super) fn write(image: &Image) -> Result<Recorded> {
    let capture = &image.capture;
    let meta = Meta {
        program: capture.program.clone(),
        origin: format!("strata-bench {} record", env!("CARGO_PKG_VERSION")),
        ..Meta::default()
    };
    let mut writer = Writer::create(&image.path, meta)?;
    let merged = merge::merge(capture.streams(), capture.start_nanos, &mut |event| {
        if launch::interrupted() {
            let path = image.path.display();
            return Err(Failure::input(format!("interrupted while writing {path}")));
        }
        writer.push(event)
    })?;
    writer.finish()?;
    Ok(Recorded {
        path: image.path.clone(),
        program: capture.program.clone(),
        pid: capture.pid,
        operations: capture.operations,
        threads: merged.threads,
        notes: notes(capture, &merged),
    })
}

/// What a reader of the trace should know.
fn notes(capture: &Capture, merged: &merge::Merged) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |count: u64, what: &str| {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    };
    let before = if capture.forked { "its fork" } else { "the recording" };
    note(merged.unknown_frees, &format!("frees of blocks from before {before} left out"));
    note(
        merged.unknown_reallocs,
        &format!("reallocs of blocks from before {before} became allocations"),
    );
    note(merged.reused, "blocks were handed out again without a free being seen; it was put in");
    note(merged.unfinished, "reallocs cut off by the end of the process left out");
    if let Some(own) = executable::own_allocator_of(&capture.executable) {
        notes.push(format!("{}: {own}", capture.executable.display()));
    }
    if capture.stopped != 0 {
        let why = std::io::Error::from_raw_os_error(capture.stopped);
        notes.push(format!("recorded only in part: {why}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_files_are_numbered_before_the_extension() {
        for (path, second) in [
            ("a/b.trace", "a/b.2.trace"),
            ("b.trace.xz", "b.2.trace.xz"),
            ("b", "b.2"),
            (".b", ".b.2"),
            ("a.d/é.t", "a.d/é.2.t"),
        ] {
            assert_eq!(numbered(Path::new(path), 2), Path::new(second));
        }
    }
}
