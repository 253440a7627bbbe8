//! From the caller's metadata to an allocator.

use core::alloc::Layout;
#[cfg(not(strata_loom))]
use core::mem::MaybeUninit;
#[cfg(not(strata_loom))]
use core::ptr::NonNull;

use strata_core::ConfigError;

use crate::class::separate;
use crate::frames::{PageFrames, Shared};
use crate::geometry::{Geometry, Plan};
use crate::tables::Tables;

impl<'m> PageFrames<'m> {
    /// Length and alignment of the metadata of `frames` frames and `locals` locals.
    ///
    /// # Errors
    ///
    /// For no frames, more than 2^44 of them, or more than 2^16 locals.
    ///
    /// ```
    /// use strata_page_frame::{Geometry, PageFrames};
    /// // 1 GiB of 4 KiB frames: at most 67 bytes for each 2 MiB.
    /// let layout = PageFrames::metadata_layout(1 << 18, 0, Geometry::DEFAULT)?;
    /// # #[cfg(not(feature = "checked"))]
    /// assert!(layout.size() <= 67 * 512);
    /// # Ok::<(), strata_core::ConfigError>(())
    /// ```
    pub const fn metadata_layout(
        frames: u64,
        locals: usize,
        geometry: Geometry,
    ) -> Result<Layout, ConfigError> {
        match Plan::new(frames, locals, geometry) {
            Ok(plan) => Ok(plan.layout()),
            Err(error) => Err(error),
        }
    }

    /// An allocator whose frames are all free. Clears the metadata; the first aligned place in
    /// `metadata` is used.
    ///
    /// # Errors
    ///
    /// As [`metadata_layout`](Self::metadata_layout), and where `metadata` is too short.
    #[cfg(not(strata_loom))]
    pub fn new(
        frames: u64,
        locals: usize,
        geometry: Geometry,
        metadata: &'m mut [MaybeUninit<u8>],
    ) -> Result<Self, ConfigError> {
        let layout = Self::metadata_layout(frames, locals, geometry)?;
        let skipped = strata_core::align::padding(metadata.as_ptr().addr(), layout.align());
        let len = metadata.len();
        let Some(place) = metadata.get_mut(skipped..) else {
            return Err(ConfigError::new("metadata", len, "must be long enough to be aligned"));
        };
        let used = place.len().min(layout.size());
        place[..used].fill(MaybeUninit::new(0));
        let place = NonNull::from(&mut place[..used]);
        let bytes = NonNull::slice_from_raw_parts(place.cast::<u8>(), used);
        // SAFETY: 1. and 2. initialised above, and borrowed for 'm. 3. cleared above.
        unsafe { Self::from_zeroed(frames, locals, geometry, bytes) }
    }

    /// An allocator whose frames are all free, over metadata that is zero already, such as fresh
    /// pages of the system. Nothing of it is touched, unless the zone does not end with a huge
    /// frame: then the words of its last huge frame are.
    ///
    /// # Errors
    ///
    /// As [`metadata_layout`](Self::metadata_layout), and where `metadata` is too short or not
    /// aligned.
    ///
    /// # Safety
    ///
    /// 1. `metadata` is valid for reads and writes during `'m`.
    /// 2. During `'m` it is reached through this allocator only.
    /// 3. It is zero.
    #[cfg(not(strata_loom))]
    pub unsafe fn from_zeroed(
        frames: u64,
        locals: usize,
        geometry: Geometry,
        metadata: NonNull<[u8]>,
    ) -> Result<Self, ConfigError> {
        // SAFETY: 1. and 2. of this function; zero is initialised (3.).
        let tables = unsafe { Tables::over(frames, locals, geometry, metadata)? };
        Ok(Self::fresh(tables))
    }

    /// An allocator over tables that are all zero.
    pub(crate) fn fresh(tables: Tables<'m>) -> Self {
        tables.close_end();
        Self { tables, policy: separate, shared: Shared::default() }
    }
}
