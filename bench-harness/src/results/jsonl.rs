//! `results.jsonl`: the [`Header`] on the first line, a [`Row`] on each line after it.
//!
//! The file grows in a temporary file beside its target and takes the target's name only when it
//! is whole, so that nothing half-written is ever found under that name.

use super::{Header, Row, SCHEMA};
use crate::error::{Context, Failure, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes a results file, replacing an older one of that name.
///
/// # Errors
///
/// [`Failure::input`] naming the file, where its folder cannot be written.
pub fn write(path: &Path, header: &Header, rows: &[Row]) -> Result<()> {
    write_whole(path, |out| lines(out, header, rows))
}

/// A header and rows of any kind, a line each.
pub(crate) fn lines<R: serde::Serialize>(
    to: &mut dyn Write,
    header: &Header,
    rows: &[R],
) -> std::io::Result<()> {
    serde_json::to_writer(&mut *to, header)?;
    to.write_all(b"\n")?;
    for row in rows {
        serde_json::to_writer(&mut *to, row)?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes any file whole or not at all: `fill` writes to a temporary file beside `path`, which
/// then takes its name.
///
/// # Errors
///
/// [`Failure::input`] naming the file.
pub fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut beside = NamedTempFile::new_in(folder).context(what)?;
    {
        let mut out = std::io::BufWriter::new(&mut beside);
        fill(&mut out).and_then(|()| out.flush()).context(what)?;
    }
    readable_by_all(beside.as_file()).context(what)?;
    beside.persist(path).map_err(|error| error.error).context(what)?;
    Ok(())
}

/// Temporary files are private; a result is made to be handed on.
fn readable_by_all(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Reads a results file.
///
/// # Errors
///
/// [`Failure::input`] in one line: the file cannot be read, is not a results file, has a schema
/// of another major number, or has a damaged line (whose number is given, from 1).
pub fn read(path: &Path) -> Result<(Header, Vec<Row>)> {
    read_as(path, SCHEMA)
}

/// The schema that the first line of a results file names, whatever it is.
///
/// # Errors
///
/// As [`read`], where there is none.
pub(crate) fn schema(path: &Path) -> Result<String> {
    let shown = path.display();
    let mut line = String::new();
    let file = File::open(path).context(|| format!("cannot open {shown}"))?;
    // A first line is a few KiB; a file of something else may have no end of one.
    let read = BufReader::new(file).take(1 << 20).read_line(&mut line);
    read.context(|| format!("{shown}: line 1 cannot be read"))?;
    if line.is_empty() {
        return Err(empty(path));
    }
    named(&line).map_err(|why| Failure::input(format!("{shown}: {why}")))
}

fn empty(path: &Path) -> Failure {
    let shown = path.display();
    Failure::input(format!("{shown}: the file is empty, not a results file of strata-bench"))
}

/// Reads the results of any command, whose schema is known.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_as<R: serde::de::DeserializeOwned>(
    path: &Path,
    schema: &str,
) -> Result<(Header, Vec<R>)> {
    let shown = path.display();
    let file = File::open(path).context(|| format!("cannot open {shown}"))?;
    let mut header = None;
    let mut rows = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let number = index + 1;
        let line = line.context(|| format!("{shown}: line {number} cannot be read"))?;
        if header.is_none() {
            header = Some(
                first_line(&line, schema)
                    .map_err(|why| Failure::input(format!("{shown}: {why}")))?,
            );
        } else if !line.trim().is_empty() {
            rows.push(serde_json::from_str(&line).map_err(|error| {
                Failure::input(format!(
                    "{shown}: line {number} is damaged ({error}); delete the line or run again"
                ))
            })?);
        }
    }
    Ok((header.ok_or_else(|| empty(path))?, rows))
}

/// Checks the schema before anything else, so that a foreign file is called foreign and not
/// damaged.
fn first_line(line: &str, due: &str) -> std::result::Result<Header, String> {
    let schema = named(line)?;
    if schema != due {
        return Err(format!(
            "schema {schema:?} is not this program's {due:?}; read it with the version that wrote it"
        ));
    }
    serde_json::from_str(line).map_err(|error| format!("line 1 is damaged ({error})"))
}

fn named(line: &str) -> std::result::Result<String, String> {
    #[derive(serde::Deserialize)]
    struct Only {
        schema: String,
    }
    let named = serde_json::from_str::<Only>(line).map_err(|_| {
        "line 1 is no header, so this is not a results file of strata-bench".to_owned()
    })?;
    Ok(named.schema)
}
