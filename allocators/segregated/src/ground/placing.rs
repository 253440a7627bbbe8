//! The seam between what is known of frames and who chooses among them.
//!
//! [`Ground`](super::Ground) keeps what is known: which frames are used, have contents, were given back. A
//! placement says which free ones a request gets, and has them back. There are two, of which a build has
//! one, so that the seam costs nothing:
//!
//! - `direct.rs` has no tables of its own: what is free is what is not used.
//! - `composed/` (feature `composed`) leaves the choice to the crates below: spans are chunks of
//!   strata-page-frame, large runs are segments of strata-segment.
//!
//! All of it happens under the ground's lock.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::Run;
use crate::territory::{Parts, Territories, Territory};

/// What frames are wanted for, and whether only such will do as have contents; one word, since requests have
/// many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wanted {
    /// A span, or a table of the heap's own, of frames with contents.
    IdleSpan,
    /// The same of any frames.
    Span,
    /// A large block, of frames with contents.
    IdleBlock,
    /// The same of any frames.
    Block,
}

impl Wanted {
    #[inline]
    pub(crate) const fn span(new_memory: bool) -> Self {
        if new_memory { Self::Span } else { Self::IdleSpan }
    }

    #[inline]
    pub(crate) const fn block(new_memory: bool) -> Self {
        if new_memory { Self::Block } else { Self::IdleBlock }
    }

    /// Whether frames without contents will do, which are new memory from the system.
    #[inline]
    pub(crate) const fn new_memory(self) -> bool {
        self as u8 & 1 != 0
    }
}

/// Who chooses frames. What it hands out is used from then on, and nobody else's, until it comes back.
///
/// A run lies in one region. `TABLES` and `table_lens`, beside each implementation, are how many tables a
/// placement has in each territory, and how long they are.
pub(crate) trait Placing {
    /// Frames for a request: see [`Ground::take`](super::Ground::take).
    fn choose<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Result<Run, Exhausted>;

    /// Chooses `more` frames behind the run of a large block, in its region; false where they are not
    /// free.
    fn lengthen<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        run: Run,
        more: usize,
    ) -> bool;

    /// Chooses exactly these frames, which are free; false where it cannot.
    fn hold<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        run: Run,
    ) -> bool;

    /// Has frames back that it chose, and that are not used any more.
    fn leave(&mut self, all: &Territories, run: Run);

    /// Has the frames back behind a large block's run, which was longer.
    fn shorten(&mut self, all: &Territories, run: Run);

    /// Makes its tables for a territory that nobody knows yet.
    fn found<S: Source<Address = NonNull<u8>>>(
        source: &S,
        territory: &Territory,
        parts: &mut Parts,
    ) -> Result<(), Exhausted>;

    /// Makes its tables for the next region of a territory, which comes into use, and then has `frames`
    /// frames in use with those before.
    fn open<S: Source<Address = NonNull<u8>>>(
        source: &S,
        parts: &mut Parts,
        region: usize,
        frames: usize,
    ) -> Result<(), Exhausted>;

    /// Checks its tables against what is known of frames; answers where they differ.
    fn validate_choices(&self, all: &Territories) -> Result<(), NonNull<u8>>;
}
