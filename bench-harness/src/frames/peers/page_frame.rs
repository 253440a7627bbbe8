//! `strata-page-frame`: the page frames of this suite.

use crate::frames::FrameSubject;
use crate::subject::Description;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;
use strata_core::{FrameId, Order};
use strata_page_frame::{Geometry, Local, PageFrames};

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.1.0";

/// `PageFrames` of the crate `strata-page-frame`, with a stock for each local.
///
/// # Invariants
///
/// 1. `frames` is dropped before `metadata`, which nothing else reaches.
pub struct StrataPageFrame {
    frames: PageFrames<'static>,
    _metadata: Metadata,
}

/// Zeroed memory of the system's.
struct Metadata {
    base: NonNull<u8>,
    layout: Layout,
}

impl Metadata {
    fn new(layout: Layout) -> Option<Self> {
        // SAFETY: no zone's metadata is empty.
        let base = NonNull::new(unsafe { System.alloc_zeroed(layout) })?;
        Some(Self { base, layout })
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { System.dealloc(self.base.as_ptr(), self.layout) };
    }
}

// SAFETY: memory that belongs to no thread; only `PageFrames` reaches it, which is `Sync`.
unsafe impl Sync for Metadata {}

impl FrameSubject for StrataPageFrame {
    type Local<'a> = Local<'a>;

    fn describe() -> Description {
        Description {
            name: "strata-page-frame".into(),
            version: VERSION.into(),
            purge_settings: "a stock of two rows for each local".into(),
            calibration: false,
        }
    }

    fn new(frames: usize, locals: usize) -> Option<Self> {
        let (frames, geometry) = (frames as u64, Geometry::DEFAULT);
        let layout = PageFrames::metadata_layout(frames, locals, geometry).ok()?;
        let metadata = Metadata::new(layout)?;
        let bytes = NonNull::slice_from_raw_parts(metadata.base, layout.size());
        // SAFETY: 1. and 2. it lives beside the allocator and is reached through it only (invariant
        // 1 of the struct). 3. zeroed.
        let frames = unsafe { PageFrames::from_zeroed(frames, locals, geometry, bytes) }.ok()?;
        Some(Self { frames, _metadata: metadata })
    }

    fn max_order(&self) -> u8 {
        44
    }

    fn local(&self, index: usize) -> Local<'_> {
        self.frames.local(index).expect("the harness takes each local once at a time")
    }

    #[inline]
    fn get(&self, local: &mut Local<'_>, order: u8) -> Option<usize> {
        Some(local.alloc(Order::new(order)?).ok()?.get() as usize)
    }

    #[inline]
    fn put(&self, local: &mut Local<'_>, frame: usize, order: u8) -> bool {
        let Some(order) = Order::new(order) else { return false };
        local.free(FrameId(frame as u64), order).is_ok()
    }

    fn drain(&self) {
        self.frames.drain();
    }

    fn free_frames(&self) -> Option<usize> {
        Some(self.frames.free_frames() as usize)
    }

    fn free_huge(&self) -> Option<usize> {
        Some(self.frames.stats().free_huge as usize)
    }

    fn validate(&self) -> Result<(), String> {
        self.frames.validate().map(|_| ()).map_err(|broken| broken.to_string())
    }
}
