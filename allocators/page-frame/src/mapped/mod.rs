//! Page tables made real: scattered frames side by side in one range of addresses.
//!
//! This file names strata-os: it is of the face of this crate that needs a system.

mod memory;

use core::ptr::NonNull;
use std::vec;
use std::vec::Vec;

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_core::{FrameId, Source};
use strata_os::memory::{page_size, release, reserve};
use strata_os::{OsError, SharedMemory, limits};

pub use memory::{FrameMemory, MapError};

use crate::paging::{PageSpace, PageTable, TakeFrames};

/// Mappings of all [`MappedPages`] of the process.
static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

/// What a process may have where the system does not tell: Linux's default.
const USUAL_MAPPINGS: usize = 65530;

/// A range of addresses whose pages are frames in any order: what a [`PageTable`] says, for programs
/// that want an array. Linux only.
///
/// Each run of neighbouring frames is one mapping of the system's, of which a process can have some ten
/// thousand; a refusal comes by name before this crate has used a quarter of them.
///
/// ```
/// # use core::mem::MaybeUninit;
/// use strata_core::source::Region;
/// use strata_page_frame::mapped::{FrameMemory, MappedPages};
/// use strata_page_frame::paging::{PageSpace, Write};
/// use strata_page_frame::{Geometry, PageFrames};
///
/// # let layout = PageFrames::metadata_layout(512, 0, Geometry::DEFAULT)?;
/// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
/// # let frames = PageFrames::new(512, 0, Geometry::DEFAULT, &mut metadata)?;
/// # let mut buffer = vec![MaybeUninit::<u8>::uninit(); 64 << 10];
/// let memory = FrameMemory::new(512, 64 << 10)?;
/// let mut space = PageSpace::new(&frames, 512, Region::new(&mut buffer))?;
/// let mut table = space.table();
/// space.extend(&mut table, 3)?;
///
/// let mut pages = MappedPages::new(&memory, 8)?;
/// pages.follow(&space, &table)?;
/// // SAFETY: three pages are mapped, and nobody else has them.
/// unsafe { pages.base().write_bytes(1, 3 * memory.frame_bytes()) };
///
/// // A fork writes its second page: it gets a frame, and a copy, of its own.
/// let mut fork = space.fork(&table)?;
/// let mut its_pages = MappedPages::new(&memory, 8)?;
/// let Write::CopyNeeded { from, to } = space.write(&mut fork, 1)? else { panic!() };
/// // SAFETY: nobody writes meanwhile.
/// unsafe { memory.copy(from, to)? };
/// its_pages.follow(&space, &fork)?;
/// // SAFETY: both are mapped, and nobody else is here.
/// unsafe {
///     its_pages.base().add(memory.frame_bytes()).write(2);
///     assert_eq!(pages.base().add(memory.frame_bytes()).read(), 1);
///     assert_eq!(its_pages.base().add(memory.frame_bytes() + 1).read(), 1);
/// }
/// # space.release(table);
/// # space.release(fork);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Invariants
///
/// 1. `[base, base + pages × frame_bytes)` is reserved, and reached through this alone.
/// 2. `at[n]` is one more than the frame that page `n` shows, 0 where it shows none.
/// 3. `mappings` is how many mappings the range is at most, and in the count of the process.
#[derive(Debug)]
pub struct MappedPages<'f> {
    memory: &'f FrameMemory,
    base: NonNull<u8>,
    at: Vec<u64>,
    mappings: usize,
    limit: usize,
}

// SAFETY: a range of addresses that belongs to no thread; shared references only read tables.
unsafe impl Send for MappedPages<'_> {}
// SAFETY: as above.
unsafe impl Sync for MappedPages<'_> {}

impl<'f> MappedPages<'f> {
    /// Addresses for up to `pages` frames, none mapped.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfRange`] for no pages or too many to address; [`MapError::TooManyMappings`];
    /// [`MapError::System`].
    pub fn new(memory: &'f FrameMemory, pages: usize) -> Result<Self, MapError> {
        let bytes = pages.checked_mul(memory.frame_bytes).filter(|&bytes| bytes > 0);
        let bytes = bytes.ok_or(MapError::OutOfRange)?;
        let limit = limits::mappings().unwrap_or(USUAL_MAPPINGS) / 4;
        change_mappings(0, 1, limit)?;
        match reserve(bytes, page_size()) {
            Ok(base) => Ok(Self { memory, base, at: vec![0; pages], mappings: 1, limit }),
            Err(error) => {
                MAPPINGS.fetch_sub(1, Ordering::Relaxed);
                Err(error.into())
            }
        }
    }

