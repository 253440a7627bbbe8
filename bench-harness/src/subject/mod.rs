//! The allocators under measurement.

pub mod calibration;
#[cfg(test)]
mod conformance;
#[cfg(feature = "global")]
mod global;
pub mod mutant;
pub mod peers;
mod plain;
mod registry;
mod system;

#[cfg(feature = "global")]
pub use global::{GlobalPeer, GlobalSubject};
pub use plain::Plain;
pub use registry::{Entry, linked};
pub use system::System;

use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

/// What an allocator says of itself; the name is its label in every table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Description {
    /// Lower case, for example `mimalloc-v3`.
    pub name: String,
    /// As the linked library states it; empty where there is none.
    pub version: String,
    /// When and how it gives memory back, in its own terms, for example `purge_delay=10ms`.
    pub purge_settings: String,
    /// A calibration subject has known answers and is not a competitor.
    pub calibration: bool,
}

impl Description {
    /// Whether its gates count where those of the subject of this name do or, without one, of every
    /// subject that is neither System nor a calibration subject.
    pub(crate) fn is_judged(&self, name: Option<&str>) -> bool {
        match name {
            Some(name) => self.name == name,
            None => self.name != "system" && !self.calibration,
        }
    }
}

/// An allocator's own figures in bytes; one that it does not keep is `None`, never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OwnFigures {
    /// Bytes of live blocks as the allocator counts them.
    pub allocated: Option<u64>,
    /// Bytes of pages or spans that hold live blocks.
    pub active: Option<u64>,
    /// Bytes that it believes resident.
    pub resident: Option<u64>,
    /// Bytes of its own bookkeeping.
    pub metadata: Option<u64>,
    /// Bytes of address space mapped.
    pub mapped: Option<u64>,
}

/// An allocator that the instrument can drive: a `GlobalAlloc` with optional hooks.
///
/// Only `describe` is required, so that adding an allocator is a dozen lines. An absent hook shows
/// as "n/a" or "inferred" in the results, never as zero.
///
/// # Safety
///
/// 1. The obligations of [`GlobalAlloc`] hold, unless the subject is a deliberately faulty one.
/// 2. `usable_size`, where it answers, is called with a live block and the layout it was allocated
///    with, and all the bytes that it promises may be written.
pub unsafe trait Subject: GlobalAlloc + Sync + Sized + 'static {
    /// Whether the memory handed out may be touched; false only for the no-op.
    const TOUCHABLE: bool = true;

    /// Name, version and settings.
    fn describe(&self) -> Description;

    /// Called once in the process that is measured, before the first request: where settings that are
    /// a process's are made.
    fn begin(&self) {}

    /// Usable bytes of a live block.
    ///
    /// # Safety
    ///
    /// 1. `ptr` is a live block of this subject, allocated with `layout`.
    unsafe fn usable_size(&self, _ptr: *mut u8, _layout: Layout) -> Option<usize> {
        None
    }

    /// Gives back as much memory as it can, now. False where the subject has no such call.
    fn purge(&self) -> bool {
        false
    }

    /// The address ranges that all blocks lie in, where the subject declares them.
    fn regions(&self) -> Option<Vec<Range<usize>>> {
        None
    }

    /// Visits every free range of bytes. False where the subject cannot.
    fn for_each_free_range(&self, _visit: &mut dyn FnMut(Range<usize>)) -> bool {
        false
    }

    /// The allocator's own figures.
    fn figures(&self) -> OwnFigures {
        OwnFigures::default()
    }
}
