//! Free lists, generic over where their links live.
//!
//! A free list threads free blocks together. [`Links`] says where a block's link is kept: in the
//! free block itself ([`InBand`]), or by index in an array apart ([`Indexed`]) where the blocks
//! must not be written: they may be device memory, or read by a slow thread after they were handed
//! out again. The lists do not care, so the models of loom explore the code that ships.
//!
//! | list | who pushes | who takes | cost of a push / a take |
//! |---|---|---|---|
//! | [`Lifo`] | its owner | its owner, one by one | a store / a load |
//! | [`RemoteList`] | any thread | any thread, everything at once | one compare-and-exchange / one swap |
//! | [`IndexStack`] | any thread | any thread, one by one | one compare-and-exchange / one |
//!
//! A thread that is stopped for ever inside any of them (a crash, a fork of another thread) keeps
//! at most the blocks it held; all others stay takeable and none is handed out twice. The models
//! stop a thread before each of its atomic operations.

mod index_stack;
mod lifo;
mod links;
#[cfg(all(test, strata_loom))]
mod models;
mod remote;
#[cfg(all(test, not(strata_loom)))]
mod tests;

pub use index_stack::IndexStack;
pub use lifo::Lifo;
pub use links::{Head, InBand, IndexHead, Indexed, Links, PointerHead, SharedLinks};
pub use remote::RemoteList;
