//! Who copies a segment's bytes when it moves.

use core::fmt;
use core::ptr::NonNull;

use strata_core::{Address, Offset};

/// An address that a table can keep. Memory and offsets; nothing else implements it.
pub trait Place: Address + sealed::Sealed {
    /// What a descriptor without a segment holds.
    #[doc(hidden)]
    const NOWHERE: Self;

    /// The place with this number, in a region of a table.
    ///
    /// # Safety
    ///
    /// 1. The number is one in (or at the end of) a chunk whose base was given to
    ///    [`give_out`](Self::give_out).
    #[doc(hidden)]
    unsafe fn at(number: u64) -> Self;

    /// Allows for [`at`](Self::at) everywhere in the chunk of which this is the base.
    #[doc(hidden)]
    fn give_out(self) -> u64;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for core::ptr::NonNull<u8> {}
    impl Sealed for strata_core::Offset {}
}

impl Place for NonNull<u8> {
    const NOWHERE: Self = NonNull::dangling();

    #[inline]
    unsafe fn at(number: u64) -> Self {
        let pointer = core::ptr::with_exposed_provenance_mut(number as usize);
        // SAFETY: 1.: an address in an object, or at its end: not null.
        unsafe { Self::new_unchecked(pointer) }
    }

    #[inline]
    fn give_out(self) -> u64 {
        self.as_ptr().expose_provenance() as u64
    }
}

impl Place for Offset {
    const NOWHERE: Self = Offset(0);

    #[inline]
    unsafe fn at(number: u64) -> Self {
        Self(number)
    }

    #[inline]
    fn give_out(self) -> u64 {
        self.0
    }
}

/// A mover could not copy. The segment stays where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMoved;

impl fmt::Display for NotMoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mover could not copy")
    }
}

impl core::error::Error for NotMoved {}

/// Copies segments for a table: over memory that the processor does not address (a device's, a
/// file's), or over memory that something else copies better.
///
/// This is all that a table needs of the bytes that it manages, so that whatever has a copy can be
/// compacted:
///
/// ```
/// use strata_core::Offset;
/// use strata_segment::table::{Mover, NotMoved};
///
/// /// Stands for a device: its memory is reached by commands only.
/// struct Device(Vec<u8>);
///
/// impl Mover for Device {
///     type Place = Offset;
///     unsafe fn copy(&mut self, from: Offset, to: Offset, len: usize) -> Result<(), NotMoved> {
///         let (from, to) = (from.0 as usize, to.0 as usize);
///         self.0.copy_within(from..from + len, to);
///         Ok(())
///     }
/// }
/// ```
pub trait Mover {
    /// What places of its bytes are called.
    type Place: Place;

    /// Copies `len` bytes from `from` to `to`, as `memmove` does: the ranges may overlap. When it
    /// returns, the bytes at `to` are what those at `from` were. If it panics, the segment stays where
    /// it was, and what is in it is the mover's to answer for.
    ///
    /// # Errors
    ///
    /// [`NotMoved`] when the bytes could not be copied. Those at `from` are what they were, so a
    /// mover that may fail half-way does not overwrite one range with the other where they
    /// overlap.
    ///
    /// # Safety
    ///
    /// 1. Both ranges lie in one and the same table's regions, and that table is the caller.
    /// 2. Nobody else reads or writes either range during the call.
    unsafe fn copy(
        &mut self,
        from: Self::Place,
        to: Self::Place,
        len: usize,
    ) -> Result<(), NotMoved>;
}

/// Memory of the program's own, copied by the processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Mover for Memory {
    type Place = NonNull<u8>;

    #[inline]
    unsafe fn copy(
        &mut self,
        from: NonNull<u8>,
        to: NonNull<u8>,
        len: usize,
    ) -> Result<(), NotMoved> {
        // SAFETY: both ranges are memory of a region that a table owns (1.), untouched by others
        // (2.); `copy` allows for overlap.
        unsafe { from.copy_to(to, len) };
        Ok(())
    }
}
