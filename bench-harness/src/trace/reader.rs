//! Reading a trace of any known format, one chunk in memory at a time.

use super::format::{self, CHUNK_MAGIC, ChunkHeader, HEADER_LIMIT, HEADER_START, INDEX_MAGIC};
use super::index::ChunkPlace;
use super::input::Input;
use super::prototype::Prototype;
use super::section::{self, Allocations};
use super::{Event, Meta, Totals};
use crate::error::{Context, Failure, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The events of a trace, in order of `seq`.
///
/// Plain or packed by xz, in this suite's format or in that of the prototype that came before it;
/// all of that is told from the bytes. Memory is bounded by one chunk, the number of threads and,
/// for the prototype's format, the live blocks. After the first error there are no more events.
pub struct Reader {
    input: Input,
    meta: Meta,
    totals: Option<Totals>,
    format: Format,
    /// The current batch, reversed, so that taking the next event is a pop.
    batch: Vec<Event>,
    yielded: u64,
    cut_off: Option<String>,
    done: bool,
}

enum Format {
    Native(Box<Native>),
    Prototype(Box<Prototype>),
}

/// What a source of batches has to say.
pub(super) enum Step {
    /// Some events.
    Batch,
    /// The trace ended as it should.
    End,
    /// The file ended before the trace did.
    Cut,
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be read, is no trace, or is of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).context(|| format!("cannot open {}", path.display()))?;
        Self::from_file(file, &path.display().to_string())
    }

    /// Reads an open file (or pipe) from where it stands; messages call it `name`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn from_file(file: File, name: &str) -> Result<Self> {
        let buffered = BufReader::with_capacity(1 << 16, file);
        Self::new(name, Box::new(buffered))
    }

    /// Reads a trace from memory: `&'static [u8]` where it is compiled in, or a `Vec<u8>`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Result<Self> {
        Self::new("a trace in memory", Box::new(std::io::Cursor::new(bytes)))
    }

    /// Reads from a chunk on, to the index at `end`.
    pub(super) fn open_at(path: &Path, chunk: ChunkPlace, end: u64) -> Result<Self> {
        let mut reader = Self::open(path)?;
        let failed = || format!("cannot read {}", path.display());
        let mut file = File::open(path).context(failed)?;
        file.seek(SeekFrom::Start(chunk.offset)).context(failed)?;
        let Format::Native(native) = &mut reader.format else {
            return Err(foreign(&reader.input));
        };
        native.index_at = Some(end);
        native.next_seq = chunk.first_seq;
        native.events = chunk.events_before;
        reader.yielded = chunk.events_before;
        reader.input.restart(Box::new(BufReader::with_capacity(1 << 16, file)), chunk.offset);
        Ok(reader)
    }

    pub(super) fn new(name: &str, bytes: Box<dyn Read + Send>) -> Result<Self> {
        let mut input = Input::new(name.to_owned(), bytes)?;
        let mut start = [0; HEADER_START];
        let filled = input.fill(&mut start)?;
        if filled < format::MAGIC.len() {
            return Err(if input.packed { headless(&input) } else { foreign(&input) });
        }
        let magic: [u8; 8] = start[..8].try_into().expect("eight bytes");
        if magic == Prototype::MAGIC {
            let (prototype, meta, totals) = Prototype::open(&mut input, &start[..filled])?;
            return Ok(Self::of(input, meta, totals, Format::Prototype(Box::new(prototype))));
        }
        if magic != format::MAGIC {
            return Err(foreign(&input));
        }
        if filled < HEADER_START {
            return Err(headless(&input));
        }
        let (meta, totals) = header(&mut input, &start)?;
        let native = Native {
            nanos_per_tick: meta.nanos_per_tick,
            allocations: Allocations::new(),
            entries: Vec::new(),
            payload: Vec::new(),
            next_seq: 0,
            events: 0,
            index_at: None,
        };
        Ok(Self::of(input, meta, totals, Format::Native(Box::new(native))))
    }

    fn of(input: Input, meta: Meta, totals: Option<Totals>, format: Format) -> Self {
        Self {
            input,
            meta,
            totals,
            format,
            batch: Vec::new(),
            yielded: 0,
            cut_off: None,
            done: false,
        }
    }

    /// Where the trace comes from.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What messages call the trace: its path.
    pub fn name(&self) -> &str {
        &self.input.name
    }

    /// The figures of the whole trace where its header tells them: not in a file that was never
    /// finished, and of the prototype's only events and threads.
    ///
    /// A claim until the trace was read to its end: reserve no memory by it.
    pub fn totals(&self) -> Option<&Totals> {
        self.totals.as_ref()
    }

    /// Threads of the whole trace by its header, 0 where that does not tell.
    pub fn threads(&self) -> u32 {
        self.totals.map_or(0, |totals| totals.threads)
    }

    /// The format in words, with its version.
    pub fn format_version(&self) -> String {
        let packed = if self.input.packed { ", xz" } else { "" };
        match self.format {
            Format::Native(_) => format!("strata trace, version {}{packed}", format::VERSION),
            Format::Prototype(_) => format!("prototype trace, version 1{packed}"),
        }
    }

    /// Where the file was found to end before its trace does: one line on what was usable.
    ///
    /// Known once the iteration has ended.
    pub fn cut_off(&self) -> Option<String> {
        self.cut_off.clone()
    }

    /// Decodes the next batch of events.
    fn refill(&mut self) -> Result<bool> {
        let step = match &mut self.format {
            Format::Native(native) => native.next(&mut self.input, &mut self.batch)?,
            Format::Prototype(prototype) => prototype.next(&mut self.input, &mut self.batch)?,
        };
        self.batch.reverse();
        match step {
            Step::Batch => return Ok(true),
            Step::End => {
                if let Some(totals) = self.totals.filter(|totals| totals.events != self.yielded) {
                    let flaw =
                        format!("{} events are declared, {} came", totals.events, self.yielded);
                    return Err(self.input.damaged(0, "header", &flaw));
                }
            }
            Step::Cut => {
                let of =
                    self.totals.map_or(String::new(), |totals| format!(" of {}", totals.events));
                self.cut_off = Some(format!(
                    "{} was cut off at byte {}{}: {}{of} events are usable",
                    self.input.name,
                    self.input.offset,
                    if self.input.packed { " (unpacked)" } else { "" },
                    self.yielded
                ));
            }
        }
        Ok(false)
    }
}

