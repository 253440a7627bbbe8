//! Allocation traces: what a program asked of its allocator, by which thread, in which order.
//!
//! A trace is a stream of [`Event`]s. [`Writer`] puts one into a file, [`Reader`] takes it out
//! again a chunk at a time, [`info()`] tells everything about one, and [`every_shipped()`] lists those
//! that are compiled in. The bytes are specified in [`mod@format`].

mod bytes;
mod convert;
pub mod event;
pub mod format;
mod index;
mod info;
mod input;
mod live;
mod meta;
mod prototype;
mod reader;
mod section;
mod shipped;
mod writer;

pub use convert::convert;
pub use event::{BlockId, Event, Op, ThreadId};
pub use index::{ChunkPlace, Index};
pub use info::{AlignmentShare, Counts, Info, Percentiles, info};
pub(crate) use live::IdMap;
pub use live::{LiveBlock, LiveSet};
pub use meta::{Meta, Totals};
pub use reader::Reader;
pub use shipped::{Shipped, every_shipped, shipped, shipped_more};
pub use writer::{Summary, Writer};