    /// The first address. Only pages that are mapped may be touched; as long as this lives.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Pages that there is room for.
    pub fn pages(&self) -> usize {
        self.at.len()
    }

    /// The frame that a page shows.
    pub fn frame(&self, page: usize) -> Option<FrameId> {
        self.at.get(page)?.checked_sub(1).map(FrameId)
    }

    /// Mappings of the system's that this range takes, at most.
    pub fn mappings(&self) -> usize {
        self.mappings
    }

    /// Shows the `count` frames from `frame` at the pages from `page`. One system call.
    ///
    /// Whoever looks at those pages sees the new frames from then on.
    ///
    /// # Errors
    ///
    /// [`MapError`]; nothing changed.
    pub fn map(&mut self, page: usize, frame: FrameId, count: usize) -> Result<(), MapError> {
        let offset = self.memory.offset(frame, count).ok_or(MapError::OutOfRange)?;
        let (memory, bytes) = (self.memory, self.memory.frame_bytes);
        self.show(page, count, Some(frame), |place| {
            // SAFETY: 1. our own range (invariant 1); who looks at it knows. 2. frames are whole pages.
            unsafe { memory.memory.view(place, offset, count * bytes) }
        })
    }

    /// Shows nothing at `count` pages from `page`: touching them is a fault.
    ///
    /// # Errors
    ///
    /// [`MapError`]; nothing changed.
    pub fn unmap(&mut self, page: usize, count: usize) -> Result<(), MapError> {
        let bytes = count * self.memory.frame_bytes;
        self.show(page, count, None, |place| {
            // SAFETY: 1. our own range (invariant 1). 2. frames are whole pages.
            unsafe { SharedMemory::hide(place, bytes) }
        })
    }

    /// Shows what a table says, and nothing beyond its end. One system call for each run of neighbouring
    /// frames that is not there yet.
    ///
    /// # Errors
    ///
    /// [`MapError`]; the pages before the one that failed are as the table says.
    pub fn follow<F, S>(
        &mut self,
        space: &PageSpace<F, S>,
        table: &PageTable,
    ) -> Result<(), MapError>
    where
        F: TakeFrames,
        S: Source<Address = NonNull<u8>>,
    {
        let len = usize::try_from(table.len()).map_err(|_| MapError::OutOfRange)?;
        if len > self.at.len() {
            return Err(MapError::OutOfRange);
        }
        // The run that is being gathered: its first page, its first frame, its length.
        let mut run = (0, 0, 0);
        let mut outcome = Ok(());
        space.each(table, |page, frame| {
            if outcome.is_err() {
                return;
            }
            let (first, start, count) = run;
            let page = page as usize;
            let there = self.at[page] == frame.get() + 1;
            if count > 0 && !there && frame.get() == start + count as u64 {
                run.2 += 1;
                return;
            }
            outcome = self.map_run(first, start, count);
            run = (page, frame.get(), usize::from(!there));
        });
        outcome?;
        self.map_run(run.0, run.1, run.2)?;
        let shown = self.at[len..].iter().rposition(|&at| at != 0).map_or(0, |last| last + 1);
        if shown > 0 { self.unmap(len, shown) } else { Ok(()) }
    }

    fn map_run(&mut self, page: usize, frame: u64, count: usize) -> Result<(), MapError> {
        if count == 0 { Ok(()) } else { self.map(page, FrameId(frame), count) }
    }

