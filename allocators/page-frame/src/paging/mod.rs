//! Paging: contiguous page numbers onto frames in any order.
//!
//! A [`PageSpace`] holds any number of [`PageTable`]s over one zone. Tables share frames: a fork has
//! the pages of its origin, and a write to a shared page answers [`Write::CopyNeeded`], with a frame of
//! the table's own to copy to. There is no fault handler: whoever writes asks first.
//!
//! ```text
//!   table A ──┐                       table B = fork of A's first 100 pages, page 70 written
//!             ▼                       ▼
//!           node ─────────┐         node            64 entries a node
//!             │ │         │          │ │
//!      pages  │ └ 64..    └ 128..    │ └─► node 64..100 ─► frames, page 70 another one than A's
//!      0..64  └──────────────────────┘
//!             one node with two references ─► 64 frames, counted once each
//! ```
//!
//! Tables are trees of nodes with counts, so that a fork is O(1), a fork of a prefix copies one node
//! a level, and 64 shared pages cost nothing. Each frame has a count of the leaf entries that name it.
//! The idea of tables of blocks with counts is PagedAttention's (Kwon and others, SOSP 2023); sharing
//! whole nodes is what persistent trees and `fork` of an operating system do.
//!
//! Memory for nodes and counts comes from a [`Source`](strata_core::Source); a buffer is one through
//! [`Region`](strata_core::source::Region). Nothing here touches the frames.

mod counts;
mod nodes;
#[cfg(all(test, not(strata_loom)))]
mod shadow;
mod space;
mod table;
mod take;
#[cfg(all(test, not(strata_loom)))]
mod tests;
mod tree;

pub use space::{PageSpace, PageStats};
pub use table::{PageTable, TableError, Write};
pub use take::{Blocks, TakeFrames};
