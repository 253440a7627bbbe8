//! What the tests share: zones with metadata of their own.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use strata_core::Order;
use strata_page_frame::{Geometry, PageFrames};

/// Zeroed memory for metadata, freed when dropped.
pub struct Metadata {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: plain memory that no thread owns.
unsafe impl Send for Metadata {}
// SAFETY: as above.
unsafe impl Sync for Metadata {}

impl Metadata {
    pub fn new(frames: u64, locals: usize, geometry: Geometry) -> Self {
        let layout = PageFrames::metadata_layout(frames, locals, geometry).unwrap();
        // SAFETY: no layout of metadata is empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
        Self { base, layout }
    }

    pub fn bytes(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.layout.size())
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

/// Calls `work` with a fresh zone.
pub fn zone<R>(
    frames: u64,
    locals: usize,
    geometry: Geometry,
    work: impl FnOnce(&PageFrames<'_>) -> R,
) -> R {
    let metadata = Metadata::new(frames, locals, geometry);
    // SAFETY: 1. and 2. it is this zone's alone, and outlives it. 3. zeroed.
    let zone = unsafe { PageFrames::from_zeroed(frames, locals, geometry, metadata.bytes()) };
    work(&zone.unwrap())
}

pub fn order(n: u8) -> Order {
    Order::new(n).unwrap()
}

/// Numbers that look random: SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}
