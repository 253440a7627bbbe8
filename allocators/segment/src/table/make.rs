//! How a table comes to be: rows, a mover, and regions.

use core::marker::PhantomData;
use core::ptr::NonNull;

use strata_core::{Chunk, ConfigError, Offset};

use super::budget::Pace;
use super::compact::Pass;
use super::descriptor::Descriptors;
use super::ground::Ground;
use super::{Anchor, Descriptor, Memory, Mover, OnFull, PinWord, Place, SegmentTable, TableStore};
use crate::{Entry, Policy, RegionError};

/// The unit of a table over memory, in bytes.
const UNIT: usize = 16;

impl<'m, P: Policy> SegmentTable<'m, P> {
    /// A table over memory, without a region yet.
    pub fn new<const N: usize>(store: &'m mut TableStore<N>) -> Self {
        let TableStore { entries, descriptors, anchors, pins } = store;
        Self::from_rows(entries.as_flattened_mut(), descriptors, anchors, pins)
    }

    /// A table over memory, without a region yet, for as many segments as there are descriptors, anchors
    /// and pin words. Of entries it takes one a segment, one a hole, one a region, and one.
    pub fn from_rows(
        entries: &'m mut [Entry],
        descriptors: &'m mut [Descriptor],
        anchors: &'m mut [Anchor],
        pins: &'m mut [PinWord],
    ) -> Self {
        Self::over(Ground::new(entries, UNIT), descriptors, anchors, pins, Memory)
    }
}

impl<'m, P: Policy, M: Mover> SegmentTable<'m, P, M> {
    /// A table whose segments `mover` copies, without a region yet. Regions begin and end at multiples
    /// of `unit`, and segments take up multiples of it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where `unit` is not a power of two below 2^32.
    pub fn with_mover<const N: usize>(
        store: &'m mut TableStore<N, M::Place>,
        unit: usize,
        mover: M,
    ) -> Result<Self, ConfigError> {
        let TableStore { entries, descriptors, anchors, pins } = store;
        Self::from_rows_with(entries.as_flattened_mut(), descriptors, anchors, pins, unit, mover)
    }

    /// As [`with_mover`](Self::with_mover), over rows as in [`from_rows`](SegmentTable::from_rows).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_rows_with(
        entries: &'m mut [Entry],
        descriptors: &'m mut [Descriptor<M::Place>],
        anchors: &'m mut [Anchor],
        pins: &'m mut [PinWord],
        unit: usize,
        mover: M,
    ) -> Result<Self, ConfigError> {
        if !unit.is_power_of_two() || unit as u64 >= 1 << 32 {
            return Err(ConfigError::new("unit", unit, "must be a power of two below 2^32"));
        }
        Ok(Self::over(Ground::new(entries, unit), descriptors, anchors, pins, mover))
    }

    fn over(
        core: Ground<'m, P>,
        descriptors: &'m mut [Descriptor<M::Place>],
        anchors: &'m mut [Anchor],
        pins: &'m mut [PinWord],
        mover: M,
    ) -> Self {
        // What another table's forgotten guards left is nobody's: the words are borrowed anew.
        pins.fill_with(PinWord::new);
        let count = descriptors.len().min(pins.len());
        Self {
            core,
            descriptors: Descriptors::new(&mut descriptors[..count], anchors),
            pins,
            mover,
            on_full: OnFull::Fail,
            pass: Pass::default(),
            pace: Pace::default(),
            requested: 0,
            moved_segments: 0,
            moved_bytes: 0,
            memory: PhantomData,
        }
    }

    fn add_region(&mut self, base: M::Place, len: usize) -> Result<(), RegionError> {
        self.core.add_region(base.give_out(), len)
    }
}

impl<'m, P: Policy, M: Mover<Place = NonNull<u8>>> SegmentTable<'m, P, M> {
    /// Adds a region: the whole units of `memory`. Its bytes stay what they are. Time proportional to
    /// the number of regions.
    ///
    /// # Errors
    ///
    /// [`RegionError`], by cause: too short, too long, too far from the first region, or no entries
    /// are left.
    pub fn add_slice(&mut self, memory: &'m mut [u8]) -> Result<(), RegionError> {
        let unit = self.core.unit();
        let skip = memory.as_ptr().addr().wrapping_neg() & (unit - 1);
        let len = memory.len().saturating_sub(skip) & !(unit - 1);
        match memory.get_mut(skip..) {
            Some(rest) if len > 0 => self.add_region(NonNull::from(rest).cast(), len),
            _ => Err(RegionError::TooShort),
        }
    }

    /// Adds a region: a chunk of memory, as a source gives it. It is the table's for good.
    ///
    /// # Errors
    ///
    /// [`RegionError`] with the chunk, which must begin and end at multiples of the table's unit;
    /// otherwise as for [`add_slice`](Self::add_slice).
    ///
    /// # Safety
    ///
    /// 1. All its bytes are initialised, and stay valid for `'m`.
    pub unsafe fn add_memory(&mut self, memory: Chunk) -> Result<(), (RegionError, Chunk)> {
        match self.add_region(memory.base(), memory.len()) {
            Ok(()) => {
                let _ = memory.into_raw_parts();
                Ok(())
            }
            Err(why) => Err((why, memory)),
        }
    }
}

impl<P: Policy, M: Mover<Place = Offset>> SegmentTable<'_, P, M> {
    /// Adds a region of something that the processor does not address.
    ///
    /// # Errors
    ///
    /// [`RegionError`] with the chunk, which must begin and end at multiples of the table's unit, and
    /// overlap no other region; otherwise as for [`add_slice`](Self::add_slice).
    pub fn add_chunk(&mut self, chunk: Chunk<Offset>) -> Result<(), (RegionError, Chunk<Offset>)> {
        match self.add_region(chunk.base(), chunk.len()) {
            Ok(()) => {
                let _ = chunk.into_raw_parts();
                Ok(())
            }
            Err(why) => Err((why, chunk)),
        }
    }
}
