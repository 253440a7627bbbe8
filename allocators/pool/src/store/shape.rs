//! How long chunks are, and how many blocks they hold.

use core::alloc::Layout;

use strata_core::ConfigError;
use strata_core::span::{Cut, MAX_BLOCKS};

use crate::config::Config;

/// Blocks are no shorter, and aligned for no less: then no page holds more than a chunk can count.
pub(crate) const LEAST: usize = 8;
/// Bytes of the first chunk, about; later ones double.
const FIRST: usize = 16 << 10;
/// What chunk lengths are tried in steps of, where the source's granule is finer.
const STEP: usize = 4096;
/// Pages of a chunk that can be told apart.
const MOST_PAGES: usize = 64;

/// The blocks of a pool, and how chunks are cut into them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) cut: Cut,
    pub(crate) align: usize,
}

impl Shape {
    /// Blocks that hold `layout`: at least 8 bytes, a multiple of the alignment.
    pub(crate) const fn new(layout: Layout) -> Result<Self, ConfigError> {
        let align = if layout.align() < LEAST { LEAST } else { layout.align() };
        let size = if layout.size() < LEAST { LEAST } else { layout.size() };
        let Some(len) = size.checked_next_multiple_of(align) else {
            return Err(ConfigError::new("layout", size, "must leave room for its alignment"));
        };
        if len > i32::MAX as usize {
            return Err(ConfigError::new("layout", size, "must be shorter than 2 GiB"));
        }
        let most = Cut::MAX_LEN / len;
        let cut = if most > 1 { Cut::new(len, most * len) } else { Cut::single(len) };
        Ok(Self { cut, align })
    }

    /// The blocks of a pool, if it can be made.
    pub(crate) const fn of_pool(layout: Layout, config: &Config) -> Result<Self, ConfigError> {
        if config.capacity == 0 {
            return Err(ConfigError::new("capacity", 0, "must be above zero"));
        }
        Self::new(layout)
    }

    /// Bytes of a block.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        self.cut.block_len()
    }

    /// Bytes of a chunk, and its blocks: as many as `room` bytes hold about, `most` at most and one
    /// at least, in whole granules with the shortest tail.
    pub(crate) fn chunk(self, granule: usize, room: usize, most: usize) -> (usize, usize) {
        let len = self.len();
        let most = most.clamp(1, self.cut.blocks().min(MAX_BLOCKS));
        let whole = |blocks: usize| (blocks * len).next_multiple_of(granule);
        // The pages of a chunk can be told apart, if it is not a single block.
        let room = room.min(MOST_PAGES * granule.max(STEP)).min(Cut::MAX_LEN);
        let bytes = whole((room / len).clamp(1, most));
        let blocks = (bytes / len).min(most);
        if granule < STEP || bytes == blocks * len || blocks == most {
            return (bytes, blocks);
        }
        // Of all lengths, that with the shortest tail.
        let mut best = (bytes, blocks);
        let waste = |(bytes, blocks): (usize, usize)| (bytes - blocks * len) as f32 / bytes as f32;
        let mut bytes = room / granule * granule;
        while bytes >= len {
            let candidate = (bytes, bytes / len);
            if candidate.1 <= most && waste(candidate) < waste(best) {
                best = candidate;
            }
            bytes -= granule;
        }
        best
    }

    /// Room for the next chunk of a pool that has `bytes` in chunks.
    pub(crate) fn room(self, bytes: usize) -> usize {
        bytes.max(FIRST).max(self.len())
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    fn shape(size: usize) -> Shape {
        Shape::new(Layout::from_size_align(size, 8).unwrap()).unwrap()
    }

    #[test]
    fn the_tails_of_chunks_are_short() {
        for size in (8..=64 << 10).step_by(8) {
            let shape = shape(size);
            let (bytes, blocks) = shape.chunk(4096, 1 << 20, usize::MAX);
            let waste = (bytes - blocks * shape.len()) as f64 / bytes as f64;
            let most = if size <= 16 << 10 { 0.016 } else { 0.019 };
            assert!(waste <= most, "{size}: {blocks} blocks in {bytes} bytes, {waste}");
            assert!(blocks <= MAX_BLOCKS && bytes <= 64 * 4096);
        }
    }

    #[test]
    fn a_long_block_is_a_chunk_of_its_own() {
        let shape = shape(3 << 20);
        assert_eq!(shape.chunk(4096, 1 << 30, usize::MAX), (3 << 20, 1));
        assert!(Shape::new(Layout::from_size_align(4 << 30, 8).unwrap()).is_err());
    }

    #[test]
    fn small_rooms_and_small_pools_get_small_chunks() {
        let shape = shape(64);
        assert_eq!(shape.chunk(4096, 1, usize::MAX), (4096, 64));
        assert_eq!(shape.chunk(4096, 1 << 20, 3), (4096, 3));
        assert_eq!(shape.chunk(16, 1000, 3), (192, 3));
        assert_eq!(shape.chunk(4096, 1 << 20, usize::MAX), (32 << 10, 512));
    }
}
