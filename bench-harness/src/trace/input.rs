//! Where the bytes of a trace come from: a file, memory, either of them packed by xz.

use crate::error::{Failure, Result};
use lzma_rust2::XzReader;
use std::io::{self, Read};

/// The first bytes of an xz stream.
const XZ_MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
/// An xz stream may ask its reader for this much memory: the dictionary of its highest preset.
const XZ_MEMORY_KIB: u32 = 80 << 10;

/// The unpacked bytes of a trace, in order.
pub(super) struct Input {
    bytes: Box<dyn Read + Send>,
    /// What messages call it.
    pub(super) name: String,
    /// How many bytes were taken.
    pub(super) offset: u64,
    /// Whether it was packed.
    pub(super) packed: bool,
}

impl Input {
    pub(super) fn new(name: String, mut bytes: Box<dyn Read + Send>) -> Result<Self> {
        let mut start = Vec::new();
        bytes
            .by_ref()
            .take(XZ_MAGIC.len() as u64)
            .read_to_end(&mut start)
            .map_err(|error| Failure::input(format!("cannot read {name}: {error}")))?;
        if start.is_empty() {
            return Err(Failure::input(format!("{name} is empty: it is no trace")));
        }
        let packed = start == XZ_MAGIC;
        let whole = io::Cursor::new(start).chain(bytes);
        let bytes: Box<dyn Read + Send> = match packed {
            true => Box::new(XzReader::new_mem_limit(whole, true, XZ_MEMORY_KIB)),
            false => Box::new(whole),
        };
        Ok(Self { bytes, name, offset: 0, packed })
    }

    /// Goes on with `bytes`, unpacked ones, which stand at `offset` of the same file.
    pub(super) fn restart(&mut self, bytes: Box<dyn Read + Send>, offset: u64) {
        self.bytes = bytes;
        self.offset = offset;
    }

    /// Fills `buffer` as far as the bytes reach; answers how far.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.bytes.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // How a packed file that was cut off ends.
                Err(error) if self.packed && error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(self.failed(&error)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    /// Replaces the contents of `buffer` by the next `len` bytes, or as many as there are.
    ///
    /// Memory grows with what is really there, whatever `len` claims.
    pub(super) fn fill_vec(&mut self, buffer: &mut Vec<u8>, len: usize) -> Result<usize> {
        const STEP: usize = 1 << 18;
        buffer.clear();
        while buffer.len() < len {
            let start = buffer.len();
            let step = STEP.min(len - start);
            buffer.resize(start + step, 0);
            let filled = self.fill(&mut buffer[start..])?;
            buffer.truncate(start + filled);
            if filled < step {
                break;
            }
        }
        Ok(buffer.len())
    }

    fn failed(&self, error: &io::Error) -> Failure {
        let Self { name, offset, .. } = self;
        match self.packed {
            true => Failure::input(format!(
                "{name} is damaged: its xz stream cannot be unpacked past byte {offset} ({error}); \
                 copy or record it again"
            )),
            false => Failure::input(format!("cannot read {name} at byte {offset}: {error}")),
        }
    }

    /// The failure of a file that says what cannot be.
    pub(super) fn damaged(&self, offset: u64, what: &str, flaw: &str) -> Failure {
        Failure::input(format!(
            "{} is damaged: in the {what} at byte {offset} {flaw}; copy or record it again",
            self.name
        ))
    }
}