    /// Changes what pages show, with the mappings counted before.
    fn show(
        &mut self,
        page: usize,
        count: usize,
        frame: Option<FrameId>,
        change: impl FnOnce(NonNull<u8>) -> Result<(), OsError>,
    ) -> Result<(), MapError> {
        let end = page.checked_add(count).filter(|&end| count > 0 && end <= self.at.len());
        let end = end.ok_or(MapError::OutOfRange)?;
        let new = |page_now: usize| match frame {
            _ if page_now < page || page_now >= end => self.at[page_now],
            Some(frame) => frame.get() + 1 + (page_now - page) as u64,
            None => 0,
        };
        let cuts = |of: &dyn Fn(usize) -> u64| {
            let last = end.min(self.at.len() - 1);
            (page.max(1)..=last).filter(|&n| !joined(of(n - 1), of(n))).count()
        };
        let after = self.mappings - cuts(&|n| self.at[n]) + cuts(&new);
        change_mappings(self.mappings, after, self.limit)?;
        // SAFETY: `page` is inside the range (invariant 1).
        let place = unsafe { self.base.add(page * self.memory.frame_bytes) };
        if let Err(error) = change(place) {
            let _ = change_mappings(after, self.mappings, usize::MAX);
            return Err(error.into());
        }
        for now in page..end {
            self.at[now] = match frame {
                Some(frame) => frame.get() + 1 + (now - page) as u64,
                None => 0,
            };
        }
        self.mappings = after;
        Ok(())
    }
}

/// Whether two neighbouring pages are one mapping to the system.
fn joined(below: u64, above: u64) -> bool {
    if below == 0 { above == 0 } else { above == below + 1 }
}

/// Counts `after` mappings instead of `before`.
fn change_mappings(before: usize, after: usize, limit: usize) -> Result<(), MapError> {
    // Relaxed: a count that guards nothing but itself.
    let changed = MAPPINGS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
        let wanted = all - before + after;
        (wanted <= limit || after <= before).then_some(wanted)
    });
    match changed {
        Ok(_) => Ok(()),
        Err(all) => Err(MapError::TooManyMappings { wanted: all - before + after, limit }),
    }
}

impl Drop for MappedPages<'_> {
    fn drop(&mut self) {
        // A range that cannot be released stays reserved, or keeps showing frames that nobody looks at.
        // SAFETY: 1. our own range, whose addresses end with this struct. 2. whole pages, not none.
        let _ = unsafe { release(self.base, self.at.len() * self.memory.frame_bytes) };
        MAPPINGS.fetch_sub(self.mappings, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    /// The one test that counts mappings of the process: others would disturb it.
    #[test]
    fn runs_are_joined_and_a_quarter_of_all_mappings_is_refused_by_name() {
        let page = page_size();
        let quarter = limits::mappings().unwrap_or(USUAL_MAPPINGS) / 4;
        // More than a test should make, where somebody raised the limit.
        let frames = (quarter + 10).min(1 << 16);
        let memory = FrameMemory::new(frames as u64, page).unwrap();
        let mut pages = MappedPages::new(&memory, frames).unwrap();
        pages.map(0, FrameId(3), 2).unwrap();
        pages.map(2, FrameId(5), 1).unwrap();
        assert_eq!((pages.mappings(), pages.frame(1)), (2, Some(FrameId(4))));
        pages.map(1, FrameId(0), 1).unwrap();
        assert_eq!(pages.mappings(), 4);
        pages.unmap(0, 3).unwrap();
        assert_eq!((pages.mappings(), pages.frame(1)), (1, None));
        assert_eq!(pages.map(frames, FrameId(0), 1), Err(MapError::OutOfRange));
        assert_eq!(pages.map(0, FrameId(frames as u64), 1), Err(MapError::OutOfRange));

        let mut refused = None;
        for n in 0..frames {
            // Backwards: no two are neighbours.
            match pages.map(n, FrameId((frames - 1 - n) as u64), 1) {
                Ok(()) => {}
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
            let shown = pages.base();
            // SAFETY: just mapped, and nobody else's.
            unsafe { shown.add(n * page).cast::<usize>().write(n) };
        }
        if frames > quarter {
            let Some(MapError::TooManyMappings { wanted, limit }) = refused else {
                panic!("{refused:?}")
            };
            assert!(wanted > limit && limit == quarter);
        }
        let last = memory.address(FrameId(frames as u64 - 1)).unwrap();
        // SAFETY: the frame that page 0 shows.
        assert_eq!(unsafe { last.cast::<usize>().read() }, 0);
        drop(pages);
        assert_eq!(MAPPINGS.load(Ordering::Relaxed), 0);
    }
}
