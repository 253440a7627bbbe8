//! How many frames make a huge frame, and how many of those a tree; where each table of the
//! metadata lies.

use core::alloc::Layout;

use strata_core::{ConfigError, FrameId, Order};

use crate::index::{GROUP, PLANES};
use crate::summary;

/// Frames of one row: the bits of one word.
pub(crate) const ROW: u64 = 64;
/// The order of a row.
pub(crate) const ROW_ORDER: u8 = 6;
/// Entries of huge frames in one word.
pub(crate) const QUAD: usize = 4;
/// Words of one local's slot: two cache lines.
pub(crate) const SLOT_WORDS: usize = 16;
/// Tables start on cache lines.
const LINE: usize = 64;
/// Slots start on pairs of lines, which processors fetch together.
const SLOT_ALIGN: usize = 128;

/// How frames are grouped: a huge frame is the unit that is taken in one step, a tree is the unit
/// that a search skips in one step. Both are chosen at run time.
///
/// ```
/// use strata_page_frame::Geometry;
/// // 4 KiB frames: 512 of them are 2 MiB. Trees of 8 huge frames.
/// assert_eq!(Geometry::default(), Geometry::new(9, 8)?);
/// // 16 KiB frames: 128 of them are 2 MiB.
/// assert_eq!(Geometry::for_frames_of(16 << 10, 8)?, Geometry::new(7, 8)?);
/// assert!(Geometry::new(5, 8).is_err());
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    huge_order: u8,
    tree_shift: u8,
}

impl Geometry {
    /// Huge frames of 512 frames, trees of 8 huge frames.
    pub const DEFAULT: Self = Self { huge_order: 9, tree_shift: 3 };

    /// Huge frames of `2^huge_order` frames, trees of `tree_huge` huge frames.
    ///
    /// # Errors
    ///
    /// Unless `huge_order` is 6 to 10 and `tree_huge` a power of two from 4 to 512.
    pub const fn new(huge_order: u8, tree_huge: usize) -> Result<Self, ConfigError> {
        if huge_order < ROW_ORDER || huge_order > 10 {
            return Err(ConfigError::new("huge_order", huge_order as usize, "must be 6 to 10"));
        }
        if !tree_huge.is_power_of_two() || tree_huge < QUAD || tree_huge > 512 {
            let rule = "must be a power of two from 4 to 512";
            return Err(ConfigError::new("tree_huge", tree_huge, rule));
        }
        Ok(Self { huge_order, tree_shift: tree_huge.trailing_zeros() as u8 })
    }

    /// Huge frames of 2 MiB, made of frames of `bytes` bytes each.
    ///
    /// # Errors
    ///
    /// Unless `bytes` is a power of two from 2 KiB to 32 KiB, and as [`Geometry::new`].
    pub const fn for_frames_of(bytes: usize, tree_huge: usize) -> Result<Self, ConfigError> {
        if !bytes.is_power_of_two() || bytes < (2 << 10) || bytes > (32 << 10) {
            return Err(ConfigError::new("bytes", bytes, "must be a power of two, 2 to 32 KiB"));
        }
        Self::new((21 - bytes.trailing_zeros()) as u8, tree_huge)
    }

    /// The order of a huge frame.
    #[inline]
    pub const fn huge_order(self) -> Order {
        match Order::new(self.huge_order) {
            Some(order) => order,
            None => unreachable!(),
        }
    }

    /// Huge frames of one tree.
    pub const fn tree_huge(self) -> usize {
        1 << self.tree_shift
    }

    /// Frames of one huge frame.
    #[inline]
    pub(crate) const fn huge_frames(self) -> u64 {
        1 << self.huge_order
    }

    /// Rows of one huge frame.
    #[inline]
    pub(crate) const fn huge_rows(self) -> usize {
        1 << (self.huge_order - ROW_ORDER)
    }

    /// Frames of a quarter of a huge frame.
    #[inline]
    pub(crate) const fn quarter(self) -> u64 {
        self.huge_frames() / 4
    }

    /// How many quarters of a huge frame a block of `order` is; `None` where it is not made of them, or
    /// they are less than a row.
    #[inline]
    pub(crate) const fn quarters(self, order: u8) -> Option<u32> {
        if order + 2 < self.huge_order || order >= self.huge_order || self.quarter() < ROW {
            return None;
        }
        Some(1 << (order + 2 - self.huge_order))
    }

    /// The quarter of its huge frame in which a frame lies.
    #[inline]
    pub(crate) const fn quarter_of(self, frame: u64) -> u32 {
        (frame >> (self.huge_order - 2)) as u32 % 4
    }

    #[inline]
    pub(crate) const fn huge_of(self, frame: u64) -> usize {
        (frame >> self.huge_order) as usize
    }

    /// The huge frame of a row, and the row's place in it.
    #[inline]
    pub(crate) const fn huge_of_row(self, row: usize) -> (usize, usize) {
        let shift = self.huge_order - ROW_ORDER;
        (row >> shift, row & ((1 << shift) - 1))
    }

    #[inline]
    pub(crate) const fn tree_of(self, huge: usize) -> usize {
        huge >> self.tree_shift
    }

    #[inline]
    pub(crate) const fn first_frame(self, huge: usize) -> u64 {
        (huge as u64) << self.huge_order
    }

    /// The first row of a huge frame.
    #[inline]
    pub(crate) const fn first_row(self, huge: usize) -> usize {
        huge << (self.huge_order - ROW_ORDER)
    }
}

