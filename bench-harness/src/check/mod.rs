//! Checked replay: what a correct allocator may never do.
//!
//! A [`Checker`] is told of every call before and after the subject makes it. It keeps the live
//! blocks in address order, fills each with words that nobody else writes, and reads them back when
//! the block changes hands. Each broken promise is a [`Violation`] of exactly one [`Kind`]; a block
//! whose bookkeeping it spoilt is then left alone, so that one fault is one report.

mod block;
mod checker;
mod content;
mod ledger;
mod state;
mod violation;

pub use checker::{At, Checker, Limits};
pub use violation::{Kind, Violation};

#[cfg(test)]
pub(crate) mod drive;
#[cfg(test)]
mod tests;
