//! A span cut into equal blocks: where each block lies, and which are free.
//!
//! What a pool and a general-purpose allocator have in common, and no more: no free list, no owner,
//! no lock, and nothing of it lies in the blocks. [`Cut`] is the arithmetic, [`Occupancy`] the bitmap,
//! [`Span`] the descriptor with its idle pages; [`Lists`] chooses the span to take from, and finds
//! those that may retire. Blocks are named by their number in the span.
//!
//! Freshly cut spans need no pass over their blocks: runs are taken in the order of addresses, so
//! pages behind the last block that was ever taken have not been touched.
//!
//! ```
//! use strata_core::span::{Cut, Occupancy};
//!
//! const CUT: Cut = Cut::new(48, 12288);
//! let mut blocks = Occupancy::none();
//! blocks.fill(CUT.blocks());
//!
//! let mut offsets = Vec::new();
//! assert_eq!(blocks.take(3, |number| offsets.push(CUT.offset_of(number))), 3);
//! assert_eq!(offsets, [0, 48, 96]);
//!
//! let number = CUT.number_of(48).unwrap();
//! assert_eq!(blocks.put(number), Ok(()));
//! assert!(blocks.put(number).is_err(), "freed twice");
//! assert_eq!(CUT.number_of(50), None, "not where a block begins");
//! ```

mod cut;
mod descriptor;
mod lists;
mod occupancy;
mod queue;
mod tally;

pub use cut::Cut;
pub use descriptor::{AWAY, LEFT, NONE, Span, SpanId, ranges};
pub use lists::{Flushed, Heads, Lists, Misuse, Spans, Taken};
pub use occupancy::{AlreadyFree, MAX_BLOCKS, Occupancy};
pub use queue::{Away, Purged};
pub use tally::{Figures, Tally};
