//! The operating system as a source.

use core::ptr::NonNull;

use strata_core::source::rounded_len;
use strata_core::{Chunk, Contents, Exhausted, Source};

use crate::memory::{self, HugePages, KNOWN};

/// Memory of the system, ready for use: every chunk is a mapping (or a piece of one) of its own.
///
/// A call costs a system call, and a fresh page a fault: a layer above asks for much and cuts it
/// up. A system call's reason for failing is not told ([`Exhausted`] is all that a caller can act
/// on); ask [`memory`] itself where it matters.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use strata_core::{Contents, Source};
/// use strata_os::OsSource;
///
/// let os = OsSource::new();
/// let chunk = os.acquire(1 << 20, 1 << 21)?;
/// assert_eq!(chunk.base().addr().get() % (1 << 21), 0);
/// // SAFETY: the chunk is ours, and committed.
/// unsafe { chunk.base().write(1) };
/// // SAFETY: 1. from `os`. 2. whole pages. 3. ours.
/// assert_eq!(unsafe { os.purge(chunk.base(), chunk.len()) }, Contents::Zero);
/// // SAFETY: 1. from `os`. 2. unused.
/// unsafe { os.release(chunk) };
/// # }
/// # Ok::<(), strata_core::Exhausted>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OsSource {
    huge: HugePages,
}

impl OsSource {
    /// The system's memory, without advice.
    pub const fn new() -> Self {
        Self { huge: HugePages::Default }
    }

    /// The system's memory, each chunk advised so.
    pub const fn with_huge_pages(huge: HugePages) -> Self {
        Self { huge }
    }
}

/// Takes a range back for good. Where the system cannot cut it out (each hole makes one mapping
/// more, and their number is limited), its contents go and its addresses are lost.
fn give_back(chunk: Chunk) {
    let (at, len) = chunk.into_raw_parts();
    // SAFETY: 1. the chunk was handed over, unused. 2. chunks are whole pages.
    if unsafe { memory::release(at, len) }.is_err() {
        // SAFETY: 1. to 3. as above.
        let _ = unsafe { memory::purge(at, len) };
    }
}

/// A purge's answer in the words of [`Source`].
unsafe fn purge(at: NonNull<u8>, len: usize) -> Contents {
    // SAFETY: the obligations of `Source::purge` are those of `memory::purge`.
    match unsafe { memory::purge(at, len) } {
        Ok(()) => Contents::Zero,
        Err(_) => Contents::Kept,
    }
}

/// A relocation's answer in the words of [`Source`].
unsafe fn relocate(from: NonNull<u8>, to: NonNull<u8>, len: usize) -> Result<Contents, Exhausted> {
    // SAFETY: the obligations of `Source::relocate` are those of `memory::relocate`.
    unsafe { memory::relocate(from, to, len) }.map(|()| Contents::Zero).map_err(|_| Exhausted)
}

// SAFETY: 1. fresh mappings belong to nobody else, are whole pages, and are in the process, not in
// this struct. 2. every call here is one that fails whole. 3. the kernel zeroes anonymous memory,
// cuts mappings at any page, and purged private memory reads as zeroes. JOINS stays false: two
// mappings that touch are two objects to the language.
unsafe impl Source for OsSource {
    type Address = NonNull<u8>;
    const SPLITS: bool = true;
    const ZEROED: bool = true;
    const PURGES: bool = KNOWN;
    const GROWS: bool = KNOWN;
    const REMAPS: bool = KNOWN;
    const RELOCATES: bool = KNOWN;

    #[inline]
    fn granule(&self) -> usize {
        memory::page_size()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, self.granule())?;
        let at = memory::map(len, align).map_err(|_| Exhausted)?;
        // Advice is a wish: memory without it serves as well.
        // SAFETY: 1. fresh. 2. whole pages.
        let _ = unsafe { memory::advise_huge(at, len, self.huge) };
        // SAFETY: 1. fresh. 2. `rounded_len` bounds it, and mappings do not wrap. 3. the mapping.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        give_back(chunk);
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { purge(at, len) }
    }

    unsafe fn grow(&self, chunk: &mut Chunk, len: usize) -> Result<(), Exhausted> {
        if len <= chunk.len() {
            return Ok(());
        }
        let len = rounded_len(len, 1, self.granule())?;
        let at = chunk.base();
        // SAFETY: 1. the caller's chunk. 2. both lengths are whole pages, and it is longer.
        unsafe { memory::grow(at, chunk.len(), len) }.map_err(|_| Exhausted)?;
        // SAFETY: 1. the chunk and what the kernel added. 2. rounded. 3. one mapping, grown.
        *chunk = unsafe { Chunk::from_raw_parts(at, len) };
        Ok(())
    }

    unsafe fn remap(&self, chunk: Chunk, len: usize, align: usize) -> Result<Chunk, Chunk> {
        match rounded_len(len, align, self.granule()) {
            Ok(len) if len >= chunk.len() => {
                // SAFETY: 1. the caller's chunk, its old addresses unused. 2. whole pages, checked
                // now.
                match unsafe { memory::remap(chunk.base(), chunk.len(), len, align) } {
                    // SAFETY: 1. moved as a whole, handed over by the kernel. 2. rounded. 3. the
                    // moved mapping.
                    Ok(at) => Ok(unsafe { Chunk::from_raw_parts(at, len) }),
                    Err(_) => Err(chunk),
                }
            }
            _ => Err(chunk),
        }
    }

    unsafe fn relocate(
        &self,
        from: NonNull<u8>,
        to: NonNull<u8>,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { relocate(from, to, len) }
    }
}

/// Address space of the system, to be committed piece by piece. Costs no memory until then, so a
/// chunk may be far larger than the machine.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use strata_core::Source;
/// use strata_os::{OsReserve, memory::page_size};
///
/// let chunk = OsReserve.acquire(1 << 32, 1 << 21)?;
/// // SAFETY: 1. inside a chunk of ours. 2. one page.
/// unsafe { OsReserve.commit(chunk.base(), page_size())? };
/// // SAFETY: ours, and committed.
/// unsafe { chunk.base().write(1) };
/// // SAFETY: 1. from this source. 2. unused.
/// unsafe { OsReserve.release(chunk) };
/// # }
/// # Ok::<(), strata_core::Exhausted>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OsReserve;

// SAFETY: as for `OsSource`; a chunk is reserved only, which COMMITS says.
unsafe impl Source for OsReserve {
    type Address = NonNull<u8>;
    const SPLITS: bool = true;
    const ZEROED: bool = true;
    const COMMITS: bool = true;
    const PURGES: bool = KNOWN;
    const RELOCATES: bool = KNOWN;

    #[inline]
    fn granule(&self) -> usize {
        memory::page_size()
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, self.granule())?;
        let at = memory::reserve(len, align).map_err(|_| Exhausted)?;
        // SAFETY: 1. fresh. 2. `rounded_len` bounds it, and mappings do not wrap. 3. the mapping.
        Ok(unsafe { Chunk::from_raw_parts(at, len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        give_back(chunk);
    }

    unsafe fn commit(&self, at: NonNull<u8>, len: usize) -> Result<(), Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { memory::commit(at, len) }.map_err(|_| Exhausted)
    }

    unsafe fn purge(&self, at: NonNull<u8>, len: usize) -> Contents {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { purge(at, len) }
    }

    unsafe fn relocate(
        &self,
        from: NonNull<u8>,
        to: NonNull<u8>,
        len: usize,
    ) -> Result<Contents, Exhausted> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { relocate(from, to, len) }
    }
}

static_assertions::assert_impl_all!(OsSource: Send, Sync);