impl Default for Geometry {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The row of a frame.
#[inline]
pub(crate) const fn row_of(frame: u64) -> usize {
    (frame / ROW) as usize
}

/// The frame's bit in its row.
#[inline]
pub(crate) const fn bit_of(frame: u64) -> u32 {
    (frame % ROW) as u32
}

/// The frame of a row's bit.
#[inline]
pub(crate) const fn frame_at(row: usize, bit: u32) -> FrameId {
    FrameId(row as u64 * ROW + bit as u64)
}

/// Where the tables lie in the metadata, in bytes from its start.
///
/// ```text
/// ┌───────────────┬───────────────┬──────────────┬─────────────┬──────────────────────┐
/// │ rows          │ starts        │ entries      │ planes      │ summary              │
/// │ 1 bit a frame │ `checked`:    │ 2 bytes a    │ 3 bits a    │ a line for 64 trees: │
/// │               │ 1 bit a frame │ huge frame   │ huge frame  │ 6 bits a tree        │
/// ├───────────────┼───────────────┴──────────────┴─────────────┴──────────────────────┘
/// │ head: 2 words │ slots, 128 bytes a local
/// └───────────────┘
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) huge: usize,
    pub(crate) rows: usize,
    pub(crate) quads: usize,
    pub(crate) trees: usize,
    #[cfg(feature = "checked")]
    pub(crate) starts_at: usize,
    pub(crate) quads_at: usize,
    pub(crate) planes: usize,
    pub(crate) planes_at: usize,
    pub(crate) summary: usize,
    pub(crate) summary_at: usize,
    pub(crate) head_at: usize,
    pub(crate) slots_at: usize,
    pub(crate) len: usize,
}

/// Frames are counted in 44 bits.
pub(crate) const MAX_FRAMES: u64 = 1 << 44;
/// Locals are counted in 16 bits.
pub(crate) const MAX_LOCALS: usize = 1 << 16;

impl Plan {
    pub(crate) const fn new(
        frames: u64,
        locals: usize,
        geometry: Geometry,
    ) -> Result<Self, ConfigError> {
        if frames == 0 || frames > MAX_FRAMES {
            return Err(ConfigError::new("frames", frames as usize, "must be 1 to 2^44"));
        }
        if locals > MAX_LOCALS {
            return Err(ConfigError::new("locals", locals, "must be at most 2^16"));
        }
        let huge = frames.div_ceil(geometry.huge_frames());
        let rows = huge << (geometry.huge_order - ROW_ORDER);
        // Rows are eight bytes each, and there are less than 2^39 of them.
        if (rows * 8 * 3) as u128 + (locals * SLOT_WORDS * 8) as u128 > isize::MAX as u128 {
            let rule = "must be few enough for their metadata to fit in memory";
            return Err(ConfigError::new("frames", frames as usize, rule));
        }
        let (huge, rows) = (huge as usize, rows as usize);
        let quads = huge.div_ceil(QUAD);
        let trees = huge.div_ceil(geometry.tree_huge());
        let starts_at = (rows * 8).next_multiple_of(LINE);
        let starts = if cfg!(feature = "checked") { rows * 8 } else { 0 };
        let quads_at = (starts_at + starts).next_multiple_of(LINE);
        let planes = huge.div_ceil(GROUP) * PLANES;
        let planes_at = quads_at + quads * 8;
        let summary = trees.div_ceil(summary::TREES) * summary::WORDS;
        let summary_at = (planes_at + planes * 8).next_multiple_of(LINE);
        let head_at = summary_at + summary * 8;
        let head_end = head_at + 2 * 8;
        let slots_at = if locals == 0 { head_end } else { head_end.next_multiple_of(SLOT_ALIGN) };
        let len = slots_at + locals * SLOT_WORDS * 8;
        Ok(Self {
            huge,
            rows,
            quads,
            trees,
            #[cfg(feature = "checked")]
            starts_at,
            quads_at,
            planes,
            planes_at,
            summary,
            summary_at,
            head_at,
            slots_at,
            len,
        })
    }

    pub(crate) const fn layout(&self) -> Layout {
        match Layout::from_size_align(self.len, SLOT_ALIGN) {
            Ok(layout) => layout,
            Err(_) => unreachable!(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_follow_one_another() {
        for frames in [1, 63, 64, 511, 512, 513, 4096 * 7 + 5, 1 << 20, MAX_FRAMES >> 4] {
            for (order, tree) in [(6, 4), (7, 8), (9, 8), (10, 512)] {
                let geometry = Geometry::new(order, tree).unwrap();
                let plan = Plan::new(frames, 3, geometry).unwrap();
                assert!(plan.rows as u64 * ROW >= frames);
                assert!(plan.huge as u64 * geometry.huge_frames() >= frames);
                assert!(plan.quads_at >= plan.rows * 8);
                assert!(plan.planes_at >= plan.quads_at + plan.quads * 8);
                assert!(plan.head_at >= plan.summary_at + plan.trees.div_ceil(64) * 64);
                assert_eq!(plan.len, plan.slots_at + 3 * SLOT_WORDS * 8);
            }
        }
        assert!(Plan::new(0, 0, Geometry::DEFAULT).is_err());
        assert!(Plan::new(MAX_FRAMES + 1, 0, Geometry::DEFAULT).is_err());
    }

    #[test]
    #[cfg(not(feature = "checked"))]
    fn metadata_is_at_most_67_bytes_for_two_mebibytes() {
        for gib in [1, 4, 64, 1024, 16384] {
            let frames = gib << 18;
            let plan = Plan::new(frames, 0, Geometry::DEFAULT).unwrap();
            assert!(plan.len as u64 <= 67 * (frames / 512), "{gib} GiB: {}", plan.len);
        }
    }
}