impl Iterator for Reader {
    type Item = Result<Event>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty() && !self.done {
            match self.refill() {
                Ok(more) => self.done = !more,
                Err(failure) => {
                    self.done = true;
                    self.batch.clear();
                    return Some(Err(failure));
                }
            }
        }
        let event = self.batch.pop()?;
        self.yielded += 1;
        Some(Ok(event))
    }
}

fn foreign(input: &Input) -> Failure {
    Failure::input(format!(
        "{} is not a trace: its first bytes are those of no known format; make one by `strata-bench record`",
        input.name
    ))
}

fn headless(input: &Input) -> Failure {
    Failure::input(format!("{} was cut off within its header: nothing is usable", input.name))
}

/// Reads the rest of a header.
fn header(input: &mut Input, start: &[u8; HEADER_START]) -> Result<(Meta, Option<Totals>)> {
    let number = |at: usize| u32::from_le_bytes(start[at..at + 4].try_into().expect("four bytes"));
    let (version, len) = (number(8), number(12));
    if version > format::VERSION {
        return Err(Failure::input(format!(
            "{} has version {version} of the trace format and this strata-bench reads up to {}: \
             use a newer strata-bench",
            input.name,
            format::VERSION
        )));
    }
    if version == 0 || len > HEADER_LIMIT || (len as usize) < HEADER_START {
        return Err(input.damaged(0, "header", "its version or its length cannot be"));
    }
    let mut rest = Vec::new();
    let len = len as usize - HEADER_START;
    if input.fill_vec(&mut rest, len)? < len {
        return Err(headless(input));
    }
    let whole = [&start[..], &rest].concat();
    format::parse_header(&whole).map_err(|flaw| input.damaged(0, "header", &flaw))
}

/// The chunks and the index of this suite's own format.
struct Native {
    nanos_per_tick: u64,
    allocations: Allocations,
    /// The index as it should be, for the chunks so far.
    entries: Vec<u8>,
    payload: Vec<u8>,
    next_seq: u64,
    events: u64,
    /// Where the index is, if reading began midway and trusts the index already.
    index_at: Option<u64>,
}

impl Native {
    fn next(&mut self, input: &mut Input, events: &mut Vec<Event>) -> Result<Step> {
        let offset = input.offset;
        let mut bytes = [0; ChunkHeader::LEN];
        let (magic, rest) = bytes.split_at_mut(4);
        if input.fill(magic)? < 4 {
            return Ok(Step::Cut);
        }
        if *magic == INDEX_MAGIC {
            if self.index_at == Some(offset) {
                return Ok(Step::End);
            }
            return self.index(input, offset);
        }
        if *magic != CHUNK_MAGIC {
            let flaw = "there is neither a chunk nor the index";
            return Err(input.damaged(offset, "file", flaw));
        }
        if input.fill(rest)? < rest.len() {
            return Ok(Step::Cut);
        }
        let damaged = |input: &Input, flaw: &str| input.damaged(offset, "chunk", flaw);
        let header = ChunkHeader::parse(&bytes).map_err(|flaw| damaged(input, &flaw))?;
        let len = header.payload_len as usize;
        if input.fill_vec(&mut self.payload, len)? < len {
            return Ok(Step::Cut);
        }
        if crc32fast::hash(&self.payload) != header.payload_crc {
            return Err(damaged(input, "its checksum is wrong"));
        }
        if header.first_seq < self.next_seq {
            return Err(damaged(input, "it does not follow the chunk before it"));
        }
        let chunk = section::Chunk {
            payload: &self.payload,
            header: &header,
            nanos_per_tick: self.nanos_per_tick,
            midway: self.index_at.is_some(),
        };
        section::decode(&chunk, &mut self.allocations, events)
            .map_err(|flaw| damaged(input, &flaw))?;
        self.entries.extend(format::index_entry(offset, &header, self.events));
        self.events += u64::from(header.events);
        self.next_seq = events.last().map_or(self.next_seq, |last| last.seq + 1);
        Ok(Step::Batch)
    }

    /// Compares index and trailer with what the chunks make of them.
    fn index(&mut self, input: &mut Input, offset: u64) -> Result<Step> {
        let due = format::index(&self.entries, &self.allocations, offset);
        let due = &due[INDEX_MAGIC.len()..];
        let mut found = Vec::new();
        if input.fill_vec(&mut found, due.len())? < due.len() && due.starts_with(&found) {
            return Ok(Step::Cut);
        }
        if found != due {
            return Err(input.damaged(offset, "index", "something does not fit the chunks"));
        }
        if input.fill(&mut [0])? > 0 {
            return Err(input.damaged(input.offset - 1, "file", "something follows its end"));
        }
        Ok(Step::End)
    }
}
