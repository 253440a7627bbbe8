//! What a file is, and its lines.

use super::blocks::{Blocks, Imported};
use super::heaptrack::Heaptrack;
use super::mtrace::Mtrace;
use super::rep::Rep;
use super::valgrind::{Valgrind, call, prefixed};
use super::{Parser, Wrong, hexadecimal};
use crate::error::{Context, Failure, Result};
use crate::trace::{Meta, Writer};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// What other tools write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// CS:APP's malloc lab.
    Rep,
    /// The log of `valgrind --trace-malloc=yes`.
    Valgrind,
    /// The log of glibc's mtrace.
    Mtrace,
    /// The raw file of `heaptrack --raw`.
    Heaptrack,
}

impl Format {
    fn origin(self) -> &'static str {
        match self {
            Self::Rep => "imported from malloc lab's .rep",
            Self::Valgrind => "imported from valgrind --trace-malloc",
            Self::Mtrace => "imported from mtrace",
            Self::Heaptrack => "imported from heaptrack --raw",
        }
    }

    fn parser(self) -> Box<dyn Parser> {
        match self {
            Self::Rep => Box::<Rep>::default(),
            Self::Valgrind => Box::<Valgrind>::default(),
            Self::Mtrace => Box::<Mtrace>::default(),
            Self::Heaptrack => Box::<Heaptrack>::default(),
        }
    }

    /// By the first line that only one of them has.
    fn of(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["=", "Start"] => Some(Self::Mtrace),
            ["v", version, ..] if hexadecimal(version).is_some() => Some(Self::Heaptrack),
            [number] if number.parse::<u64>().is_ok() => Some(Self::Rep),
            _ => prefixed(line).filter(|(_, text)| call(text).is_some()).map(|_| Self::Valgrind),
        }
    }
}

/// Lines after which a file that is like none of them is given up: programs print what they like
/// before and between what valgrind tells.
const LINES: usize = 100_000;

/// No line of these formats is longer; a file of other bytes is not read into memory whole.
const LONGEST: u64 = 1 << 20;

/// Makes a trace at `to` (packed where that ends in `.xz`) of a file of another tool, or of standard
/// input where `from` is `-`. Without a format it is found out.
///
/// # Errors
///
/// [`Failure::input`] in one line that names the file and the line at fault; nothing is written then.
///
/// ```
/// # let folder = tempfile::tempdir().map_err(|e| strata_bench::error::Failure::input(e.to_string()))?;
/// # let (from, to) = (folder.path().join("short.rep"), folder.path().join("short.trace"));
/// # std::fs::write(&from, "100\n1\n2\n1\na 0 16\nf 0\n").unwrap();
/// let imported = strata_bench::import::import(&from, &to, None)?;
/// assert_eq!((imported.summary.totals.events, imported.unknown), (2, 0));
/// # Ok::<(), strata_bench::error::Failure>(())
/// ```
pub fn import(from: &Path, to: &Path, format: Option<Format>) -> Result<Imported> {
    let name = from.display().to_string();
    let bytes: Box<dyn Read> = match name.as_str() {
        "-" => Box::new(std::io::stdin()),
        _ => Box::new(File::open(from).context(|| format!("cannot open {name}"))?),
    };
    let mut lines = Lines { text: BufReader::new(plain(bytes, &name)?), name: &name, number: 0 };
    let mut before: Vec<String> = Vec::new();
    let format = match format {
        Some(format) => format,
        None => loop {
            let line = lines.next()?.filter(|_| before.len() < LINES).ok_or_else(|| {
                Failure::input(format!(
                    "{name} is none of malloc lab's .rep, valgrind's --trace-malloc, mtrace's and \
                     heaptrack's raw files"
                ))
            })?;
            let found = Format::of(&line);
            before.push(line);
            if let Some(found) = found {
                break found;
            }
        },
    };
    let meta = Meta {
        program: name.clone(),
        origin: format.origin().into(),
        notes: vec![("times".into(), "none: a microsecond an event".into())],
        ..Meta::default()
    };
    let mut blocks = Blocks::new(Writer::create(to, meta)?);
    let mut parser = format.parser();
    let told = |number: usize, wrong: Wrong| match wrong {
        Wrong::Trace(failure) => failure,
        Wrong::Line(why) => Failure::input(format!("{name}: line {number} {why}")),
    };
    for (index, line) in before.iter().enumerate() {
        parser.line(line, &mut blocks).map_err(|wrong| told(index + 1, wrong))?;
    }
    while let Some(line) = lines.next()? {
        parser.line(&line, &mut blocks).map_err(|wrong| told(lines.number, wrong))?;
    }
    parser.end().map_err(|wrong| told(lines.number + 1, wrong))?;
    if blocks.allocated() == 0 {
        return Err(Failure::input(format!("{name} has no allocation")));
    }
    blocks.finish()
}

/// Unpacks what heaptrack packs with gzip; what it packs with zstd is for another tool.
fn plain(mut bytes: Box<dyn Read>, name: &str) -> Result<Box<dyn Read>> {
    let mut start = Vec::new();
    let cannot = || format!("cannot read {name}");
    bytes.by_ref().take(4).read_to_end(&mut start).context(cannot)?;
    if start == [0x28, 0xb5, 0x2f, 0xfd] {
        return Err(Failure::input(format!(
            "{name} is packed by zstd: unpack it first (`zstd -dc {name} | strata-bench import - TO.trace`)"
        )));
    }
    let whole = std::io::Cursor::new(start.clone()).chain(bytes);
    if !start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(whole));
    }
    let mut packed = Vec::new();
    let mut whole = whole;
    whole.read_to_end(&mut packed).context(cannot)?;
    let damaged =
        || Failure::input(format!("{name} is damaged: its gzip stream cannot be unpacked"));
    let body = packed.get(gzip_head(&packed).ok_or_else(damaged)?..).ok_or_else(damaged)?;
    let text = miniz_oxide::inflate::decompress_to_vec(body).map_err(|_| damaged())?;
    Ok(Box::new(std::io::Cursor::new(text)))
}

/// Bytes before the deflated ones (RFC 1952).
fn gzip_head(packed: &[u8]) -> Option<usize> {
    const TEXTS: [u8; 2] = [8, 16];
    let flags = *packed.get(3)?;
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*packed.get(at)?, *packed.get(at + 1)?]));
    }
    for _name in TEXTS.into_iter().filter(|text| flags & text != 0) {
        at += packed.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
    }
    Some(if flags & 2 != 0 { at + 2 } else { at })
}

/// Lines, counted from 1.
struct Lines<'a, R> {
    text: BufReader<R>,
    name: &'a str,
    number: usize,
}

impl<R: Read> Lines<'_, R> {
    fn next(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let read = self.text.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        let read = read.context(|| format!("cannot read {}", self.name))?;
        self.number += 1;
        if read == 0 {
            self.number -= 1;
            return Ok(None);
        }
        if read as u64 == LONGEST {
            return Err(Failure::input(format!("{}: line {} is no line", self.name, self.number)));
        }
        let line = String::from_utf8_lossy(&line);
        Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
    }
}
