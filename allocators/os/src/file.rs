//! Memory that lives in a file.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use core::ptr::NonNull;

use memmap2::{MmapOptions, MmapRaw};
use strata_core::source::Region;

/// A file mapped for reading and writing, shared with every process that maps it.
///
/// [`region`](Self::region) makes it a source: scratch memory that the system can write out
/// instead of keeping it resident. Needs the feature `memmap2`.
///
/// ```
/// use strata_core::Source;
/// use strata_os::FileMap;
///
/// let path = std::env::temp_dir().join(format!("strata-doc-{}", std::process::id()));
/// let mut file = FileMap::create(&path, 1 << 16)?;
/// let region = file.region();
/// let chunk = region.acquire(1000, 8).unwrap();
/// // SAFETY: ours, and in the mapping.
/// unsafe { chunk.base().write(42) };
/// # drop(file);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FileMap {
    map: MmapRaw,
}

impl FileMap {
    /// Makes the file at `path` (anew, or emptied) `len` bytes long and maps it. It takes disk
    /// space only where it is written.
    ///
    /// # Errors
    ///
    /// What the system answers to opening, lengthening and mapping.
    pub fn create(path: &Path, len: usize) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        file.set_len(len as u64)?;
        Ok(Self { map: MmapOptions::new().len(len).map_raw(&file)? })
    }

    /// A region over the whole file, which writes over what is in it. Its chunks must not be used
    /// after this `FileMap` is gone.
    pub fn region(&mut self) -> Region<'_> {
        // A mapping is never at zero.
        let start = NonNull::new(self.map.as_mut_ptr()).unwrap_or(NonNull::dangling());
        // SAFETY: 1. the mapping, readable and writable, lives as long as the borrow. 2. the borrow
        // is exclusive in this process; another process that maps the file sees bytes, and nothing
        // here trusts them but the region's own list, which that process must leave alone.
        unsafe { Region::from_raw_parts(start, self.map.len()) }
    }

    /// Writes what changed to the disk.
    ///
    /// # Errors
    ///
    /// What the system answers: the disk is full, or broken.
    pub fn flush(&self) -> io::Result<()> {
        self.map.flush()
    }
}
