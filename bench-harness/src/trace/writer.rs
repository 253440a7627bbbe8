//! Writing a trace, checked event by event, into a file that appears only when it is whole.

use super::format::{self, CHUNK_EVENTS, ChunkHeader, HEADER_LIMIT};
use super::live::LiveSet;
use super::section::{self, Allocations};
use super::{Event, Meta, Totals};
use crate::error::{Context, Failure, Result};
use lzma_rust2::{LzmaOptions, XzOptions, XzWriter};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What [`Writer::finish`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Figures of the trace.
    pub totals: Totals,
    /// Its chunks.
    pub chunks: u64,
    /// Bytes of its file, packed where it is.
    pub file_bytes: u64,
}

/// Writes a trace. Nothing is left behind where it is dropped unfinished.
pub struct Writer {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    meta: Meta,
    live: LiveSet,
    pending: Vec<Event>,
    payload: Vec<u8>,
    allocations: Allocations,
    entries: Vec<u8>,
    offset: u64,
    events: u64,
}

impl Writer {
    /// Starts a trace that will be at `path`; packed where that ends in `.xz`.
    ///
    /// # Errors
    /// Where the folder cannot be written to, or `meta` is of no use.
    pub fn create(path: &Path, meta: Meta) -> Result<Self> {
        let header = format::header(&meta, None);
        if meta.nanos_per_tick == 0 || header.len() > HEADER_LIMIT as usize {
            return Err(Failure::input(format!(
                "cannot write {}: its ticks are of 0 nanoseconds or its notes longer than 1 MiB",
                path.display()
            )));
        }
        let mut writer = Self {
            file: BufWriter::new(beside(path)?),
            path: path.to_owned(),
            meta,
            live: LiveSet::new(),
            pending: Vec::with_capacity(CHUNK_EVENTS),
            payload: Vec::new(),
            allocations: Allocations::new(),
            entries: Vec::new(),
            offset: 0,
            events: 0,
        };
        writer.put(&header)?;
        Ok(writer)
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// Where it breaks the contract of a trace (see [`LiveSet::apply`]), or the disk is full.
    pub fn push(&mut self, event: &Event) -> Result<()> {
        if let Err(flaw) = self.live.apply(event) {
            return Err(Failure::input(format!(
                "cannot write {}: event {} (seq {}, thread {}): {flaw}",
                self.path.display(),
                self.live.totals().events,
                event.seq,
                event.thread.0
            )));
        }
        self.pending.push(*event);
        if self.pending.len() == CHUNK_EVENTS {
            self.flush_chunk()?;
        }
        Ok(())
    }

    /// Writes index and trailer, packs the file where it is to be packed, and gives it its name.
    ///
    /// # Errors
    /// Where the disk is full or the name cannot be given.
    pub fn finish(mut self) -> Result<Summary> {
        self.flush_chunk()?;
        let index = format::index(&self.entries, &self.allocations, self.offset);
        self.put(&index)?;
        let mut totals = self.live.totals();
        totals.duration_nanos -= totals.duration_nanos % self.meta.nanos_per_tick;
        let path = self.path;
        let failed = || format!("cannot write {}", path.display());
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        let mut file = file.context(failed)?;
        file.seek(SeekFrom::Start(0)).context(failed)?;
        file.write_all(&format::header(&self.meta, Some(&totals))).context(failed)?;
        if path.extension().is_some_and(|extension| extension == "xz") {
            let mut packed = beside(&path)?;
            file.seek(SeekFrom::Start(0)).context(failed)?;
            pack(BufReader::new(&mut file), &mut packed).context(failed)?;
            file = packed;
        }
        let file_bytes = file.seek(SeekFrom::End(0)).context(failed)?;
        file.persist(&path).map_err(|error| error.error).context(failed)?;
        Ok(Summary { totals, chunks: (self.entries.len() / 32) as u64, file_bytes })
    }

    fn flush_chunk(&mut self) -> Result<()> {
        let Some(first) = self.pending.first() else {
            return Ok(());
        };
        let mut header = ChunkHeader {
            payload_len: 0,
            events: self.pending.len() as u32,
            sections: 0,
            first_seq: first.seq,
            first_tick: first.nanos / self.meta.nanos_per_tick,
            payload_crc: 0,
        };
        self.payload.clear();
        header.sections = section::encode(
            &self.pending,
            &header,
            self.meta.nanos_per_tick,
            &mut self.allocations,
            &mut self.payload,
        );
        header.payload_len = self.payload.len() as u32;
        header.payload_crc = crc32fast::hash(&self.payload);
        self.entries.extend(format::index_entry(self.offset, &header, self.events));
        self.events += self.pending.len() as u64;
        self.pending.clear();
        self.put(&header.encode())?;
        let payload = std::mem::take(&mut self.payload);
        self.put(&payload)?;
        self.payload = payload;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.offset += bytes.len() as u64;
        self.file.write_all(bytes).context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A temporary file in the folder of `path`, which its dropping removes.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".trace-")
        .permissions(permissions())
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .context(|| format!("cannot write {}", path.display()))
}

/// What a file gets that is created in the ordinary way: temporary ones are private otherwise.
fn permissions() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

/// Packs on one thread. Columns of bytes have no alignment (hence no position bits) and long
/// repetitions (hence the greatest match that ends a search).
fn pack(mut from: impl Read, to: impl Write) -> io::Result<()> {
    let mut options = XzOptions::with_preset(6);
    options.lzma_options.pb = 0;
    options.lzma_options.nice_len = LzmaOptions::NICE_LEN_MAX;
    let mut packer = XzWriter::new(BufWriter::new(to), options)?;
    io::copy(&mut from, &mut packer)?;
    packer.finish()?.flush()
}
