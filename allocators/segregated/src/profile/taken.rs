//! A profile as it was at one moment, for those who write or read it.

use std::collections::TryReserveError;
use std::time::{SystemTime, UNIX_EPOCH};
use std::vec::Vec;

use super::modules::{self, Module};
use super::table::{PARTS, Sum, TABLE, Table};
use super::{ProfileError, Stacks, capture};
use crate::stocks;

/// What some requests come to, as estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Requests.
    pub objects: u64,
    /// Requested bytes.
    pub bytes: u64,
    /// Samples that this was estimated from: with `n` of them it is off by about `1/√n` of it.
    pub samples: u64,
}

impl From<Sum> for Total {
    fn from(sum: Sum) -> Self {
        let objects = (sum.parts + PARTS / 2) / PARTS;
        Self { objects, bytes: sum.bytes, samples: sum.samples }
    }
}

/// Which requests are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Those whose block is live.
    Live,
    /// All since the profile began.
    Allocated,
}

/// A stack and what was requested there.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Return addresses, the one nearest to the request first: some in this crate, and then the program's.
    pub frames: &'a [usize],
    /// All requests since the profile began.
    pub allocated: Total,
    /// Those whose block is live.
    pub live: Total,
}

impl Row<'_> {
    /// One of the two sums.
    pub fn total(&self, view: View) -> Total {
        match view {
            View::Live => self.live,
            View::Allocated => self.allocated,
        }
    }
}

/// A profile as it was when it was [taken](take).
#[derive(Debug)]
pub struct Profile {
    rate: usize,
    stacks: Stacks,
    /// Nanoseconds since 1970.
    pub(super) at: u64,
    rows: Vec<super::table::Stack>,
    frames: Vec<usize>,
    pub(super) modules: Vec<Module>,
    lost: u64,
}

impl Profile {
    /// Bytes a sample, on average.
    pub fn rate(&self) -> usize {
        self.rate
    }

    /// How stacks were taken last; [`Stacks::Auto`] where that was still being found out.
    pub fn stacks(&self) -> Stacks {
        self.stacks
    }

    /// Live samples that there was no memory to remember: they are in the allocated view alone.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// All stacks, in no order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().filter(|stack| stack.allocated.samples != 0).map(|stack| Row {
            frames: &self.frames[stack.first..stack.first + stack.len],
            allocated: stack.allocated.into(),
            live: stack.live.into(),
        })
    }

    /// The sum over all stacks.
    pub fn total(&self, view: View) -> Total {
        self.rows().map(|row| row.total(view)).fold(Total::default(), |sum, row| Total {
            objects: sum.objects + row.objects,
            bytes: sum.bytes + row.bytes,
            samples: sum.samples + row.samples,
        })
    }

    /// Where an address lies: the name of the file that is mapped there, and how far into it; the address
    /// itself where no file is.
    pub(super) fn place(&self, address: usize) -> Place<'_> {
        match self.modules.iter().find(|module| module.range.contains(&address)) {
            Some(module) => Place {
                file: Some(&module.path),
                offset: address - module.range.start + module.offset,
            },
            None => Place { file: None, offset: address },
        }
    }
}

/// Where an address lies.
pub(super) struct Place<'a> {
    pub(super) file: Option<&'a str>,
    pub(super) offset: usize,
}

/// What the profile that is being taken, or was taken last, has so far. Flushes the stocks of this thread and
/// of threads that ended: see the module.
///
/// # Errors
///
/// [`ProfileError::NotStarted`] where there never was one, [`ProfileError::NoMemory`].
pub fn take() -> Result<Profile, ProfileError> {
    stocks::flush_this_thread();
    stocks::flush_left(usize::MAX);
    let (mut rows, mut frames) = (Vec::new(), Vec::new());
    let (rate, lost) = loop {
        // Nothing is allocated with the lock held: it might be a sample, or the end of one.
        let (stacks, addresses) = TABLE.with(|table| (table.stack_count, table.frame_count));
        if stacks == 0 {
            return Err(ProfileError::NotStarted);
        }
        let room = (|| {
            rows.try_reserve(stacks + stacks / 8 + 64)?;
            frames.try_reserve(addresses + addresses / 8 + 1024)
        })();
        room.map_err(|_: TryReserveError| ProfileError::NoMemory)?;
        let copied = TABLE.with(|table| copy(table, &mut rows, &mut frames));
        if let Some(copied) = copied {
            break copied;
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = u64::try_from(now.as_nanos()).unwrap_or(0);
    let (modules, stacks) = (modules::read(), capture::way());
    Ok(Profile { rate, stacks, at, rows, frames, modules, lost })
}

/// Copies a table to where there is room for it. `None` where there is not.
fn copy(
    table: &Table,
    rows: &mut Vec<super::table::Stack>,
    frames: &mut Vec<usize>,
) -> Option<(usize, u64)> {
    if rows.capacity() < table.stack_count || frames.capacity() < table.frame_count {
        return None;
    }
    rows.extend_from_slice(&table.stacks.entries()[..table.stack_count]);
    frames.extend_from_slice(&table.frames.entries()[..table.frame_count]);
    Some((table.rate, table.lost))
}
